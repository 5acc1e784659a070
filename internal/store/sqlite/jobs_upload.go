package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/job"
)

const (
	insertUpload = `INSERT INTO job_uploads (num, idempotency, touched_at) VALUES (?, ?, ?)`
	touchUpload  = `UPDATE job_uploads SET touched_at = ? WHERE num = ? AND touched_at > 0`
	readUpload   = `SELECT idempotency FROM job_uploads WHERE num = ? AND touched_at > 0`
	endUpload    = `DELETE FROM job_uploads WHERE num = ?`
	countItems   = `SELECT count(*), max(item) FROM job_items WHERE item >= ? AND item < ?`
	sealItems    = `UPDATE job_items SET state = 'pending', run_at = ? WHERE item >= ? AND item < ?`
	sealJob      = `UPDATE jobs SET state = 'pending', total = ?, created_at = ?, due_at = ? WHERE num = ?`
	sealDetails  = `UPDATE job_details SET run_at = ?, deadline = ? WHERE num = ?`
)

// uploading is the state of items before the seal; callers never see it, and the index of what is pending does not hold them.
const uploading job.ItemState = "uploading"

// Begin keeps the head of an upload.
func (j *Jobs) Begin(ctx context.Context, s job.Submission) error {
	if err := s.CheckHead(); err != nil {
		return err
	}
	return j.tx(ctx, "job_begin", func(ctx context.Context, t *jobTx) error {
		r := &jobRow{Job: s.Job}
		r.Progress = job.Progress{}
		r.State, r.Run, r.CreatedAt = job.Uploading, 1, t.now
		if r.RunAt.IsZero() {
			r.RunAt = time.UnixMicro(0) // Seal sets it to its own time.
		}
		if r.Deadline.IsZero() {
			r.Deadline = time.UnixMicro(0)
		}
		there, err := t.insertJob(ctx, r)
		if there != nil || err != nil {
			return err
		}
		_, err = t.exec(ctx, insertUpload, r.num, s.Idempotency, t.now.UnixMicro())
		return err
	})
}

// Append keeps a portion of an upload.
func (j *Jobs) Append(ctx context.Context, id job.ID, items []job.Item) error {
	for i := range items {
		if !numbered(items[i].N) {
			return fmt.Errorf("keep item %d of the job %s: a job holds up to %d", items[i].N, id, job.MostItems)
		}
	}
	return j.tx(ctx, "job_append", func(ctx context.Context, t *jobTx) error {
		r, err := t.job(ctx, jobByID, string(id))
		if err == nil && (r == nil || r.State != job.Uploading) {
			err = job.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := t.appendItems(ctx, r, items); err != nil {
			return err
		}
		changed, err := t.exec(ctx, touchUpload, t.now.UnixMicro(), r.num)
		if err == nil && changed == 0 { // Reap has begun to delete it.
			err = job.ErrNotFound
		}
		return err
	})
}

const anyItem = `SELECT 1 FROM job_items WHERE item >= ? AND item <= ? LIMIT 1`

// appendItems writes items of an upload that are not there.
func (t *jobTx) appendItems(ctx context.Context, r *jobRow, items []job.Item) error {
	if len(items) == 0 {
		return nil
	}
	var fresh newItems
	first, last := items[0].N, items[0].N
	seen := make(map[int]bool, len(items))
	for i := range items {
		fresh.add(r, items[i].N, &items[i], uploading)
		first, last, seen[items[i].N] = min(first, items[i].N), max(last, items[i].N), true
	}
	some, err := t.one(ctx, func([]driver.Value) {}, anyItem, itemOf(r.num, first), itemOf(r.num, last))
	if err != nil {
		return err
	}
	if !some && len(seen) == len(items) {
		return t.insertItems(ctx, &fresh)
	}
	for i := range items { // They are sent once more, or some of them are.
		if err := t.insertItem(ctx, r, items[i].N, &items[i], uploading); err != nil {
			return err
		}
	}
	return nil
}

// Seal makes an upload a job.
func (j *Jobs) Seal(ctx context.Context, id job.ID, total int, hash [32]byte) (out job.Submitted, err error) {
	err = j.tx(ctx, "job_seal", func(ctx context.Context, t *jobTx) error {
		r, err := t.job(ctx, jobByID, string(id))
		if err == nil && r == nil {
			err = job.ErrNotFound
		}
		if err != nil {
			return err
		}
		if r.State != job.Uploading { // It was sealed, and the answer was lost.
			out = job.Submitted{Job: r.Job}
			return nil
		}
		out, err = t.seal(ctx, r, total, hash)
		return err
	})
	if err != nil {
		return job.Submitted{}, err
	}
	return out, nil
}

func (t *jobTx) seal(ctx context.Context, r *jobRow, total int, hash [32]byte) (job.Submitted, error) {
	s := job.Submission{Job: r.Job}
	found, err := t.one(ctx, func(row []driver.Value) { s.Idempotency = words(row[0]) }, readUpload, r.num)
	if err == nil && !found { // Reap has begun to delete it.
		err = job.ErrNotFound
	}
	if err != nil {
		return job.Submitted{}, err
	}
	if s.Idempotency != "" {
		first, err := t.first(ctx, &s, hash)
		if first != nil || err != nil { // What was sent again rests, and is deleted as such.
			return first.submitted(r.ID), err
		}
	}
	complete, err := t.complete(ctx, r, total)
	if err != nil {
		return job.Submitted{}, err
	}
	if !complete {
		return job.Submitted{}, job.ErrIncomplete
	}
	for _, unset := range []*time.Time{&s.Job.RunAt, &s.Job.Deadline} {
		if unset.UnixMicro() == 0 {
			*unset = time.Time{}
		}
	}
	s.Items = make([]job.Item, total)
	r.Job = s.Kept(t.now)
	if err := t.publish(ctx, r); err != nil {
		return job.Submitted{}, err
	}
	if s.Idempotency != "" {
		if err := t.claimKey(ctx, r, s.Idempotency, hash); err != nil {
			return job.Submitted{}, err
		}
	}
	return job.Submitted{Job: r.Job}, nil
}

// complete says whether the items are those from 0 to total.
func (t *jobTx) complete(ctx context.Context, r *jobRow, total int) (ok bool, err error) {
	_, err = t.one(ctx, func(row []driver.Value) {
		_, last := placeOf(whole(row[1]))
		ok = total > 0 && whole(row[0]) == int64(total) && last == total-1
	}, countItems, itemOf(r.num, 0), itemOf(r.num+1, 0))
	return ok, err
}

// publish lets everybody see the job.
func (t *jobTx) publish(ctx context.Context, r *jobRow) error {
	for _, step := range []struct {
		query string
		args  []driver.Value
	}{
		{sealJob, []driver.Value{int64(r.Progress.Total), r.CreatedAt.UnixMicro(), instant(r.Deadline), r.num}},
		{sealDetails, []driver.Value{r.RunAt.UnixMicro(), r.Deadline.UnixMicro(), r.num}},
		{sealItems, []driver.Value{r.RunAt.UnixMicro(), itemOf(r.num, 0), itemOf(r.num+1, 0)}},
		{endUpload, []driver.Value{r.num}},
	} {
		if _, err := t.exec(ctx, step.query, step.args...); err != nil {
			return err
		}
	}
	return nil
}
