package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobEndContracts() []contract {
	return []contract{
		{"a cancelled job ends at once, with every item", endCancelled},
		{"what is over is not cancelled", endNotCancelled},
		{"a job of many items is cancelled", endCancelledMany},
		{"a retry does again what failed", endRetried},
		{"a retry does again what was cancelled", endRetriedCancelled},
		{"what is not to be retried is not", endNotRetried},
		{"each run has its event", endEvents},
		{"a retry does not change what is told of the run before", endTold},
	}
}

func jobTimeContracts() []contract {
	return []contract{
		{"what a lost worker had is taken again", timeLost},
		{"an item that workers die of is given up", timePoison},
		{"losses alone make poison, and wait", timeLosses},
		{"a job that nobody began expires at its deadline", timeExpired},
		{"jobs that are late together end one after the other", timeManyLate},
		{"a job whose deadline has passed is not begun", timeNotBegun},
		{"a job that was begun has no deadline", timeBegun},
		{"results go, and later the job", timeForgotten},
		{"results stay while somebody is to be told of them", timeTold},
		{"a retried job is kept", timeRetried},
		{"reaping works in portions", timePortions},
		{"one leads at a time", timeLeader},
	}
}

func endCancelled(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 6)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one)
	work := claimJobs(t, s, want(5), 5)
	finishJobs(t, s, failed(work[3]), done(work[2]), again(work[0], time.Hour))
	_, err := s.Jobs.Park(t.Context(), []job.Lease{work[1].Lease}, time.Hour)
	must(t, err)
	clock.Advance(time.Second)
	got, err := s.Jobs.Cancel(t.Context(), key.OfTeam("acme"), jobID(1))
	must(t, err)
	p := job.Progress{Total: 6, Completed: 1, Failed: 1, Cancelled: 4}
	if got.State != job.Cancelled || got.Progress != p || !got.CompletedAt.Equal(clock.Now()) || !got.ExpiresAt.Equal(clock.Now().Add(job.Keep)) {
		t.Errorf("got %+v, want a cancelled job", got)
	}
	if diff := cmp.Diff(got, theJob(t, s, jobID(1))); diff != "" {
		t.Errorf("what is read differs (-want +got):\n%s", diff)
	}
	wantTold(t, s, jobID(1), "cancelled_1")
	wantLeaseLost(t, s, work[1].Lease, work[4].Lease)
	claimJobs(t, s, want(10), 0)
	ended, err := s.Jobs.EndedItems(t.Context(), key.AllTeams(), jobID(1), 0, 10)
	must(t, err)
	places := ""
	for _, it := range ended {
		places += fmt.Sprintf("%d:%d=%s:%d ", it.Seq, it.N, it.State, len(it.Result))
	}
	if want := "1:3=failed:28 2:2=completed:7 3:0=cancelled:0 4:1=cancelled:0 5:4=cancelled:0 6:5=cancelled:0 "; places != want {
		t.Errorf("the ends are %s, want %s", places, want)
	}
	clock.Advance(2 * time.Hour)
	reap(t, s, job.Reaped{})
}

func endNotCancelled(t *testing.T, s Stores, _ *Clock) {
	one := singleJob(1)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one)
	finishJobs(t, s, done(claimJobs(t, s, want(1), 1)[0]))
	before := theJob(t, s, jobID(1))
	got, err := s.Jobs.Cancel(t.Context(), key.OfTeam("acme"), jobID(1))
	if !errors.Is(err, job.ErrFinal) {
		t.Errorf("got the error %v, want ErrFinal", err)
	}
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("the job differs (-want +got):\n%s", diff)
	}
	wantTold(t, s, jobID(1), "completed_1")
	for id, reach := range map[job.ID]key.Reach{jobID(1): key.OfTeam("beta"), jobID(2): key.AllTeams(), "no id": key.AllTeams(), "": {}} {
		if _, err := s.Jobs.Cancel(t.Context(), reach, id); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("cancel %q: got the error %v, want ErrNotFound", id, err)
		}
		if _, err := s.Jobs.Retry(t.Context(), reach, id); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("retry %q: got the error %v, want ErrNotFound", id, err)
		}
	}
}

