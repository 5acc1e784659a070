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

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobContracts() []contract {
	list := slices.Concat(jobSubmitContracts(), jobUploadContracts(), jobWorkContracts(), jobTurnContracts(), jobEndContracts(), jobTimeContracts(), jobReadContracts(), jobRaceContracts(), jobHistoryContracts())
	for i, c := range list {
		list[i].run = func(t *testing.T, s Stores, clock *Clock) {
			if s.Jobs == nil {
				t.Skip("this store keeps no jobs")
			}
			c.run(t, s, clock)
		}
	}
	return list
}

// The times in these tests.
const (
	leased  = 30 * time.Second
	resting = time.Hour
)

func jobPolicy() job.Policy { return job.Policy{MostAttempts: 3, Upload: resting, Portion: 1000} }

func anyClass() []job.Priority { return []job.Priority{job.High, job.Normal, job.Low} }

// jobID gives the n-th id; they sort as they count.
func jobID(n int) job.ID { return job.ID(fmt.Sprintf("019ac6f2-0000-7000-8000-%012x", n)) }

// sampleJob is a batch of acme with so many items.
func sampleJob(n, items int) job.Submission {
	s := job.Submission{Job: job.Job{ID: jobID(n), Team: "acme", Key: "key_1", Priority: job.Normal, Batch: true, Request: []byte(`{"schema":{}}`)}}
	for i := range items {
		s.Items = append(s.Items, job.Item{Name: fmt.Sprint("item ", i), Request: fmt.Appendf(nil, `{"prompt":"%d"}`, i)})
	}
	return s
}

// singleJob is a job that is no batch.
func singleJob(n int) job.Submission {
	s := sampleJob(n, 1)
	s.Job.Batch, s.Items = false, make([]job.Item, 1)
	return s
}

// submitJobs keeps jobs, each of which must be a new one.
func submitJobs(t *testing.T, s Stores, list ...job.Submission) []job.Job {
	t.Helper()
	got, err := s.Jobs.Submit(t.Context(), list)
	must(t, err)
	var jobs []job.Job
	for i := range got {
		if got[i].Err != nil || got[i].Again {
			t.Fatalf("submit %s: got again %t, %v, want a new job", list[i].Job.ID, got[i].Again, got[i].Err)
		}
		jobs = append(jobs, got[i].Job)
	}
	return jobs
}

func want(most int) job.Want {
	return job.Want{Worker: "w1", Most: most, Lease: leased, Classes: anyClass()}
}

// claimJobs takes items and checks how many.
func claimJobs(t *testing.T, s Stores, w job.Want, count int) []job.Work {
	t.Helper()
	work, err := s.Jobs.Claim(t.Context(), w)
	must(t, err)
	if len(work) != count {
		t.Fatalf("got %d items %s, want %d", len(work), placesOf(work), count)
	}
	return work
}

// placesOf names what was taken: the last digits of the job, and the item.
func placesOf(work []job.Work) string {
	var list []string
	for _, w := range work {
		list = append(list, fmt.Sprintf("%s/%d", strings.TrimLeft(string(w.Lease.Job[24:]), "0"), w.Lease.N))
	}
	return strings.Join(list, " ")
}

// done ends what was taken with an answer.
func done(w job.Work) job.Finished {
	return job.Finished{Lease: w.Lease, State: job.ItemCompleted, Result: fmt.Appendf(nil, `{"n":%d}`, w.Item.N)}
}

func failed(w job.Work) job.Finished {
	return job.Finished{Lease: w.Lease, State: job.ItemFailed, Result: []byte(`{"code":"VALIDATION_FAILED"}`)}
}

func again(w job.Work, wait time.Duration) job.Finished {
	return job.Finished{Lease: w.Lease, State: job.ItemPending, Again: wait}
}

// finishJobs ends what was taken, each of which must be the lease's still.
func finishJobs(t *testing.T, s Stores, list ...job.Finished) []job.Ended {
	t.Helper()
	got, err := s.Jobs.Finish(t.Context(), list)
	must(t, err)
	if len(got) != len(list) {
		t.Fatalf("got %d ends, want %d", len(got), len(list))
	}
	for i, e := range got {
		if e.Err != nil {
			t.Fatalf("finish %s/%d: got the error %v, want none", list[i].Lease.Job, list[i].Lease.N, e.Err)
		}
	}
	return got
}

