package sqlite

import (
	"context"
	"database/sql/driver"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// compose gives the messages of a job that is over their bodies, where they have none yet, before its next run: from then on the job does not say any more what they
// tell of.
func (t *jobTx) compose(ctx context.Context, r *jobRow) error {
	m := delivery.JobMessage(r.Team, string(r.ID), delivery.Event(r.State.Event()), r.Run, r.CompletedAt)
	wanted := false
	_, err := t.one(ctx, func(row []driver.Value) { wanted = whole(row[0]) != 0 }, sqltext.Uncomposed, string(m.ID))
	if err != nil || !wanted {
		return err
	}
	var only *job.Item
	if !r.Batch {
		err := t.query(ctx, func(row []driver.Value) error {
			it, err := readItem(r.ID, row)
			it.Result = blob(row[9])
			only = &it
			return err
		}, itemsByNumber, itemOf(r.num, 0), itemOf(r.num+1, 0), int64(1))
		if err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, sqltext.ComposeThem, string(m.ID), delivery.Envelope(m.Event, m.At, r.Append(nil, only)))
	return err
}
