package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobWorkContracts() []contract {
	return []contract{
		{"who takes an item gets all that the work needs", workWhole},
		{"an item that was taken is taken by nobody else", workOnce},
		{"an item is ended once, by whoever has it", workFenced},
		{"what ended cannot be ended again, nor what nobody took", workStrangers},
		{"items end one by one, the last ends the job", workCounts},
		{"a job ends as its items did", workStates},
		{"an item that is given back is taken again when it is due", workAgain},
		{"the last tries are kept", workTries},
		{"a lease is prolonged and never shortened", workRenewed},
		{"a parked item waits under its lease", workParked},
		{"cancelled calls change nothing", workCancelled},
	}
}

func jobTurnContracts() []contract {
	return []contract{
		{"classes go in the wanted order", turnClasses},
		{"teams take turns", turnTeams},
		{"the turn goes on behind the team that was served last", turnAfter},
		{"a team with many does not hold back one with few", turnFair},
		{"what is longest due goes first", turnOrder},
		{"what is not due waits", turnDue},
		{"depth counts what is due", depthCounts},
	}
}

func workWhole(t *testing.T, s Stores, clock *Clock) {
	batch, single := sampleJob(1, 2), singleJob(2)
	batch.Job.Metadata, batch.Job.Trace, batch.Job.Webhook = []byte(`{}`), "00-1-2-01", job.Webhook{Endpoint: "whk_1"}
	jobs := submitJobs(t, s, batch, single)
	clock.Advance(time.Second)
	work := claimJobs(t, s, want(10), 3)
	for i := range jobs {
		jobs[i].State, jobs[i].StartedAt = job.Processing, clock.Now()
	}
	var wanted []job.Work
	for n, it := range batch.Items {
		wanted = append(wanted, job.Work{Item: job.Item{Job: jobID(1), N: n, Name: it.Name, Request: it.Request, State: job.ItemLeased, Attempt: 1, RunAt: jobs[0].RunAt}, Job: jobs[0]})
	}
	wanted = append(wanted, job.Work{Item: job.Item{Job: jobID(2), State: job.ItemLeased, Attempt: 1, RunAt: jobs[1].RunAt}, Job: jobs[1]})
	tokens := map[string]bool{}
	for i := range wanted {
		wanted[i].Lease = job.Lease{Job: wanted[i].Item.Job, N: wanted[i].Item.N, Token: work[i].Lease.Token}
		tokens[work[i].Lease.Token] = true
		wanted[i].Job.Progress = job.Progress{}
	}
	if diff := cmp.Diff(wanted, work); diff != "" {
		t.Errorf("the work differs (-want +got):\n%s", diff)
	}
	if len(tokens) != 3 || tokens[""] {
		t.Errorf("got the tokens %v, want three", tokens)
	}
	wantJob(t, s, jobID(1), job.Processing, job.Progress{Total: 2})
	started := theJob(t, s, jobID(1)).StartedAt
	clock.Advance(time.Second)
	finishJobs(t, s, again(work[0], 0))
	claimJobs(t, s, want(1), 1)
	if got := theJob(t, s, jobID(1)).StartedAt; !got.Equal(started) {
		t.Errorf("it started at %s, want %s still", got, started)
	}
}

func workOnce(t *testing.T, s Stores, _ *Clock) {
	submitJobs(t, s, sampleJob(1, 3))
	claimJobs(t, s, want(2), 2)
	claimJobs(t, s, want(2), 1)
	claimJobs(t, s, want(2), 0)
	claimJobs(t, s, want(0), 0)
}

func workFenced(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 2))
	first := claimJobs(t, s, want(2), 2)[0]
	clock.Advance(leased)
	reap(t, s, job.Reaped{Requeued: 2, Due: []job.Priority{job.Normal}})
	wantLeaseLost(t, s, first.Lease)
	second := claimJobs(t, s, want(1), 1)[0]
	wantLeaseLost(t, s, first.Lease)
	finishJobs(t, s, done(second))
	wantLeaseLost(t, s, first.Lease, second.Lease)
	wantJob(t, s, jobID(1), job.Processing, job.Progress{Total: 2, Completed: 1})
}

