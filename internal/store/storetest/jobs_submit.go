package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobSubmitContracts() []contract {
	return []contract{
		{"a job is kept as it was", jobKept},
		{"what is not given goes by the store's clock", jobDefaults},
		{"what no job is, is refused whole", jobRefused},
		{"the same submission again is the same job", jobSubmittedTwice},
		{"an idempotency key gives the first job", jobIdempotent},
		{"an idempotency key with another hash is a conflict", jobConflict},
		{"an idempotency key counts for a day", jobIdempotencyEnds},
		{"teams do not share idempotency keys", jobIdempotencyTeams},
		{"of many with one idempotency key one is kept", jobIdempotencyRace},
		{"a cancelled submit keeps nothing", jobSubmitCancelled},
	}
}

func jobUploadContracts() []contract {
	return []contract{
		{"an upload is nobody's before its seal", uploadUnseen},
		{"an upload is sealed when it is complete", uploadIncomplete},
		{"what is sent twice of an upload is kept once", uploadTwice},
		{"a sealed upload is a job like another", uploadSealed},
		{"the idempotency key of an upload counts from its seal", uploadIdempotent},
		{"an upload that rests is deleted", uploadAbandoned},
	}
}

func jobKept(t *testing.T, s Stores, clock *Clock) {
	now := clock.Now()
	for i, text := range strange() {
		one := sampleJob(i, 2)
		one.Job.Key, one.Job.Priority, one.Job.Urgency = key.ID("key "+text), job.Low, job.Whenever
		one.Job.Request, one.Job.Metadata = []byte(`{"prompt":"`+text+`"}`), []byte(`{"m":"`+text+`"}`)
		one.Job.Webhook = job.Webhook{URL: "https://example.com/" + text, Secret: text}
		one.Job.RunAt, one.Job.Deadline = now.Add(time.Hour), now.Add(2*time.Hour)
		one.Job.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		one.Items = []job.Item{{Name: text, Request: []byte(`"` + text + `"`)}, {Name: "", Request: []byte(strings.Repeat("0123456789", 1_500))}}
		got := submitJobs(t, s, one)[0]
		want := one.Job
		want.State, want.Run, want.CreatedAt, want.Progress = job.Pending, 1, now, job.Progress{Total: 2}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: what Submit gives differs (-want +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(want, theJob(t, s, one.Job.ID)); diff != "" {
			t.Errorf("%q: what is read differs (-want +got):\n%s", text, diff)
		}
		wantItems := []job.Item{
			{Job: want.ID, N: 0, Name: text, State: job.ItemPending, Request: one.Items[0].Request, RunAt: want.RunAt},
			{Job: want.ID, N: 1, State: job.ItemPending, Request: one.Items[1].Request, RunAt: want.RunAt},
		}
		if diff := cmp.Diff(wantItems, theItems(t, s, want.ID)); diff != "" {
			t.Errorf("%q: the items differ (-want +got):\n%s", text, diff)
		}
	}
	single := submitJobs(t, s, singleJob(100))[0]
	if items := theItems(t, s, single.ID); len(items) != 1 || items[0].Request != nil || items[0].Result != nil || single.Metadata != nil {
		t.Errorf("a single prompt: got %+v of %+v, want one item without texts", items, single)
	}
}

func jobDefaults(t *testing.T, s Stores, clock *Clock) {
	one := singleJob(1)
	one.Job.State, one.Job.Run, one.Job.Gone = job.Failed, 7, true
	one.Job.CreatedAt, one.Job.StartedAt, one.Job.CompletedAt = time.Unix(1, 0), time.Unix(2, 0), time.Unix(3, 0)
	one.Job.Progress = job.Progress{Total: 9, Failed: 9}
	got := submitJobs(t, s, one)[0]
	want := job.Job{
		ID: one.Job.ID, Team: "acme", Key: "key_1", State: job.Pending, Priority: job.Normal, Request: one.Job.Request, Progress: job.Progress{Total: 1}, Run: 1,
		CreatedAt: clock.Now(), RunAt: clock.Now(), Deadline: clock.Now().Add(job.Patience),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the job differs (-want +got):\n%s", diff)
	}
}

func jobRefused(t *testing.T, s Stores, _ *Clock) {
	without, classless, nameless := sampleJob(2, 0), singleJob(3), singleJob(4)
	classless.Job.Priority, nameless.Job.ID = 0, ""
	for what, bad := range map[string]job.Submission{"without items": without, "of no class": classless, "without an id": nameless} {
		if _, err := s.Jobs.Submit(t.Context(), []job.Submission{singleJob(1), bad}); err == nil {
			t.Errorf("a job %s: got no error, want one", what)
		}
	}
	if _, err := s.Jobs.Job(t.Context(), key.AllTeams(), jobID(1)); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("the job beside them: got %v, want ErrNotFound", err)
	}
}

