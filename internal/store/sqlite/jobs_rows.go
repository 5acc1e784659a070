package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// itemBits is how much room a job has for the numbers of its items: more than [job.MostItems].
const itemBits = 20

// itemOf gives an item's number; the job's numbers end before itemOf(num+1, 0).
func itemOf(num int64, n int) int64 { return num<<itemBits | int64(n) }

// placeOf gives the job's number and the item's place in it.
func placeOf(item int64) (num int64, n int) { return item >> itemBits, int(item & (1<<itemBits - 1)) }

// numbered says whether an item of this place can be.
func numbered(n int) bool { return n >= 0 && n < job.MostItems }

// jobRow is a job with what the store alone knows of it.
type jobRow struct {
	job.Job
	num int64
	// ends counts the ends of items, and gives Item.Seq.
	ends int
	// due is when Reap looks at the job next; zero is never.
	due time.Time
	// changed says that it is to be written.
	changed bool
	// seen says that a claim has looked at it.
	seen bool
}

const (
	jobColumns = `j.num, j.id, j.team, j.state, j.priority, j.batch, j.run, j.total, j.completed, j.failed, j.cancelled, j.ends, j.gone, j.created_at, j.started_at,
	j.completed_at, j.expires_at, j.forgotten_at, j.due_at`
	detailColumns = `d.key, d.urgency, d.run_at, d.deadline, d.trace, d.endpoint, d.url, d.secret, d.metadata`
	// The whole of a job is read but for its request, which may be long, where that is not wanted.
	fromJobs   = ` FROM jobs AS j JOIN job_details AS d ON d.num = j.num `
	wholeJob   = `SELECT ` + jobColumns + `, ` + detailColumns + `, d.request` + fromJobs
	briefJob   = `SELECT ` + jobColumns + `, ` + detailColumns + fromJobs
	jobByNum   = wholeJob + `WHERE j.num = ?`
	briefByNum = briefJob + `WHERE j.num = ?`
	jobByID    = wholeJob + `WHERE j.id = ?`
)

// readJob reads jobColumns, detailColumns and the request, as far as the row goes.
func readJob(row []driver.Value) *jobRow {
	r := &jobRow{num: whole(row[0]), ends: int(whole(row[11])), due: moment(row[18])}
	r.Job = job.Job{
		ID: job.ID(words(row[1])), Team: key.TeamID(words(row[2])), State: job.State(words(row[3])), Priority: job.Priority(whole(row[4])), Batch: whole(row[5]) != 0,
		Run: int(whole(row[6])), Gone: whole(row[12]) != 0, CreatedAt: moment(row[13]), StartedAt: moment(row[14]), CompletedAt: moment(row[15]),
		ExpiresAt: moment(row[16]), ForgottenAt: moment(row[17]),
		Progress: job.Progress{Total: int(whole(row[7])), Completed: int(whole(row[8])), Failed: int(whole(row[9])), Cancelled: int(whole(row[10]))},
		Key:      key.ID(words(row[19])), Urgency: job.Urgency(whole(row[20])), RunAt: moment(row[21]), Deadline: moment(row[22]), Trace: words(row[23]),
		Webhook: job.Webhook{Endpoint: words(row[24]), URL: words(row[25]), Secret: words(row[26])}, Metadata: blob(row[27]),
	}
	if len(row) > 28 {
		r.Request = blob(row[28])
	}
	return r
}

// job reads a job by one of the queries that readJob reads; nil where there is none.
func (t *jobTx) job(ctx context.Context, query string, arg driver.Value) (r *jobRow, err error) {
	_, err = t.one(ctx, func(row []driver.Value) { r = readJob(row) }, query, arg)
	return r, err
}

// within reads a job that callers see, within reach.
func (t *jobTx) within(ctx context.Context, reach key.Reach, id job.ID) (*jobRow, error) {
	r, err := t.job(ctx, jobByID, string(id))
	if err != nil {
		return nil, err
	}
	if r == nil || r.State == job.Uploading || !reach.Covers(r.Team) {
		return nil, job.ErrNotFound
	}
	return r, nil
}

const updateJob = `UPDATE jobs SET state = ?, run = ?, completed = ?, failed = ?, cancelled = ?, ends = ?, gone = ?, started_at = ?, completed_at = ?,
	expires_at = ?, forgotten_at = ?`

// writeJob writes what can change. An index that keeps its entry is left alone by a statement that doesn't name its column.
func (t *jobTx) writeJob(ctx context.Context, r *jobRow, due time.Time) error {
	r.changed = false
	args := []driver.Value{
		string(r.State), int64(r.Run), int64(r.Progress.Completed), int64(r.Progress.Failed), int64(r.Progress.Cancelled), int64(r.ends), flag(r.Gone),
		instant(r.StartedAt), instant(r.CompletedAt), instant(r.ExpiresAt), instant(r.ForgottenAt),
	}
	query := updateJob
	if !due.Equal(r.due) {
		query += `, due_at = ?`
		args = append(args, instant(due))
		r.due = due
	}
	_, err := t.exec(ctx, query+` WHERE num = ?`, append(args, r.num)...)
	return err
}

const itemColumns = `i.item, i.state, i.attempt, i.tries, i.run_at, i.ended_at, i.seq`

// readItem reads itemColumns.
func readItem(id job.ID, row []driver.Value) (job.Item, error) {
	_, n := placeOf(whole(row[0]))
	it := job.Item{
		Job: id, N: n, State: job.ItemState(words(row[1])), Attempt: int(whole(row[2])), RunAt: moment(row[4]), EndedAt: moment(row[5]), Seq: int(whole(row[6])),
	}
	var err error
	it.Tries, err = readTries(row[3])
	return it, err
}

func readTries(v driver.Value) (list []job.Try, err error) {
	text := words(v)
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("read the tries of an item: %w", err)
	}
	return list, nil
}

// addTry adds to a history as it lies in its row.
func addTry(v driver.Value, one job.Try) (driver.Value, error) {
	list, err := readTries(v)
	if err != nil {
		return nil, err
	}
	list = append(list, one)
	text, err := json.Marshal(list[max(0, len(list)-job.MostTries):])
	if err != nil {
		return nil, fmt.Errorf("write the tries of an item: %w", err)
	}
	return string(text), nil
}
