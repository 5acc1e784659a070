package storetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// JobModel keeps jobs in memory, in the plainest way that the promises of [job.Store] allow: what real stores are compared with, and what a simulation runs on. It
// looks at everything for each question, so that it is for small numbers.
type JobModel struct {
	// Waited says that somebody is still to be told of a job, whose results stay as long; nil means nobody ever is. It is called under the model's lock.
	Waited func(job.ID) bool

	now func() time.Time

	// mu guards what follows.
	mu      sync.Mutex
	jobs    []*modelJob
	keys    map[modelKey]modelUse
	leaders map[string]modelLeader
	told    []delivery.Message
}

type modelJob struct {
	job.Job
	items   []*modelItem
	ends    int
	key     string
	touched time.Time
}

type modelItem struct {
	job.Item
	token, worker string
	until, taken  time.Time
}

type modelKey struct {
	team key.TeamID
	key  string
}

type modelUse struct {
	hash [32]byte
	job  *modelJob
	at   time.Time
}

type modelLeader struct {
	holder string
	until  time.Time
}

// NewJobModel makes an empty one on a clock.
func NewJobModel(now func() time.Time) *JobModel {
	return &JobModel{now: now, keys: map[modelKey]modelUse{}, leaders: map[string]modelLeader{}}
}

// Told are the events that were written, in their order.
func (m *JobModel) Told() []delivery.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.told)
}

// ToldAfter are those behind the first n.
func (m *JobModel) ToldAfter(n int) []delivery.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.told[n:])
}

// enter begins a method: it waits for the others, and refuses a context that has ended.
func (m *JobModel) enter(ctx context.Context) (now time.Time, leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return time.Time{}, func() {}, err
	}
	m.mu.Lock()
	return m.now().UTC().Truncate(time.Microsecond), m.mu.Unlock, nil
}

func (m *JobModel) find(id job.ID) *modelJob {
	for _, j := range m.jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

func (m *JobModel) visible(reach key.Reach, id job.ID) (*modelJob, error) {
	if j := m.find(id); j != nil && j.State != job.Uploading && reach.Covers(j.Team) {
		return j, nil
	}
	return nil, job.ErrNotFound
}

// Submit keeps jobs.
func (m *JobModel) Submit(ctx context.Context, list []job.Submission) ([]job.Submitted, error) {
	for i := range list {
		if err := list[i].Check(); err != nil {
			return nil, err
		}
	}
	now, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	var out []job.Submitted
	for i := range list {
		s := &list[i]
		if there := m.find(s.Job.ID); there != nil && there.Team != s.Job.Team {
			return nil, errors.New("the id is taken")
		}
		out = append(out, m.submit(s, now))
	}
	return out, nil
}

func (m *JobModel) submit(s *job.Submission, now time.Time) job.Submitted {
	if first, ok := m.first(s.Job.Team, s.Idempotency, now); ok {
		return first.again(s.Hash, s.Job.ID)
	}
	if there := m.find(s.Job.ID); there != nil {
		return job.Submitted{Job: there.Job}
	}
	j := &modelJob{Job: s.Kept(now)}
	for n, it := range s.Items {
		j.items = append(j.items, newModelItem(j, n, &it))
	}
	m.jobs = append(m.jobs, j)
	m.use(j, s.Idempotency, s.Hash, now)
	return job.Submitted{Job: j.Job}
}

func newModelItem(j *modelJob, n int, it *job.Item) *modelItem {
	return &modelItem{Item: job.Item{Job: j.ID, N: n, Name: it.Name, Request: it.Request, State: job.ItemPending, RunAt: j.RunAt}}
}

func (m *JobModel) first(team key.TeamID, name string, now time.Time) (modelUse, bool) {
	u, ok := m.keys[modelKey{team, name}]
	return u, ok && name != "" && u.at.After(now.Add(-job.Remember))
}

func (u modelUse) again(hash [32]byte, id job.ID) job.Submitted {
	if u.hash != hash {
		return job.Submitted{Err: job.ErrConflict}
	}
	return job.Submitted{Job: u.job.Job, Again: u.job.ID != id}
}

func (m *JobModel) use(j *modelJob, name string, hash [32]byte, now time.Time) {
	if name != "" {
		m.keys[modelKey{j.Team, name}] = modelUse{hash, j, now}
	}
}

// Begin keeps the head of an upload.
func (m *JobModel) Begin(ctx context.Context, s job.Submission) error {
	if err := s.CheckHead(); err != nil {
		return err
	}
	now, leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if there := m.find(s.Job.ID); there != nil {
		if there.Team != s.Job.Team {
			return errors.New("the id is taken")
		}
		return nil
	}
	j := &modelJob{Job: s.Job, key: s.Idempotency, touched: now}
	j.State = job.Uploading
	m.jobs = append(m.jobs, j)
	return nil
}

// Append keeps a portion of an upload.
func (m *JobModel) Append(ctx context.Context, id job.ID, items []job.Item) error {
	for i := range items {
		if items[i].N < 0 || items[i].N >= job.MostItems {
			return fmt.Errorf("no item %d", items[i].N)
		}
	}
	now, leave, err := m.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	j := m.find(id)
	if j == nil || j.State != job.Uploading {
		return job.ErrNotFound
	}
	for i := range items {
		if !slices.ContainsFunc(j.items, func(it *modelItem) bool { return it.N == items[i].N }) {
			j.items = append(j.items, newModelItem(j, items[i].N, &items[i]))
		}
	}
	j.touched = now
	return nil
}

// Seal makes an upload a job.
func (m *JobModel) Seal(ctx context.Context, id job.ID, total int, hash [32]byte) (job.Submitted, error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return job.Submitted{}, err
	}
	defer leave()
	j := m.find(id)
	switch {
	case j == nil:
		return job.Submitted{}, job.ErrNotFound
	case j.State != job.Uploading:
		return job.Submitted{Job: j.Job}, nil
	}
	if first, ok := m.first(j.Team, j.key, now); ok {
		return first.again(hash, id), nil
	}
	slices.SortFunc(j.items, func(a, b *modelItem) int { return cmp.Compare(a.N, b.N) })
	if total < 1 || len(j.items) != total || j.items[total-1].N != total-1 {
		return job.Submitted{}, job.ErrIncomplete
	}
	s := job.Submission{Job: j.Job, Items: make([]job.Item, total)}
	j.Job = s.Kept(now)
	for _, it := range j.items {
		it.RunAt = j.RunAt
	}
	m.use(j, j.key, hash, now)
	return job.Submitted{Job: j.Job}, nil
}