func jobSubmittedTwice(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 2)
	first := submitJobs(t, s, one)[0]
	clock.Advance(time.Minute)
	if diff := cmp.Diff(first, submitJobs(t, s, one)[0]); diff != "" {
		t.Errorf("the second submit differs (-want +got):\n%s", diff)
	}
	one.Idempotency = "k"
	keyed := one
	keyed.Job.ID = jobID(2)
	first = submitJobs(t, s, keyed)[0]
	if diff := cmp.Diff(first, submitJobs(t, s, keyed)[0]); diff != "" {
		t.Errorf("the second submit with a key differs (-want +got):\n%s", diff)
	}
	claimJobs(t, s, want(10), 4)
}

func jobIdempotent(t *testing.T, s Stores, _ *Clock) {
	first, second, third := sampleJob(1, 1), sampleJob(2, 1), sampleJob(3, 1)
	first.Idempotency, second.Idempotency, third.Idempotency = "k", "k", "k"
	got, err := s.Jobs.Submit(t.Context(), []job.Submission{first, second}) // In one call too.
	must(t, err)
	later, err := s.Jobs.Submit(t.Context(), []job.Submission{third})
	must(t, err)
	for i, g := range append(got, later...) {
		if g.Err != nil || g.Job.ID != jobID(1) || g.Again != (i > 0) || g.Job.Progress.Total != 1 || g.Job.Request == nil {
			t.Errorf("submission %d: got %+v, want the first job", i, g)
		}
	}
	for _, id := range []job.ID{jobID(2), jobID(3)} {
		if _, err := s.Jobs.Job(t.Context(), key.AllTeams(), id); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("the job %s: got %v, want ErrNotFound", id, err)
		}
	}
	claimJobs(t, s, want(10), 1)
}

func jobConflict(t *testing.T, s Stores, _ *Clock) {
	first, other, free := sampleJob(1, 1), sampleJob(2, 1), sampleJob(3, 1)
	first.Idempotency, other.Idempotency = "k", "k"
	other.Hash = [32]byte{1}
	submitJobs(t, s, first)
	got, err := s.Jobs.Submit(t.Context(), []job.Submission{other, free})
	must(t, err)
	if !errors.Is(got[0].Err, job.ErrConflict) || got[1].Err != nil || got[1].Job.ID != jobID(3) {
		t.Errorf("got %+v, want a conflict, and the other kept", got)
	}
}

func jobIdempotencyEnds(t *testing.T, s Stores, clock *Clock) {
	first, second, third := singleJob(1), singleJob(2), singleJob(3)
	for _, one := range []*job.Submission{&first, &second, &third} {
		one.Idempotency = "k"
	}
	submitJobs(t, s, first)
	clock.Advance(job.Remember - time.Microsecond)
	got, err := s.Jobs.Submit(t.Context(), []job.Submission{second})
	must(t, err)
	if !got[0].Again {
		t.Errorf("within a day: got %+v, want the first job", got[0])
	}
	clock.Advance(time.Microsecond)
	second.Hash = [32]byte{1}
	submitJobs(t, s, second)
	third.Hash = second.Hash
	got, err = s.Jobs.Submit(t.Context(), []job.Submission{third})
	must(t, err)
	if !got[0].Again || got[0].Job.ID != jobID(2) {
		t.Errorf("after a day: got %+v, want the second job", got[0])
	}
	wantJob(t, s, jobID(1), job.Pending, job.Progress{Total: 1})
}

func jobIdempotencyTeams(t *testing.T, s Stores, _ *Clock) {
	mine, theirs := singleJob(1), singleJob(2)
	mine.Idempotency, theirs.Idempotency, theirs.Job.Team, theirs.Hash = "k", "k", "beta", [32]byte{1}
	submitJobs(t, s, mine, theirs)
}

func jobIdempotencyRace(t *testing.T, s Stores, _ *Clock) {
	const callers, keys = 64, 4
	var made [keys]atomic.Int64
	var ids [keys]atomic.Value
	must(t, together(callers, func(i int) error {
		k := i % keys
		one := sampleJob(i, 2)
		one.Idempotency = fmt.Sprint("key ", k)
		other := one // One of another hash goes with it in the same call.
		other.Job.ID, other.Hash = jobID(1000+i), [32]byte{1}
		got, err := s.Jobs.Submit(context.Background(), []job.Submission{one, other})
		if err != nil {
			return err
		}
		if !got[0].Again {
			made[k].Add(1)
		}
		if got[0].Err != nil || !errors.Is(got[1].Err, job.ErrConflict) {
			return fmt.Errorf("got %+v, want a job and a conflict", got)
		}
		if before := ids[k].Swap(got[0].Job.ID); before != nil && before != got[0].Job.ID {
			return fmt.Errorf("one got the job %v, another %s", before, got[0].Job.ID)
		}
		return nil
	}))
	for k := range keys {
		if made[k].Load() != 1 {
			t.Errorf("key %d: %d were made, want 1", k, made[k].Load())
		}
	}
	claimJobs(t, s, want(1000), 2*keys)
}

