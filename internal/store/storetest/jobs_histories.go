package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobHistoryContracts() []contract {
	return []contract{{"drawn histories go as the model says", jobHistories}}
}

// jobHistories draws histories of calls, and compares each answer and what can be read after it with the model's. The store is empty after each.
func jobHistories(t *testing.T, s Stores, clock *Clock) {
	if _, ok := s.Jobs.(*JobModel); ok {
		t.Skip("the model is what is compared with")
	}
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{store: s.Jobs, model: NewJobModel(clock.Now), clock: clock}
		defer h.empty()
		rt.Repeat(map[string]func(*rapid.T){
			"submit": h.submit, "upload": h.upload, "claim": h.claim, "finish": h.finish, "renew": h.renew, "cancel": h.cancel, "retry": h.retry,
			"reap": h.reap, "lead": h.lead, "list": h.list, "wait": h.wait, "": h.compare,
		})
	})
}

// history is a history in progress on both.
type history struct {
	store job.Store
	model *JobModel
	clock *Clock
	jobs  int
	// leases are the model's and the store's of the same item at the same time; those that were lost too.
	leases [][2]job.Lease
}

func ctx() context.Context { return context.Background() }

// both calls both and compares answers and errors.
func both[V any](t *rapid.T, h *history, what string, call func(job.Store) (V, error), opts ...cmp.Option) (model, store V) {
	t.Helper()
	model, wantErr := call(h.model)
	store, err := call(h.store)
	if !sameError(wantErr, err) {
		t.Fatalf("%s: the store's error is %v, the model's %v", what, err, wantErr)
	}
	if diff := cmp.Diff(model, store, append(opts, cmpopts.EquateEmpty())...); diff != "" {
		t.Fatalf("%s differs (-model +store):\n%s", what, diff)
	}
	return model, store
}

// sameError says that both are none, or the same for callers.
func sameError(a, b error) bool {
	for _, known := range []error{job.ErrNotFound, job.ErrLeaseLost, job.ErrConflict, job.ErrIncomplete, job.ErrFinal, job.ErrNotFinal} {
		if errors.Is(a, known) != errors.Is(b, known) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

func (h *history) drawn(t *rapid.T, label string) job.ID {
	return jobID(rapid.IntRange(0, h.jobs).Draw(t, label))
}

func drawTeam(t *rapid.T) key.TeamID {
	return rapid.SampledFrom([]key.TeamID{"acme", "beta", "gamma"}).Draw(t, "team")
}

// drawSubmission draws a new job.
func (h *history) drawSubmission(t *rapid.T) job.Submission {
	h.jobs++
	s := sampleJob(h.jobs, rapid.IntRange(1, 4).Draw(t, "items"))
	s.Job.Team, s.Job.Priority = drawTeam(t), rapid.SampledFrom(anyClass()).Draw(t, "class")
	s.Job.Batch = len(s.Items) > 1
	if !s.Job.Batch {
		s.Items[0] = job.Item{}
	}
	if rapid.Bool().Draw(t, "later") {
		s.Job.RunAt = h.clock.Now().Add(rapid.SampledFrom([]time.Duration{-time.Hour, time.Second, time.Minute}).Draw(t, "run at"))
	}
	if rapid.Bool().Draw(t, "hurry") {
		s.Job.Deadline = h.clock.Now().Add(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 20 * 24 * time.Hour}).Draw(t, "deadline"))
	}
	s.Idempotency = rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "key")
	s.Hash = [32]byte{byte(rapid.IntRange(0, 1).Draw(t, "hash"))}
	return s
}

func (h *history) submit(t *rapid.T) {
	var list []job.Submission
	for range rapid.IntRange(1, 3).Draw(t, "jobs") {
		list = append(list, h.drawSubmission(t))
	}
	if h.jobs > 3 && rapid.IntRange(0, 5).Draw(t, "again") == 0 { // A submit whose first answer was lost, or that of an upload.
		old, err := h.model.Job(ctx(), key.AllTeams(), h.drawn(t, "old"))
		if err == nil && old.Batch {
			list[0].Job.ID, list[0].Job.Team, list[0].Idempotency = old.ID, old.Team, ""
		}
	}
	both(t, h, "Submit", func(s job.Store) ([]job.Submitted, error) { return s.Submit(ctx(), list) }, cmpopts.EquateErrors())
}

