package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
)

// lockJobs reads jobs and keeps others from ending their items, and says whether their teams have endpoints. A job that is still being sent is not there for anybody but its upload.
const lockJobs = `SELECT ` + briefColumns + `, EXISTS (SELECT FROM webhooks AS w WHERE w.team = j.team AND w.disabled_at IS NULL)
	FROM jobs AS j WHERE j.id = ANY($1::uuid[]) AND j.state <> 'uploading' ORDER BY j.id FOR NO KEY UPDATE`

// lockHeld reads the items of leases that hold, and the time, which is that behind the wait for the jobs.
const lockHeld = `SELECT i.job::text, i.n, i.token, i.attempt, i.tries, (SELECT coalesce($4::bigint, now_micros()))` + ofLeases

// toldTeams lists the teams of jobs that have somebody to be told.
const toldTeams = `SELECT DISTINCT w.team FROM webhooks AS w JOIN jobs AS j ON j.team = w.team WHERE j.id = ANY($1::text[]::uuid[]) AND w.disabled_at IS NULL`

// Finish ends what was taken in two round trips, however many items and jobs there are: one that locks and reads, one that writes.
func (j *Jobs) Finish(ctx context.Context, list []job.Finished) (out []job.Ended, err error) {
	for i := range list {
		if s := list[i].State; s != job.ItemCompleted && s != job.ItemFailed && s != job.ItemPending {
			return nil, fmt.Errorf("finish item %d of the job %s: %q is no end of it", list[i].Lease.N, list[i].Lease.Job, s)
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	leases := column(list, func(f job.Finished) job.Lease { return f.Lease })
	err = j.db.piped(ctx, "job_finish", func(ctx context.Context, p *piped) error {
		e := newEnds()
		if err := p.send(ctx, e.lock(leases, j.db.clock())); err != nil {
			return err
		}
		out = make([]job.Ended, len(list))
		for i := range list {
			if out[i], err = e.finish(&list[i]); err != nil {
				return err
			}
		}
		return p.last(ctx, e.written())
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ends are items that end, with their jobs, all of them locked.
type ends struct {
	now   time.Time
	jobs  map[string]*jobRow
	held  map[leaseKey]*itemRow
	told  map[string]bool
	items []*itemRow
	// order lists the jobs in the order that they were read in.
	order []*jobRow
}

func newEnds() *ends {
	return &ends{jobs: map[string]*jobRow{}, held: map[leaseKey]*itemRow{}, told: map[string]bool{}}
}

// lock gives the statements that lock what leases name, jobs before items, and read it.
func (e *ends) lock(leases []job.Lease, clock any) *pgx.Batch {
	var ids []string
	for _, l := range leases {
		if k, ok := keyOf(l); ok {
			ids = append(ids, k.job)
		}
	}
	b := &pgx.Batch{}
	b.Queue(lockJobs, uuids(sortedIDs(ids))).Query(e.readLocked)
	b.Queue(lockHeld, append(leaseColumns(leases), clock)...).Query(func(rows pgx.Rows) error {
		var k leaseKey
		var attempt int32
		var tries *string
		var now int64
		_, err := pgx.ForEachRow(rows, []any{&k.job, &k.n, &k.token, &attempt, &tries, &now}, func() error {
			e.held[k] = &itemRow{job: k.job, n: int(k.n), attempt: int(attempt), tries: tries}
			e.now = timeOf(now)
			return nil
		})
		return err
	})
	return b
}

// readLocked reads what lockJobs gives.
func (e *ends) readLocked(rows pgx.Rows) error {
	for rows.Next() {
		var told bool
		r, err := scanJob(rows, &told)
		if err != nil {
			return err
		}
		e.jobs[string(r.ID)] = r
		e.order = append(e.order, r)
		if told {
			e.told[string(r.Team)] = true
		}
	}
	return rows.Err()
}

func (e *ends) readJobs(rows pgx.Rows) error {
	defer rows.Close()
	for rows.Next() {
		r, err := scanJob(rows)
		if err != nil {
			return err
		}
		e.jobs[string(r.ID)] = r
		e.order = append(e.order, r)
	}
	return rows.Err()
}

func (e *ends) readTold(rows pgx.Rows) error {
	var team string
	_, err := pgx.ForEachRow(rows, []any{&team}, func() error { e.told[team] = true; return nil })
	return err
}

// finish says how one item goes on, and what became of its job.
func (e *ends) finish(f *job.Finished) (job.Ended, error) {
	lost := job.Ended{Job: f.Lease.Job, Err: job.ErrLeaseLost}
	k, ok := keyOf(f.Lease)
	r, it := e.jobs[k.job], e.held[k]
	if r != nil {
		lost.State, lost.Progress = r.State, r.Progress
	}
	if !ok || r == nil || it == nil {
		return lost, nil
	}
	delete(e.held, k) // Once.
	e.items = append(e.items, it)
	if f.State != job.ItemPending {
		endItem(r, it, f.State, f.Result, e.now)
	} else if err := e.release(it, f); err != nil {
		return job.Ended{}, err
	}
	out := job.Ended{Job: f.Lease.Job, State: r.State, Progress: r.Progress}
	if r.changed && r.Progress.Done() {
		out.State, out.Last = r.Progress.Final(), true
	}
	return out, nil
}

// release makes an item pending again.
func (e *ends) release(it *itemRow, f *job.Finished) error {
	it.pend(e.now.Add(f.Again))
	if f.Uncounted {
		it.attempt--
	}
	if f.Try == nil {
		return nil
	}
	return it.tried(*f.Try)
}

// written gives the statements that write items and jobs, and the events of those jobs that nothing is left of.
func (e *ends) written() *pgx.Batch {
	b := &pgx.Batch{}
	writeItems(b, e.items)
	var changed []*jobRow
	for _, r := range e.order {
		if !r.changed {
			continue
		}
		if r.Progress.Done() {
			final(b, r, r.Progress.Final(), e.now, e.told[string(r.Team)])
		}
		changed = append(changed, r)
	}
	writeJobs(b, changed...)
	return b
}

// final makes a job final and writes its event: one a run, whoever writes it. told says that the team has endpoints.
func final(b *pgx.Batch, r *jobRow, s job.State, now time.Time, told bool) {
	r.End(s, now)
	// Reap comes for the deadline anyway, mostly shortly before the expiry, and then sees when to come again: so no index changes now.
	if r.due.IsZero() || r.due.After(r.ExpiresAt) {
		r.due = r.ExpiresAt
	}
	to := delivery.Target{Endpoint: delivery.EndpointID(r.Webhook.Endpoint), URL: r.Webhook.URL, Secret: r.Webhook.Secret}
	if to == (delivery.Target{}) && !told {
		return
	}
	m := delivery.JobMessage(r.Team, string(r.ID), delivery.Event(r.State.Event()), r.Run, r.CompletedAt)
	m.Trace = r.Trace
	query, args := deliveryInserts().Of(now.UnixMicro(), &m, to)
	b.Queue(query, args...)
}
