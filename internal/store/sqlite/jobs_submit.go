package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/promptd/promptd/internal/job"
)

// Submit keeps jobs in one transaction.
func (j *Jobs) Submit(ctx context.Context, list []job.Submission) (out []job.Submitted, err error) {
	for i := range list {
		if err := list[i].Check(); err != nil {
			return nil, err
		}
	}
	err = j.tx(ctx, "job_submit", func(ctx context.Context, t *jobTx) error {
		out = make([]job.Submitted, len(list))
		for i := range list {
			if out[i], err = t.submit(ctx, &list[i]); err != nil {
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

func (t *jobTx) submit(ctx context.Context, s *job.Submission) (job.Submitted, error) {
	if s.Idempotency != "" {
		first, err := t.first(ctx, s, s.Hash)
		if first != nil || err != nil {
			return first.submitted(s.Job.ID), err
		}
	}
	r := &jobRow{Job: s.Kept(t.now)}
	r.due = r.Deadline
	there, err := t.insertJob(ctx, r)
	if err != nil {
		return job.Submitted{}, err
	}
	if there != nil {
		return job.Submitted{Job: there.Job}, nil
	}
	for n := range s.Items {
		if err := t.insertItem(ctx, r, n, &s.Items[n], job.ItemPending); err != nil {
			return job.Submitted{}, err
		}
	}
	if s.Idempotency != "" {
		if err := t.claimKey(ctx, r, s.Idempotency, s.Hash); err != nil {
			return job.Submitted{}, err
		}
	}
	return job.Submitted{Job: r.Job}, nil
}

// firstJob is the job that an idempotency key was used for.
type firstJob struct {
	row  *jobRow
	same bool
}

// submitted is what who comes again is told. A submit of the very same job, whose first answer was lost, is none that comes again.
func (f *firstJob) submitted(id job.ID) job.Submitted {
	switch {
	case f == nil:
		return job.Submitted{}
	case !f.same:
		return job.Submitted{Err: job.ErrConflict}
	default:
		return job.Submitted{Job: f.row.Job, Again: f.row.ID != id}
	}
}

const (
	findKey  = `SELECT num, hash FROM job_keys WHERE team = ? AND key = ? AND created_at > ?`
	claimKey = `INSERT OR REPLACE INTO job_keys (team, key, hash, num, created_at) VALUES (?, ?, ?, ?, ?)`
)

// first finds the job that used the key within the last day; nil where there is none.
func (t *jobTx) first(ctx context.Context, s *job.Submission, hash [32]byte) (*firstJob, error) {
	var num int64
	f := &firstJob{}
	found, err := t.one(ctx, func(row []driver.Value) { num, f.same = whole(row[0]), bytes.Equal(blob(row[1]), hash[:]) },
		findKey, string(s.Job.Team), s.Idempotency, t.now.Add(-job.Remember).UnixMicro())
	if err != nil || !found {
		return nil, err
	}
	f.row, err = t.job(ctx, jobByNum, num)
	if err == nil && f.row == nil {
		err = fmt.Errorf("the job of an idempotency key is missing")
	}
	return f, err
}

func (t *jobTx) claimKey(ctx context.Context, r *jobRow, name string, hash [32]byte) error {
	_, err := t.exec(ctx, claimKey, string(r.Team), name, hash[:], r.num, t.now.UnixMicro())
	return err
}

const (
	insertJob = `INSERT INTO jobs (id, team, state, priority, batch, run, total, completed, failed, cancelled, ends, gone, created_at, due_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?, ?) ON CONFLICT (id) DO NOTHING`
	insertDetails = `INSERT INTO job_details (num, key, urgency, run_at, deadline, trace, endpoint, url, secret, metadata, request)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
)

// insertJob writes a new job and notes its number. One of the same id that is there already is given: a repeated submit, whose first answer was lost.
func (t *jobTx) insertJob(ctx context.Context, r *jobRow) (there *jobRow, err error) {
	done, err := t.run(ctx, insertJob, []driver.Value{
		string(r.ID), string(r.Team), string(r.State), int64(r.Priority), flag(r.Batch), int64(r.Run), int64(r.Progress.Total), r.CreatedAt.UnixMicro(), instant(r.due),
	})
	if err != nil {
		return nil, err
	}
	changed, err := done.RowsAffected()
	if err != nil {
		return nil, err
	}
	if changed == 0 {
		there, err = t.job(ctx, jobByID, string(r.ID))
		if err == nil && (there == nil || there.Team != r.Team) {
			err = fmt.Errorf("keep the job %s: its id is taken", r.ID)
		}
		return there, err
	}
	if r.num, err = done.LastInsertId(); err != nil {
		return nil, err
	}
	_, err = t.exec(ctx, insertDetails, r.num, string(r.Key), int64(r.Urgency), r.RunAt.UnixMicro(), r.Deadline.UnixMicro(), r.Trace, r.Webhook.Endpoint, r.Webhook.URL,
		r.Webhook.Secret, bytesOrNull(r.Metadata), bytesOrNull(r.Request))
	return nil, err
}

const (
	insertItem = `INSERT INTO job_items (item, team, priority, state, run_at, attempt) VALUES (?, ?, ?, ?, ?, 0) ON CONFLICT (item) DO NOTHING`
	insertText = `INSERT INTO job_texts (item, name, request) VALUES (?, ?, ?)`
)

// insertItem writes an item, unless it is there.
func (t *jobTx) insertItem(ctx context.Context, r *jobRow, n int, it *job.Item, state job.ItemState) error {
	item := itemOf(r.num, n)
	changed, err := t.exec(ctx, insertItem, item, string(r.Team), int64(r.Priority), string(state), r.RunAt.UnixMicro())
	if err != nil || changed == 0 || it.Name == "" && it.Request == nil {
		return err
	}
	_, err = t.exec(ctx, insertText, item, it.Name, bytesOrNull(it.Request))
	return err
}