func endCancelledMany(t *testing.T, s Stores, _ *Clock) {
	const many = 5000
	submitJobs(t, s, sampleJob(1, many))
	claimJobs(t, s, want(100), 100)
	got, err := s.Jobs.Cancel(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	if got.Progress != (job.Progress{Total: many, Cancelled: many}) {
		t.Errorf("got %+v, want all cancelled", got.Progress)
	}
	last, err := s.Jobs.EndedItems(t.Context(), key.AllTeams(), jobID(1), many-1, 10)
	must(t, err)
	if len(last) != 1 || last[0].Seq != many || last[0].N != many-1 {
		t.Errorf("the last end is %+v, want that of item %d", last, many-1)
	}
}

func endRetried(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 3)
	one.Job.RunAt, one.Job.Deadline = clock.Now(), clock.Now().Add(2*time.Hour)
	submitJobs(t, s, one)
	work := claimJobs(t, s, want(3), 3)
	lost := again(work[1], 0)
	lost.Try = &job.Try{Worker: "w1", Code: "TIMEOUT"}
	finishJobs(t, s, failed(work[0]), done(work[2]), lost)
	work = claimJobs(t, s, want(3), 1)
	finishJobs(t, s, failed(work[0]))
	clock.Advance(5 * time.Hour)
	got, err := s.Jobs.Retry(t.Context(), key.OfTeam("acme"), jobID(1))
	must(t, err)
	if diff := cmp.Diff(got, theJob(t, s, jobID(1))); diff != "" {
		t.Errorf("what is read differs (-want +got):\n%s", diff)
	}
	p := job.Progress{Total: 3, Completed: 1}
	if got.State != job.Pending || got.Run != 2 || got.Progress != p || !got.StartedAt.IsZero() || !got.CompletedAt.IsZero() || !got.ExpiresAt.IsZero() || !got.ForgottenAt.IsZero() ||
		!got.RunAt.Equal(clock.Now()) || !got.Deadline.Equal(clock.Now().Add(2*time.Hour)) {
		t.Errorf("got %+v, want a pending job that is new in all but its request", got)
	}
	items := theItems(t, s, jobID(1))
	if it := items[0]; it.State != job.ItemPending || it.Attempt != 0 || it.Result != nil || it.Seq != 0 || !it.EndedAt.IsZero() || !it.RunAt.Equal(clock.Now()) {
		t.Errorf("what failed is %+v, want a pending item", it)
	}
	if it := items[2]; it.State != job.ItemCompleted || it.Seq != 2 || it.Result == nil {
		t.Errorf("what completed is %+v, want it as it was", it)
	}
	if len(items[1].Tries) != 1 {
		t.Errorf("the tries are %+v, want them kept", items[1].Tries)
	}
	clock.Advance(time.Second)
	work = claimJobs(t, s, want(3), 2)
	if j := theJob(t, s, jobID(1)); j.State != job.Processing || !j.StartedAt.Equal(clock.Now()) {
		t.Errorf("got %s, started at %s, want it processing from now", j.State, j.StartedAt)
	}
	ends := finishJobs(t, s, done(work[0]), done(work[1]))
	if !ends[1].Last || ends[1].State != job.Completed {
		t.Errorf("the last end is %+v, want a completed job", ends[1])
	}
	later, err := s.Jobs.EndedItems(t.Context(), key.AllTeams(), jobID(1), 3, 10) // Who had read the first three ends misses none.
	must(t, err)
	if len(later) != 2 || later[0].Seq != 4 || later[1].Seq != 5 {
		t.Errorf("the later ends are %+v, want two that count on", later)
	}
	if _, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1)); !errors.Is(err, job.ErrFinal) {
		t.Errorf("a retry of what is completed: got %v, want ErrFinal", err)
	}
}

func endRetriedCancelled(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 3))
	finishJobs(t, s, done(claimJobs(t, s, want(1), 1)[0]))
	_, err := s.Jobs.Cancel(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	clock.Advance(time.Hour)
	_, err = s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	wantJob(t, s, jobID(1), job.Pending, job.Progress{Total: 3, Completed: 1})
	work := claimJobs(t, s, want(10), 2)
	finishJobs(t, s, done(work[0]), failed(work[1]))
	wantJob(t, s, jobID(1), job.CompletedWithErrors, job.Progress{Total: 3, Completed: 2, Failed: 1})
}