// Claim takes one item after the other, each from the next team that has one.
func (m *JobModel) Claim(ctx context.Context, w job.Want) (work []job.Work, err error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, class := range w.Classes {
		for after := w.After; len(work) < w.Most; {
			j, it := m.next(class, after, now)
			if it == nil {
				break
			}
			if j.State == job.Pending {
				j.Job.Begin(now)
			}
			after = j.Team
			it.State, it.token, it.worker, it.taken, it.until = job.ItemLeased, rand.Text(), w.Worker, now, now.Add(w.Lease)
			it.Attempt++
			one := job.Work{Lease: job.Lease{Job: j.ID, N: it.N, Token: it.token}, Item: it.Item, Job: j.Job}
			one.Job.Progress = job.Progress{}
			work = append(work, one)
		}
	}
	return work, nil
}

// next finds what is longest due of the team whose turn it is.
func (m *JobModel) next(class job.Priority, after key.TeamID, now time.Time) (of *modelJob, best *modelItem) {
	for _, j := range m.jobs {
		if j.Priority != class || j.State == job.Uploading || j.State == job.Pending && !j.Deadline.After(now) { // What is late is Reap's.
			continue
		}
		for _, it := range j.items {
			if it.State != job.ItemPending || it.RunAt.After(now) {
				continue
			}
			if best == nil || turns(j.Team, after, of.Team) < 0 || j.Team == of.Team && it.RunAt.Before(best.RunAt) {
				of, best = j, it
			}
		}
	}
	return of, best
}

// turns compares two teams by whose turn is first behind one.
func turns(a, after, b key.TeamID) int {
	return cmp.Or(-cmp.Compare(flag(a > after), flag(b > after)), cmp.Compare(a, b))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// held finds the item that a lease gives the right to.
func (m *JobModel) held(l job.Lease) (*modelJob, *modelItem) {
	if j := m.find(l.Job); j != nil && j.State != job.Uploading && l.N >= 0 && l.N < len(j.items) {
		if it := j.items[l.N]; it.token == l.Token && l.Token != "" {
			return j, it
		}
	}
	return nil, nil
}

// Renew prolongs leases.
func (m *JobModel) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return m.prolong(ctx, leases, d, false)
}

