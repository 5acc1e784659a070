package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"strconv"

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
		for i := 0; i < len(list); {
			plain := i
			for plain < len(list) && list[plain].Idempotency == "" {
				plain++
			}
			if err := t.submitPlain(ctx, list[i:plain], out[i:plain]); err != nil {
				return err
			}
			if i = plain; i < len(list) {
				if out[i], err = t.submit(ctx, &list[i]); err != nil {
					return err
				}
				i++
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

const (
	lastJob     = `SELECT max(num) FROM jobs`
	dropBehind  = `DELETE FROM jobs WHERE num > ?`
	jobsHead    = `INSERT INTO jobs (num, id, team, state, priority, batch, run, total, completed, failed, cancelled, ends, gone, created_at, due_at) VALUES `
	jobsRow     = `(?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?, ?)`
	jobsTail    = ` ON CONFLICT (id) DO NOTHING`
	detailsHead = `INSERT INTO job_details (num, key, urgency, run_at, deadline, trace, endpoint, url, secret, metadata, request) VALUES `
	detailsRow  = `(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	itemsHead   = `INSERT INTO job_items (item, team, priority, state, run_at, attempt) VALUES `
	itemsRow    = `(?, ?, ?, ?, ?, 0)`
	textsHead   = `INSERT INTO job_texts (item, name, request) VALUES `
	textsRow    = `(?, ?, ?)`
	// The parameters of a row of these.
	jobsWidth, detailsWidth, itemsWidth, textsWidth = 10, 11, 5, 3
)

// submitPlain keeps jobs without idempotency keys, those of all in the same statements.
func (t *jobTx) submitPlain(ctx context.Context, list []job.Submission, out []job.Submitted) error {
	var last int64
	if len(list) > 0 {
		if _, err := t.one(ctx, func(row []driver.Value) { last = whole(row[0]) }, lastJob); err != nil {
			return err
		}
	}
	rows := make([]jobRow, len(list))
	heads, details := make([]driver.Value, 0, jobsWidth*len(list)), make([]driver.Value, 0, detailsWidth*len(list))
	items := newItems{items: make([]driver.Value, 0, itemsWidth*len(list))}
	for i := range list {
		r := &rows[i]
		r.Job, r.num = list[i].Kept(t.now), last+1+int64(i)
		r.due = r.Deadline
		out[i] = job.Submitted{Job: r.Job}
		heads, details = appendHead(append(heads, r.num), r), appendDetails(details, r)
		for n := range list[i].Items {
			items.add(r, n, &list[i].Items[n], job.ItemPending)
		}
	}
	changed, err := t.execRows(ctx, block{jobsHead, jobsRow, jobsTail, jobsWidth}, nil, heads)
	if err != nil {
		return err
	}
	if changed < int64(len(list)) {
		return t.submitEach(ctx, last, list, out)
	}
	if _, err := t.execRows(ctx, block{detailsHead, detailsRow, "", detailsWidth}, nil, details); err != nil {
		return err
	}
	return t.insertItems(ctx, &items)
}

// submitEach keeps jobs of which some are there already, because the answers to whoever sent them first were lost. What was inserted behind the last job goes again.
func (t *jobTx) submitEach(ctx context.Context, last int64, list []job.Submission, out []job.Submitted) (err error) {
	if _, err := t.exec(ctx, dropBehind, last); err != nil {
		return err
	}
	for i := range list {
		if out[i], err = t.submit(ctx, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// appendHead adds the parameters of a new job, behind its number; appendDetails adds those of its details.
func appendHead(dst []driver.Value, r *jobRow) []driver.Value {
	return append(dst,
		string(r.ID), string(r.Team), string(r.State), int64(r.Priority), flag(r.Batch), int64(r.Run), int64(r.Progress.Total), r.CreatedAt.UnixMicro(), instant(r.due),
	)
}

func appendDetails(dst []driver.Value, r *jobRow) []driver.Value {
	return append(dst,
		r.num, string(r.Key), int64(r.Urgency), r.RunAt.UnixMicro(), r.Deadline.UnixMicro(), r.Trace, r.Webhook.Endpoint, r.Webhook.URL, r.Webhook.Secret,
		bytesOrNull(r.Metadata), bytesOrNull(r.Request),
	)
}

// newItems are the parameters of new items and of their texts.
type newItems struct{ items, texts []driver.Value }

func (x *newItems) add(r *jobRow, n int, it *job.Item, state job.ItemState) {
	item := itemOf(r.num, n)
	x.items = append(x.items, item, string(r.Team), int64(r.Priority), string(state), r.RunAt.UnixMicro())
	if it.Name != nameOf(n) || it.Request != nil {
		x.texts = append(x.texts, item, it.Name, bytesOrNull(it.Request))
	}
}

// nameOf is the name of an item without texts: its number, as the only item of a job that is no batch has it.
func nameOf(n int) string { return strconv.Itoa(n) }

// insertItems writes items of which none is there.
func (t *jobTx) insertItems(ctx context.Context, x *newItems) error {
	if _, err := t.execRows(ctx, block{itemsHead, itemsRow, "", itemsWidth}, nil, x.items); err != nil {
		return err
	}
	_, err := t.execRows(ctx, block{textsHead, textsRow, "", textsWidth}, nil, x.texts)
	return err
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

const insertJob = `INSERT INTO jobs (id, team, state, priority, batch, run, total, completed, failed, cancelled, ends, gone, created_at, due_at)
	VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?, ?) ON CONFLICT (id) DO NOTHING`

// insertJob writes a new job and notes its number. One of the same id that is there already is given: a repeated submit, whose first answer was lost.
func (t *jobTx) insertJob(ctx context.Context, r *jobRow) (there *jobRow, err error) {
	done, err := t.run(ctx, insertJob, appendHead(nil, r))
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
	_, err = t.exec(ctx, detailsHead+detailsRow, appendDetails(nil, r)...)
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
	if err != nil || changed == 0 || it.Name == nameOf(n) && it.Request == nil {
		return err
	}
	_, err = t.exec(ctx, insertText, item, it.Name, bytesOrNull(it.Request))
	return err
}
