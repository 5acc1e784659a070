package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func batchContracts() []contract {
	return []contract{
		{"a batch is kept with its items", batchKept},
		{"an item is in one batch", batchOnce},
		{"a batch that is held is nobody else's", batchHeld},
		{"a hold that has lapsed is taken over, and its holder writes nothing more", batchTakenOver},
		{"a batch is due when it was said to be", batchDue},
		{"the longest due is taken first, and as many as wanted", batchOrder},
		{"of several that take at once each batch goes to one", batchRace},
		{"what is known of a batch is saved whole", batchSaved},
		{"a batch waits for its owner before another takes it", batchOwned},
		{"who gives up its batches owns none", batchLeft},
		{"items that went on are not given again", batchEnded},
		{"closed batches are forgotten when they are old", batchForgotten},
		{"a cancelled call of batches changes nothing", batchCancelled},
	}
}

const batchLease = time.Minute

// sampleBatch is a batch with items, each of a job of its own.
func sampleBatch(label string, n int) (bulk.Batch, []bulk.Item) {
	b := bulk.Batch{Label: label, Stage: bulk.Sending, Provider: "p", Model: "m", Via: "0a0b", Items: n}
	var items []bulk.Item
	for i := range n {
		items = append(items, bulk.Item{
			N: i, Lease: job.Lease{Job: job.ID(label + "-job"), N: 10 + i, Token: fmt.Sprintf("token-%d", i)}, Team: "acme", Key: "key_1", Mode: lowering.Strict, Reserved: 1_000_000,
		})
	}
	return b, items
}

func keepBatch(t *testing.T, s Stores, label string, n int) (bulk.Batch, []bulk.Item) {
	t.Helper()
	b, items := sampleBatch(label, n)
	must(t, s.Batches.Keep(t.Context(), b, items, "one", batchLease))
	b.Owner = "one"
	return b, items
}

// take takes what is due.
func takeBatches(t *testing.T, s Stores, holder string, most int) []bulk.Batch {
	t.Helper()
	list, err := s.Batches.Take(t.Context(), holder, batchLease, 0, most)
	must(t, err)
	return list
}

func labels(list []bulk.Batch) []string {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Label
	}
	return names
}

func batchKept(t *testing.T, s Stores, clock *Clock) {
	b, items := keepBatch(t, s, "b-1", 3)
	must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	clock.Advance(time.Second)
	list := takeBatches(t, s, "two", 10)
	b.CreatedAt = start()
	if diff := cmp.Diff([]bulk.Batch{b}, list); diff != "" {
		t.Errorf("the batch differs (-want +got):\n%s", diff)
	}
	got, err := s.Batches.Items(t.Context(), "b-1", 0, 10)
	must(t, err)
	if diff := cmp.Diff(items, got); diff != "" {
		t.Errorf("its items differ (-want +got):\n%s", diff)
	}
	if got, err = s.Batches.Items(t.Context(), "b-1", 1, 1); err != nil || len(got) != 1 || got[0].N != 1 {
		t.Errorf("the second item by itself: %v, %v", got, err)
	}
	if got, err = s.Batches.Items(t.Context(), "b-2", 0, 10); err != nil || len(got) != 0 {
		t.Errorf("the items of a batch that is not there: %v, %v", got, err)
	}
}

func batchOnce(t *testing.T, s Stores, _ *Clock) {
	_, items := keepBatch(t, s, "b-1", 2)
	other, more := sampleBatch("b-2", 2)
	more[1].Lease = items[0].Lease
	if err := s.Batches.Keep(t.Context(), other, more, "one", batchLease); !errors.Is(err, bulk.ErrTried) {
		t.Errorf("got the error %v, want ErrTried", err)
	}
	for _, c := range []struct {
		of   job.Lease
		want bool
	}{{items[0].Lease, true}, {items[1].Lease, true}, {more[0].Lease, false}, {job.Lease{Job: items[0].Lease.Job, N: 99}, false}} {
		if got, err := s.Batches.Tried(t.Context(), c.of.Job, c.of.N); err != nil || got != c.want {
			t.Errorf("item %d of %s was tried: %t (%v), want %t", c.of.N, c.of.Job, got, err, c.want)
		}
	}
	if got, err := s.Batches.Items(t.Context(), "b-2", 0, 10); err != nil || len(got) != 0 {
		t.Errorf("the batch that was refused has %d items (%v)", len(got), err)
	}
}

