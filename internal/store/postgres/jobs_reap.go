package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

// defaultPortion is Policy.Portion where none is given.
const defaultPortion = 500

// Reap does a portion of each kind, each in a transaction of its own. Several at once leave to each other what each has locked.
func (j *Jobs) Reap(ctx context.Context, p job.Policy) (out job.Reaped, err error) {
	if p.Portion <= 0 {
		p.Portion = defaultPortion
	}
	for _, step := range []struct {
		name string
		run  func(*reaping, context.Context) error
	}{
		{"job_reap_leases", (*reaping).leases}, {"job_reap_jobs", (*reaping).jobs}, {"job_reap_uploads", (*reaping).uploads}, {"job_reap_keys", (*reaping).keys},
	} {
		var did job.Reaped
		err := j.tx(ctx, step.name, func(ctx context.Context, t *jobTx) error {
			did = job.Reaped{} // A transaction may be begun again.
			return step.run(&reaping{jobTx: t, store: j, policy: p, out: &did}, ctx)
		})
		if err != nil {
			return out, err
		}
		add(&out, &did)
	}
	if err := j.expireLate(ctx, p, &out); err != nil {
		return out, err
	}
	turn, err := j.turn(ctx, &job.Want{Most: 1, Classes: []job.Priority{job.High, job.Normal, job.Low}})
	for _, class := range []job.Priority{job.High, job.Normal, job.Low} {
		if len(turn[class]) > 0 {
			out.Due = append(out.Due, class)
		}
	}
	return out, err
}

// add adds up what was done.
func add(sum, did *job.Reaped) {
	sum.Requeued += did.Requeued
	sum.Poisoned += did.Poisoned
	sum.Expired += did.Expired
	sum.Stripped += did.Stripped
	sum.Deleted += did.Deleted
	sum.Abandoned += did.Abandoned
	sum.Ended = append(sum.Ended, did.Ended...)
	sum.More = sum.More || did.More
}

// reaping is a step of a Reap in progress.
type reaping struct {
	*jobTx
	store  *Jobs
	policy job.Policy
	out    *job.Reaped
}

// full notes that there may be more, and says whether there is.
func (r *reaping) full(rows int) bool {
	r.out.More = r.out.More || rows >= r.policy.Portion
	return rows >= r.policy.Portion
}

const (
	lapsedItems = `SELECT job::text, n, attempt, worker, taken_at, tries FROM job_items WHERE lease_until <= $1 ORDER BY lease_until, job, n LIMIT $2 FOR UPDATE SKIP LOCKED`
	// lockPoisoned locks the jobs of items that are given up. The items are locked already, so that it must not wait: what it does not get is left to the next Reap.
	lockPoisoned = `SELECT ` + briefColumns + ` FROM jobs AS j WHERE j.id = ANY($1::text[]::uuid[]) ORDER BY j.id FOR NO KEY UPDATE SKIP LOCKED`
)

// leases takes items from workers that were not heard of again.
func (r *reaping) leases(ctx context.Context) error {
	lapsed, poisoned, err := r.lapsed(ctx)
	if err != nil {
		return err
	}
	r.full(len(lapsed))
	e := newEnds()
	e.now = r.now
	if len(poisoned) > 0 {
		b := &pgx.Batch{}
		b.Queue(lockPoisoned, poisoned).Query(e.readJobs)
		b.Queue(toldTeams, poisoned).Query(e.readTold)
		if err := r.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
	}
	for _, it := range lapsed {
		of := e.jobs[it.job]
		switch {
		case !r.policy.Poison(it.losses):
			it.pend(r.policy.After(r.now, it.losses))
			r.out.Requeued++
		case of == nil:
			continue
		default:
			endItem(of, it, job.ItemFailed, job.Poison(of.ID, it.losses), r.now)
			r.out.Poisoned++
		}
		e.items = append(e.items, it)
	}
	if b := e.written(); b.Len() > 0 {
		err = r.SendBatch(ctx, b).Close()
	}
	if err != nil {
		return err
	}
	for _, of := range e.order {
		if of.changed && of.State.Final() {
			r.ended(of)
		}
	}
	return nil
}

