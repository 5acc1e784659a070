package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// defaultPortion is Policy.Portion where none is given.
const defaultPortion = 500

// Reap does a portion of each kind, each in a transaction of its own, so that others get the write connection in between.
func (j *Jobs) Reap(ctx context.Context, p job.Policy) (out job.Reaped, err error) {
	if p.Portion <= 0 {
		p.Portion = defaultPortion
	}
	r := &reaping{policy: p, out: &out}
	for _, step := range []struct {
		name string
		run  func(context.Context, *jobTx) error
	}{
		{"job_reap_leases", r.leases}, {"job_reap_jobs", r.jobs}, {"job_reap_uploads", r.uploads}, {"job_reap_keys", r.keys}, {"job_reap_due", r.due},
	} {
		if err := j.tx(ctx, step.name, step.run); err != nil {
			return out, err
		}
		if step.name == "job_reap_jobs" {
			if err := j.expireLate(ctx, r); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// lateJobs are those that nobody began until their deadline.
const lateJobs = briefJob + `WHERE j.due_at <= ? AND j.state = 'pending' AND d.deadline <= ? ORDER BY j.due_at LIMIT 1`

// expireLate ends late jobs, each in a transaction of its own, until as many items as make a portion have ended. A job may have 50,000, and others want to write.
func (j *Jobs) expireLate(ctx context.Context, r *reaping) error {
	for items := 0; items < r.policy.Portion; {
		var late *jobRow
		err := j.tx(ctx, "job_expire", func(ctx context.Context, t *jobTx) error {
			err := t.query(ctx, func(row []driver.Value) error {
				late = readJob(row)
				return nil
			}, lateJobs, t.now.UnixMicro(), t.now.UnixMicro())
			if err != nil || late == nil {
				return err
			}
			return t.stop(ctx, late, job.Expired)
		})
		if err != nil || late == nil {
			return err
		}
		items += late.Progress.Total
		r.out.Expired++
		r.ended(late)
	}
	r.out.More = true
	return nil
}

// reaping is a Reap in progress.
type reaping struct {
	policy job.Policy
	out    *job.Reaped
}

// lapsed is an item whose lease has ended.
type lapsed struct {
	item   int64
	worker string
	taken  time.Time
	tries  driver.Value
	losses int
}

const (
	lapsedItems = `SELECT item, worker, taken_at, tries FROM job_items WHERE lease_until <= ? ORDER BY lease_until LIMIT ?`
	requeueItem = `UPDATE job_items SET state = 'pending', run_at = ?, tries = ?, lease_until = NULL, token = NULL WHERE item = ?`
	poisonItem  = `UPDATE job_items SET state = 'failed', tries = ?, lease_until = NULL, token = NULL, ended_at = ?, seq = ? WHERE item = ?`
)

// leases takes items from workers that were not heard of again.
func (r *reaping) leases(ctx context.Context, t *jobTx) error {
	var list []lapsed
	err := t.query(ctx, func(row []driver.Value) error {
		list = append(list, lapsed{item: whole(row[0]), worker: words(row[1]), taken: moment(row[2]), tries: row[3]})
		return nil
	}, lapsedItems, t.now.UnixMicro(), int64(r.policy.Portion))
	if err != nil {
		return err
	}
	r.out.More = r.out.More || len(list) == r.policy.Portion
	jobs := map[int64]*jobRow{}
	for _, l := range list {
		tries, err := addTry(l.tries, job.Lost(l.worker, l.taken, t.now))
		if err != nil {
			return err
		}
		list, err := readTries(tries)
		if err != nil {
			return err
		}
		if l.losses = job.Losses(list); !r.policy.Poison(l.losses) {
			r.out.Requeued++
			_, err = t.exec(ctx, requeueItem, r.policy.After(t.now, l.losses).UnixMicro(), tries, l.item)
		} else {
			err = r.poison(ctx, t, jobs, l, tries)
		}
		if err != nil {
			return err
		}
	}
	return r.settle(ctx, t, jobs)
}

// poison gives an item up.
func (r *reaping) poison(ctx context.Context, t *jobTx, jobs map[int64]*jobRow, l lapsed, tries driver.Value) (err error) {
	num, _ := placeOf(l.item)
	of := jobs[num]
	if of == nil {
		if of, err = t.job(ctx, briefByNum, num); err != nil || of == nil {
			return err
		}
		jobs[num] = of
	}
	t.count(of, job.ItemFailed)
	r.out.Poisoned++
	if _, err := t.exec(ctx, poisonItem, tries, t.now.UnixMicro(), int64(of.ends), l.item); err != nil {
		return err
	}
	_, err = t.exec(ctx, addResult, l.item, job.Poison(of.ID, l.losses))
	return err
}

func (r *reaping) settle(ctx context.Context, t *jobTx, jobs map[int64]*jobRow) error {
	for _, of := range jobs {
		if err := t.settle(ctx, of); err != nil {
			return err
		}
		if of.State.Final() {
			r.ended(of)
		}
	}
	return nil
}

func (r *reaping) ended(of *jobRow) {
	r.out.Ended = append(r.out.Ended, job.Ended{Job: of.ID, State: of.State, Progress: of.Progress, Last: true})
}

const dueJobs = briefJob + `WHERE j.due_at <= ? AND NOT (j.state = 'pending' AND d.deadline <= ?) ORDER BY j.due_at LIMIT ?`

// jobs looks at those whose time has come.
func (r *reaping) jobs(ctx context.Context, t *jobTx) error {
	var list []*jobRow
	err := t.query(ctx, func(row []driver.Value) error {
		list = append(list, readJob(row))
		return nil
	}, dueJobs, t.now.UnixMicro(), t.now.UnixMicro(), int64(r.policy.Portion))
	if err != nil {
		return err
	}
	r.out.More = r.out.More || len(list) == r.policy.Portion
	rows := r.policy.Portion // Of items, which one job may have many of.
	for _, one := range list {
		if rows <= 0 {
			r.out.More = true
			return nil
		}
		if err := r.job(ctx, t, one, &rows); err != nil {
			return err
		}
	}
	return nil
}

// recheck is how long a job waits whose results are still to be told of.
const recheck = time.Minute

// job does what is due of one job.
func (r *reaping) job(ctx context.Context, t *jobTx, one *jobRow, rows *int) error {
	switch {
	case !one.State.Final():
		return t.writeJob(ctx, one, time.Time{}) // It has begun, and has no deadline any more.
	case one.ExpiresAt.After(t.now):
		return t.writeJob(ctx, one, one.ExpiresAt)
	case !one.ForgottenAt.After(t.now):
		return r.forget(ctx, t, one, rows)
	default:
		return r.strip(ctx, t, one, rows)
	}
}

const (
	openDelivery = `SELECT 1 FROM deliveries WHERE job = ? AND status = 'pending' LIMIT 1`
	stripResults = `DELETE FROM job_results WHERE item IN (SELECT item FROM job_results WHERE item >= ? AND item < ? LIMIT ?)`
	stripTexts   = `DELETE FROM job_texts WHERE item IN (SELECT item FROM job_texts WHERE item >= ? AND item < ? LIMIT ?)`
	stripItems   = `DELETE FROM job_items WHERE item IN (SELECT item FROM job_items WHERE item >= ? AND item < ? LIMIT ?)`
	stripRequest = `UPDATE job_details SET request = NULL, secret = '' WHERE num = ?`
	forgetJob    = `DELETE FROM jobs WHERE num = ?`
	forgetDetail = `DELETE FROM job_details WHERE num = ?`
)

// strip deletes texts and results. A job with many is looked at again until nothing is left; what is told from the first portion on is that they are gone.
func (r *reaping) strip(ctx context.Context, t *jobTx, one *jobRow, rows *int) error {
	if !one.Gone {
		open, err := t.one(ctx, func([]driver.Value) {}, openDelivery, string(one.ID))
		if err != nil {
			return err
		}
		if open { // What is told is composed of them.
			return t.writeJob(ctx, one, t.now.Add(recheck))
		}
		one.Gone = true
		r.out.Stripped++
		if _, err := t.exec(ctx, stripRequest, one.num); err != nil {
			return err
		}
		if err := t.writeJob(ctx, one, one.due); err != nil {
			return err
		}
	}
	empty, err := t.emptied(ctx, one.num, rows, stripResults, stripTexts)
	if err != nil || !empty {
		r.out.More = true
		return err
	}
	return t.writeJob(ctx, one, one.ForgottenAt)
}

// forget deletes a job's row, and before it what may be left of its items.
func (r *reaping) forget(ctx context.Context, t *jobTx, one *jobRow, rows *int) error {
	empty, err := t.emptied(ctx, one.num, rows, stripResults, stripTexts, stripItems)
	if err != nil || !empty {
		r.out.More = true
		return err
	}
	r.out.Deleted++
	return t.dropJob(ctx, one.num)
}

func (t *jobTx) dropJob(ctx context.Context, num int64) error {
	for _, query := range []string{forgetJob, forgetDetail} {
		if _, err := t.exec(ctx, query, num); err != nil {
			return err
		}
	}
	return nil
}

// emptied deletes rows of a job's items, as many as are left to be deleted, and says whether nothing remains.
func (t *jobTx) emptied(ctx context.Context, num int64, rows *int, queries ...string) (empty bool, err error) {
	for _, query := range queries {
		if *rows <= 0 {
			return false, nil
		}
		changed, err := t.exec(ctx, query, itemOf(num, 0), itemOf(num+1, 0), int64(*rows))
		if err != nil {
			return false, err
		}
		full := int(changed) == *rows
		*rows -= int(changed)
		if full {
			return false, nil
		}
	}
	return true, nil
}

const (
	restedUploads = `SELECT num FROM job_uploads WHERE touched_at <= ? ORDER BY touched_at LIMIT ?`
	// giveUpUpload ends an upload for those who send it, before its first row is deleted.
	giveUpUpload = `UPDATE job_uploads SET touched_at = 0 WHERE num = ?`
)

// uploads deletes those that were given up.
func (r *reaping) uploads(ctx context.Context, t *jobTx) error {
	var list []int64
	err := t.query(ctx, func(row []driver.Value) error {
		list = append(list, whole(row[0]))
		return nil
	}, restedUploads, t.now.Add(-r.policy.Upload).UnixMicro(), int64(r.policy.Portion))
	if err != nil {
		return err
	}
	rows := r.policy.Portion
	for _, num := range list {
		if _, err := t.exec(ctx, giveUpUpload, num); err != nil {
			return err
		}
		empty, err := t.emptied(ctx, num, &rows, stripTexts, stripItems)
		if err != nil || !empty {
			r.out.More = true
			return err
		}
		r.out.Abandoned++
		if _, err := t.exec(ctx, endUpload, num); err != nil {
			return err
		}
		if err := t.dropJob(ctx, num); err != nil {
			return err
		}
	}
	return nil
}

const forgetKeys = `DELETE FROM job_keys WHERE (team, key) IN (SELECT team, key FROM job_keys WHERE created_at <= ? ORDER BY created_at LIMIT ?)`

// keys deletes idempotency keys that no longer count.
func (r *reaping) keys(ctx context.Context, t *jobTx) error {
	changed, err := t.exec(ctx, forgetKeys, t.now.Add(-job.Remember).UnixMicro(), int64(r.policy.Portion))
	r.out.More = r.out.More || int(changed) == r.policy.Portion
	return err
}

// due says in which classes something waits for a worker.
func (r *reaping) due(ctx context.Context, t *jobTx) error {
	for _, class := range []job.Priority{job.High, job.Normal, job.Low} {
		c := &claim{jobTx: t, want: &job.Want{Most: 1}}
		teams, err := c.turn(ctx, class, "")
		if err != nil {
			return err
		}
		if len(teams) > 0 {
			r.out.Due = append(r.out.Due, class)
		}
	}
	return nil
}