func workStrangers(t *testing.T, s Stores, _ *Clock) {
	submitJobs(t, s, sampleJob(1, 2))
	w := claimJobs(t, s, want(1), 1)[0]
	wantLeaseLost(t, s, job.Lease{Job: jobID(1), N: 1, Token: w.Lease.Token}, job.Lease{Job: jobID(1), N: 1}, job.Lease{Job: jobID(1), N: 0}, job.Lease{Job: jobID(1), N: 0, Token: "other"},
		job.Lease{Job: jobID(1), N: -1, Token: w.Lease.Token}, job.Lease{Job: jobID(1), N: 1 << 20, Token: w.Lease.Token}, job.Lease{Job: jobID(1), N: 1 << 40, Token: w.Lease.Token})
	for _, id := range []job.ID{jobID(7), "no id", ""} {
		got, err := s.Jobs.Finish(t.Context(), []job.Finished{{Lease: job.Lease{Job: id, Token: w.Lease.Token}, State: job.ItemCompleted}})
		must(t, err)
		if !errors.Is(got[0].Err, job.ErrLeaseLost) {
			t.Errorf("an item of the job %q: got %+v, want ErrLeaseLost", id, got[0])
		}
	}
	for _, state := range []job.ItemState{"", job.ItemLeased, job.ItemWaiting, job.ItemCancelled} {
		if _, err := s.Jobs.Finish(t.Context(), []job.Finished{{Lease: w.Lease, State: state}}); err == nil {
			t.Errorf("finish as %q: got no error, want one", state)
		}
	}
	got, err := s.Jobs.Finish(t.Context(), []job.Finished{done(w), done(w)}) // In one call too.
	must(t, err)
	if got[0].Err != nil || !errors.Is(got[1].Err, job.ErrLeaseLost) {
		t.Errorf("the same end twice: got %+v, want ErrLeaseLost for the second", got)
	}
	wantJob(t, s, jobID(1), job.Processing, job.Progress{Total: 2, Completed: 1})
}

func workCounts(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 4)
	one.Job.Webhook.URL = "https://example.com"
	other := singleJob(2)
	submitJobs(t, s, one, other)
	work := claimJobs(t, s, want(10), 5)
	clock.Advance(time.Second)
	got := finishJobs(t, s, done(work[2]), done(work[4]), failed(work[0]))
	wanted := []job.Ended{
		{Job: jobID(1), State: job.Processing, Progress: job.Progress{Total: 4, Completed: 1}},
		{Job: jobID(2), State: job.Completed, Progress: job.Progress{Total: 1, Completed: 1}, Last: true},
		{Job: jobID(1), State: job.Processing, Progress: job.Progress{Total: 4, Completed: 1, Failed: 1}},
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("the first ends differ (-want +got):\n%s", diff)
	}
	wantTold(t, s, jobID(1))
	clock.Advance(time.Second)
	got = finishJobs(t, s, done(work[3]), done(work[1]))
	wanted = []job.Ended{
		{Job: jobID(1), State: job.Processing, Progress: job.Progress{Total: 4, Completed: 2, Failed: 1}},
		{Job: jobID(1), State: job.CompletedWithErrors, Progress: job.Progress{Total: 4, Completed: 3, Failed: 1}, Last: true},
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("the last ends differ (-want +got):\n%s", diff)
	}
	wantTold(t, s, jobID(1), "completed_with_errors_1")
	j, at := theJob(t, s, jobID(1)), clock.Now()
	if !j.CompletedAt.Equal(at) || !j.ExpiresAt.Equal(at.Add(job.Keep)) || !j.ForgottenAt.Equal(at.Add(job.Keep+job.Forget)) {
		t.Errorf("it ended at %s, expires at %s and is forgotten at %s, want %s and the times of the product", j.CompletedAt, j.ExpiresAt, j.ForgottenAt, at)
	}
	ended, err := s.Jobs.EndedItems(t.Context(), key.AllTeams(), jobID(1), 0, 10)
	must(t, err)
	places := ""
	for _, it := range ended {
		places += fmt.Sprintf("%d:%d=%s ", it.Seq, it.N, it.State)
	}
	if want := "1:2=completed 2:0=failed 3:3=completed 4:1=completed "; places != want {
		t.Errorf("the ends are %s, want %s", places, want)
	}
	if string(ended[0].Result) != `{"n":2}` || !ended[0].EndedAt.Equal(at.Add(-time.Second)) || ended[0].Name != "item 2" {
		t.Errorf("the first end is %+v, want the answer and its time", ended[0])
	}
}