func batchHeld(t *testing.T, s Stores, clock *Clock) {
	b, _ := keepBatch(t, s, "b-1", 1)
	if list := takeBatches(t, s, "two", 10); len(list) != 0 {
		t.Errorf("another took %v", labels(list))
	}
	must(t, s.Batches.Save(t.Context(), b, "one", 0, batchLease)) // It is known more, and held on.
	clock.Advance(batchLease - time.Second)
	must(t, s.Batches.Hold(t.Context(), "b-1", "one", batchLease))
	clock.Advance(batchLease - time.Second)
	if list := takeBatches(t, s, "two", 10); len(list) != 0 {
		t.Errorf("another took %v, which is held on", labels(list))
	}
	if err := s.Batches.Hold(t.Context(), "b-1", "two", batchLease); !errors.Is(err, bulk.ErrLost) {
		t.Errorf("another holds it: %v", err)
	}
	if err := s.Batches.Save(t.Context(), b, "two", 0, batchLease); !errors.Is(err, bulk.ErrLost) {
		t.Errorf("another saves it: %v", err)
	}
}

func batchTakenOver(t *testing.T, s Stores, clock *Clock) {
	b, _ := keepBatch(t, s, "b-1", 1)
	clock.Advance(batchLease)
	if list := takeBatches(t, s, "two", 10); len(list) != 1 {
		t.Fatalf("another took %v, want b-1", labels(list))
	}
	if err := s.Batches.Save(t.Context(), b, "one", time.Second, batchLease); !errors.Is(err, bulk.ErrLost) {
		t.Errorf("the first one saves: %v", err)
	}
	if err := s.Batches.Hold(t.Context(), "b-1", "one", batchLease); !errors.Is(err, bulk.ErrLost) {
		t.Errorf("the first one holds: %v", err)
	}
	must(t, s.Batches.Hold(t.Context(), "b-1", "two", batchLease))
}

func batchDue(t *testing.T, s Stores, clock *Clock) {
	b, _ := keepBatch(t, s, "b-1", 1)
	must(t, s.Batches.Save(t.Context(), b, "one", time.Minute, batchLease))
	clock.Advance(time.Minute - time.Second)
	if list := takeBatches(t, s, "one", 10); len(list) != 0 {
		t.Errorf("taken too early: %v", labels(list))
	}
	clock.Advance(time.Second)
	if list := takeBatches(t, s, "one", 10); len(list) != 1 {
		t.Error("it is due, and not taken")
	}
	b.Stage = bulk.Closed
	must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	clock.Advance(time.Hour)
	if list := takeBatches(t, s, "one", 10); len(list) != 0 {
		t.Errorf("taken though it is closed: %v", labels(list))
	}
}

func batchOrder(t *testing.T, s Stores, clock *Clock) {
	for i, label := range []string{"b-3", "b-1", "b-2"} {
		b, _ := keepBatch(t, s, label, 1)
		must(t, s.Batches.Save(t.Context(), b, "one", time.Duration(i+1)*time.Second, batchLease))
	}
	clock.Advance(time.Minute)
	if got := labels(takeBatches(t, s, "one", 2)); !slices.Equal(got, []string{"b-3", "b-1"}) {
		t.Errorf("first %v, want b-3 and b-1", got)
	}
	if got := labels(takeBatches(t, s, "one", 2)); !slices.Equal(got, []string{"b-2"}) {
		t.Errorf("then %v, want b-2", got)
	}
}

