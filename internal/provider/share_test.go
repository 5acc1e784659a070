package provider_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/boardtest"
)

// replicas are processes with the same account, which tell each other how they find it. They run in a synctest bubble.
type replicas struct {
	board boardtest.Memory
	each  []*provider.Provider
	stops []func()
}

// replicate starts processes; each sees the service of its own, which may be the same.
func replicate(t *testing.T, change func(*provider.Account), services ...*service) *replicas {
	t.Helper()
	r := &replicas{}
	for i, s := range services {
		p := at(t, s, change)
		share := provider.NewSharing(provider.SharingConfig{Board: &r.board, Pool: provider.NewPool(p), Self: strconv.Itoa(i)})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- share.Run(ctx) }()
		r.each = append(r.each, p)
		r.stops = append(r.stops, sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run = %v, want nil", err)
			}
		}))
	}
	settled()
	return r
}

func (r *replicas) stop() {
	for _, stop := range r.stops {
		stop()
	}
}

// settled waits until everybody has heard of everybody.
func settled() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// fail opens a process's breaker.
func fail(t *testing.T, p *provider.Provider, s *service) {
	t.Helper()
	s.answers(broken)
	for range 4 {
		_ = ask(t, p, 0) //nolint:errcheck // It fails.
	}
	if got := standing(p).Breaker; got != provider.Open {
		t.Fatalf("the breaker is %s after four bad calls", got)
	}
}

func TestABreakerThatOpenedElsewhereOpensHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		r := replicate(t, nil, s, s, s)
		defer r.stop()
		fail(t, r.each[0], s)
		ends := standing(r.each[0]).OpenUntil
		settled()
		for i, p := range r.each {
			got := standing(p)
			if late := got.OpenUntil.Sub(ends); got.Breaker != provider.Open || late < 0 || late > 400*time.Millisecond {
				t.Errorf("process %d: %s until %s after the end of the one that opened, want open, with the same end", i, got.Breaker, late)
			}
			if got := p.Standing(&p.Models()[1]).Breaker; got != provider.Closed {
				t.Errorf("process %d: the other model is %s", i, got)
			}
		}
		before := s.requests()
		if err := ask(t, r.each[1], 0); !errors.Is(err, provider.ErrOpen) || s.requests() != before {
			t.Errorf("a call where another process found the model broken: %v, %d requests", err, s.requests()-before)
		}
		time.Sleep(20 * time.Second) // What is told again and again does not put off the end.
		for i, p := range r.each {
			if late := standing(p).OpenUntil.Sub(ends); late > 400*time.Millisecond {
				t.Errorf("process %d: the end was put off by %s", i, late)
			}
		}
	})
}

// TestOneProcessProbes lets every process ask all the time while a model comes back: one probe at a time in all of them, and when it is found well, all are told.
func TestOneProcessProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		r := replicate(t, nil, s, s, s, s)
		defer r.stop()
		fail(t, r.each[0], s)
		settled()
		var now, most, probes atomic.Int64
		s.answers(func(q *http.Request) *http.Response {
			probes.Add(1)
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			return after(5*time.Second, fine)(q)
		})
		time.Sleep(30 * time.Second)
		over, end := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for _, p := range r.each {
			callers.Go(func() {
				for standing(p).Breaker != provider.Closed && over.Err() == nil {
					_ = ask(t, p, 0) //nolint:errcheck // Most are refused.
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
		time.Sleep(15 * time.Second)
		end()
		callers.Wait()
		settled()
		for i, p := range r.each {
			if got := standing(p).Breaker; got != provider.Closed {
				t.Errorf("process %d: the breaker is %s after two good probes", i, got)
			}
		}
		if most.Load() != 1 {
			t.Errorf("%d probes at once, want one", most.Load())
		}
		if n := probes.Load(); n < 2 || n > 4 {
			t.Errorf("%d calls until it was found well, want the two probes and hardly more", n)
		}
	})
}

func TestABadProbeKeepsAllAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		r := replicate(t, nil, s, s)
		defer r.stop()
		fail(t, r.each[0], s)
		time.Sleep(31 * time.Second)
		before := s.requests()
		for range 100 { // Only the second process has callers: it gets the leave, and its probe fails.
			_ = ask(t, r.each[1], 0) //nolint:errcheck // It fails.
			time.Sleep(50 * time.Millisecond)
		}
		if n := s.requests() - before; n != 1 {
			t.Errorf("%d calls in 5 s, want one probe", n)
		}
		for i, p := range r.each {
			if got := standing(p); got.Breaker != provider.Open || time.Until(got.OpenUntil) < 20*time.Second {
				t.Errorf("process %d: %s for another %s, want it open anew", i, got.Breaker, time.Until(got.OpenUntil))
			}
		}
	})
}

// A process that is cut off from a service does not take it away from those that reach it.
func TestWhoReachesAServiceGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cut, whole := &service{answer: fine}, &service{answer: after(100*time.Millisecond, fine)}
		r := replicate(t, nil, cut, whole)
		defer r.stop()
		for range 20 {
			if err := ask(t, r.each[1], 0); err != nil {
				t.Fatal(err)
			}
		}
		fail(t, r.each[0], cut)
		for range 50 {
			if err := ask(t, r.each[1], 0); err != nil {
				t.Fatalf("a process that reaches the service: %v", err)
			}
		}
	})
}

