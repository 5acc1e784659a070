package provider_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

// ask calls the first model with a deadline, 0 is none.
func ask(tb testing.TB, p *provider.Provider, deadline time.Duration) error {
	tb.Helper()
	return askFor(tb, p, 0, deadline)
}

func askFor(tb testing.TB, p *provider.Provider, model int, deadline time.Duration) error {
	tb.Helper()
	ctx, cancel := tb.Context(), context.CancelFunc(func() {})
	if deadline > 0 {
		ctx, cancel = context.WithTimeout(ctx, deadline)
	}
	defer cancel()
	_, _, err := p.Call(ctx, &p.Models()[model], question("x"), nil)
	return err
}

func standing(p *provider.Provider) provider.Standing { return p.Standing(&p.Models()[0]) }

func TestABrokenModelIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: broken}
		p := at(t, s, nil)
		for range 4 {
			if err := ask(t, p, 0); errors.Is(err, provider.ErrNotSent) {
				t.Fatal(err)
			}
		}
		err := ask(t, p, 0)
		if failed := failure(t, err); !errors.Is(err, provider.ErrOpen) || !errors.Is(err, provider.ErrNotSent) || failed.Wait != 30*time.Second || s.requests() != 4 {
			t.Fatalf("after four bad calls: %v, wait %s, %d requests", err, failed.Wait, s.requests())
		}
		if got := standing(p); got.Breaker != provider.Open || !got.OpenUntil.Equal(time.Now().Add(30*time.Second)) || got.Success != 0 || got.Calls != 4 {
			t.Errorf("standing %+v", got)
		}
		if err := askFor(t, p, 1, 0); errors.Is(err, provider.ErrNotSent) {
			t.Errorf("the other model: %v", err)
		}

		time.Sleep(30 * time.Second)
		if got := standing(p); got.Breaker != provider.HalfOpen || !got.OpenUntil.IsZero() {
			t.Errorf("after open_for: %+v", got)
		}
		before := s.requests()
		if err := ask(t, p, 0); errors.Is(err, provider.ErrNotSent) {
			t.Errorf("the probe: %v", err)
		}
		if err := ask(t, p, 0); !errors.Is(err, provider.ErrOpen) || s.requests() != before+1 {
			t.Errorf("after a bad probe: %v, %d requests", err, s.requests()-before)
		}

		time.Sleep(30 * time.Second)
		s.answers(after(time.Second, fine))
		go func() { _ = ask(t, p, 0) }() //nolint:errcheck // It is the probe.
		synctest.Wait()
		if got := standing(p); got.Breaker != provider.Open || !got.OpenUntil.Equal(time.Now()) {
			t.Errorf("while a probe is under way: %+v", got)
		}
		time.Sleep(2 * time.Second)
		s.answers(fine)
		if err := ask(t, p, 0); err != nil {
			t.Errorf("a good probe: %v", err)
		}
		if got := standing(p); got.Breaker != provider.Closed {
			t.Errorf("after two good probes: %+v", got)
		}
	})
}

// A dead host that takes connections and never answers opens the breaker; the short deadlines of a caller at a healthy one do not, and neither do callers who go away.
func TestTimeoutsCountWhereTheServiceHadTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: hung}
		p := at(t, s, nil)
		for range 20 {
			if got := failure(t, ask(t, p, 500*time.Millisecond)).Outcome; got != dialect.Timeout {
				t.Fatalf("a short deadline: %s", got)
			}
		}
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, cancel)
			if _, a, _ := p.Call(ctx, &p.Models()[0], question("x"), nil); a.Outcome != dialect.Cancelled {
				t.Fatalf("cancelled: %s", a.Outcome)
			}
		}
		if got := standing(p); got.Breaker != provider.Closed || got.Calls != 0 || got.Success != 1 {
			t.Errorf("short deadlines and cancellations count: %+v", got)
		}
		for range 4 {
			_ = ask(t, p, 2*time.Second) //nolint:errcheck // It is a timeout.
		}
		if got := standing(p); got.Breaker != provider.Open {
			t.Errorf("after four fair timeouts: %+v", got)
		}

		// Answers take 3 s: with less time than that silence says nothing, however often.
		s.answers(after(3*time.Second, fine))
		slow := at(t, s, nil)
		for range 10 {
			if err := ask(t, slow, 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := standing(slow).Latency; got.P95 < 2800*time.Millisecond || got.P95 > 3200*time.Millisecond {
			t.Errorf("answers take 3 s, the sketch says %v", got)
		}
		for range 40 {
			_ = ask(t, slow, 2500*time.Millisecond) //nolint:errcheck // It is a timeout.
		}
		if got := standing(slow); got.Breaker != provider.Closed || got.Calls != 0 {
			t.Errorf("after timeouts that were too short: %+v", got)
		}
	})
}

