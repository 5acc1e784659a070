package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobRaceContracts() []contract {
	return []contract{
		{"of many who take at once none gets another's", raceClaim},
		{"ends of one job at once are all counted", raceFinish},
		{"cancelling and finishing at once end a job once", raceCancel},
		{"several reap at once", raceReap},
		{"calls that are given up half way leave all right", raceGivenUp},
	}
}

func raceClaim(t *testing.T, s Stores, _ *Clock) {
	const claimers, items = 16, 400
	for n := range 4 {
		one := sampleJob(n, items/4)
		one.Job.Team = key.TeamID(fmt.Sprint("team ", n%3))
		submitJobs(t, s, one)
	}
	var mu sync.Mutex
	taken := map[job.Lease]int{}
	must(t, together(claimers, func(i int) error {
		for empty := 0; empty < 2; {
			w := want(1 + i%7)
			w.Worker = fmt.Sprint("w", i)
			work, err := s.Jobs.Claim(context.Background(), w)
			if err != nil {
				return err
			}
			if len(work) == 0 {
				empty++
			}
			mu.Lock()
			for _, one := range work {
				taken[job.Lease{Job: one.Lease.Job, N: one.Lease.N}]++
			}
			mu.Unlock()
		}
		return nil
	}))
	// Who skips what another is just taking may see nothing; what is left is taken here.
	for _, one := range mustClaim(t, s, items) {
		taken[job.Lease{Job: one.Lease.Job, N: one.Lease.N}]++
	}
	for l, times := range taken {
		if times != 1 {
			t.Errorf("%s/%d was taken %d times", l.Job, l.N, times)
		}
	}
	if len(taken) != items {
		t.Errorf("%d of %d were taken", len(taken), items)
	}
}

func mustClaim(t *testing.T, s Stores, most int) []job.Work {
	t.Helper()
	work, err := s.Jobs.Claim(t.Context(), want(most))
	must(t, err)
	return work
}

func raceFinish(t *testing.T, s Stores, _ *Clock) {
	const workers, items, jobs = 16, 160, 3
	for n := range jobs {
		one := sampleJob(n, items)
		one.Job.Webhook.URL = "https://example.com"
		submitJobs(t, s, one)
	}
	work := claimJobs(t, s, want(jobs*items), jobs*items)
	var last [jobs]atomic.Int64
	must(t, together(workers, func(i int) error {
		var list []job.Finished
		for k := i; k < len(work); k += workers { // Each call ends items of every job, in another order.
			w := work[(k*7+i)%len(work)]
			if k%5 == 0 {
				list = append(list, failed(w))
			} else {
				list = append(list, done(w))
			}
		}
		for len(list) > 0 {
			part := list[:min(4+i%3, len(list))]
			list = list[len(part):]
			ends, err := s.Jobs.Finish(context.Background(), part)
			if err != nil {
				return err
			}
			for _, e := range ends {
				if e.Err != nil && !errors.Is(e.Err, job.ErrLeaseLost) {
					return e.Err
				}
				if e.Last {
					last[indexOf(e.Job)].Add(1)
				}
			}
		}
		return nil
	}))
	var rest []job.Finished // The orders above meet, and leave some out.
	for _, w := range work {
		rest = append(rest, done(w))
	}
	ends, err := s.Jobs.Finish(t.Context(), rest)
	must(t, err)
	for _, e := range ends {
		if e.Last {
			last[indexOf(e.Job)].Add(1)
		}
	}
	for n := range jobs {
		wantEndedOnce(t, s, jobID(n), items)
		if last[n].Load() != 1 {
			t.Errorf("the job %d was ended by %d calls, want 1", n, last[n].Load())
		}
	}
}

func indexOf(id job.ID) (n int) {
	_, err := fmt.Sscanf(string(id[24:]), "%x", &n)
	if err != nil {
		panic(err)
	}
	return n
}

// wantEndedOnce checks that a job's counts, ends and events agree.
func wantEndedOnce(t *testing.T, s Stores, id job.ID, items int) {
	t.Helper()
	j := theJob(t, s, id)
	counted := job.Progress{Total: items}
	for i, it := range endsOf(t, s, id) {
		if it.Seq != i+1 {
			t.Errorf("the end %d of %s has the place %d", i+1, id, it.Seq)
		}
		counted.Ended(it.State)
	}
	if !j.State.Final() || j.Progress != counted || !counted.Done() {
		t.Errorf("the job %s is %s with %+v, its items say %+v", id, j.State, j.Progress, counted)
	}
	wantTold(t, s, id, fmt.Sprintf("%s_1", j.State))
}