func workStates(t *testing.T, s Stores, _ *Clock) {
	for i, c := range []struct {
		ends  string
		state job.State
	}{{"d", job.Completed}, {"f", job.Failed}, {"dd", job.Completed}, {"ff", job.Failed}, {"df", job.CompletedWithErrors}, {"fd", job.CompletedWithErrors}} {
		submitJobs(t, s, sampleJob(i, len(c.ends)))
		var list []job.Finished
		for n, w := range claimJobs(t, s, want(10), len(c.ends)) {
			if c.ends[n] == 'd' {
				list = append(list, done(w))
			} else {
				list = append(list, failed(w))
			}
		}
		got := finishJobs(t, s, list...)
		p := job.Progress{Total: len(c.ends), Completed: strings.Count(c.ends, "d"), Failed: strings.Count(c.ends, "f")}
		if last := got[len(got)-1]; !last.Last || last.State != c.state {
			t.Errorf("%s: the last end is %+v, want %s", c.ends, last, c.state)
		}
		wantJob(t, s, jobID(i), c.state, p)
	}
}

func workAgain(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, singleJob(1))
	w := claimJobs(t, s, want(1), 1)[0]
	got := finishJobs(t, s, again(w, time.Minute))[0]
	if diff := cmp.Diff(job.Ended{Job: jobID(1), State: job.Processing, Progress: job.Progress{Total: 1}}, got); diff != "" {
		t.Errorf("the end differs (-want +got):\n%s", diff)
	}
	wantLeaseLost(t, s, w.Lease)
	clock.Advance(time.Minute - time.Microsecond)
	claimJobs(t, s, want(1), 0)
	clock.Advance(time.Microsecond)
	w = claimJobs(t, s, want(1), 1)[0]
	if w.Item.Attempt != 2 {
		t.Errorf("it was taken for the time %d, want 2", w.Item.Attempt)
	}
	uncounted := again(w, 0)
	uncounted.Uncounted = true
	finishJobs(t, s, uncounted)
	if w = claimJobs(t, s, want(1), 1)[0]; w.Item.Attempt != 2 {
		t.Errorf("after a time that does not count it is taken for the time %d, want 2", w.Item.Attempt)
	}
	finishJobs(t, s, done(w))
	wantJob(t, s, jobID(1), job.Completed, job.Progress{Total: 1, Completed: 1})
}

func workTries(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, singleJob(1))
	var tries []job.Try
	for i := range job.MostTries + 3 {
		w := claimJobs(t, s, want(1), 1)[0]
		if diff := cmp.Diff(tries, w.Item.Tries, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the tries before %d differ (-want +got):\n%s", i, diff)
		}
		one := job.Try{Worker: "w1", StartedAt: clock.Now(), EndedAt: clock.Now().Add(time.Second), Code: "LLM_PROVIDER_ERROR", Detail: fmt.Sprint("time ", i, " ", strange()[i%len(strange())])}
		f := again(w, 0)
		f.Try = &one
		finishJobs(t, s, f)
		clock.Advance(time.Second)
		tries = append(tries, one)
		tries = tries[max(0, len(tries)-job.MostTries):]
	}
	if diff := cmp.Diff(tries, theItems(t, s, jobID(1))[0].Tries); diff != "" {
		t.Errorf("the tries differ (-want +got):\n%s", diff)
	}
}