// Halved deadlines may be shorter than the slowest answers. Now and then such a timeout is nothing; when nobody gets an answer any more, the service hangs.
func TestSilenceInARowCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{}
		n := 0
		s.answers(func(r *http.Request) *http.Response { // Half take 2 s, half 8 s.
			n++
			return after(time.Duration(2+6*(n%2))*time.Second, fine)(r)
		})
		p := at(t, s, nil)
		for range 20 {
			if err := ask(t, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		for range 20 {
			_ = ask(t, p, 5*time.Second) //nolint:errcheck // Every other is a timeout.
		}
		if got := standing(p); got.Breaker != provider.Closed || got.Success != 1 {
			t.Errorf("every other call is too slow for its deadline: %+v", got)
		}
		s.answers(hung)
		for range 40 {
			_ = ask(t, p, 5*time.Second) //nolint:errcheck // It is a timeout.
		}
		if got := standing(p); got.Breaker == provider.Closed {
			t.Errorf("nobody gets an answer: %+v", got)
		}
	})
}

func TestAQueueIsBoundedByTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: after(time.Second, fine)}
		p := at(t, s, func(a *provider.Account) { a.MaxConcurrency = 2 })
		var wg sync.WaitGroup
		for range 6 { // Three rounds of two.
			wg.Go(func() {
				if err := ask(t, p, 10*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(1500 * time.Millisecond) // One round is over, so it is known how long a call takes; two wait.
		if got := standing(p); got.InFlight != 4 || got.Limit != 2 {
			t.Errorf("standing %+v", got)
		}
		began := time.Now()
		err := ask(t, p, 1200*time.Millisecond) // Its turn would be in 1.5 s.
		if failed := failure(t, err); !errors.Is(err, provider.ErrBusy) || failed.Outcome != dialect.OverloadedProvider || failed.Wait != 1500*time.Millisecond || time.Since(began) != 0 {
			t.Errorf("who can't be served is told after %s: %v, wait %s", time.Since(began), err, failed.Wait)
		}
		wg.Wait()
		if s.most != 2 || s.requests() != 6 || standing(p).InFlight != 0 || standing(p).Calls != 6 {
			t.Errorf("%d at once, %d requests, %+v", s.most, s.requests(), standing(p))
		}
	})
}

func TestTheLimitFollowsTheService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: limited("")}
		p := at(t, s, func(a *provider.Account) { a.MaxConcurrency = 64 })
		for want := 64; want > 1; {
			burst := make([]error, want)
			var wg sync.WaitGroup
			for i := range burst {
				wg.Go(func() { burst[i] = ask(t, p, time.Minute) })
			}
			wg.Wait()
			got := standing(p).Limit
			if got >= want || got < int(0.3*float64(want)) {
				t.Fatalf("a burst of %d that was refused makes the limit %d: want one decrease", want, got)
			}
			want = got
			time.Sleep(time.Second)
		}
		for range 20 {
			_ = ask(t, p, time.Minute) //nolint:errcheck // It is a refusal.
			time.Sleep(time.Second)
		}
		if got := standing(p); got.Limit != 1 || got.Breaker != provider.Closed || got.Success != 0 || got.Rest == 0 {
			t.Errorf("after long refusal: %+v, want a limit of 1, a rest, and a breaker that does not mind", got)
		}

		s.answers(after(time.Second, fine))
		crowd := func(n int) {
			var wg sync.WaitGroup
			for range n {
				wg.Go(func() {
					if err := ask(t, p, time.Hour); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		crowd(64)
		if got := standing(p); got.Limit < 8 || got.Limit > 16 || got.Rest != 0 {
			t.Errorf("after 64 good calls: %+v, want a limit of about the root of 128, and no rest", got)
		}
		for range 80 {
			crowd(64)
		}
		if got := standing(p).Limit; got != 64 {
			t.Errorf("after many good calls the limit is %d, want the configured one", got)
		}
	})
}

func TestFaultsThatAreNotOfLoadLeaveTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: broken}
		p := at(t, s, func(a *provider.Account) { a.Breaker = provider.BreakerConfig{} })
		for range 50 {
			_ = ask(t, p, 0) //nolint:errcheck // It fails.
			time.Sleep(time.Second)
		}
		if got := standing(p).Limit; got != 64 {
			t.Errorf("errors inside the service make the limit %d", got)
		}
	})
}

func TestAServiceThatAskedToWaitIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(*http.Request) *http.Response{
		"limited": limited("7"), "overloaded": func(*http.Request) *http.Response { return respond(503, "{}", "Retry-After", "7") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: answer}
				p := at(t, s, nil)
				if failed := failure(t, ask(t, p, 0)); failed.Wait != 7*time.Second {
					t.Fatalf("%v, wait %s", failed, failed.Wait)
				}
				s.answers(fine)
				time.Sleep(2 * time.Second)
				if got := standing(p).Rest; got != 5*time.Second {
					t.Errorf("the rest that is left is %s, want 5 s", got)
				}
				err := ask(t, p, time.Minute)
				if failed := failure(t, err); !errors.Is(err, provider.ErrResting) || failed.Wait != 5*time.Second || s.requests() != 1 {
					t.Errorf("in between: %v, wait %s, %d requests", err, failed.Wait, s.requests())
				}
				if err := askFor(t, p, 1, time.Minute); err != nil { // Services limit by model.
					t.Errorf("another model: %v", err)
				}
				time.Sleep(5 * time.Second)
				if err := ask(t, p, time.Minute); err != nil || standing(p).Rest != 0 {
					t.Errorf("afterwards: %v, %+v", err, standing(p))
				}
			})
		})
	}
}

// A limit per day, or a wait that is a mistake, does not take an account away for a day.
func TestLongWaitsAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: limited("86400")}
		p := at(t, s, nil)
		_ = ask(t, p, 0) //nolint:errcheck // It is a refusal.
		if got := standing(p).Rest; got != time.Minute {
			t.Errorf("the rest is %s, want a minute", got)
		}
	})
}

func keys(names ...string) []provider.Credential {
	list := make([]provider.Credential, len(names))
	for i, n := range names {
		list[i] = provider.Credential{Header: "Authorization", Value: "Bearer " + n}
	}
	return list
}

func TestCredentialsAreUsedInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		p := at(t, s, func(a *provider.Account) { a.Credentials = keys("a", "b", "c") })
		for range 6 {
			if err := ask(t, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"a", "b", "c", "a", "b", "c"}; !slices.Equal(s.credentials, want) {
			t.Errorf("used were %v, want %v", s.credentials, want)
		}
	})
}

func TestACredentialThatIsRefusedRestsAndOthersGoOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refusal func() *http.Response
		rest    time.Duration
		// otherModels says that it rests for the account's other models too.
		otherModels bool
	}{
		"revoked":       {func() *http.Response { return respond(401, "{}") }, time.Minute, true},
		"not permitted": {func() *http.Response { return respond(403, "{}") }, time.Minute, false},
		"no credit":     {func() *http.Response { return respond(429, `{"error":{"code":"insufficient_quota"}}`) }, time.Minute, true},
		"limited":       {func() *http.Response { return respond(429, "{}") }, 500 * time.Millisecond, false},
		"asked to wait": {func() *http.Response { return respond(429, "{}", "Retry-After", "20") }, 20 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{}
				s.answers(func(r *http.Request) *http.Response {
					if r.Header.Get("Authorization") == "Bearer bad" {
						return c.refusal()
					}
					return tokens(1)
				})
				p := at(t, s, func(a *provider.Account) { a.Credentials = keys("bad", "good") })
				used := func(model, calls int) (bad int) {
					t.Helper()
					before := s.requests()
					for range calls {
						_ = askFor(t, p, model, 0) //nolint:errcheck // The service's records say it.
					}
					for _, k := range s.credentials[before:] {
						if k == "bad" {
							bad++
						}
					}
					return bad
				}
				if got := used(0, 10); got != 1 {
					t.Errorf("of ten calls %d had the bad one, want 1", got)
				}
				if got := standing(p); got.Rest != 0 {
					t.Errorf("one rests, the other goes on, and the model rests for %s", got.Rest)
				}
				if got := used(1, 10); (got == 0) != c.otherModels {
					t.Errorf("of ten calls for another model %d had the bad one", got)
				}
				time.Sleep(c.rest)
				if got := used(0, 10); got != 1 {
					t.Errorf("after its rest %d of ten calls had the bad one, want 1", got)
				}
			})
		})
	}
}