func jobSubmitCancelled(t *testing.T, s Stores, _ *Clock) {
	one := singleJob(1)
	one.Idempotency = "k"
	_, err := s.Jobs.Submit(cancelled(), []job.Submission{one})
	wantCancelled(t, "Submit", err)
	if _, err := s.Jobs.Job(t.Context(), key.AllTeams(), jobID(1)); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	one.Job.ID = jobID(2)
	submitJobs(t, s, one)
}

// parts cuts a job's items as an upload sends them.
func parts(s job.Submission) []job.Item {
	for n := range s.Items {
		s.Items[n].N = n
	}
	return s.Items
}

func begin(t *testing.T, s Stores, one job.Submission) {
	t.Helper()
	items := one.Items
	one.Items = nil
	must(t, s.Jobs.Begin(t.Context(), one))
	one.Items = items
}

func uploadUnseen(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 3)
	begin(t, s, one)
	must(t, s.Jobs.Append(t.Context(), one.Job.ID, parts(one)))
	claimJobs(t, s, want(10), 0)
	reach := key.AllTeams()
	_, read := s.Jobs.Job(t.Context(), reach, one.Job.ID)
	_, items := s.Jobs.Items(t.Context(), reach, one.Job.ID, 0, 10)
	_, ended := s.Jobs.EndedItems(t.Context(), reach, one.Job.ID, 0, 10)
	_, cancel := s.Jobs.Cancel(t.Context(), reach, one.Job.ID)
	_, retry := s.Jobs.Retry(t.Context(), reach, one.Job.ID)
	for what, err := range map[string]error{"Job": read, "Items": items, "EndedItems": ended, "Cancel": cancel, "Retry": retry} {
		if !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%s of an upload: got %v, want ErrNotFound", what, err)
		}
	}
	list, _, err := s.Jobs.Jobs(t.Context(), reach, job.Filter{})
	must(t, err)
	if len(list) != 0 {
		t.Errorf("the list has %d jobs, want none", len(list))
	}
	waits, err := s.Jobs.Depth(t.Context())
	must(t, err)
	if len(waits) != 0 {
		t.Errorf("Depth gives %+v, want nothing", waits)
	}
	clock.Advance(resting / 2)
	reap(t, s, job.Reaped{})
}

func uploadIncomplete(t *testing.T, s Stores, _ *Clock) {
	one := sampleJob(1, 3)
	items := parts(one)
	begin(t, s, one)
	seal := func(total int) error {
		_, err := s.Jobs.Seal(t.Context(), one.Job.ID, total, one.Hash)
		return err
	}
	for _, step := range []struct {
		add   []job.Item
		total int
	}{{nil, 0}, {items[:1], 2}, {items[2:], 2}, {nil, 3}} {
		must(t, s.Jobs.Append(t.Context(), one.Job.ID, step.add))
		if err := seal(step.total); !errors.Is(err, job.ErrIncomplete) {
			t.Errorf("seal %d with %d more: got %v, want ErrIncomplete", step.total, len(step.add), err)
		}
	}
	must(t, s.Jobs.Append(t.Context(), one.Job.ID, items[1:2]))
	must(t, seal(3))
	for _, n := range []int{-1, job.MostItems} {
		if err := s.Jobs.Append(t.Context(), one.Job.ID, []job.Item{{N: n}}); err == nil {
			t.Errorf("item %d was kept, want an error", n)
		}
	}
}

func uploadTwice(t *testing.T, s Stores, _ *Clock) {
	one := sampleJob(1, 3)
	items := parts(one)
	begin(t, s, one)
	begin(t, s, one)
	other := items[0]
	other.Request = []byte("another")
	for _, part := range [][]job.Item{items[:2], items[1:], {other}} {
		must(t, s.Jobs.Append(t.Context(), one.Job.ID, part))
	}
	for range 2 {
		got, err := s.Jobs.Seal(t.Context(), one.Job.ID, 3, one.Hash)
		must(t, err)
		if got.Err != nil || got.Again || got.Job.State != job.Pending || got.Job.Progress.Total != 3 {
			t.Errorf("the seal: got %+v, want a pending job of 3", got)
		}
	}
	if got := theItems(t, s, one.Job.ID)[0]; string(got.Request) != string(items[0].Request) {
		t.Errorf("item 0 is %s, want what was sent first", got.Request)
	}
	begin(t, s, one) // Whose answer came late.
	if err := s.Jobs.Append(t.Context(), one.Job.ID, items); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("append to a job: got %v, want ErrNotFound", err)
	}
	wantJob(t, s, one.Job.ID, job.Pending, job.Progress{Total: 3})
}