func workRenewed(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 2))
	work := claimJobs(t, s, want(2), 2)
	both := []job.Lease{work[0].Lease, work[1].Lease}
	clock.Advance(leased - time.Second)
	for _, d := range []time.Duration{leased, time.Second} { // The second would be shorter.
		lost, err := s.Jobs.Renew(t.Context(), both, d)
		must(t, err)
		if len(lost) != 0 {
			t.Fatalf("lost %v, want none", lost)
		}
	}
	clock.Advance(leased - time.Second)
	reap(t, s, job.Reaped{})
	finishJobs(t, s, done(work[1]))
	lost, err := s.Jobs.Renew(t.Context(), both, leased)
	must(t, err)
	if diff := cmp.Diff(both[1:], lost); diff != "" {
		t.Errorf("what is lost differs (-want +got):\n%s", diff)
	}
	clock.Advance(leased + time.Second) // Late, but nobody has taken it away.
	finishJobs(t, s, done(work[0]))
	wantJob(t, s, jobID(1), job.Completed, job.Progress{Total: 2, Completed: 2})
}

func workParked(t *testing.T, s Stores, clock *Clock) {
	submitJobs(t, s, sampleJob(1, 3))
	work := claimJobs(t, s, want(3), 3)
	leases := []job.Lease{work[0].Lease, work[1].Lease, work[2].Lease}
	lost, err := s.Jobs.Park(t.Context(), leases, 24*time.Hour)
	must(t, err)
	if len(lost) != 0 {
		t.Fatalf("lost %v, want none", lost)
	}
	lost, err = s.Jobs.Renew(t.Context(), leases, leased) // The worker's own renewal was under way.
	must(t, err)
	if len(lost) != 0 {
		t.Fatalf("lost %v, want none", lost)
	}
	if it := theItems(t, s, jobID(1))[0]; it.State != job.ItemWaiting {
		t.Errorf("it is %s, want waiting", it.State)
	}
	claimJobs(t, s, want(3), 0)
	clock.Advance(24*time.Hour - time.Second)
	reap(t, s, job.Reaped{})
	finishJobs(t, s, done(work[0]), again(work[1], 0))
	clock.Advance(time.Second)
	reap(t, s, job.Reaped{Requeued: 1, Due: []job.Priority{job.Normal}})
	wantLeaseLost(t, s, leases...)
	claimJobs(t, s, want(3), 2)
}

func workCancelled(t *testing.T, s Stores, _ *Clock) {
	submitJobs(t, s, sampleJob(1, 2))
	_, err := s.Jobs.Claim(cancelled(), want(2))
	wantCancelled(t, "Claim", err)
	work := claimJobs(t, s, want(2), 2)
	_, err = s.Jobs.Finish(cancelled(), []job.Finished{done(work[0])})
	wantCancelled(t, "Finish", err)
	_, err = s.Jobs.Renew(cancelled(), []job.Lease{work[0].Lease}, leased)
	wantCancelled(t, "Renew", err)
	_, err = s.Jobs.Cancel(cancelled(), key.AllTeams(), jobID(1))
	wantCancelled(t, "Cancel", err)
	_, err = s.Jobs.Reap(cancelled(), jobPolicy())
	wantCancelled(t, "Reap", err)
	_, err = s.Jobs.Job(cancelled(), key.AllTeams(), jobID(1))
	wantCancelled(t, "Job", err)
	wantJob(t, s, jobID(1), job.Processing, job.Progress{Total: 2})
	finishJobs(t, s, done(work[0]), done(work[1]))
}

// of gives a single job of a team and class.
func of(n int, team key.TeamID, class job.Priority) job.Submission {
	s := singleJob(n)
	s.Job.Team, s.Job.Priority = team, class
	return s
}

// wantTaken takes items and checks which, in their order.
func wantTaken(t *testing.T, s Stores, w job.Want, wanted string) {
	t.Helper()
	work, err := s.Jobs.Claim(t.Context(), w)
	must(t, err)
	if got := placesOf(work); got != wanted {
		t.Errorf("got %s, want %s", got, wanted)
	}
}