func endNotRetried(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, singleJob(1), singleJob(2))
	retry := func(n int, want error) {
		t.Helper()
		before := theJob(t, s, jobID(n))
		if _, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(n)); !errors.Is(err, want) {
			t.Errorf("retry %d: got %v, want %v", n, err, want)
		}
		if diff := cmp.Diff(before, theJob(t, s, jobID(n))); diff != "" {
			t.Errorf("the job differs (-want +got):\n%s", diff)
		}
	}
	retry(1, job.ErrNotFinal)
	work := claimJobs(t, s, want(2), 2)
	retry(1, job.ErrNotFinal)
	finishJobs(t, s, done(work[0]), failed(work[1]))
	retry(1, job.ErrFinal)
	clock.Advance(job.Keep)
	if got := reapAll(t, s); got.Stripped != 2 {
		t.Errorf("got %+v, want both stripped", got)
	}
	retry(2, job.ErrFinal)
}

func endEvents(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 2)
	one.Job.Webhook = job.Webhook{URL: "https://example.com/hook", Secret: "whsec_x"}
	submitJobs(t, s, one)
	work := claimJobs(t, s, want(2), 2)
	finishJobs(t, s, failed(work[0]), failed(work[1]))
	for range 2 {
		clock.Advance(time.Second)
		_, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1))
		must(t, err)
		clock.Advance(time.Second)
		_, err = s.Jobs.Cancel(t.Context(), key.AllTeams(), jobID(1))
		must(t, err)
	}
	clock.Advance(time.Second)
	_, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	work = claimJobs(t, s, want(2), 2)
	finishJobs(t, s, done(work[0]), done(work[1]))
	wantTold(t, s, jobID(1), "failed_1", "cancelled_2", "cancelled_3", "completed_4")
}

func timeLost(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 2))
	taken := clock.Now()
	claimJobs(t, s, want(1), 1)
	clock.Advance(leased - time.Microsecond)
	reap(t, s, job.Reaped{Due: []job.Priority{job.Normal}})
	clock.Advance(time.Microsecond)
	reap(t, s, job.Reaped{Requeued: 1, Due: []job.Priority{job.Normal}})
	it := theItems(t, s, jobID(1))[0]
	want := job.Item{
		Job: jobID(1), Name: "item 0", State: job.ItemPending, Request: it.Request, Attempt: 1, RunAt: clock.Now(),
		Tries: []job.Try{job.Lost("w1", taken, clock.Now())},
	}
	if diff := cmp.Diff(want, it); diff != "" {
		t.Errorf("the item differs (-want +got):\n%s", diff)
	}
	if want.Tries[0].Code != job.LeaseLost {
		t.Errorf("the try is %+v, want LEASE_LOST", want.Tries[0])
	}
	wantJob(t, s, jobID(1), job.Processing, job.Progress{Total: 2})
}

func timePoison(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 2)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one)
	finishJobs(t, s, done(claimJobs(t, s, want(1), 1)[0]))
	for range jobPolicy().MostAttempts - 1 {
		claimJobs(t, s, want(10), 1)
		clock.Advance(leased)
		reap(t, s, job.Reaped{Requeued: 1, Due: []job.Priority{job.Normal}})
	}
	w := claimJobs(t, s, want(10), 1)[0]
	clock.Advance(leased)
	p := job.Progress{Total: 2, Completed: 1, Failed: 1}
	reap(t, s, job.Reaped{Poisoned: 1, Ended: []job.Ended{{Job: jobID(1), State: job.CompletedWithErrors, Progress: p, Last: true}}})
	wantLeaseLost(t, s, w.Lease)
	it := theItems(t, s, jobID(1))[1]
	if it.State != job.ItemFailed || string(it.Result) != string(job.Poison(jobID(1), 3)) || len(it.Tries) != 3 || it.Seq != 2 || !it.EndedAt.Equal(clock.Now()) {
		t.Errorf("the item is %+v, want it failed with its history", it)
	}
	wantTold(t, s, jobID(1), "completed_with_errors_1")
	reap(t, s, job.Reaped{})
}