func uploadSealed(t *testing.T, s Stores, clock *Clock) {
	one, sent := sampleJob(1, 5), sampleJob(2, 5)
	begin(t, s, one)
	must(t, s.Jobs.Append(t.Context(), one.Job.ID, parts(one)))
	clock.Advance(time.Minute)
	sealed, err := s.Jobs.Seal(t.Context(), one.Job.ID, 5, one.Hash)
	must(t, err)
	want := submitJobs(t, s, sent)[0]
	want.ID = one.Job.ID
	if diff := cmp.Diff(want, sealed.Job); diff != "" {
		t.Errorf("the seal's job differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, theJob(t, s, one.Job.ID)); diff != "" {
		t.Errorf("the sealed job differs (-want +got):\n%s", diff)
	}
	a, b := theItems(t, s, one.Job.ID), theItems(t, s, sent.Job.ID)
	for i := range a {
		b[i].Job = one.Job.ID
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("the sealed items differ (-want +got):\n%s", diff)
	}
	late := sampleJob(3, 1)
	late.Job.RunAt, late.Job.Deadline = clock.Now().Add(time.Hour), clock.Now().Add(3*time.Hour)
	begin(t, s, late)
	must(t, s.Jobs.Append(t.Context(), late.Job.ID, parts(late)))
	got, err := s.Jobs.Seal(t.Context(), late.Job.ID, 1, late.Hash)
	must(t, err)
	if !got.Job.RunAt.Equal(late.Job.RunAt) || !got.Job.Deadline.Equal(late.Job.Deadline) {
		t.Errorf("got %s and %s, want the times that were given", got.Job.RunAt, got.Job.Deadline)
	}
	for _, w := range claimJobs(t, s, job.Want{Worker: "w", Most: 20, Lease: leased, Classes: anyClass()}, 10) {
		if len(w.Item.Request) == 0 || w.Item.Name == "" {
			t.Errorf("%s was taken without its texts", placesOf([]job.Work{w}))
		}
	}
}

func uploadIdempotent(t *testing.T, s Stores, clock *Clock) {
	first, second, other := sampleJob(1, 1), sampleJob(2, 1), sampleJob(3, 1)
	for _, one := range []*job.Submission{&first, &second, &other} {
		one.Idempotency = "k"
		begin(t, s, *one)
		must(t, s.Jobs.Append(t.Context(), one.Job.ID, parts(*one)))
	}
	clock.Advance(time.Minute)
	for range 2 { // An answer that was lost is given again.
		for i, want := range []job.Submitted{{Again: false}, {Again: true}, {Err: job.ErrConflict}} {
			hash := [32]byte{9}
			if want.Err != nil {
				hash = [32]byte{8}
			}
			got, err := s.Jobs.Seal(t.Context(), jobID(i+1), 1, hash)
			must(t, err)
			if got.Again != want.Again || !errors.Is(got.Err, want.Err) || want.Err == nil && got.Job.ID != first.Job.ID {
				t.Errorf("seal %d: got %+v, want again %t, %v, the first job", i+1, got, want.Again, want.Err)
			}
		}
	}
	clock.Advance(job.Remember - time.Second)
	late := sampleJob(4, 1)
	late.Idempotency, late.Hash = "k", [32]byte{9}
	got, err := s.Jobs.Submit(t.Context(), []job.Submission{late})
	must(t, err)
	if !got[0].Again || got[0].Job.ID != first.Job.ID {
		t.Errorf("a submit with the upload's key: got %+v, want the first job", got[0])
	}
}

func uploadAbandoned(t *testing.T, s Stores, clock *Clock) {
	one := sampleJob(1, 3)
	items := parts(one)
	begin(t, s, one)
	clock.Advance(resting - time.Second)
	must(t, s.Jobs.Append(t.Context(), one.Job.ID, items[:2]))
	clock.Advance(resting - time.Second)
	reap(t, s, job.Reaped{})
	clock.Advance(time.Second)
	reap(t, s, job.Reaped{Abandoned: 1})
	_, seal := s.Jobs.Seal(t.Context(), one.Job.ID, 2, one.Hash)
	for what, err := range map[string]error{"Append": s.Jobs.Append(t.Context(), one.Job.ID, items[2:]), "Seal": seal} {
		if !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", what, err)
		}
	}
	begin(t, s, one) // It can be begun anew.
	must(t, s.Jobs.Append(t.Context(), one.Job.ID, items))
	_, err := s.Jobs.Seal(t.Context(), one.Job.ID, 3, one.Hash)
	must(t, err)
	claimJobs(t, s, want(10), 3)
}
