package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
)

// Finish ends what was taken, in one transaction. Each job is read and written once, however many of its items end.
func (j *Jobs) Finish(ctx context.Context, list []job.Finished) (out []job.Ended, err error) {
	for i := range list {
		if s := list[i].State; s != job.ItemCompleted && s != job.ItemFailed && s != job.ItemPending {
			return nil, fmt.Errorf("finish item %d of the job %s: %q is no end of it", list[i].Lease.N, list[i].Lease.Job, s)
		}
	}
	err = j.tx(ctx, "job_finish", func(ctx context.Context, t *jobTx) error {
		out = make([]job.Ended, len(list))
		jobs := map[job.ID]*jobRow{}
		for i := range list {
			f := &list[i]
			r, known := jobs[f.Lease.Job]
			if !known {
				if r, err = t.job(ctx, briefByID, string(f.Lease.Job)); err != nil {
					return err
				}
				jobs[f.Lease.Job] = r
			}
			if out[i], err = t.finish(ctx, r, f); err != nil {
				return err
			}
		}
		for _, r := range jobs {
			if err := t.settle(ctx, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// finish writes one item and counts it on its job, which is written later.
func (t *jobTx) finish(ctx context.Context, r *jobRow, f *job.Finished) (job.Ended, error) {
	lost := job.Ended{Job: f.Lease.Job, Err: job.ErrLeaseLost}
	if r == nil || !numbered(f.Lease.N) {
		return lost, nil
	}
	item := itemOf(r.num, f.Lease.N)
	held, err := false, error(nil)
	if f.State == job.ItemPending {
		held, err = t.release(ctx, item, f)
	} else {
		held, err = t.endItem(ctx, r, item, f)
	}
	if err != nil {
		return job.Ended{}, err
	}
	if !held {
		lost.State, lost.Progress = r.State, r.Progress
		return lost, nil
	}
	e := job.Ended{Job: r.ID, State: r.State, Progress: r.Progress}
	if r.changed && r.Progress.Done() {
		e.State, e.Last = r.Progress.Final(), true
	}
	return e, nil
}

const (
	endHeld   = `UPDATE job_items SET state = ?, lease_until = NULL, token = NULL, ended_at = ?, seq = ? WHERE item = ? AND token = ?`
	addResult = `INSERT OR REPLACE INTO job_results (item, result) VALUES (?, ?)`
)

// endItem ends an item with its result, where the lease holds.
func (t *jobTx) endItem(ctx context.Context, r *jobRow, item int64, f *job.Finished) (held bool, err error) {
	changed, err := t.exec(ctx, endHeld, string(f.State), t.now.UnixMicro(), int64(r.ends+1), item, f.Lease.Token)
	if err != nil || changed == 0 {
		return false, err
	}
	t.count(r, f.State)
	_, err = t.exec(ctx, addResult, item, bytesOrNull(f.Result))
	return true, err
}

// count counts the end of an item on its job, which settle writes.
func (t *jobTx) count(r *jobRow, s job.ItemState) {
	r.ends++
	r.Progress.Ended(s)
	r.changed = true
}

const (
	readHeld    = `SELECT attempt, tries FROM job_items WHERE item = ? AND token = ?`
	releaseHeld = `UPDATE job_items SET state = 'pending', run_at = ?, attempt = ?, tries = ?, lease_until = NULL, token = NULL WHERE item = ?`
)

// release makes an item pending again, where the lease holds.
func (t *jobTx) release(ctx context.Context, item int64, f *job.Finished) (held bool, err error) {
	var attempt int64
	var tries driver.Value
	held, err = t.one(ctx, func(row []driver.Value) { attempt, tries = whole(row[0]), row[1] }, readHeld, item, f.Lease.Token)
	if err != nil || !held {
		return false, err
	}
	if f.Uncounted {
		attempt--
	}
	if f.Try != nil {
		if tries, err = addTry(tries, *f.Try); err != nil {
			return false, err
		}
	}
	_, err = t.exec(ctx, releaseHeld, t.now.Add(f.Again).UnixMicro(), attempt, tries, item)
	return true, err
}

// settle writes a job whose items were counted, and makes it final where nothing is left.
func (t *jobTx) settle(ctx context.Context, r *jobRow) error {
	switch {
	case r == nil || !r.changed:
		return nil
	case r.Progress.Done():
		return t.end(ctx, r, r.Progress.Final())
	default:
		return t.writeJob(ctx, r, r.due)
	}
}

// end makes a job final and writes its event: one a run, whoever writes it.
func (t *jobTx) end(ctx context.Context, r *jobRow, s job.State) error {
	r.End(s, t.now)
	// Reap comes for the deadline anyway, mostly shortly before the expiry, and then sees when to come again: the index keeps its entry.
	due := r.due
	if due.IsZero() || due.After(r.ExpiresAt) {
		due = r.ExpiresAt
	}
	if err := t.writeJob(ctx, r, due); err != nil {
		return err
	}
	return t.tell(ctx, r)
}

const anyEndpoint = `SELECT 1 FROM webhooks WHERE team = ? AND disabled_at IS NULL LIMIT 1`

// tell writes the event of a job that has become final. A team without endpoints, which is most, costs one step in an index.
func (t *jobTx) tell(ctx context.Context, r *jobRow) error {
	to := delivery.Target{Endpoint: delivery.EndpointID(r.Webhook.Endpoint), URL: r.Webhook.URL, Secret: r.Webhook.Secret}
	if to == (delivery.Target{}) {
		any, err := t.one(ctx, func([]driver.Value) {}, anyEndpoint, string(r.Team))
		if err != nil || !any {
			return err
		}
	}
	m := delivery.JobMessage(r.Team, string(r.ID), delivery.Event(r.State.Event()), r.Run, r.CompletedAt)
	m.Trace = r.Trace
	_, err := insertDeliveries(ctx, t.tx, t.now, m, to)
	return err
}