func (h *history) upload(t *rapid.T) {
	s := h.drawSubmission(t)
	items := parts(s)
	s.Items = nil
	both(t, h, "Begin", func(on job.Store) (int, error) { return 0, on.Begin(ctx(), s) })
	for range rapid.IntRange(0, 3).Draw(t, "portions") {
		from := rapid.IntRange(0, len(items)-1).Draw(t, "from")
		both(t, h, "Append", func(on job.Store) (int, error) { return 0, on.Append(ctx(), s.Job.ID, items[from:]) })
	}
	for range rapid.IntRange(0, 2).Draw(t, "seals") {
		both(t, h, "Seal", func(on job.Store) (job.Submitted, error) { return on.Seal(ctx(), s.Job.ID, len(items), s.Hash) }, cmpopts.EquateErrors())
	}
}

func (h *history) claim(t *rapid.T) {
	if h.late() {
		h.reap(t) // Which turn a job takes that is found to be expired is left open.
	}
	w := job.Want{Worker: "w1", Most: rapid.IntRange(1, 6).Draw(t, "most"), Lease: leased, After: drawTeam(t)}
	w.Classes = rapid.Permutation(anyClass()).Draw(t, "classes")[:rapid.IntRange(1, 3).Draw(t, "number of classes")]
	model, store := both(t, h, "Claim", func(s job.Store) ([]job.Work, error) { return s.Claim(ctx(), w) }, cmpopts.IgnoreFields(job.Lease{}, "Token"))
	for i := range model {
		h.leases = append(h.leases, [2]job.Lease{model[i].Lease, store[i].Lease})
	}
}

// late says that the deadline of a job has passed that nobody has begun.
func (h *history) late() bool {
	return slices.ContainsFunc(h.model.jobs, func(j *modelJob) bool { return j.State == job.Pending && !j.Deadline.After(h.clock.Now()) })
}

// drawLeases draws some that are held or were; the youngest rather.
func (h *history) drawLeases(t *rapid.T) (pairs [][2]job.Lease) {
	if len(h.leases) == 0 {
		t.Skip("nothing was taken")
	}
	for range rapid.IntRange(1, 5).Draw(t, "leases") {
		pairs = append(pairs, h.leases[max(0, len(h.leases)-1-rapid.IntRange(0, 8).Draw(t, "age"))])
	}
	return pairs
}

// which gives the side of a pair that is a store's.
func (h *history) which(s job.Store) int {
	if s == job.Store(h.model) {
		return 0
	}
	return 1
}

func (h *history) finish(t *rapid.T) {
	pairs := h.drawLeases(t)
	list := make([]job.Finished, len(pairs))
	for i := range list {
		f := job.Finished{State: rapid.SampledFrom([]job.ItemState{job.ItemCompleted, job.ItemCompleted, job.ItemFailed, job.ItemPending}).Draw(t, "end"), Result: fmt.Appendf(nil, `{"end":%d}`, i)}
		if f.State == job.ItemPending {
			f.Result, f.Again, f.Uncounted = nil, rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "again"), rapid.Bool().Draw(t, "uncounted")
			if rapid.Bool().Draw(t, "try") {
				f.Try = &job.Try{Worker: "w1", StartedAt: h.clock.Now(), EndedAt: h.clock.Now(), Code: "TIMEOUT"}
			}
		}
		list[i] = f
	}
	// What is told of a job whose lease is lost is for nobody.
	ends := cmp.Comparer(func(a, b job.Ended) bool {
		if a.Err != nil || b.Err != nil {
			return a.Job == b.Job && sameError(a.Err, b.Err)
		}
		return a == b
	})
	both(t, h, "Finish", func(s job.Store) ([]job.Ended, error) {
		sent := slices.Clone(list)
		for i := range sent {
			sent[i].Lease = pairs[i][h.which(s)]
		}
		return s.Finish(ctx(), sent)
	}, ends)
}

