package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

const (
	lockJob = `SELECT ` + jobColumns + ` FROM jobs AS j WHERE j.id = $1::text::uuid AND j.state <> 'uploading' AND ($2::boolean OR j.team = $3) FOR NO KEY UPDATE`
	// lockOpen locks what has not ended of the items from $2 to before $3. cancelItems ends it: what was locked stays in its place, by which it is found whatever the
	// server takes the table to hold; it was quadratic where rows were joined by their numbers.
	lockOpen    = `SELECT FROM job_items WHERE job = $1::text::uuid AND n >= $2::int AND n < $3::int AND ended_at IS NULL ORDER BY n FOR UPDATE`
	cancelItems = `WITH placed AS MATERIALIZED (SELECT ctid AS spot, row_number() OVER (ORDER BY n) AS place FROM job_items
		WHERE job = $1::text::uuid AND n >= $4::int AND n < $5::int AND ended_at IS NULL)
	UPDATE job_items AS i SET state = 'cancelled', lease_until = NULL, token = NULL, ended_at = $2, seq = $3::int + placed.place FROM placed WHERE i.ctid = placed.spot`
	anyEndpoint = `SELECT EXISTS (SELECT 1 FROM webhooks WHERE team = $1 AND disabled_at IS NULL)`
)

// lock reads a job that callers see, within reach, and keeps others from ending its items.
func (t *jobTx) lock(ctx context.Context, reach key.Reach, id job.ID) (r *jobRow, err error) {
	text, ok := idOf(id)
	if !ok {
		return nil, job.ErrNotFound
	}
	team, all := reach.Team()
	rows, err := t.Query(ctx, lockJob, text, all, string(team))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var request []byte
		if r, err = scanJob(rows, &request); err != nil {
			return nil, err
		}
		r.Request = request
	}
	if err = rows.Err(); err == nil && r == nil {
		err = job.ErrNotFound
	}
	return r, err
}

// statementItems bounds the items of one statement, so that even the worst plan of a table that was never analyzed is well within the server's limit for one.
const statementItems = 1000

// stop ends a job that is locked before its items have ended by themselves.
func (t *jobTx) stop(ctx context.Context, r *jobRow, s job.State) error {
	for from := 0; from < r.Progress.Total; from += statementItems {
		var n int
		b := &pgx.Batch{}
		b.Queue(lockOpen, string(r.ID), from, from+statementItems)
		b.Queue(cancelItems, string(r.ID), t.now.UnixMicro(), r.ends, from, from+statementItems).Exec(func(done pgconn.CommandTag) error {
			n = int(done.RowsAffected())
			return nil
		})
		if err := t.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		r.ends += n
		r.Progress.Cancelled += n
	}
	var told bool
	if err := t.QueryRow(ctx, anyEndpoint, string(r.Team)).Scan(&told); err != nil {
		return err
	}
	b := &pgx.Batch{}
	final(b, r, s, t.now, told)
	writeJobs(b, r)
	return t.SendBatch(ctx, b).Close()
}

// lockLate locks a job that nobody began until its deadline. One that somebody else has locked is ended, or begun, by that one.
const lockLate = `SELECT ` + briefColumns + ` FROM jobs AS j WHERE j.id = $1::text::uuid AND j.state = 'pending' AND j.deadline <= $2 FOR NO KEY UPDATE SKIP LOCKED`

// expire ends a job whose deadline has passed before anybody came, and gives it; nil where somebody else has.
func (j *Jobs) expire(ctx context.Context, id string) (late *jobRow, err error) {
	err = j.whole(ctx, "job_expire", func(ctx context.Context, t *jobTx) error {
		e := newEnds()
		rows, err := t.Query(ctx, lockLate, id, t.now.UnixMicro())
		if err != nil {
			return err
		}
		if err := e.readJobs(rows); err != nil {
			return err
		}
		if late = e.jobs[id]; late == nil {
			return nil
		}
		return t.stop(ctx, late, job.Expired)
	})
	return late, err
}

// Cancel ends a job.
func (j *Jobs) Cancel(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	over := false
	err = j.whole(ctx, "job_cancel", func(ctx context.Context, t *jobTx) error {
		r, err := t.lock(ctx, reach, id)
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
	lockAgain  = `SELECT FROM job_items WHERE job = $1::text::uuid AND state IN ('failed', 'cancelled') ORDER BY n FOR UPDATE`
	againItems = `UPDATE job_items SET state = 'pending', run_at = $2, attempt = 0, ended_at = NULL, seq = NULL, result = NULL
	WHERE job = $1::text::uuid AND state IN ('failed', 'cancelled')`
)

// Retry begins a job's next run.
func (j *Jobs) Retry(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	err = j.whole(ctx, "job_retry", func(ctx context.Context, t *jobTx) error {
		r, err := t.lock(ctx, reach, id)
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
		r.due, one = r.Deadline, r.Job
		b := &pgx.Batch{}
		b.Queue(lockAgain, string(r.ID))
		b.Queue(againItems, string(r.ID), r.RunAt.UnixMicro())
		writeJobs(b, r)
		return t.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return job.Job{}, err
	}
	return one, nil
}