// Park prolongs leases of items that wait for another way.
func (m *JobModel) Park(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return m.prolong(ctx, leases, d, true)
}

func (m *JobModel) prolong(ctx context.Context, leases []job.Lease, d time.Duration, park bool) (lost []job.Lease, err error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for _, l := range leases {
		_, it := m.held(l)
		if it == nil {
			lost = append(lost, l)
			continue
		}
		if until := now.Add(d); until.After(it.until) {
			it.until = until
		}
		if park {
			it.State = job.ItemWaiting
		}
	}
	return lost, nil
}

// Finish ends what was taken.
func (m *JobModel) Finish(ctx context.Context, list []job.Finished) (out []job.Ended, err error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for i := range list {
		f := &list[i]
		if f.State != job.ItemPending && f.State != job.ItemCompleted && f.State != job.ItemFailed {
			return nil, fmt.Errorf("%q is no end", f.State)
		}
	}
	for i := range list {
		f := &list[i]
		j, it := m.held(f.Lease)
		if it == nil {
			out = append(out, job.Ended{Job: f.Lease.Job, Err: job.ErrLeaseLost})
			continue
		}
		if f.State == job.ItemPending {
			it.again(f, now)
		} else {
			j.end(it, f.State, f.Result, now)
			m.settle(j, now)
		}
		out = append(out, job.Ended{Job: j.ID, State: j.State, Progress: j.Progress, Last: j.State.Final()})
	}
	return out, nil
}

func (it *modelItem) again(f *job.Finished, now time.Time) {
	it.State, it.token, it.RunAt = job.ItemPending, "", now.Add(f.Again)
	if f.Uncounted {
		it.Attempt--
	}
	if f.Try != nil {
		it.tried(*f.Try)
	}
}

func (it *modelItem) tried(t job.Try) {
	it.Tries = append(slices.Clone(it.Tries), t)
	it.Tries = it.Tries[max(0, len(it.Tries)-job.MostTries):]
}

func (j *modelJob) end(it *modelItem, s job.ItemState, result []byte, now time.Time) {
	j.ends++
	j.Progress.Ended(s)
	it.State, it.Result, it.token, it.EndedAt, it.Seq = s, result, "", now, j.ends
}

func (m *JobModel) settle(j *modelJob, now time.Time) {
	if j.Progress.Done() {
		m.final(j, j.Progress.Final(), now)
	}
}

func (m *JobModel) final(j *modelJob, s job.State, now time.Time) {
	j.Job.End(s, now)
	message := delivery.JobMessage(j.Team, string(j.ID), delivery.Event(s.Event()), j.Run, now)
	m.told = append(m.told, message)
}

// stop ends all that has not ended.
func (m *JobModel) stop(j *modelJob, s job.State, now time.Time) {
	for _, it := range j.items {
		if !it.State.Ended() {
			j.end(it, job.ItemCancelled, nil, now)
		}
	}
	m.final(j, s, now)
}

// Cancel ends a job.
func (m *JobModel) Cancel(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return job.Job{}, err
	}
	defer leave()
	j, err := m.visible(reach, id)
	switch {
	case err != nil:
		return job.Job{}, err
	case j.State.Final():
		return j.Job, job.ErrFinal
	}
	m.stop(j, job.Cancelled, now)
	return j.Job, nil
}

// Retry begins a job's next run.
func (m *JobModel) Retry(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	now, leave, err := m.enter(ctx)
	if err != nil {
		return job.Job{}, err
	}
	defer leave()
	j, err := m.visible(reach, id)
	switch {
	case err != nil:
		return job.Job{}, err
	case !j.State.Final():
		return job.Job{}, job.ErrNotFinal
	case !j.Retriable():
		return job.Job{}, job.ErrFinal
	}
	j.Job.Again(now)
	for _, it := range j.items {
		if it.State == job.ItemFailed || it.State == job.ItemCancelled {
			it.State, it.RunAt, it.Attempt, it.Result, it.EndedAt, it.Seq = job.ItemPending, j.RunAt, 0, nil, time.Time{}, 0
		}
	}
	return j.Job, nil
}

var _ job.Store = (*JobModel)(nil)
