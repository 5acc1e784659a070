package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// JobPlans explains the statements of jobs, as they are planned where there is another way than reading the whole table.
func JobPlans(ctx context.Context, db *DB) (map[string]string, error) {
	at, one := int64(1), []string{"019ac6f2-0000-7000-8000-000000000001"}
	leases := []any{uuids(one), []int32{0}, []string{"token"}}
	page, pageArgs, err := jobPage(key.OfTeam("acme"), job.Filter{Limit: 50})
	if err != nil {
		return nil, err
	}
	queries := map[string][]any{
		"turn":                {dueTeams, nil, []int16{1, 2}, "acme", 10},
		"take":                {takeItems, nil, int16(2), []string{"acme"}, 10, at, "w1", "token"},
		"renew":               append([]any{renewItems}, append(leases, nil, at)...),
		"lock jobs":           {lockJobs, uuids(one)},
		"lock items":          append([]any{lockHeld}, append(leases, nil)...),
		"endpoints":           {toldTeams, one},
		"what is to end":      {lockOpen, one[0], 0, 10},
		"what begins again":   {againItems, one[0], at},
		"cancel":              {cancelItems, one[0], at, 0, 0, 10},
		"lost leases":         {lapsedItems, at, 10},
		"due jobs":            {dueJobs, at, 10},
		"rested uploads":      {giveUpUploads, at, 10},
		"idempotency keys":    {forgetKeys, at, 10},
		"a job within reach":  {`SELECT ` + jobColumns + theJob, one[0], false, "acme"},
		"items by number":     {itemsByNumber, one[0], 0, 10},
		"items by end":        {itemsByEnd, one[0], 0, 10},
		"a page of jobs":      append([]any{page}, pageArgs...),
		"what is to be told":  {openDeliveries, one},
		"what is to be empty": {stripItems, one, 10},
	}
	b := &pgx.Batch{}
	writeItems(b, []*itemRow{{job: one[0]}})
	writeJobs(b, &jobRow{Job: job.Job{ID: job.ID(one[0])}})
	for i, what := range []string{"write items", "write jobs"} {
		queries[what] = append([]any{b.QueuedQueries[i].SQL}, b.QueuedQueries[i].Arguments...)
	}
	plans := map[string]string{}
	err = db.tx(ctx, "plans", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, db.settings); err != nil {
			return err
		}
		for what, q := range queries {
			text, _ := q[0].(string)
			rows, err := tx.Query(ctx, "EXPLAIN "+text, append([]any{pgx.QueryExecModeExec}, q[1:]...)...)
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			plans[what] = strings.Join(lines, "\n")
		}
		return nil
	})
	return plans, err
}

// PlanModes gives how statements are planned, in a steady transaction and behind it.
func PlanModes(ctx context.Context, db *DB) (inside, after string, err error) {
	const modes = `SELECT current_setting('plan_cache_mode') || ' ' || current_setting('enable_seqscan')`
	err = db.steady(ctx, "modes", func(b *pgx.Batch) {
		b.Queue(modes).QueryRow(func(row pgx.Row) error { return row.Scan(&inside) })
	})
	if err == nil {
		err = db.row(ctx, "modes", modes, nil, func(row statement.Row) error { return row.Scan(&after) })
	}
	return inside, after, err
}