func TestWaitsThatServicesAskForAreKeptByAll(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) *http.Response{
		"limited": limited("7"), "overloaded": func(*http.Request) *http.Response { return respond(503, "{}", "Retry-After", "7") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: answer}
				r := replicate(t, func(a *provider.Account) { a.Credentials = keys("only") }, s, s)
				defer r.stop()
				_ = ask(t, r.each[0], 0) //nolint:errcheck // It is a refusal.
				s.answers(fine)
				settled()
				err := ask(t, r.each[1], time.Minute)
				if failed := failure(t, err); !errors.Is(err, provider.ErrResting) || failed.Wait < 6*time.Second || failed.Wait > 6500*time.Millisecond || s.requests() != 1 {
					t.Errorf("in another process: %v, wait %s, %d requests", err, failed.Wait, s.requests())
				}
				time.Sleep(6500 * time.Millisecond)
				for _, p := range r.each {
					if err := ask(t, p, time.Minute); err != nil || standing(p).Rest != 0 {
						t.Errorf("afterwards: %v, %+v", err, standing(p))
					}
				}
			})
		})
	}
}

func TestACredentialRestsInAllProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		s.answers(func(q *http.Request) *http.Response {
			if q.Header.Get("Authorization") == "Bearer revoked" {
				return respond(401, "{}")
			}
			return tokens(1)
		})
		two := func(a *provider.Account) { a.Credentials = keys("revoked", "good") }
		r := replicate(t, two, s, s)
		defer r.stop()
		_ = ask(t, r.each[0], 0) //nolint:errcheck // It is refused.
		settled()
		for range 4 {
			if err := ask(t, r.each[1], 0); err != nil {
				t.Errorf("with the credential that another process found good: %v", err)
			}
		}
		if f := r.each[1].Figures(); f.CredentialsResting != 1 || f.Rests != 0 {
			t.Errorf("figures %+v, want one credential at rest, and no rest found here", f)
		}
	})
}

func TestCallsOfOthersCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 10
		s := &service{answer: after(20*time.Second, fine)}
		r := replicate(t, func(a *provider.Account) { a.MaxConcurrency = most }, s, s)
		defer r.stop()
		var calls sync.WaitGroup
		begin := func(p *provider.Provider, n int) {
			for range n {
				calls.Go(func() { _ = ask(t, p, time.Minute) }) //nolint:errcheck // What becomes of it is not looked at.
			}
			settled()
		}
		begin(r.each[0], 6)
		if got := standing(r.each[1]); got.InFlight != 6 || got.Limit != most {
			t.Errorf("standing %+v in the process that has no call, want the six of the other", got)
		}
		if n := r.each[1].InFlight(); n != 0 {
			t.Errorf("%d calls of this process, want none", n)
		}
		begin(r.each[1], 12)
		if s.most > most {
			t.Errorf("%d calls at once in both, want at most %d", s.most, most)
		}
		if got := standing(r.each[0]); got.InFlight != 18 {
			t.Errorf("standing %+v, want 18 calls, those that wait counted", got)
		}
		begin(r.each[0], 12)
		time.Sleep(21 * time.Second) // Those of the beginning have ended; both want more than there is.
		synctest.Wait()
		settled()
		if a, b := r.each[0].InFlight(), r.each[1].InFlight(); a == 0 || b == 0 {
			t.Errorf("%d and %d calls, want that neither starves", a, b)
		}
		calls.Wait()
		settled()
		for i, p := range r.each {
			if got := standing(p).InFlight; got != 0 {
				t.Errorf("process %d: %d calls at the end", i, got)
			}
		}
	})
}

func TestALimitThatWasFoundElsewhereHoldsHere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: limited("")}
		r := replicate(t, func(a *provider.Account) { a.MaxConcurrency = 20 }, s, s)
		defer r.stop()
		_ = ask(t, r.each[0], 0) //nolint:errcheck // It is a refusal.
		lowered := standing(r.each[0]).Limit
		settled()
		if got := standing(r.each[1]).Limit; lowered >= 20 || got != lowered {
			t.Errorf("the limit is %d where the service refused and %d in the other process, want both lowered", lowered, got)
		}
	})
}

func TestWithoutTheBoardEachGoesByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		r := replicate(t, func(a *provider.Account) { a.MaxConcurrency, a.Timeout = 4, 0 }, s, s)
		defer r.stop()
		s.answers(after(time.Hour, fine))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 3 {
			go func() { _, _, _ = r.each[0].Call(ctx, &r.each[0].Models()[0], question("x"), nil) }()
		}
		settled()
		r.board.Cut(true)
		time.Sleep(2 * provider.BoardFor)
		if got := standing(r.each[1]).InFlight; got != 0 {
			t.Errorf("%d calls of a process that is not heard of any more", got)
		}
		fail(t, r.each[1], s)
		if got := standing(r.each[0]).Breaker; got != provider.Closed {
			t.Errorf("the other process's breaker is %s", got)
		}
		time.Sleep(30 * time.Second)
		s.answers(fine)
		for range 2 {
			if err := ask(t, r.each[1], 0); err != nil {
				t.Errorf("a probe without the board: %v", err)
			}
		}
		if got := standing(r.each[1]).Breaker; got != provider.Closed {
			t.Errorf("after two good probes the breaker is %s", got)
		}
		r.board.Cut(false)
		settled()
		if got := standing(r.each[1]).InFlight; got != 3 {
			t.Errorf("%d calls when the board is back, want those of the other process", got)
		}
	})
}

func TestAProcessThatEndsTakesBackWhatItSaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: after(time.Hour, fine)}
		r := replicate(t, nil, s, s)
		defer r.stop()
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _, _ = r.each[0].Call(ctx, &r.each[0].Models()[0], question("x"), nil) }()
		settled()
		if got := standing(r.each[1]).InFlight; got != 1 {
			t.Errorf("%d calls, want the other process's", got)
		}
		r.stops[0]()
		cancel()
		settled()
		if got := standing(r.each[1]).InFlight; got != 0 {
			t.Errorf("%d calls of a process that has ended", got)
		}
	})
}