func endsOf(t *testing.T, s Stores, id job.ID) []job.Item {
	t.Helper()
	ends, err := s.Jobs.EndedItems(t.Context(), key.AllTeams(), id, 0, job.MostItems)
	must(t, err)
	return ends
}

func raceCancel(t *testing.T, s Stores, _ *Clock) {
	const jobs, items = 20, 3
	var leases [jobs][]job.Work
	for n := range jobs {
		one := sampleJob(n, items)
		one.Job.Webhook.URL = "https://example.com"
		submitJobs(t, s, one)
		leases[n] = claimJobs(t, s, want(items), items)
	}
	var ended [jobs]atomic.Int64
	must(t, together(4*jobs, func(i int) error {
		n := i / 4
		if i%4 == 0 {
			j, err := s.Jobs.Cancel(context.Background(), key.AllTeams(), jobID(n))
			if err == nil {
				ended[n].Add(1)
			} else if !errors.Is(err, job.ErrFinal) || !j.State.Final() {
				return fmt.Errorf("cancel: got %s, %w", j.State, err)
			}
			return nil
		}
		ends, err := s.Jobs.Finish(context.Background(), []job.Finished{done(leases[n][i%4-1])})
		if err == nil && ends[0].Last {
			ended[n].Add(1)
		}
		return err
	}))
	for n := range jobs {
		wantEndedOnce(t, s, jobID(n), items)
		if ended[n].Load() != 1 {
			t.Errorf("the job %d was ended %d times, want once", n, ended[n].Load())
		}
	}
}

func raceReap(t *testing.T, s Stores, clock *Clock) {
	const jobs = 60
	for n := range jobs {
		one := sampleJob(n, 2)
		one.Job.Webhook.URL = "https://example.com"
		one.Job.Deadline = clock.Now().Add(time.Hour)
		submitJobs(t, s, one)
	}
	claimJobs(t, s, want(jobs), jobs) // Of the first half.
	clock.Advance(time.Hour)
	var requeued, expired, ended atomic.Int64
	must(t, together(8, func(int) error {
		for {
			p := jobPolicy()
			p.Portion = 5
			got, err := s.Jobs.Reap(context.Background(), p)
			if err != nil {
				return err
			}
			requeued.Add(int64(got.Requeued))
			expired.Add(int64(got.Expired))
			ended.Add(int64(len(got.Ended)))
			if !got.More {
				return nil
			}
		}
	}))
	rest := reapAll(t, s)
	if all := requeued.Load() + int64(rest.Requeued); all != jobs {
		t.Errorf("%d items were taken away, want %d", all, jobs)
	}
	if all := expired.Load() + int64(rest.Expired); all != jobs/2 || ended.Load()+int64(len(rest.Ended)) != jobs/2 {
		t.Errorf("%d jobs expired, want %d", all, jobs/2)
	}
	for n := jobs / 2; n < jobs; n++ {
		wantEndedOnce(t, s, jobID(n), 2)
	}
}

// raceGivenUp ends the context of calls at any moment: each has happened, or has not.
func raceGivenUp(t *testing.T, s Stores, clock *Clock) {
	const jobs, items = 40, 3
	must(t, together(jobs, func(i int) error {
		ctx, cancel := context.WithCancel(context.Background())
		var giveUp sync.WaitGroup
		defer giveUp.Wait()
		giveUp.Go(func() {
			for range i % 8 * 200 {
				if ctx.Err() != nil {
					return
				}
			}
			cancel()
		})
		one := sampleJob(i, items)
		one.Job.Webhook.URL = "https://example.com"
		_, err := s.Jobs.Submit(ctx, []job.Submission{one})
		if err == nil {
			_, err = s.Jobs.Claim(ctx, want(2))
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}))
	kept := 0
	for n := range jobs {
		j, err := s.Jobs.Job(t.Context(), key.AllTeams(), jobID(n))
		if errors.Is(err, job.ErrNotFound) {
			submitJobs(t, s, func() job.Submission {
				one := sampleJob(n, items)
				one.Job.Webhook.URL = "https://example.com"
				return one
			}())
			continue
		}
		must(t, err)
		if kept++; len(theItems(t, s, j.ID)) != items {
			t.Errorf("the job %d has %d items, want %d", n, len(theItems(t, s, j.ID)), items)
		}
	}
	t.Logf("%d of %d were kept", kept, jobs)
	for range 10 { // What was taken by calls that nobody heard the answer of comes back with the end of the lease.
		clock.Advance(leased)
		reapAll(t, s)
		var ends []job.Finished
		for _, w := range mustClaim(t, s, jobs*items) {
			ends = append(ends, done(w))
		}
		finishJobs(t, s, ends...)
	}
	for n := range jobs {
		wantEndedOnce(t, s, jobID(n), items)
	}
}
