package postgres

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/statement"
)

// jobRow is a job with what the store alone knows of it.
type jobRow struct {
	job.Job
	// ends counts the ends of items, and gives Item.Seq.
	ends int
	// due is when Reap looks at the job next; zero is never.
	due time.Time
	// changed says that it is to be written.
	changed bool
}

const (
	smallColumns = `j.id::text, j.team, j.state, j.priority, j.batch, j.run, j.total, j.completed, j.failed, j.cancelled, j.ends, j.gone, j.created_at, j.started_at,
	j.completed_at, j.expires_at, j.forgotten_at, j.due_at, j.run_at, j.deadline, j.key, j.urgency, j.trace, j.endpoint, j.url, j.secret`
	briefColumns = smallColumns + `, j.metadata`
	// The request, which may be long, is read where it is wanted.
	jobColumns = briefColumns + `, j.request`
)

// scanJob reads briefColumns and what follows them.
func scanJob(row statement.Row, more ...any) (*jobRow, error) {
	r := &jobRow{}
	var id, team, state, name string
	var priority, urgency int16
	var run, total, completed, failed, cancelled, ends int32
	var created, runAt, deadline int64
	var started, ended, expires, forgotten, due *int64
	err := row.Scan(append([]any{
		&id, &team, &state, &priority, &r.Batch, &run, &total, &completed, &failed, &cancelled, &ends, &r.Gone, &created, &started, &ended, &expires, &forgotten, &due,
		&runAt, &deadline, &name, &urgency, &r.Trace, &r.Webhook.Endpoint, &r.Webhook.URL, &r.Webhook.Secret, &r.Metadata,
	}, more...)...)
	r.ID, r.Team, r.State, r.Key = job.ID(id), key.TeamID(team), job.State(state), key.ID(name)
	r.Priority, r.Urgency, r.Run, r.ends = job.Priority(priority), job.Urgency(urgency), int(run), int(ends)
	r.Progress = job.Progress{Total: int(total), Completed: int(completed), Failed: int(failed), Cancelled: int(cancelled)}
	r.CreatedAt, r.RunAt, r.Deadline = timeOf(created), timeOf(runAt), timeOf(deadline)
	r.StartedAt, r.CompletedAt, r.ExpiresAt, r.ForgottenAt, r.due = whenOf(started), whenOf(ended), whenOf(expires), whenOf(forgotten), whenOf(due)
	return r, err
}

const updateJobs = `UPDATE jobs AS j SET state = u.state, run = u.run, completed = u.completed, failed = u.failed, cancelled = u.cancelled, ends = u.ends,
	gone = u.gone, started_at = u.started_at, completed_at = u.completed_at, expires_at = u.expires_at, forgotten_at = u.forgotten_at, due_at = u.due_at,
	run_at = u.run_at, deadline = u.deadline
	FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::boolean[], $9::bigint[], $10::bigint[], $11::bigint[],
	$12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[])
	AS u(id, state, run, completed, failed, cancelled, ends, gone, started_at, completed_at, expires_at, forgotten_at, due_at, run_at, deadline)
	WHERE j.id = u.id`

// writeJobs writes what can change of jobs that are locked.
func writeJobs(b *pgx.Batch, rows ...*jobRow) {
	if len(rows) == 0 {
		return
	}
	number := func(of func(r *jobRow) int) []int32 {
		return column(rows, func(r *jobRow) int32 { return int32(of(r)) })
	}
	at := func(of func(r *jobRow) time.Time) []*int64 {
		return column(rows, func(r *jobRow) *int64 { return when(of(r)) })
	}
	b.Queue(updateJobs, uuids(column(rows, func(r *jobRow) string { return string(r.ID) })), column(rows, func(r *jobRow) string { return string(r.State) }),
		number(func(r *jobRow) int { return r.Run }), number(func(r *jobRow) int { return r.Progress.Completed }), number(func(r *jobRow) int { return r.Progress.Failed }),
		number(func(r *jobRow) int { return r.Progress.Cancelled }), number(func(r *jobRow) int { return r.ends }), column(rows, func(r *jobRow) bool { return r.Gone }),
		at(func(r *jobRow) time.Time { return r.StartedAt }), at(func(r *jobRow) time.Time { return r.CompletedAt }), at(func(r *jobRow) time.Time { return r.ExpiresAt }),
		at(func(r *jobRow) time.Time { return r.ForgottenAt }), at(func(r *jobRow) time.Time { return r.due }), at(func(r *jobRow) time.Time { return r.RunAt }),
		at(func(r *jobRow) time.Time { return r.Deadline }))
}

