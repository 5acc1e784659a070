package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetPatience makes a store less patient.
func SetPatience(db *DB, d time.Duration) { db.patience = patience{write: d, read: d} }

// Limits gives the time limits that a transaction has: of a statement, of a lock, of idleness.
func Limits(ctx context.Context, db *DB) (text string, err error) {
	err = db.tx(ctx, "limits", func(ctx context.Context, tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
			current_setting('idle_in_transaction_session_timeout'))`).Scan(&text)
	})
	return text, err
}

// Sleep runs a statement that takes some seconds.
func Sleep(ctx context.Context, db *DB, seconds int) error {
	_, err := db.exec(ctx, "sleep", "SELECT pg_sleep($1::int)", seconds)
	return err
}

// MoveBoth moves two counters in one transaction, and calls a function between them.
func MoveBoth(ctx context.Context, db *DB, names [2]string, between func()) error {
	return db.tx(ctx, "move_both", func(ctx context.Context, tx pgx.Tx) error {
		for _, name := range names {
			if _, err := tx.Exec(ctx, "UPDATE counters SET value = value + 1 WHERE name = $1", name); err != nil {
				return err
			}
			between()
		}
		return nil
	})
}
