package postgres

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/store/statement"
)

// Learned keeps what attempts have taught.
type Learned struct{ db *DB }

// Learned is the part that keeps what attempts have taught.
func (db *DB) Learned() *Learned { return &Learned{db} }

// Learned reads the rows, the newest first.
func (l *Learned) Learned(ctx context.Context, most int) (list []router.Row, err error) {
	err = l.db.rows(ctx, "learned_read", statement.ReadLearned, []any{most}, func(row statement.Row) error {
		r, err := statement.ScanLearned(row)
		list = append(list, r)
		return err
	})
	return list, err
}

// Learn keeps rows and forgets the oldest. The rows are written in one order by every process, so that none waits for another that waits for it.
func (l *Learned) Learn(ctx context.Context, rows []router.Row, most int) error {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &rows[i], &rows[j]
		return cmp.Or(cmp.Compare(a.Team, b.Team), bytes.Compare(a.Schema[:], b.Schema[:]), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Model, b.Model))
	})
	return l.db.tx(ctx, "learned_keep", func(ctx context.Context, tx pgx.Tx) error {
		var batch pgx.Batch
		for _, i := range order {
			batch.Queue(statement.KeepLearned, statement.LearnedArgs(&rows[i])...)
		}
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		var have int
		if err := tx.QueryRow(ctx, statement.CountLearned).Scan(&have); err != nil || have <= most {
			return err
		}
		_, err := tx.Exec(ctx, statement.ForgetLearned, have-most)
		return err
	})
}

var _ router.Store = (*Learned)(nil)