// column makes a parameter of one field of each.
func column[R, V any](rows []R, of func(R) V) []V {
	list := make([]V, len(rows))
	for i, r := range rows {
		list[i] = of(r)
	}
	return list
}

// itemRow is an item that somebody had, and what becomes of it.
type itemRow struct {
	job     string
	n       int
	attempt int
	tries   *string
	worker  string
	taken   time.Time
	losses  int

	state  job.ItemState
	runAt  *int64
	ended  *int64
	seq    *int32
	result []byte
}

const updateItems = `UPDATE job_items AS i SET state = u.state, attempt = u.attempt, tries = u.tries, run_at = coalesce(u.run_at, i.run_at), ended_at = u.ended_at,
	seq = u.seq, result = u.result, lease_until = NULL, token = NULL
	FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::bigint[], $8::int[], $9::bytea[])
	AS u(job, n, state, attempt, tries, run_at, ended_at, seq, result)
	WHERE i.job = u.job AND i.n = u.n`

// writeItems writes what became of items that are locked.
func writeItems(b *pgx.Batch, rows []*itemRow) {
	if len(rows) == 0 {
		return
	}
	b.Queue(updateItems, uuids(column(rows, func(r *itemRow) string { return r.job })), column(rows, func(r *itemRow) int32 { return int32(r.n) }),
		column(rows, func(r *itemRow) string { return string(r.state) }), column(rows, func(r *itemRow) int32 { return int32(r.attempt) }),
		column(rows, func(r *itemRow) *string { return r.tries }), column(rows, func(r *itemRow) *int64 { return r.runAt }),
		column(rows, func(r *itemRow) *int64 { return r.ended }), column(rows, func(r *itemRow) *int32 { return r.seq }),
		column(rows, func(r *itemRow) []byte { return r.result }))
}

// pend makes an item pending again.
func (r *itemRow) pend(at time.Time) { r.state, r.runAt = job.ItemPending, when(at) }

// endItem ends an item and counts it on its job.
func endItem(of *jobRow, r *itemRow, s job.ItemState, result []byte, now time.Time) {
	of.ends++
	of.Progress.Ended(s)
	of.changed = true
	seq := int32(of.ends)
	r.state, r.ended, r.seq, r.result = s, when(now), &seq, result
}

// tried adds to the item's history.
func (r *itemRow) tried(one job.Try) error {
	list, err := readTries(r.tries)
	if err != nil {
		return err
	}
	list = append(list, one)
	text, err := json.Marshal(list[max(0, len(list)-job.MostTries):])
	if err != nil {
		return fmt.Errorf("write the tries of an item: %w", err)
	}
	whole := string(text)
	r.tries = &whole
	return nil
}

func readTries(text *string) (list []job.Try, err error) {
	if text == nil {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(*text), &list); err != nil {
		return nil, fmt.Errorf("read the tries of an item: %w", err)
	}
	return list, nil
}

const itemColumns = `i.n, i.state, i.attempt, i.tries, i.run_at, i.ended_at, i.seq, i.name, i.request, i.result`

// scanItem reads itemColumns.
func scanItem(id job.ID, row statement.Row) (job.Item, error) {
	it := job.Item{Job: id}
	var state string
	var n, attempt int32
	var runAt int64
	var ended *int64
	var seq *int32
	var name, tries *string
	if err := row.Scan(&n, &state, &attempt, &tries, &runAt, &ended, &seq, &name, &it.Request, &it.Result); err != nil {
		return job.Item{}, err
	}
	it.N, it.State, it.Attempt, it.RunAt, it.EndedAt = int(n), job.ItemState(state), int(attempt), timeOf(runAt), whenOf(ended)
	if seq != nil {
		it.Seq = int(*seq)
	}
	if name != nil {
		it.Name = *name
	}
	var err error
	it.Tries, err = readTries(tries)
	return it, err
}

// uuids gives ids as the server keeps them; it takes several times as long to read them from texts. An id that is none is null, which is nobody's.
func uuids(ids []string) []pgtype.UUID {
	return column(ids, func(id string) pgtype.UUID {
		u, err := uuid.Parse(id)
		return pgtype.UUID{Bytes: u, Valid: err == nil}
	})
}

// sortedIDs gives ids in the order that jobs are locked in, each once.
func sortedIDs(ids []string) []string {
	slices.SortFunc(ids, strings.Compare)
	return slices.Compact(ids)
}
