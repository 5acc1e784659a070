package statement

import (
	"time"

	"github.com/promptd/promptd/internal/router"
)

// The statements of what attempts have taught.
const (
	learnedColumns = `team, schema, provider, model, name, attempts, weight, passed, reasks, nano, priced, output, metred, took, timed, updated_at`
	ReadLearned    = `SELECT ` + learnedColumns + ` FROM learned ORDER BY updated_at DESC, team, schema, provider, model LIMIT $1`
	KeepLearned    = `INSERT INTO learned (` + learnedColumns + `)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
	ON CONFLICT (team, schema, provider, model) DO UPDATE SET name = excluded.name, attempts = excluded.attempts, weight = excluded.weight,
	passed = excluded.passed, reasks = excluded.reasks, nano = excluded.nano, priced = excluded.priced, output = excluded.output,
	metred = excluded.metred, took = excluded.took, timed = excluded.timed, updated_at = excluded.updated_at`
	// CountLearned is read from the smallest index; it is read seldom, and the table is bounded.
	CountLearned  = `SELECT count(*) FROM learned`
	ForgetLearned = `DELETE FROM learned WHERE (team, schema, provider, model) IN (
	SELECT team, schema, provider, model FROM learned ORDER BY updated_at, team, schema, provider, model LIMIT $1)`
)

// LearnedArgs are the parameters of KeepLearned.
func LearnedArgs(r *router.Row) []any {
	schema := r.Schema[:]
	if r.Team == "" {
		schema = []byte{}
	}
	f := &r.Figures
	return []any{
		string(r.Team), schema, r.Provider, r.Model, r.Name, f.Attempts, f.Weight, f.Passed, f.Reasks,
		f.Nano, f.Priced, f.Output, f.Metred, f.Took, f.Timed, f.Updated.UnixMicro(),
	}
}

// ScanLearned reads a row of ReadLearned.
func ScanLearned(row Row) (r router.Row, err error) {
	var schema []byte
	var updated int64
	f := &r.Figures
	if err := row.Scan(&r.Team, &schema, &r.Provider, &r.Model, &r.Name, &f.Attempts, &f.Weight, &f.Passed, &f.Reasks, &f.Nano, &f.Priced,
		&f.Output, &f.Metred, &f.Took, &f.Timed, &updated); err != nil {
		return router.Row{}, err
	}
	copy(r.Schema[:], schema)
	f.Updated = time.UnixMicro(updated).UTC()
	return r, nil
}