func turnClasses(t *testing.T, s Stores, _ *Clock) {
	for n, class := range []job.Priority{job.Low, job.Normal, job.High, job.Low, job.Normal, job.High} {
		submitJobs(t, s, of(n+1, "acme", class))
	}
	w := want(3)
	wantTaken(t, s, w, "3/0 6/0 2/0")
	w.Classes = []job.Priority{job.Low, job.High}
	wantTaken(t, s, w, "1/0 4/0")
	w.Classes = nil
	wantTaken(t, s, w, "")
	w.Classes = anyClass()
	wantTaken(t, s, w, "5/0")
}

func turnTeams(t *testing.T, s Stores, _ *Clock) {
	for n, team := range []key.TeamID{"b", "b", "b", "a", "a", "c"} {
		submitJobs(t, s, of(n+1, team, job.Normal))
	}
	wantTaken(t, s, want(10), "4/0 1/0 6/0 5/0 2/0 3/0")
}

func turnAfter(t *testing.T, s Stores, _ *Clock) {
	n := 0
	for _, team := range []key.TeamID{"a", "b", "c", "d"} {
		for range 3 {
			n++
			submitJobs(t, s, of(n, team, job.Normal))
		}
	}
	w := want(3)
	w.After = "b"
	wantTaken(t, s, w, "7/0 a/0 1/0") // c, d, a.
	w.After = "bb"                    // A team that is not there.
	wantTaken(t, s, w, "8/0 b/0 2/0")
	w.After, w.Most = "d", 10
	wantTaken(t, s, w, "3/0 4/0 9/0 c/0 5/0 6/0")
}

func turnFair(t *testing.T, s Stores, _ *Clock) {
	big, small := sampleJob(1, 10_000), sampleJob(2, 5)
	big.Job.Team, small.Job.Team = "big", "small"
	if _, ok := s.Jobs.(*JobModel); ok {
		big.Items = big.Items[:100]
	}
	submitJobs(t, s, big)
	submitJobs(t, s, small)
	after := key.TeamID("")
	taken := 0
	for range 10 {
		w := want(1)
		w.After = after
		work := claimJobs(t, s, w, 1)
		if after = work[0].Job.Team; after == "small" {
			taken++
		}
	}
	if taken != 5 {
		t.Errorf("the small team got %d of 10 turns, want 5", taken)
	}
}

func turnOrder(t *testing.T, s Stores, clock *Clock) {
	soon, later := sampleJob(1, 2), sampleJob(2, 2)
	later.Job.RunAt = clock.Now().Add(-time.Second)
	submitJobs(t, s, soon, later, sampleJob(3, 1))
	work := claimJobs(t, s, want(1), 1)
	finishJobs(t, s, again(work[0], time.Millisecond))
	clock.Advance(time.Millisecond)
	wantTaken(t, s, want(10), "2/1 1/0 1/1 3/0 2/0")
}

func turnDue(t *testing.T, s Stores, clock *Clock) {
	one := singleJob(1)
	one.Job.RunAt = clock.Now().Add(time.Hour)
	submitJobs(t, s, one, of(2, "beta", job.Normal))
	wantTaken(t, s, want(10), "2/0")
	reap(t, s, job.Reaped{})
	clock.Advance(time.Hour)
	reap(t, s, job.Reaped{Requeued: 1, Due: []job.Priority{job.Normal}})
	wantTaken(t, s, want(10), "1/0 2/0")
}

func depthCounts(t *testing.T, s Stores, clock *Clock) {
	future := of(9, "acme", job.High)
	future.Job.RunAt = clock.Now().Add(time.Hour)
	submitJobs(t, s, of(1, "acme", job.Low), future)
	clock.Advance(time.Second)
	submitJobs(t, s, of(2, "beta", job.Low), of(3, "beta", job.High), of(4, "gamma", job.Normal))
	w := want(1)
	w.Classes = []job.Priority{job.Normal}
	claimJobs(t, s, w, 1)
	clock.Advance(time.Second)
	got, err := s.Jobs.Depth(t.Context())
	must(t, err)
	wanted := []job.Depth{{Class: job.High, Due: 1, Oldest: time.Second}, {Class: job.Low, Due: 2, Oldest: 2 * time.Second}}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("the depth differs (-want +got):\n%s", diff)
	}
}