func batchRace(t *testing.T, s Stores, clock *Clock) {
	const batches, takers = 12, 6
	for i := range batches {
		b, _ := keepBatch(t, s, fmt.Sprintf("b-%02d", i), 1)
		must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	}
	clock.Advance(time.Minute)
	taken := make([][]bulk.Batch, takers)
	must(t, together(takers, func(i int) error {
		var err error
		for range batches {
			list, failed := s.Batches.Take(t.Context(), fmt.Sprintf("taker-%d", i), batchLease, 0, 1)
			taken[i] = append(taken[i], list...)
			err = errors.Join(err, failed)
		}
		return err
	}))
	seen := map[string]int{}
	for _, list := range taken {
		for _, label := range labels(list) {
			seen[label]++
		}
	}
	if len(seen) != batches {
		t.Errorf("%d batches were taken, want %d", len(seen), batches)
	}
	for label, n := range seen {
		if n != 1 {
			t.Errorf("%s was taken by %d", label, n)
		}
	}
}

func batchSaved(t *testing.T, s Stores, clock *Clock) {
	b, _ := keepBatch(t, s, "b-1", 1)
	for _, text := range strange() {
		b.Stage, b.Via, b.ID, b.InputFile, b.OutputFile, b.ErrorFile, b.Code = bulk.Open, text, text, text, text, text, text
		b.Looks, b.Failures, b.Cancelled, b.Forfeited, b.Owner = b.Looks+1, 7, !b.Cancelled, !b.Forfeited, text
		b.ExpiresAt = start().Add(time.Hour)
		must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
		clock.Advance(time.Second)
		list := takeBatches(t, s, "one", 1)
		b.CreatedAt = start()
		if diff := cmp.Diff([]bulk.Batch{b}, list); diff != "" {
			t.Errorf("the batch differs (-want +got):\n%s", diff)
		}
	}
	b.ExpiresAt = time.Time{}
	must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	clock.Advance(time.Second)
	if list := takeBatches(t, s, "one", 1); len(list) != 1 || !list[0].ExpiresAt.IsZero() {
		t.Errorf("a time that is not known became %v", list)
	}
}

func batchOwned(t *testing.T, s Stores, clock *Clock) {
	const lag = 10 * time.Second
	b, _ := keepBatch(t, s, "b-1", 1)
	must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	take := func(holder string) []string {
		t.Helper()
		list, err := s.Batches.Take(t.Context(), holder, batchLease, lag, 10)
		must(t, err)
		return labels(list)
	}
	clock.Advance(time.Second + lag - time.Microsecond)
	if got := take("two"); len(got) != 0 {
		t.Errorf("another took %v before the lag was over", got)
	}
	if got := take("one"); len(got) != 1 {
		t.Error("its owner does not get it")
	}
	must(t, s.Batches.Save(t.Context(), b, "one", time.Second, batchLease))
	clock.Advance(time.Second + lag)
	if got := take("two"); len(got) != 1 {
		t.Error("another does not get it when the lag is over")
	}
	owned, err := s.Batches.Owned(t.Context(), "one")
	if must(t, err); !slices.Equal(owned, []string{"b-1"}) {
		t.Errorf("one owns %v: to take a batch is not to own it", owned)
	}
	b.Owner = "two"
	must(t, s.Batches.Save(t.Context(), b, "two", 0, batchLease))
	if owned, err = s.Batches.Owned(t.Context(), "one"); err != nil || len(owned) != 0 {
		t.Errorf("one owns %v (%v), which is two's", owned, err)
	}
}