// lapsed locks items whose lease has ended, and names the jobs of those whose workers were lost too often.
func (r *reaping) lapsed(ctx context.Context) (list []*itemRow, poisoned []string, err error) {
	rows, err := r.Query(ctx, lapsedItems, r.now.UnixMicro(), r.policy.Portion)
	if err != nil {
		return nil, nil, err
	}
	var id string
	var n, attempt int32
	var worker, tries *string
	var taken *int64
	_, err = pgx.ForEachRow(rows, []any{&id, &n, &attempt, &worker, &taken, &tries}, func() error {
		it := &itemRow{job: id, n: int(n), attempt: int(attempt), tries: tries, taken: whenOf(taken)}
		if worker != nil {
			it.worker = *worker
		}
		list = append(list, it)
		if err := it.tried(job.Lost(it.worker, it.taken, r.now)); err != nil {
			return err
		}
		history, err := readTries(it.tries)
		if it.losses = job.Losses(history); r.policy.Poison(it.losses) {
			poisoned = append(poisoned, id)
		}
		return err
	})
	return list, sortedIDs(poisoned), err
}

func (r *reaping) ended(of *jobRow) {
	r.out.Ended = append(r.out.Ended, job.Ended{Job: of.ID, State: of.State, Progress: of.Progress, Last: true})
}

// lateJobs are those that nobody began until their deadline.
const lateJobs = `SELECT j.id::text FROM jobs AS j WHERE j.due_at <= ` + theTime + ` AND j.state = 'pending' AND j.deadline <= ` + theTime + ` ORDER BY j.due_at LIMIT $2`

// expireLate ends late jobs, each in a transaction of its own, until as many items as make a portion have ended. A job may have 50,000, and others wait for the locks.
func (j *Jobs) expireLate(ctx context.Context, p job.Policy, out *job.Reaped) error {
	var late []string
	err := j.db.rows(ctx, "job_reap_late", lateJobs, []any{j.db.clock(), p.Portion}, func(row statement.Row) error {
		var id string
		err := row.Scan(&id)
		late = append(late, id)
		return err
	})
	if err != nil {
		return err
	}
	out.More = out.More || len(late) >= p.Portion
	for items := 0; len(late) > 0; late = late[1:] {
		if items >= p.Portion {
			out.More = true
			return nil
		}
		one, err := j.expire(ctx, late[0])
		if err != nil {
			return err
		}
		if one != nil {
			items += one.Progress.Total
			out.Expired++
			out.Ended = append(out.Ended, job.Ended{Job: one.ID, State: one.State, Progress: one.Progress, Last: true})
		}
	}
	return nil
}

const dueJobs = `SELECT ` + briefColumns + ` FROM jobs AS j WHERE j.due_at <= $1 AND NOT (j.state = 'pending' AND j.deadline <= $1) ORDER BY j.due_at LIMIT $2
	FOR NO KEY UPDATE SKIP LOCKED`

// jobs looks at those whose time has come.
func (r *reaping) jobs(ctx context.Context) error {
	e := newEnds()
	rows, err := r.Query(ctx, dueJobs, r.now.UnixMicro(), r.policy.Portion)
	if err != nil {
		return err
	}
	if err := e.readJobs(rows); err != nil {
		return err
	}
	r.full(len(e.order))
	var later, old, forgotten []*jobRow
	for _, one := range e.order {
		switch {
		case one.State == job.Pending: // It was retried while this looked at it, and has a deadline again.
			one.due = one.Deadline
			later = append(later, one)
		case !one.State.Final(): // It has begun, and has no deadline any more.
			one.due = time.Time{}
			later = append(later, one)
		case one.ExpiresAt.After(r.now):
			one.due = one.ExpiresAt
			later = append(later, one)
		case !one.ForgottenAt.After(r.now):
			forgotten = append(forgotten, one)
		default:
			old = append(old, one)
		}
	}
	changed, err := r.strip(ctx, old)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	writeJobs(b, append(later, changed...)...)
	if b.Len() > 0 {
		if err := r.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
	}
	return r.forget(ctx, forgotten)
}

// recheck is how long a job waits whose results are still to be told of.
const recheck = time.Minute

const (
	openDeliveries = `SELECT DISTINCT job FROM deliveries WHERE job = ANY($1::text[]) AND job <> '' AND status = 'pending'`
	stripJobs      = `UPDATE jobs SET request = NULL, secret = '' WHERE id = ANY($1::text[]::uuid[])`
	stripItems     = `UPDATE job_items AS i SET name = NULL, request = NULL, result = NULL FROM (SELECT job, n FROM job_items
	WHERE job = ANY($1::text[]::uuid[]) AND (result IS NOT NULL OR request IS NOT NULL OR name IS NOT NULL) ORDER BY job, n LIMIT $2 FOR UPDATE) AS old
	WHERE i.job = old.job AND i.n = old.n`
)

