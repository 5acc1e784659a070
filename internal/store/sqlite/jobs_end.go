package sqlite

import (
	"context"
	"errors"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// cancelItems ends all that has not ended, in one statement however many there are.
const cancelItems = `UPDATE job_items SET state = 'cancelled', lease_until = NULL, token = NULL, ended_at = ?, seq = ? + c.place
	FROM (SELECT item, row_number() OVER (ORDER BY item) AS place FROM job_items WHERE item >= ? AND item < ? AND ended_at IS NULL) AS c
	WHERE job_items.item = c.item`

// stop ends a job before its items have ended by themselves.
func (t *jobTx) stop(ctx context.Context, r *jobRow, s job.State) error {
	changed, err := t.exec(ctx, cancelItems, t.now.UnixMicro(), int64(r.ends), itemOf(r.num, 0), itemOf(r.num+1, 0))
	if err != nil {
		return err
	}
	r.ends += int(changed)
	r.Progress.Cancelled += int(changed)
	return t.end(ctx, r, s)
}

// Cancel ends a job.
func (j *Jobs) Cancel(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	over := false
	err = j.tx(ctx, "job_cancel", func(ctx context.Context, t *jobTx) error {
		r, err := t.within(ctx, reach, id)
		if err != nil {
			return err
		}
		if over = r.State.Final(); !over {
			err = t.stop(ctx, r, job.Cancelled)
		}
		one = r.Job
		return err
	})
	switch {
	case err != nil:
		return job.Job{}, err
	case over:
		return one, job.ErrFinal
	default:
		return one, nil
	}
}

const (
	dropResults = `DELETE FROM job_results WHERE item IN (SELECT item FROM job_items WHERE item >= ? AND item < ? AND state = 'failed')`
	againItems  = `UPDATE job_items SET state = 'pending', run_at = ?, attempt = 0, ended_at = NULL, seq = NULL
	WHERE item >= ? AND item < ? AND state IN ('failed', 'cancelled')`
	againDetails = `UPDATE job_details SET run_at = ?, deadline = ? WHERE num = ?`
)

// Retry begins a job's next run.
func (j *Jobs) Retry(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	err = j.tx(ctx, "job_retry", func(ctx context.Context, t *jobTx) error {
		r, err := t.within(ctx, reach, id)
		switch {
		case err != nil:
			return err
		case !r.State.Final():
			return job.ErrNotFinal
		case !r.Retriable():
			return job.ErrFinal
		}
		if err := t.compose(ctx, r); err != nil {
			return err
		}
		r.Again(t.now)
		from, to := itemOf(r.num, 0), itemOf(r.num+1, 0)
		_, drop := t.exec(ctx, dropResults, from, to)
		_, again := t.exec(ctx, againItems, r.RunAt.UnixMicro(), from, to)
		_, dates := t.exec(ctx, againDetails, r.RunAt.UnixMicro(), r.Deadline.UnixMicro(), r.num)
		one = r.Job
		return errors.Join(drop, again, dates, t.writeJob(ctx, r, r.Deadline))
	})
	if err != nil {
		return job.Job{}, err
	}
	return one, nil
}