func batchLeft(t *testing.T, s Stores, clock *Clock) {
	keepBatch(t, s, "b-1", 1)
	closed, _ := keepBatch(t, s, "b-2", 1)
	closed.Stage = bulk.Closed
	must(t, s.Batches.Save(t.Context(), closed, "one", time.Second, batchLease))
	must(t, s.Batches.Leave(t.Context(), "two"))
	if owned, err := s.Batches.Owned(t.Context(), "one"); err != nil || !slices.Equal(owned, []string{"b-1"}) {
		t.Errorf("one owns %v (%v), want b-1: b-2 is closed", owned, err)
	}
	must(t, s.Batches.Leave(t.Context(), "one"))
	if owned, err := s.Batches.Owned(t.Context(), "one"); err != nil || len(owned) != 0 {
		t.Errorf("one owns %v (%v), and gave them up", owned, err)
	}
	clock.Advance(batchLease)
	list, err := s.Batches.Take(t.Context(), "two", batchLease, time.Hour, 10)
	if must(t, err); len(list) != 1 || list[0].Owner != "" {
		t.Errorf("two gets %v, want b-1, for which nobody is waited", labels(list))
	}
}

func batchEnded(t *testing.T, s Stores, _ *Clock) {
	_, items := keepBatch(t, s, "b-1", 4)
	must(t, s.Batches.End(t.Context(), "b-1", []int{0, 2}))
	must(t, s.Batches.End(t.Context(), "b-1", []int{2, 99}))
	must(t, s.Batches.End(t.Context(), "b-1", nil))
	got, err := s.Batches.Items(t.Context(), "b-1", 0, 10)
	must(t, err)
	if diff := cmp.Diff([]bulk.Item{items[1], items[3]}, got); diff != "" {
		t.Errorf("what is left differs (-want +got):\n%s", diff)
	}
	if tried, err := s.Batches.Tried(t.Context(), items[0].Lease.Job, items[0].Lease.N); err != nil || !tried {
		t.Errorf("an item that went on was tried: %t, %v", tried, err)
	}
}

func batchForgotten(t *testing.T, s Stores, clock *Clock) {
	const keep = time.Hour
	closed, _ := keepBatch(t, s, "b-closed", 1)
	closed.Stage = bulk.Closed
	must(t, s.Batches.Save(t.Context(), closed, "one", time.Second, batchLease))
	keepBatch(t, s, "b-open", 1)
	clock.Advance(keep - time.Second)
	if n, err := s.Batches.Forget(t.Context(), keep, 10); err != nil || n != 0 {
		t.Errorf("%d were forgotten too early (%v)", n, err)
	}
	clock.Advance(time.Second)
	if n, err := s.Batches.Forget(t.Context(), keep, 10); err != nil || n != 1 {
		t.Errorf("%d were forgotten (%v), want the one that is closed", n, err)
	}
	for label, want := range map[string]bool{"b-closed": false, "b-open": true} {
		if tried, err := s.Batches.Tried(t.Context(), job.ID(label+"-job"), 10); err != nil || tried != want {
			t.Errorf("the item of %s is remembered: %t (%v), want %t", label, tried, err, want)
		}
	}
}

func batchCancelled(t *testing.T, s Stores, clock *Clock) {
	kept, items := keepBatch(t, s, "b-1", 1)
	b, more := sampleBatch("b-2", 1)
	wantCancelled(t, "Keep", s.Batches.Keep(cancelled(), b, more, "one", batchLease))
	wantCancelled(t, "Save", s.Batches.Save(cancelled(), kept, "one", time.Second, batchLease))
	wantCancelled(t, "Hold", s.Batches.Hold(cancelled(), "b-1", "one", time.Hour))
	wantCancelled(t, "End", s.Batches.End(cancelled(), "b-1", []int{0}))
	clock.Advance(batchLease)
	_, err := s.Batches.Take(cancelled(), "two", batchLease, 0, 1)
	wantCancelled(t, "Take", err)
	if list := takeBatches(t, s, "two", 10); len(list) != 1 {
		t.Errorf("%v are there, want b-1", labels(list))
	}
	if got, err := s.Batches.Items(t.Context(), "b-1", 0, 10); err != nil || len(got) != len(items) {
		t.Errorf("%d items are left (%v)", len(got), err)
	}
}