// timeLosses has tries of other kinds between the losses: they do not make it poison, and each loss has the item wait as the policy says.
func timeLosses(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 1))
	for range jobPolicy().MostAttempts {
		x := again(claimJobs(t, s, want(1), 1)[0], 0)
		x.Try = &job.Try{Worker: "w1", StartedAt: clock.Now(), EndedAt: clock.Now(), Code: "LLM_PROVIDER_ERROR"}
		finishJobs(t, s, x)
	}
	p := jobPolicy()
	p.Again = func(losses int) time.Duration { return time.Duration(losses) * time.Minute }
	for n := range p.MostAttempts {
		claimJobs(t, s, want(1), 1)
		clock.Advance(leased)
		got, err := s.Jobs.Reap(t.Context(), p)
		must(t, err)
		if last := n+1 == p.MostAttempts; got.Requeued+got.Poisoned != 1 || (got.Poisoned == 1) != last {
			t.Fatalf("after %d losses: %+v", n+1, got)
		}
		clock.Advance(time.Duration(n+1)*time.Minute - time.Microsecond)
		claimJobs(t, s, want(1), 0)
		clock.Advance(time.Microsecond)
	}
	if it := theItems(t, s, jobID(1))[0]; string(it.Result) != string(job.Poison(jobID(1), p.MostAttempts)) {
		t.Errorf("the item failed with %s, want the losses alone counted", it.Result)
	}
}

func timeExpired(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 3)
	one.Job.Deadline = clock.Now().Add(time.Hour)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one, sampleJob(2, 1))
	clock.Advance(time.Hour - time.Microsecond)
	reap(t, s, job.Reaped{Due: []job.Priority{job.Normal}})
	clock.Advance(time.Microsecond)
	p := job.Progress{Total: 3, Cancelled: 3}
	reap(t, s, job.Reaped{Expired: 1, Ended: []job.Ended{{Job: jobID(1), State: job.Expired, Progress: p, Last: true}}, Due: []job.Priority{job.Normal}})
	wantJob(t, s, jobID(1), job.Expired, p)
	wantTold(t, s, jobID(1), "expired_1")
	reap(t, s, job.Reaped{Due: []job.Priority{job.Normal}})
	wantTaken(t, s, want(10), "2/0")
	clock.Advance(time.Hour)
	_, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	w := want(10)
	w.Most = 3
	claimJobs(t, s, w, 3)
}

func timeNotBegun(t *testing.T, s Stores, clock *Clock) {
	one, other := sampleJob(1, 3), sampleJob(2, 2)
	one.Job.Deadline = clock.Now().Add(time.Hour)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one, other)
	clock.Advance(time.Hour)
	wantTaken(t, s, want(10), "2/0 2/1")
	wantJob(t, s, jobID(1), job.Pending, job.Progress{Total: 3}) // Who looks for work does not wait for the end of a job that may have many items.
	reapAll(t, s)
	wantJob(t, s, jobID(1), job.Expired, job.Progress{Total: 3, Cancelled: 3})
	wantTold(t, s, jobID(1), "expired_1")
}

// timeManyLate has several jobs pass their deadline together: one call ends no more of them than make a portion of items, and another team is served all the while.
func timeManyLate(t *testing.T, s Stores, clock *Clock) {
	const jobs, items = 4, 3
	for n := range jobs {
		one := sampleJob(n+1, items)
		one.Job.Deadline = clock.Now().Add(time.Hour)
		submitJobs(t, s, one)
	}
	other := sampleJob(9, 2)
	other.Job.Team = "beta"
	submitJobs(t, s, other)
	clock.Advance(time.Hour)
	wantTaken(t, s, want(1), "9/0")
	p := jobPolicy()
	p.Portion = items + 1
	got, err := s.Jobs.Reap(t.Context(), p)
	must(t, err)
	if _, whole := s.Jobs.(interface{ Whole() }); !whole && (got.Expired != 2 || len(got.Ended) != 2 || !got.More) {
		t.Errorf("one call did %+v, want 2 jobs ended and more to be done", got)
	}
	wantTaken(t, s, want(1), "9/1")
	reapAll(t, s)
	for n := range jobs {
		wantJob(t, s, jobID(n+1), job.Expired, job.Progress{Total: items, Cancelled: items})
	}
}

