package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Limits gives the time limits that a transaction has: of a statement, of a lock, of idleness.
func Limits(ctx context.Context, db *DB) (text string, err error) {
	err = db.tx(ctx, "limits", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
			current_setting('idle_in_transaction_session_timeout'))`).Scan(&text)
	})
	return text, err
}
