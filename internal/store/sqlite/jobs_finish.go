package sqlite

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// Finish ends what was taken, in one transaction. Each job is read and written once, however many of its items end.
func (j *Jobs) Finish(ctx context.Context, list []job.Finished) (out []job.Ended, err error) {
	for i := range list {
		if s := list[i].State; s != job.ItemCompleted && s != job.ItemFailed && s != job.ItemPending {
			return nil, fmt.Errorf("finish item %d of the job %s: %q is no end of it", list[i].Lease.N, list[i].Lease.Job, s)
		}
	}
	err = j.tx(ctx, "job_finish", func(ctx context.Context, t *jobTx) error {
		f := &finishing{jobTx: t, jobs: make(map[job.ID]*jobRow, len(list)), held: make(map[int64]heldItem, len(list))}
		out, err = f.all(ctx, list)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// finishing is a Finish in progress.
type finishing struct {
	*jobTx
	jobs map[job.ID]*jobRow
	// held are the items that are with somebody.
	held map[int64]heldItem
	// ended are the ends that are still to be written, by their state; results are theirs.
	completed, failed, results []driver.Value
}

// heldItem is what of an item is read before it ends.
type heldItem struct {
	token   string
	attempt int64
	tries   driver.Value
}

const (
	jobsByID  = briefJob + `WHERE j.state <> 'uploading' AND j.id IN (`
	heldItems = `SELECT item, token, attempt, tries FROM job_items WHERE item IN (`
)

// all reads what is needed in one go, decides, and writes.
func (f *finishing) all(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	names := make([]driver.Value, 0, len(list))
	for i := range list {
		if id := list[i].Lease.Job; !f.known(id) {
			f.jobs[id] = nil
			names = append(names, string(id))
		}
	}
	rows := make([]*jobRow, 0, len(names))
	err := f.queryRows(ctx, func(row []driver.Value) error {
		r := readJob(row)
		f.jobs[r.ID] = r
		rows = append(rows, r)
		return nil
	}, these(jobsByID), names)
	if err != nil {
		return nil, err
	}
	if err := f.hold(ctx, list); err != nil {
		return nil, err
	}
	out := make([]job.Ended, len(list))
	for i := range list {
		if out[i], err = f.decide(ctx, &list[i]); err != nil {
			return nil, err
		}
	}
	if err := f.write(ctx); err != nil {
		return nil, err
	}
	return out, f.settleAll(ctx, rows)
}

func (f *finishing) known(id job.ID) bool {
	_, known := f.jobs[id]
	return known
}

// hold reads who has the items.
func (f *finishing) hold(ctx context.Context, list []job.Finished) error {
	items := make([]driver.Value, 0, len(list))
	for i := range list {
		if r := f.jobs[list[i].Lease.Job]; r != nil && numbered(list[i].Lease.N) {
			items = append(items, itemOf(r.num, list[i].Lease.N))
		}
	}
	return f.queryRows(ctx, func(row []driver.Value) error {
		f.held[whole(row[0])] = heldItem{words(row[1]), whole(row[2]), row[3]}
		return nil
	}, these(heldItems), items)
}

// decide counts an item on its job, both of which are written later.
func (f *finishing) decide(ctx context.Context, x *job.Finished) (job.Ended, error) {
	lost := job.Ended{Job: x.Lease.Job, Err: job.ErrLeaseLost}
	r := f.jobs[x.Lease.Job]
	if r == nil || !numbered(x.Lease.N) {
		return lost, nil
	}
	item := itemOf(r.num, x.Lease.N)
	held := f.held[item]
	if held.token == "" || held.token != x.Lease.Token {
		lost.State, lost.Progress = r.State, r.Progress
		return lost, nil
	}
	delete(f.held, item) // It ends once, whatever the list says.
	if x.State == job.ItemPending {
		if err := f.release(ctx, item, held, x); err != nil {
			return job.Ended{}, err
		}
		return job.Ended{Job: r.ID, State: r.State, Progress: r.Progress}, nil
	}
	f.count(r, x.State)
	if x.State == job.ItemCompleted {
		f.completed = append(f.completed, item, int64(r.ends))
	} else {
		f.failed = append(f.failed, item, int64(r.ends))
	}
	f.results = append(f.results, item, bytesOrNull(x.Result))
	e := job.Ended{Job: r.ID, State: r.State, Progress: r.Progress}
	if r.Progress.Done() {
		e.State, e.Last = r.Progress.Final(), true
	}
	return e, nil
}

const (
	endItemsHead = `UPDATE job_items SET state = ?, lease_until = NULL, token = NULL, ended_at = ?, seq = e.column2 FROM (VALUES `
	endItemsTail = `) AS e WHERE job_items.item = e.column1`
	resultsHead  = `INSERT OR REPLACE INTO job_results (item, result) VALUES `
	twoRow       = `(?, ?)`
)

// write writes the items that have ended.
func (f *finishing) write(ctx context.Context) error {
	ends := block{endItemsHead, twoRow, endItemsTail, 2}
	for state, list := range map[job.ItemState][]driver.Value{job.ItemCompleted: f.completed, job.ItemFailed: f.failed} {
		if _, err := f.execRows(ctx, ends, []driver.Value{string(state), f.now.UnixMicro()}, list); err != nil {
			return err
		}
	}
	_, err := f.execRows(ctx, block{resultsHead, twoRow, "", 2}, nil, f.results)
	return err
}

// addResult keeps the result of one item.
const addResult = resultsHead + twoRow

// count counts the end of an item on its job, which settle writes.
func (t *jobTx) count(r *jobRow, s job.ItemState) {
	r.ends++
	r.Progress.Ended(s)
	r.changed = true
}

const releaseHeld = `UPDATE job_items SET state = 'pending', run_at = ?, attempt = ?, tries = ?, lease_until = NULL, token = NULL WHERE item = ?`

// release makes an item pending again.
func (t *jobTx) release(ctx context.Context, item int64, held heldItem, f *job.Finished) (err error) {
	if f.Uncounted {
		held.attempt--
	}
	if f.Try != nil {
		if held.tries, err = addTry(held.tries, *f.Try); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, releaseHeld, t.now.Add(f.Again).UnixMicro(), held.attempt, held.tries, item)
	return err
}

// settle writes a job whose items were counted, and makes it final where nothing is left.
func (t *jobTx) settle(ctx context.Context, r *jobRow) error {
	switch {
	case r == nil || !r.changed:
		return nil
	case r.Progress.Done():
		return t.end(ctx, r, r.Progress.Final())
	default:
		return t.writeJob(ctx, r, r.due)
	}
}

// lastEnd is how jobs have become final: those of one end are written together.
type lastEnd struct {
	state    job.State
	progress job.Progress
	ends     int
	due      time.Time // zero where it stays as it is
}

const (
	endJobs    = `UPDATE jobs SET state = ?, completed = ?, failed = ?, cancelled = ?, ends = ?, completed_at = ?, expires_at = ?, forgotten_at = ? WHERE num IN (`
	endJobsDue = `UPDATE jobs SET state = ?, completed = ?, failed = ?, cancelled = ?, ends = ?, completed_at = ?, expires_at = ?, forgotten_at = ?, due_at = ? WHERE num IN (`
)

// settleAll settles jobs; those that have become final are written together, and then their events.
func (t *jobTx) settleAll(ctx context.Context, rows []*jobRow) error {
	over := map[lastEnd][]driver.Value{}
	for _, r := range rows {
		switch {
		case !r.changed:
		case r.Progress.Done():
			r.End(r.Progress.Final(), t.now)
			e := lastEnd{state: r.State, progress: r.Progress, ends: r.ends}
			if due := r.nextLook(); !due.Equal(r.due) {
				e.due, r.due = due, due
			}
			over[e] = append(over[e], r.num)
		default:
			if err := t.writeJob(ctx, r, r.due); err != nil {
				return err
			}
		}
	}
	end := job.Job{}
	end.End("", t.now)
	for e, nums := range over {
		query, common := endJobs, []driver.Value{
			string(e.state), int64(e.progress.Completed), int64(e.progress.Failed), int64(e.progress.Cancelled), int64(e.ends),
			instant(end.CompletedAt), instant(end.ExpiresAt), instant(end.ForgottenAt),
		}
		if !e.due.IsZero() {
			query, common = endJobsDue, append(common, instant(e.due))
		}
		if _, err := t.execRows(ctx, these(query), common, nums); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if r.changed && r.State.Final() {
			r.changed = false
			if err := t.tell(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextLook is when Reap looks at a job next that has become final. It comes for the deadline anyway, mostly shortly before the expiry, and then sees when to come again:
// the index keeps its entry.
func (r *jobRow) nextLook() time.Time {
	if r.due.IsZero() || r.due.After(r.ExpiresAt) {
		return r.ExpiresAt
	}
	return r.due
}

// end makes a job final and writes its event: one a run, whoever writes it.
func (t *jobTx) end(ctx context.Context, r *jobRow, s job.State) error {
	r.End(s, t.now)
	if err := t.writeJob(ctx, r, r.nextLook()); err != nil {
		return err
	}
	return t.tell(ctx, r)
}

const anyEndpoint = `SELECT 1 FROM webhooks WHERE team = ? AND disabled_at IS NULL LIMIT 1`

// tell writes the event of a job that has become final. A team without endpoints, which is most, costs one step in an index.
func (t *jobTx) tell(ctx context.Context, r *jobRow) error {
	to := delivery.Target{Endpoint: delivery.EndpointID(r.Webhook.Endpoint), URL: r.Webhook.URL, Secret: r.Webhook.Secret}
	if to == (delivery.Target{}) {
		some, err := t.hears(ctx, r.Team)
		if err != nil || !some {
			return err
		}
	}
	m := delivery.JobMessage(r.Team, string(r.ID), delivery.Event(r.State.Event()), r.Run, r.CompletedAt)
	m.Trace = r.Trace
	query, args := deliveryInserts().Of(t.now.UnixMicro(), &m, to)
	_, err := t.general(ctx, query, args)
	return err
}

// hears says whether a team has an endpoint; it is looked up once a transaction.
func (t *jobTx) hears(ctx context.Context, team key.TeamID) (bool, error) {
	some, known := t.heard[team]
	if known {
		return some, nil
	}
	some, err := t.one(ctx, func([]driver.Value) {}, anyEndpoint, string(team))
	if t.heard == nil {
		t.heard = map[key.TeamID]bool{}
	}
	t.heard[team] = some
	return some, err
}
