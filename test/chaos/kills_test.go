package chaos

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/test/history"
)

// TestKills is the whole of it: load, and everything dies, again and again. What was accepted is finished, once; each end is told under one webhook-id; and what
// was charged is what the service says, and no more than what killed processes held beside it.
//
// The short form takes two minutes. make chaos runs the long one: CHAOS_JOBS jobs, CHAOS_KILLS kills of each kind. CHAOS_SEED repeats a schedule.
func TestKills(t *testing.T) {
	jobs, kills, gap := number(t, "CHAOS_JOBS", 400), number(t, "CHAOS_KILLS", 2), 12*time.Second
	s := size{kills: kills, pauses: 1, restarts: 1, cuts: 1, delays: 1, gap: 6 * time.Second}
	if kills > 4 {
		s = size{kills: kills, pauses: kills / 4, restarts: kills / 8, cuts: kills / 6, delays: kills / 10, gap: gap}
	}
	seed := rand.Uint64()
	if text := os.Getenv("CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	w := newWorld(t, setting{apis: 2, workers: 3})
	w.provider.ill, w.receiver.ill = true, true
	lanes := plan(seed, s, 2, 3)
	t.Logf("CHAOS_SEED=%d CHAOS_JOBS=%d CHAOS_KILLS=%d", seed, jobs, kills)
	var longest time.Duration
	for _, l := range lanes {
		t.Log(l)
		longest = max(longest, l.nominal())
	}
	c := newCaller(w)
	b := newBook(c, jobs, seed)
	a := &adversary{w: w}
	var faults, load sync.WaitGroup
	begun := time.Now()
	faults.Go(func() { a.run(lanes) })
	stop := make(chan struct{})
	load.Go(func() { b.submitAll(longest) })
	load.Go(func() { b.chatUntil(stop) })
	faults.Wait()
	close(stop)
	load.Wait()
	t.Logf("faults and submissions took %s: %v", time.Since(begun).Round(time.Second), a.done)
	for _, err := range a.errs {
		t.Error(err)
	}
	b.drain(t, 10*time.Minute)
	var more []history.Event
	t.Logf("everything was over after %s; callers saw %v", time.Since(begun).Round(time.Second), c.counts)
	for _, s := range a.stood {
		more = append(more, history.Event{At: s.from.Sub(w.begun), Kind: history.Frozen, Process: s.process}, history.Event{At: s.to.Sub(w.begun), Kind: history.Thawed, Process: s.process})
	}
	more = append(more, w.settle(t, a)...)
	b.c.base = w.of("api")[0].url // The others have ended.
	b.judgeWith(t, more)
	slices.Sort(c.faults)
	for _, fault := range c.faults {
		t.Error(fault)
	}
}