// wantLeaseLost checks that a lease gives the right to nothing any more, and that nothing changed.
func wantLeaseLost(t *testing.T, s Stores, leases ...job.Lease) {
	t.Helper()
	for _, l := range leases {
		before := theJob(t, s, l.Job)
		for _, state := range []job.ItemState{job.ItemCompleted, job.ItemFailed, job.ItemPending} {
			got, err := s.Jobs.Finish(t.Context(), []job.Finished{{Lease: l, State: state, Result: []byte("{}")}})
			must(t, err)
			if !errors.Is(got[0].Err, job.ErrLeaseLost) || got[0].Job != l.Job || got[0].Last {
				t.Errorf("finish as %s with a lost lease: got %+v, want ErrLeaseLost", state, got[0])
			}
		}
		for what, prolong := range map[string]func(context.Context, []job.Lease, time.Duration) ([]job.Lease, error){"Renew": s.Jobs.Renew, "Park": s.Jobs.Park} {
			lost, err := prolong(t.Context(), []job.Lease{l}, time.Hour)
			must(t, err)
			if diff := cmp.Diff([]job.Lease{l}, lost); diff != "" {
				t.Errorf("%s with a lost lease differs (-want +got):\n%s", what, diff)
			}
		}
		if diff := cmp.Diff(before, theJob(t, s, l.Job)); diff != "" {
			t.Errorf("a lost lease changed the job (-want +got):\n%s", diff)
		}
	}
}

func theJob(t *testing.T, s Stores, id job.ID) job.Job {
	t.Helper()
	j, err := s.Jobs.Job(t.Context(), key.AllTeams(), id)
	must(t, err)
	return j
}

// wantJob checks a job's state and counts.
func wantJob(t *testing.T, s Stores, id job.ID, state job.State, p job.Progress) {
	t.Helper()
	if j := theJob(t, s, id); j.State != state || j.Progress != p {
		t.Errorf("the job %s is %s with %+v, want %s with %+v", id, j.State, j.Progress, state, p)
	}
}

func theItems(t *testing.T, s Stores, id job.ID) []job.Item {
	t.Helper()
	items, err := s.Jobs.Items(t.Context(), key.AllTeams(), id, 0, job.MostItems)
	must(t, err)
	return items
}

// wantTold checks the events of a job.
func wantTold(t *testing.T, s Stores, id job.ID, events ...string) {
	t.Helper()
	got := toldOf(t, s, id)
	if diff := cmp.Diff(events, got); diff != "" {
		t.Errorf("the events of %s differ (-want +got):\n%s", id, diff)
	}
}

// toldOf lists a job's messages that somebody is told, in the order of their making: event and run. The job must name a URL.
func toldOf(t *testing.T, s Stores, id job.ID) []string {
	t.Helper()
	var list []string
	name := func(m delivery.MessageID) string {
		return strings.TrimPrefix(string(m), "msg_"+strings.ReplaceAll(string(id), "-", "")+"_")
	}
	if model, ok := s.Jobs.(*JobModel); ok {
		for _, m := range model.Told() {
			if m.Job == string(id) {
				list = append(list, name(m.ID))
			}
		}
		return list
	}
	made, _, err := s.Deliveries.Deliveries(t.Context(), key.AllTeams(), delivery.Filter{Job: string(id), Limit: delivery.MostPage})
	must(t, err)
	slices.SortStableFunc(made, func(a, b delivery.Delivery) int { return a.At.Compare(b.At) })
	for _, d := range made {
		list = append(list, name(d.Message))
	}
	return list
}

// reap reaps once and checks what was done, the order of ends aside.
func reap(t *testing.T, s Stores, wanted job.Reaped) {
	t.Helper()
	got, err := s.Jobs.Reap(t.Context(), jobPolicy())
	must(t, err)
	byJob := func(a, b job.Ended) int { return strings.Compare(string(a.Job), string(b.Job)) }
	slices.SortFunc(got.Ended, byJob)
	slices.SortFunc(wanted.Ended, byJob)
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("what was reaped differs (-want +got):\n%s", diff)
	}
}
