package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

const (
	lockJob = `SELECT ` + jobColumns + ` FROM jobs AS j WHERE j.id = $1::text::uuid AND j.state <> 'uploading' AND ($2::boolean OR j.team = $3) FOR NO KEY UPDATE`
	// cancelItems ends all that has not ended, in one statement however many there are.
	cancelItems = `WITH open AS MATERIALIZED (SELECT n FROM job_items WHERE job = $1::text::uuid AND ended_at IS NULL ORDER BY n FOR UPDATE),
	placed AS (SELECT n, row_number() OVER (ORDER BY n) AS place FROM open)
	UPDATE job_items AS i SET state = 'cancelled', lease_until = NULL, token = NULL, ended_at = $2, seq = $3::int + placed.place FROM placed
	WHERE i.job = $1::text::uuid AND i.n = placed.n`
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

// stop ends a job that is locked before its items have ended by themselves.
func (t *jobTx) stop(ctx context.Context, r *jobRow, s job.State) error {
	done, err := t.Exec(ctx, cancelItems, string(r.ID), t.now.UnixMicro(), r.ends)
	if err != nil {
		return err
	}
	var told bool
	if err := t.QueryRow(ctx, anyEndpoint, string(r.Team)).Scan(&told); err != nil {
		return err
	}
	r.ends += int(done.RowsAffected())
	r.Progress.Cancelled += int(done.RowsAffected())
	b := &pgx.Batch{}
	t.final(b, r, s, told)
	t.writeJobs(b, r)
	return t.SendBatch(ctx, b).Close()
}

// lockLate locks jobs that nobody began until their deadline. One that somebody else has locked is ended by that one.
const lockLate = `SELECT ` + briefColumns + ` FROM jobs AS j WHERE j.id = ANY($1::text[]::uuid[]) AND j.state = 'pending' ORDER BY j.id FOR NO KEY UPDATE SKIP LOCKED`

// expire ends jobs whose deadline has passed before anybody came.
func (t *jobTx) expire(ctx context.Context, ids []string) error {
	e := &ends{jobTx: t, jobs: map[string]*jobRow{}}
	rows, err := t.Query(ctx, lockLate, ids)
	if err != nil {
		return err
	}
	if err := e.readJobs(rows); err != nil {
		return err
	}
	for _, r := range e.order {
		if err := t.stop(ctx, r, job.Expired); err != nil {
			return err
		}
	}
	return nil
}

// Cancel ends a job.
func (j *Jobs) Cancel(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	over := false
	err = j.tx(ctx, "job_cancel", func(ctx context.Context, t *jobTx) error {
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

const againItems = `UPDATE job_items AS i SET state = 'pending', run_at = $2, attempt = 0, ended_at = NULL, seq = NULL, result = NULL
	FROM (SELECT n FROM job_items WHERE job = $1::text::uuid AND state IN ('failed', 'cancelled') ORDER BY n FOR UPDATE) AS ended
	WHERE i.job = $1::text::uuid AND i.n = ended.n`

// Retry begins a job's next run.
func (j *Jobs) Retry(ctx context.Context, reach key.Reach, id job.ID) (one job.Job, err error) {
	err = j.tx(ctx, "job_retry", func(ctx context.Context, t *jobTx) error {
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
		b.Queue(againItems, string(r.ID), r.RunAt.UnixMicro())
		t.writeJobs(b, r)
		return t.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return job.Job{}, err
	}
	return one, nil
}
