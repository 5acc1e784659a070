package simulation

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/test/history"
)

// bug is a mistake that a store could make, planted to see whether the judge finds it.
type bug struct {
	name  string
	plant func(w *world)
}

func bugs() []bug {
	return []bug{
		{"finish without the fence", func(w *world) { w.jobs = &unfenced{Store: w.jobs, last: map[place][]byte{}} }},
		{"a claim that is not exclusive", func(w *world) { w.jobs = &shared{Store: w.jobs} }},
		{"a reaper that takes live leases", func(w *world) { w.jobs = unrenewed{w.jobs} }},
		{"acknowledged before it is kept", func(w *world) { w.jobs = hasty{w.jobs, w} }},
		{"the event is not in the transaction of the end", func(w *world) { w.jobs = forgetful{w.jobs, w} }},
		{"a cancellation that leaves leases valid", func(w *world) { w.jobs = lenient{w.jobs} }},
		{"idempotency is looked up outside the transaction", func(w *world) { w.jobs = &racing{Store: w.jobs, used: map[string]job.ID{}} }},
		{"attempts are not counted", func(w *world) { w.jobs = uncounted{w.jobs} }},
		{"a result of a cancelled job is written late", func(w *world) { w.jobs = &tardy{Store: w.jobs, late: map[place][]byte{}} }},
		{"teams do not take turns", func(w *world) { w.jobs = unfair{w.jobs} }},
		{"a job expires though it has begun", func(w *world) { w.jobs = impatient{w.jobs} }},
		{"a webhook-id is made for each attempt", func(w *world) { w.hooks = renamed{w.hooks} }},
		{"a delivery is marked as sent before it is", func(w *world) { w.hooks = marked{w.hooks} }},
		{"a lapsed lease frees what was spent", func(w *world) { w.store.budgets.frees = true }},
	}
}

// mostSeeds is within how many histories each bug is to be found.
const mostSeeds = 400

// TestPlantedBugsAreFound plants each, and counts the histories until the judge sees it.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	kit := readTexts(t)
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(mostSeeds) {
				h, _ := simulate(t, kit, seed, b.plant)
				if wrong := history.Judge(h); len(wrong) > 0 {
					t.Logf("found in history %d: %s", seed+1, wrong[0])
					return
				}
			}
			t.Errorf("not found in %d histories", mostSeeds)
		})
	}
}

// place is an item.
type place struct {
	job job.ID
	n   int
}

func placeOf(l job.Lease) place { return place{l.Job, l.N} }

// unfenced writes the result of whoever sends it last, whatever the token.
type unfenced struct {
	job.Store
	mu   sync.Mutex
	last map[place][]byte
}

func (s *unfenced) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	out, err := s.Store.Finish(ctx, list)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range out {
		if list[i].State == job.ItemCompleted {
			s.last[placeOf(list[i].Lease)] = list[i].Result
		}
	}
	return out, err
}

func (s *unfenced) Items(ctx context.Context, reach key.Reach, id job.ID, from, most int) ([]job.Item, error) {
	list, err := s.Store.Items(ctx, reach, id, from, most)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		if last := s.last[place{id, list[i].N}]; last != nil && list[i].State.Ended() {
			list[i].State, list[i].Result = job.ItemCompleted, last
		}
	}
	return list, err
}

// shared gives what somebody has already to whoever finds nothing else.
type shared struct {
	job.Store
	mu   sync.Mutex
	last []job.Work
}

func (s *shared) Claim(ctx context.Context, w job.Want) ([]job.Work, error) {
	list, err := s.Store.Claim(ctx, w)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && len(list) == 0 && len(s.last) > 0 {
		list, s.last = s.last[:1], nil
		return list, nil
	}
	if len(list) > 0 {
		s.last = list
	}
	return list, err
}

// unrenewed says that it has prolonged leases, and reaps them.
type unrenewed struct{ job.Store }

func (unrenewed) Renew(context.Context, []job.Lease, time.Duration) ([]job.Lease, error) {
	return nil, nil
}

// hasty acknowledges a job, and keeps it when there is time; a crash comes first now and then.
type hasty struct {
	job.Store
	w *world
}

func (s hasty) Submit(ctx context.Context, list []job.Submission) ([]job.Submitted, error) {
	out := make([]job.Submitted, len(list))
	p := s.w.at(0)
	for i := range list {
		out[i].Job = list[i].Kept(time.Now())
	}
	s.w.under.Go(func() {
		rest(500 * time.Millisecond)
		if s.w.at(0) == p {
			_, _ = s.Store.Submit(context.WithoutCancel(ctx), list) //nolint:errcheck // That is the bug.
		}
	})
	return out, nil
}

// forgetful writes the events of ends in a second step, which never comes where the answer of the first is lost.
type forgetful struct {
	job.Store
	w *world
}

