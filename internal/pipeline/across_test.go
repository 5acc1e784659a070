package pipeline

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/cachetest"
	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// fleet gives the pipelines of several processes that share a provider, a tier and a lock.
func fleet(t *testing.T, n int, lock cache.Lock) []*harness {
	t.Helper()
	answers, err := memory.New(memory.Config{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	r := rig{deps: func(d *Deps) {
		d.Cache = answers
		d.Turns = cache.NewTurns(lock, answers)
	}}
	all := []*harness{setup(t, r)}
	for len(all) < n {
		transport := provider.Transport()
		t.Cleanup(transport.CloseIdleConnections)
		h := assemble(t, rig{deps: r.deps, transport: transport}, all[0].service.URL())
		h.service = all[0].service
		all = append(all, h)
	}
	return all
}

type outcomeOf struct {
	a   *Answer
	err error
}

// askAll has several callers of each process ask the same, and gives the answers by process.
func askAll(t *testing.T, all []*harness, callers int, body string) (wait func() [][]outcomeOf) {
	t.Helper()
	got := make([][]outcomeOf, len(all))
	var group sync.WaitGroup
	for i, h := range all {
		got[i] = make([]outcomeOf, callers)
		for j := range callers {
			group.Go(func() {
				a, err := h.askAs(context.Background(), t, h.who, body)
				got[i][j] = outcomeOf{a, err}
			})
		}
	}
	return func() [][]outcomeOf {
		group.Wait()
		return got
	}
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for !so() {
		if t.Context().Err() != nil {
			t.Fatal("it was never so")
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // The scripted provider runs outside of fake time.
	}
}

func TestProcessesShareOneCall(t *testing.T) {
	t.Parallel()
	all := fleet(t, 3, &cachetest.Locks{})
	hold := make(chan struct{})
	all[0].service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	const callers = 5
	wait := askAll(t, all, callers, request(small, `"language_detection":true`))
	await(t, func() bool {
		for _, h := range all {
			if h.counted.of("cache miss") < callers || h.coalesce.group.InFlight() == 0 {
				return false
			}
		}
		return all[0].service.InFlight() > 0
	})
	close(hold)
	paid, stored := 0, 0
	for i, of := range wait() {
		stored += all[i].counted.of("cache store")
		for _, o := range of {
			if o.err != nil {
				t.Fatal(o.err)
			}
			if o.a.Valid.Value().String() != `{"n":7}` || o.a.Language == nil || o.a.Language.Code != "en" {
				t.Errorf("got %s", o.a.Append(nil))
			}
			if !o.a.Coalesced && !o.a.Cached {
				paid++
				continue
			}
			if len(o.a.Attempts) != 0 || o.a.Cost.Nano != 0 {
				t.Errorf("an answer of another's call has attempts or a cost: %s", o.a.Append(nil))
			}
		}
	}
	if paid != 1 || stored != 1 || all[0].service.Requests() != 1 {
		t.Errorf("%d answers were paid for by %d calls and stored %d times, want one each", paid, all[0].service.Requests(), stored)
	}
	if a := all[1].must(t, request(small, `"language_detection":true`)); !a.Cached || a.Language.Code != "en" {
		t.Errorf("asked again: %s", a.Append(nil))
	}
}

// TestProcessesGoAloneWhereTheFirstFails: nobody waits for one failure after the other.
func TestProcessesGoAloneWhereTheFirstFails(t *testing.T) {
	t.Parallel()
	all := fleet(t, 3, &cachetest.Locks{})
	hold := make(chan struct{})
	all[0].service.Queue(providertest.Reply{Status: 400, Hold: hold})
	body := request(small, `"max_attempts":1`)
	wait := askAll(t, all, 1, body)
	await(t, func() bool {
		for _, h := range all {
			if h.counted.of("cache miss") < 1 {
				return false
			}
		}
		return all[0].service.InFlight() == 1
	})
	all[0].service.Queue(says(`{"n":7}`), says(`{"n":7}`))
	close(hold)
	failed := 0
	for _, of := range wait() {
		switch o := of[0]; {
		case o.err != nil:
			failed++
		case o.a.Valid.Value().String() != `{"n":7}`:
			t.Errorf("got %s", o.a.Append(nil))
		}
	}
	if n := all[0].service.Requests(); failed != 1 || n != 3 {
		t.Errorf("%d processes failed and %d calls were made, want 1 and 3", failed, n)
	}
}

// TestBrokenLockCostsNothingButACall: every process makes its own.
func TestBrokenLockCostsNothingButACall(t *testing.T) {
	t.Parallel()
	lock := &cachetest.Locks{}
	lock.Break(errors.New("away"))
	all := fleet(t, 2, lock)
	hold := make(chan struct{})
	for range all {
		all[0].service.Queue(providertest.Reply{Text: `{"n":7}`, Hold: hold})
	}
	wait := askAll(t, all, 2, request(small, ``))
	await(t, func() bool { return all[0].service.InFlight() == 2 })
	close(hold)
	for _, of := range wait() {
		for _, o := range of {
			if o.err != nil || o.a.Valid.Value().String() != `{"n":7}` {
				t.Errorf("got %v, %v", o.a, o.err)
			}
		}
	}
}

// TestWaitingForAnotherProcessLeavesTimeForAnOwnCall: the leader is dead and its lease does not end in time.
func TestWaitingForAnotherProcessLeavesTimeForAnOwnCall(t *testing.T) {
	t.Parallel()
	lock := &dead{}
	h := fleet(t, 1, lock)[0]
	h.service.Queue(says(`{"n":7}`))
	a := h.must(t, request(small, `"timeout_ms":2000`))
	if a.Coalesced || a.Valid.Value().String() != `{"n":7}` || a.Processing < 900*time.Millisecond {
		t.Errorf("got %s after %s, want an own answer after half of the time", a.Append(nil), a.Processing)
	}
	if a.Overhead > 500*time.Millisecond {
		t.Errorf("the wait for another process counts as promptd's own: %s", a.Overhead)
	}
	if f := h.refused(t, `{"prompt":"x","schema":{"type":"object","$ref":"#/nowhere"}}`, fault.InvalidSchema); len(f.Attempts) != 0 {
		t.Errorf("a refused request has attempts: %v", f.Attempts)
	}
}

// dead is a lock that somebody holds for ever.
type dead struct{ cachetest.Locks }

func (*dead) Take(context.Context, cache.Key, string, time.Duration) (string, error) {
	return "somebody", nil
}

func (*dead) Look(context.Context, cache.Key, string) (cache.Ending, error) { return cache.Leads, nil }

// TestFailureIsNotShared: what is no passed answer is not stored, and who comes later asks anew.
func TestFailureIsNotShared(t *testing.T) {
	t.Parallel()
	all := fleet(t, 2, &cachetest.Locks{})
	all[0].service.Queue(providertest.Reply{Status: 500}, says(`{"n":7}`))
	// The first process fails and says so; the second has its own answer, which the first then finds.
	if _, err := all[0].ask(t, request(small, `"max_attempts":1`)); err == nil {
		t.Fatal("the first process has an answer")
	}
	if a := all[1].must(t, request(small, `"max_attempts":1`)); a.Coalesced || a.Cached {
		t.Errorf("the second process has %s", a.Append(nil))
	}
	if a := all[0].must(t, request(small, `"max_attempts":1`)); !a.Cached {
		t.Errorf("the first process has %s, want the stored answer", a.Append(nil))
	}
}