// strip deletes texts and results, and gives what changed. A job with many is looked at again until nothing is left; what is told from the first portion on is that
// they are gone.
func (r *reaping) strip(ctx context.Context, old []*jobRow) (changed []*jobRow, err error) {
	if len(old) == 0 {
		return nil, nil
	}
	open, err := r.open(ctx, old)
	if err != nil {
		return nil, err
	}
	var ids []string
	var strip []*jobRow
	for _, one := range old {
		if open[string(one.ID)] && !one.Gone { // What is told is composed of them.
			one.due = r.now.Add(recheck)
			changed = append(changed, one)
			continue
		}
		if !one.Gone {
			r.out.Stripped++
		}
		one.Gone = true
		strip, ids = append(strip, one), append(ids, string(one.ID))
	}
	if len(ids) == 0 {
		return changed, nil
	}
	if _, err := r.Exec(ctx, stripJobs, ids); err != nil {
		return nil, err
	}
	done, err := r.Exec(ctx, stripItems, ids, r.policy.Portion)
	if err != nil {
		return nil, err
	}
	if !r.full(int(done.RowsAffected())) {
		for _, one := range strip {
			one.due = one.ForgottenAt
		}
	}
	return append(changed, strip...), nil
}

// open says which jobs have deliveries that are still to be made.
func (r *reaping) open(ctx context.Context, list []*jobRow) (map[string]bool, error) {
	rows, err := r.Query(ctx, openDeliveries, column(list, func(one *jobRow) string { return string(one.ID) }))
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var id string
	_, err = pgx.ForEachRow(rows, []any{&id}, func() error { found[id] = true; return nil })
	return found, err
}

const (
	forgetItems = `DELETE FROM job_items WHERE (job, n) IN (SELECT job, n FROM job_items WHERE job = ANY($1::text[]::uuid[]) ORDER BY job, n LIMIT $2 FOR UPDATE)`
	forgetJobs  = `DELETE FROM jobs WHERE id = ANY($1::text[]::uuid[])`
)

// forget deletes jobs' rows, and before them their items.
func (r *reaping) forget(ctx context.Context, list []*jobRow) error {
	if len(list) == 0 {
		return nil
	}
	gone, err := r.drop(ctx, column(list, func(one *jobRow) string { return string(one.ID) }))
	if gone {
		r.out.Deleted += len(list)
	}
	return err
}

// drop deletes a portion of items, and the jobs where that were all.
func (r *reaping) drop(ctx context.Context, ids []string) (gone bool, err error) {
	done, err := r.Exec(ctx, forgetItems, ids, r.policy.Portion)
	if err != nil || r.full(int(done.RowsAffected())) {
		return false, err
	}
	_, err = r.Exec(ctx, forgetJobs, ids)
	return err == nil, err
}

const (
	// giveUpUploads ends uploads for those who send them, before their first row is deleted.
	giveUpUploads = `UPDATE job_uploads AS u SET touched_at = 0 FROM (SELECT job FROM job_uploads WHERE touched_at <= $1 ORDER BY touched_at LIMIT $2
	FOR UPDATE SKIP LOCKED) AS rested WHERE u.job = rested.job RETURNING u.job::text`
	endUploads = `DELETE FROM job_uploads WHERE job = ANY($1::text[]::uuid[])`
)

// uploads deletes those that were given up.
func (r *reaping) uploads(ctx context.Context) error {
	rows, err := r.Query(ctx, giveUpUploads, r.now.Add(-r.policy.Upload).UnixMicro(), r.policy.Portion)
	if err != nil {
		return err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return err
	}
	gone, err := r.drop(ctx, ids)
	if err != nil || !gone {
		return err
	}
	r.out.Abandoned += len(ids)
	_, err = r.Exec(ctx, endUploads, ids)
	return err
}

const forgetKeys = `DELETE FROM job_keys WHERE (team, key) IN (SELECT team, key FROM job_keys WHERE created_at <= $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`

// keys deletes idempotency keys that no longer count.
func (r *reaping) keys(ctx context.Context) error {
	done, err := r.Exec(ctx, forgetKeys, r.now.Add(-job.Remember).UnixMicro(), r.policy.Portion)
	r.full(int(done.RowsAffected()))
	return err
}