func (s forgetful) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	st := s.w.store
	st.mu.Lock()
	defer st.mu.Unlock()
	out, err := st.JobModel.Finish(ctx, list)
	events := st.news()
	if len(events) > 0 && s.w.plan.of(900, hashed(string(events[0].ID))).hit(0.1) {
		return out, err
	}
	for _, m := range events {
		st.tell(m)
	}
	return out, err
}

// lenient goes on prolonging leases of jobs that were cancelled.
type lenient struct{ job.Store }

func (s lenient) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	_, err := s.Store.Renew(ctx, leases, d)
	return nil, err
}

// racing looks a key up before the transaction, which does not know of it: every second key is not to be seen yet when it is sent again.
type racing struct {
	job.Store
	mu   sync.Mutex
	kept int
	used map[string]job.ID
}

func (s *racing) Submit(ctx context.Context, list []job.Submission) (out []job.Submitted, err error) {
	for i := range list {
		one := list[i]
		name := string(one.Job.Team) + "/" + one.Idempotency
		s.mu.Lock()
		first, again := s.used[name]
		s.mu.Unlock()
		if again && one.Idempotency != "" {
			j, err := s.Job(ctx, key.AllTeams(), first)
			if err != nil {
				return nil, err
			}
			out = append(out, job.Submitted{Job: j, Again: true})
			continue
		}
		one.Idempotency = ""
		done, err := s.Store.Submit(ctx, []job.Submission{one})
		if err != nil {
			return nil, err
		}
		s.remember(name, one.Job.ID)
		out = append(out, done...)
	}
	return out, nil
}

func (s *racing) remember(name string, id job.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept++; s.kept%2 == 0 {
		s.used[name] = id
	}
}

// uncounted takes every time for the first.
type uncounted struct{ job.Store }

func (s uncounted) Claim(ctx context.Context, w job.Want) ([]job.Work, error) {
	list, err := s.Store.Claim(ctx, w)
	for i := range list {
		list[i].Item.Attempt = 1
	}
	return list, err
}

func (s uncounted) Reap(ctx context.Context, p job.Policy) (job.Reaped, error) {
	p.MostAttempts = math.MaxInt
	return s.Store.Reap(ctx, p)
}

// tardy shows results that came when their job had been cancelled.
type tardy struct {
	job.Store
	mu   sync.Mutex
	late map[place][]byte
}

func (s *tardy) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	out, err := s.Store.Finish(ctx, list)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range out {
		if out[i].Err != nil && list[i].State == job.ItemCompleted {
			s.late[placeOf(list[i].Lease)] = list[i].Result
		}
	}
	return out, err
}

func (s *tardy) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	_, err := s.Store.Renew(ctx, leases, d)
	return nil, err
}

func (s *tardy) Items(ctx context.Context, reach key.Reach, id job.ID, from, most int) ([]job.Item, error) {
	list, err := s.Store.Items(ctx, reach, id, from, most)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range list {
		if late := s.late[place{id, list[i].N}]; late != nil && list[i].State == job.ItemCancelled {
			list[i].State, list[i].Result = job.ItemCompleted, late
		}
	}
	return list, err
}

// unfair begins with the same team at every claim of one item.
type unfair struct{ job.Store }

func (s unfair) Claim(ctx context.Context, w job.Want) (list []job.Work, err error) {
	for w.After = ""; len(list) < w.Most; {
		one := w
		one.Most = 1
		got, err := s.Store.Claim(ctx, one)
		if err != nil || len(got) == 0 {
			return list, err
		}
		list = append(list, got...)
	}
	return list, nil
}

// impatient tells that jobs under way have expired when they come to their deadline.
type impatient struct{ job.Store }

func (s impatient) Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error) {
	j, err := s.Store.Job(ctx, reach, id)
	if err == nil && j.State == job.Processing && time.Now().After(j.Deadline) {
		j.State = job.Expired
	}
	return j, err
}

// renamed gives a message another id whenever it is taken.
type renamed struct{ delivery.Store }

func (s renamed) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) ([]delivery.Claimed, error) {
	list, err := s.Store.Claim(ctx, token, lease, shares)
	for i := range list {
		list[i].Message.ID += delivery.MessageID("_" + fmt.Sprint(list[i].Attempts))
	}
	return list, err
}

// marked writes that a delivery was sent when it is taken.
type marked struct{ delivery.Store }

func (s marked) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) ([]delivery.Claimed, error) {
	list, err := s.Store.Claim(ctx, token, lease, shares)
	for i := range list {
		if err := s.Record(ctx, token, list[i].ID, delivery.Result{Status: delivery.Delivered}); err != nil {
			return nil, err
		}
	}
	return list, err
}