func timeBegun(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 2)
	one.Job.Deadline = clock.Now().Add(time.Hour)
	submitJobs(t, s, one)
	finishJobs(t, s, again(claimJobs(t, s, want(1), 1)[0], 2*time.Hour))
	clock.Advance(2 * time.Hour)
	reap(t, s, job.Reaped{Due: []job.Priority{job.Normal}})
	work := claimJobs(t, s, want(10), 2)
	finishJobs(t, s, done(work[0]), done(work[1]))
	wantJob(t, s, jobID(1), job.Completed, job.Progress{Total: 2, Completed: 2})
	clock.Advance(job.Keep)
	reap(t, s, job.Reaped{Stripped: 1})
}

// reapAll reaps until nothing is left to be done at this time.
func reapAll(t *testing.T, s Stores) (sum job.Reaped) {
	t.Helper()
	p := jobPolicy()
	for range 1000 {
		got, err := s.Jobs.Reap(t.Context(), p)
		must(t, err)
		sum.Requeued += got.Requeued
		sum.Poisoned += got.Poisoned
		sum.Expired += got.Expired
		sum.Stripped += got.Stripped
		sum.Deleted += got.Deleted
		sum.Abandoned += got.Abandoned
		sum.Ended = append(sum.Ended, got.Ended...)
		got.Due = nil
		if diff := cmp.Diff(job.Reaped{}, got); diff == "" {
			return sum
		}
	}
	t.Fatalf("reaping does not come to an end: %+v", sum)
	return sum
}

func timeForgotten(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 3)
	one.Job.Metadata = []byte(`{"a":1}`)
	submitJobs(t, s, one)
	work := claimJobs(t, s, want(3), 3)
	finishJobs(t, s, done(work[0]), failed(work[1]), done(work[2]))
	want := theJob(t, s, jobID(1))
	clock.Set(want.ExpiresAt.Add(-time.Microsecond))
	reapAll(t, s)
	if diff := cmp.Diff(want, theJob(t, s, jobID(1))); diff != "" {
		t.Errorf("before the expiry the job differs (-want +got):\n%s", diff)
	}
	clock.Set(want.ExpiresAt)
	if got := reapAll(t, s); got.Stripped != 1 {
		t.Errorf("at the expiry: got %+v, want one stripped", got)
	}
	want.Gone, want.Request = true, nil
	if diff := cmp.Diff(want, theJob(t, s, jobID(1))); diff != "" {
		t.Errorf("behind the expiry the job differs (-want +got):\n%s", diff)
	}
	for _, it := range theItems(t, s, jobID(1)) {
		if it.Request != nil || it.Result != nil {
			t.Errorf("item %d is %+v, want it without texts", it.N, it)
		}
	}
	clock.Set(want.ForgottenAt.Add(-time.Microsecond))
	if got := reapAll(t, s); got.Deleted != 0 {
		t.Errorf("before it is forgotten: got %+v, want none deleted", got)
	}
	clock.Set(want.ForgottenAt)
	if got := reapAll(t, s); got.Deleted != 1 {
		t.Errorf("when it is forgotten: got %+v, want one deleted", got)
	}
	if _, err := s.Jobs.Job(t.Context(), key.AllTeams(), jobID(1)); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	submitJobs(t, s, sampleJob(1, 3)) // Nothing of it is in the way.
	claimJobs(t, s, job.Want{Worker: "w", Most: 5, Lease: leased, Classes: anyClass()}, 3)
}

func timeTold(t *testing.T, s Stores, clock *Clock) {
	if s.Deliveries == nil {
		t.Skip("this store keeps no deliveries")
	}
	one := singleJob(1)
	one.Job.Webhook.URL = "https://example.com"
	submitJobs(t, s, one)
	finishJobs(t, s, done(claimJobs(t, s, want(1), 1)[0]))
	clock.Advance(2 * job.Keep)
	if got := reapAll(t, s); got.Stripped != 0 || theJob(t, s, jobID(1)).Gone {
		t.Errorf("got %+v, want the results kept", got)
	}
	failed, _, err := s.Deliveries.Sweep(t.Context(), time.Hour, 30*24*time.Hour, 100)
	must(t, err)
	if failed != 1 {
		t.Fatalf("%d deliveries were given up, want 1", failed)
	}
	clock.Advance(time.Hour)
	if got := reapAll(t, s); got.Stripped != 1 {
		t.Errorf("got %+v, want the results deleted", got)
	}
}

