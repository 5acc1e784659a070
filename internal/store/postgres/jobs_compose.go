package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

// compose gives the messages of a job that is over their bodies, where they have none yet, before its next run: from then on the job does not say any more what they
// tell of.
func (t *jobTx) compose(ctx context.Context, r *jobRow) error {
	m := delivery.JobMessage(r.Team, string(r.ID), delivery.Event(r.State.Event()), r.Run, r.CompletedAt)
	var wanted bool
	if err := t.QueryRow(ctx, statement.Uncomposed, string(m.ID)).Scan(&wanted); err != nil || !wanted {
		return err
	}
	var only *job.Item
	if !r.Batch {
		rows, err := t.Query(ctx, itemsByNumber, string(r.ID), 0, 1)
		if err != nil {
			return err
		}
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (job.Item, error) { return scanItem(r.ID, row) })
		if err != nil {
			return err
		}
		for i := range list {
			only = &list[i]
		}
	}
	_, err := t.Exec(ctx, statement.ComposeThem, string(m.ID), delivery.Envelope(m.Event, m.At, r.Append(nil, only)))
	return err
}