func (h *history) renew(t *rapid.T) {
	pairs := h.drawLeases(t)
	park, d := rapid.Bool().Draw(t, "park"), rapid.SampledFrom([]time.Duration{time.Second, leased, time.Hour}).Draw(t, "lease")
	both(t, h, "Renew", func(s job.Store) ([]job.Lease, error) {
		var sent []job.Lease
		for _, p := range pairs {
			sent = append(sent, p[h.which(s)])
		}
		if park {
			return s.Park(ctx(), sent, d)
		}
		return s.Renew(ctx(), sent, d)
	}, cmpopts.IgnoreFields(job.Lease{}, "Token"))
}

func (h *history) cancel(t *rapid.T) {
	id, reach := h.drawn(t, "job"), rapid.SampledFrom([]key.Reach{key.AllTeams(), key.OfTeam("acme")}).Draw(t, "reach")
	both(t, h, "Cancel", func(s job.Store) (job.Job, error) { return s.Cancel(ctx(), reach, id) })
}

func (h *history) retry(t *rapid.T) {
	id := h.drawn(t, "job")
	both(t, h, "Retry", func(s job.Store) (job.Job, error) { return s.Retry(ctx(), key.AllTeams(), id) })
}

// reap reaps until nothing is left to be done: the model does all at once.
func (h *history) reap(t *rapid.T) {
	both(t, h, "Reap", reapWhole)
}

func reapWhole(s job.Store) (sum job.Reaped, err error) {
	for range 100 {
		got, err := s.Reap(ctx(), jobPolicy())
		if err != nil {
			return sum, err
		}
		before := sum
		sum.Requeued += got.Requeued
		sum.Poisoned += got.Poisoned
		sum.Expired += got.Expired
		sum.Stripped += got.Stripped
		sum.Deleted += got.Deleted
		sum.Abandoned += got.Abandoned
		sum.Ended = append(sum.Ended, got.Ended...)
		sum.Due = got.Due
		slices.SortFunc(sum.Ended, func(a, b job.Ended) int { return strings.Compare(string(a.Job), string(b.Job)) })
		before.Due = sum.Due
		if cmp.Equal(before, sum) && !got.More {
			break
		}
	}
	return sum, nil
}

func (h *history) lead(t *rapid.T) {
	holder := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "holder")
	both(t, h, "Lead", func(s job.Store) (bool, error) { return s.Lead(ctx(), "reaper", holder, leased) })
}

func (h *history) list(t *rapid.T) {
	f := job.Filter{Limit: rapid.IntRange(1, 5).Draw(t, "limit"), State: rapid.SampledFrom(append(job.States(), "", "", "")).Draw(t, "state")}
	reach := rapid.SampledFrom([]key.Reach{key.AllTeams(), key.OfTeam("acme"), key.OfTeam("nobody")}).Draw(t, "reach")
	for range 100 {
		var next job.Cursor
		both(t, h, "Jobs", func(s job.Store) (list []job.Job, err error) {
			list, next, err = s.Jobs(ctx(), reach, f)
			return list, err
		})
		if f.After = next; next == "" {
			return
		}
	}
}

func (h *history) wait(t *rapid.T) {
	h.clock.Advance(rapid.SampledFrom([]time.Duration{time.Microsecond, time.Second, leased, leased, time.Hour, 24 * time.Hour, 8 * 24 * time.Hour}).Draw(t, "time"))
}

// compare compares all that can be read.
func (h *history) compare(t *rapid.T) {
	both(t, h, "Depth", func(s job.Store) ([]job.Depth, error) { return s.Depth(ctx()) })
	for n := range h.jobs + 1 {
		both(t, h, "Job", func(s job.Store) (job.Job, error) { return s.Job(ctx(), key.AllTeams(), jobID(n)) })
		both(t, h, "Items", func(s job.Store) ([]job.Item, error) { return s.Items(ctx(), key.AllTeams(), jobID(n), 0, 10) })
		both(t, h, "EndedItems", func(s job.Store) ([]job.Item, error) { return s.EndedItems(ctx(), key.AllTeams(), jobID(n), 0, 10) })
	}
}

// empty ends and deletes all, so that the next history begins with nothing.
func (h *history) empty() {
	for n := range h.jobs + 1 {
		_, _ = h.store.Cancel(ctx(), key.AllTeams(), jobID(n)) // Most are over, or never were.
	}
	for range 3 {
		h.clock.Advance(40 * 24 * time.Hour)
		_, _ = reapWhole(h.store)
	}
}