// With one credential, there is no other that could go on; whether the service is of any use is the breaker's to say.
func TestTheOnlyCredentialIsStillUsed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(*http.Request) *http.Response { return respond(401, "{}") }}
		p := at(t, s, func(a *provider.Account) { a.Credentials = keys("only") })
		for range 4 {
			if err := ask(t, p, 0); errors.Is(err, provider.ErrNotSent) {
				t.Fatal(err)
			}
		}
		if err := ask(t, p, 0); !errors.Is(err, provider.ErrOpen) {
			t.Errorf("after four refusals: %v", err)
		}
		if got := standing(p).Rest; got != time.Minute {
			t.Errorf("the router is told to leave it alone for %s, want a minute", got)
		}
	})
}

func TestRepeatsAreBoundedToAShareOfCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		p := at(t, s, nil)
		granted := func() (n int) {
			for p.AllowRetry() {
				n++
			}
			return n
		}
		if got := granted(); got != 10 {
			t.Errorf("a quiet provider has %d repeats, want 10", got)
		}
		for range 100 {
			if err := ask(t, p, 0); err != nil {
				t.Fatal(err)
			}
		}
		if got := granted(); got != 20 {
			t.Errorf("100 calls give %d repeats, want 20", got)
		}
		time.Sleep(10 * time.Second)
		if got := granted(); got != 10 {
			t.Errorf("after a quiet while there are %d repeats, want 10", got)
		}
	})
}

func TestTheAccountsOwnLimitsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: fine}
		p := at(t, s, func(a *provider.Account) { a.Limits.RPM = 60 })
		began := time.Now()
		for range 70 { // A minute's worth at once, then one a second.
			if err := ask(t, p, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("70 calls at 60 rpm took %s, want 10 s", took)
		}
		now := time.Now()
		err := ask(t, p, 500*time.Millisecond)
		if failed := failure(t, err); !errors.Is(err, provider.ErrLimited) || failed.Wait != time.Second || time.Since(now) != 0 || s.requests() != 70 {
			t.Errorf("who can't be served in time: %v, wait %s after %s", err, failed.Wait, time.Since(now))
		}
	})
}

// Tokens are counted as the service reports them, whatever was estimated.
func TestTokensAreSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(*http.Request) *http.Response { return tokens(1000) }}
		p := at(t, s, func(a *provider.Account) { a.Limits.TPM = 60_000 })
		began := time.Now()
		for range 120 { // 120,000 tokens: a minute's worth at once, the rest within another.
			if err := ask(t, p, time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 58*time.Second || took > 61*time.Second {
			t.Errorf("120,000 tokens at 60,000 tpm took %s, want about a minute", took)
		}
		// What was not sent is not counted.
		quota := at(t, s, func(a *provider.Account) { a.Limits = provider.Limits{RPM: 2, TPM: 1_000_000}; a.MaxConcurrency = 1 })
		s.answers(after(time.Second, fine))
		go func() { _ = ask(t, quota, 0) }() //nolint:errcheck // It holds the slot.
		synctest.Wait()
		if err := ask(t, quota, 100*time.Millisecond); !errors.Is(err, provider.ErrBusy) {
			t.Errorf("no slot: %v", err)
		}
		time.Sleep(time.Second)
		if err := ask(t, quota, 2*time.Second); err != nil {
			t.Errorf("the second of two a minute: %v", err)
		}
	})
}

func TestAReloadKeepsWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: broken}
		first := at(t, s, func(a *provider.Account) { a.Credentials = keys("a", "b") })
		pool := provider.NewPool(first)
		for range 4 {
			_ = ask(t, first, 0) //nolint:errcheck // It fails.
		}
		s.answers(hung)
		go func() { _ = askFor(t, first, 1, 20*time.Second) }() //nolint:errcheck // It is under way at the reload.
		synctest.Wait()

		second := at(t, s, func(a *provider.Account) {
			a.Credentials, a.MaxConcurrency = keys("b", "c"), 8
			a.Models = []provider.Model{{Name: "m"}, {Name: "new"}}
		})
		moved := at(t, s, func(a *provider.Account) { a.Name = "moved" })
		pool.Set([]*provider.Provider{second, moved})
		if got := standing(second); got.Breaker != provider.Open || got.InFlight != 1 || got.Limit != 8 {
			t.Errorf("after the reload: %+v", got)
		}
		if got := second.Standing(&second.Models()[1]); got.Breaker != provider.Closed {
			t.Errorf("a new model: %+v", got)
		}
		if got := standing(moved); got.Breaker != provider.Closed || got.InFlight != 0 {
			t.Errorf("another account: %+v", got)
		}
		elsewhere := at(t, s, func(a *provider.Account) { a.BaseURL = "http://other.invalid" })
		pool.Set([]*provider.Provider{elsewhere})
		if got := standing(elsewhere); got.Breaker != provider.Closed {
			t.Errorf("another address: %+v", got)
		}
		time.Sleep(21 * time.Second)
		if got := standing(second).InFlight; got != 0 {
			t.Errorf("the call of before the reload has ended and %d are in flight", got)
		}
	})
}

// Whatever happens to 64 callers at once, everything that was taken is given back, and the limit was kept.
func TestNothingIsLostInACrowd(t *testing.T) {
	t.Parallel()
	const callers, rounds, slots = 64, 60, 7
	var calls atomic.Int64
	s := &service{}
	s.answers(func(r *http.Request) *http.Response {
		switch n := calls.Add(1); n % 7 {
		case 0:
			return broken(r)
		case 1:
			return respond(429, "{}", "Retry-After-Ms", "1")
		case 2:
			return respond(401, "{}")
		default:
			return tokens(int(n % 50))
		}
	})
	p := at(t, s, func(a *provider.Account) {
		a.MaxConcurrency, a.Credentials, a.Limits = slots, keys("a", "b", "c"), provider.Limits{RPM: 1_000_000, TPM: 100_000_000}
		a.Breaker = provider.BreakerConfig{FailureShare: 0.6, MinCalls: 5, Window: time.Second, OpenFor: time.Millisecond}
	})
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			chance := rand.New(rand.NewPCG(1, uint64(c))) //nolint:gosec // A test.
			for i := range rounds {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(chance.IntN(20))*time.Millisecond)
				if chance.IntN(4) == 0 {
					go cancel()
				}
				m := &p.Models()[i%2]
				_, a, err := p.Call(ctx, m, question(fmt.Sprint(c, i)), nil)
				cancel()
				if err == nil && a.Outcome != dialect.OK {
					t.Errorf("no error, and the outcome is %s", a.Outcome)
				}
				if got := p.Standing(m); got.Limit < 1 || got.Limit > slots || got.InFlight > callers || got.Success < 0 || got.Success > 1 {
					t.Errorf("standing %+v", got)
				}
			}
		})
	}
	wg.Wait()
	if s.most > slots || standing(p).InFlight != 0 {
		t.Errorf("%d calls at once of %d, and %d are still in flight", s.most, slots, standing(p).InFlight)
	}
}

func TestStandingAllocatesNothing(t *testing.T) { // Not parallel: allocations are counted for the whole process.
	p := at(t, &service{answer: fine}, func(a *provider.Account) { a.Credentials = keys("a", "b") })
	if err := ask(t, p, 0); err != nil {
		t.Fatal(err)
	}
	c := provider.Candidate{Provider: p, Model: &p.Models()[0]}
	if n := testing.AllocsPerRun(1000, func() { _ = c.Standing() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStanding(b *testing.B) {
	p := at(b, &service{answer: fine}, func(a *provider.Account) { a.Credentials = keys("a", "b") })
	for range 100 {
		if err := ask(b, p, 0); err != nil {
			b.Fatal(err)
		}
	}
	c := provider.Candidate{Provider: p, Model: &p.Models()[0]}
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Standing()
	}
}

// BenchmarkRefused is what a call costs at a model whose breaker is open.
func BenchmarkRefused(b *testing.B) {
	s := &service{answer: broken}
	p := at(b, s, nil)
	for range 4 {
		_ = ask(b, p, 0) //nolint:errcheck // It fails.
	}
	q := question("x")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Call(b.Context(), &p.Models()[0], q, nil); !errors.Is(err, provider.ErrOpen) {
			b.Fatal(err)
		}
	}
}
