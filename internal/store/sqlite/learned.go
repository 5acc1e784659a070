package sqlite

import (
	"context"
	"database/sql"

	"github.com/promptd/promptd/internal/router"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Learned keeps what attempts have taught in promptd.db.
type Learned struct{ file *file }

// Learned is the part that keeps what attempts have taught.
func (db *DB) Learned() *Learned { return &Learned{file: db.main} }

// Learned reads the rows, the newest first.
func (l *Learned) Learned(ctx context.Context, most int) ([]router.Row, error) {
	var list []router.Row
	err := l.file.rows(ctx, "learned_read", sqltext.ReadLearned, []any{most}, func(rows *sql.Rows) error {
		r, err := sqltext.ScanLearned(rows)
		list = append(list, r)
		return err
	})
	return list, err
}

// Learn keeps rows and forgets the oldest.
func (l *Learned) Learn(ctx context.Context, rows []router.Row, most int) error {
	return l.file.tx(ctx, "learned_keep", func(ctx context.Context, tx *sql.Tx) error {
		for i := range rows {
			if _, err := tx.ExecContext(ctx, sqltext.KeepLearned, sqltext.LearnedArgs(&rows[i])...); err != nil {
				return err
			}
		}
		var have int
		if err := tx.QueryRowContext(ctx, sqltext.CountLearned).Scan(&have); err != nil || have <= most {
			return err
		}
		_, err := tx.ExecContext(ctx, sqltext.ForgetLearned, have-most)
		return err
	})
}

var _ router.Store = (*Learned)(nil)