func timeRetried(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, singleJob(1))
	finishJobs(t, s, failed(claimJobs(t, s, want(1), 1)[0]))
	clock.Advance(job.Keep - time.Second)
	reapAll(t, s)
	_, err := s.Jobs.Retry(t.Context(), key.AllTeams(), jobID(1))
	must(t, err)
	work := claimJobs(t, s, want(1), 1)
	_, err = s.Jobs.Park(t.Context(), []job.Lease{work[0].Lease}, 30*24*time.Hour)
	must(t, err)
	clock.Advance(20 * 24 * time.Hour)
	reapAll(t, s)
	finishJobs(t, s, done(work[0]))
	wantJob(t, s, jobID(1), job.Completed, job.Progress{Total: 1, Completed: 1})
	clock.Advance(job.Keep)
	if got := reapAll(t, s); got.Stripped != 1 || got.Deleted != 0 {
		t.Errorf("got %+v, want the results gone", got)
	}
}

func timePortions(t *testing.T, s Stores, clock *Clock) {
	if _, ok := s.Jobs.(interface{ Whole() }); ok {
		t.Skip("the model does all at once")
	}
	const items, portion = 40, 7
	p := jobPolicy()
	p.Portion = portion
	upload := sampleJob(9, items)
	begin(t, s, upload)
	must(t, s.Jobs.Append(t.Context(), upload.Job.ID, parts(upload)))
	for n := range 10 {
		one := sampleJob(n+10, 1)
		one.Idempotency = fmt.Sprint(n)
		submitJobs(t, s, one)
	}
	submitJobs(t, s, sampleJob(1, items))
	work := claimJobs(t, s, want(100), items+10)
	var ends []job.Finished
	for _, w := range work {
		if w.Lease.Job == jobID(1) {
			ends = append(ends, done(w))
		}
	}
	finishJobs(t, s, ends...)
	clock.Advance(leased)
	for done := 0; done < 10; {
		got, err := s.Jobs.Reap(t.Context(), p)
		must(t, err)
		if got.Requeued < 1 || got.Requeued > portion || got.More != (done == 0) {
			t.Fatalf("got %+v after %d, want 7 and 3", got, done)
		}
		done += got.Requeued
	}
	clock.Advance(10 * 24 * time.Hour)
	var sum job.Reaped
	for calls := 1; ; calls++ {
		got, err := s.Jobs.Reap(t.Context(), p)
		must(t, err)
		sum.Stripped += got.Stripped
		sum.Deleted += got.Deleted
		sum.Abandoned += got.Abandoned
		if sum.Deleted == 1 && sum.Abandoned == 1 && !got.More {
			if calls < 6 { // 40 items of the job and of the upload, 7 at a time.
				t.Errorf("all was done in %d calls, want portions", calls)
			}
			break
		}
		if calls > 100 {
			t.Fatalf("after %d calls: %+v, want the job and the upload deleted", calls, sum)
		}
	}
	if _, err := s.Jobs.Seal(t.Context(), upload.Job.ID, items, upload.Hash); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("the seal: got %v, want ErrNotFound", err)
	}
}

func timeLeader(t *testing.T, s Stores, clock *Clock) {
	leads := func(name, holder string, want bool) {
		t.Helper()
		got, err := s.Jobs.Lead(t.Context(), name, holder, leased)
		must(t, err)
		if got != want {
			t.Errorf("%s leads %s: got %t, want %t", holder, name, got, want)
		}
	}
	leads("reaper", "a", true)
	leads("reaper", "b", false)
	leads("other", "b", true)
	clock.Advance(leased - time.Second)
	leads("reaper", "a", true)
	clock.Advance(leased - time.Second)
	leads("reaper", "b", false)
	clock.Advance(time.Second)
	leads("reaper", "b", true)
	leads("reaper", "a", false)
	clock.Advance(leased)
	found := make(chan string, 16)
	must(t, together(16, func(i int) error {
		ok, err := s.Jobs.Lead(context.Background(), "reaper", fmt.Sprint("h", i), leased)
		if ok {
			found <- fmt.Sprint("h", i)
		}
		return err
	}))
	if len(found) != 1 {
		t.Errorf("%d lead, want 1", len(found))
	}
}
