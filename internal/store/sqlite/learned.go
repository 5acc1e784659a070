package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/router"
)

// Learned keeps what attempts have taught in promptd.db.
type Learned struct{ file *file }

// Learned is the part that keeps what attempts have taught.
func (db *DB) Learned() *Learned { return &Learned{file: db.main} }

const (
	learnedColumns = `team, schema, provider, model, name, attempts, weight, passed, reasks, nano, priced, output, metred, took, timed, updated_at`
	readLearned    = `SELECT ` + learnedColumns + ` FROM learned ORDER BY updated_at DESC, team, schema, provider, model LIMIT $1`
	keepLearned    = `INSERT OR REPLACE INTO learned (` + learnedColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`
	// The sum over a table without rowid is read from its smallest index; it is read seldom, and the table is bounded.
	countLearned  = `SELECT count(*) FROM learned`
	forgetLearned = `DELETE FROM learned WHERE (team, schema, provider, model) IN (
	SELECT team, schema, provider, model FROM learned ORDER BY updated_at, team, schema, provider, model LIMIT $1)`
)

// Learned reads the rows, the newest first.
func (l *Learned) Learned(ctx context.Context, most int) ([]router.Row, error) {
	var list []router.Row
	err := l.file.rows(ctx, "learned_read", readLearned, []any{most}, func(rows *sql.Rows) error {
		var r router.Row
		var schema []byte
		var updated int64
		f := &r.Figures
		if err := rows.Scan(&r.Team, &schema, &r.Provider, &r.Model, &r.Name, &f.Attempts, &f.Weight, &f.Passed, &f.Reasks, &f.Nano, &f.Priced,
			&f.Output, &f.Metred, &f.Took, &f.Timed, &updated); err != nil {
			return err
		}
		copy(r.Schema[:], schema)
		f.Updated = time.UnixMicro(updated).UTC()
		list = append(list, r)
		return nil
	})
	return list, err
}

// Learn keeps rows and forgets the oldest.
func (l *Learned) Learn(ctx context.Context, rows []router.Row, most int) error {
	return l.file.tx(ctx, "learned_keep", func(ctx context.Context, tx *sql.Tx) error {
		for i := range rows {
			if err := keepRow(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		var have int
		if err := tx.QueryRowContext(ctx, countLearned).Scan(&have); err != nil || have <= most {
			return err
		}
		_, err := tx.ExecContext(ctx, forgetLearned, have-most)
		return err
	})
}

func keepRow(ctx context.Context, tx *sql.Tx, r *router.Row) error {
	schema := r.Schema[:]
	if r.Team == "" {
		schema = []byte{}
	}
	f := &r.Figures
	_, err := tx.ExecContext(ctx, keepLearned, string(r.Team), schema, r.Provider, r.Model, r.Name, f.Attempts, f.Weight, f.Passed, f.Reasks,
		f.Nano, f.Priced, f.Output, f.Metred, f.Took, f.Timed, f.Updated.UnixMicro())
	return err
}

var _ router.Store = (*Learned)(nil)
