// Package limittest is the contract of limit.Limiter as tests: every limiter runs it and none is done before it passes.
//
// It is for tests alone. [Run] is the entry. The properties hold a limiter against a model in rational numbers that keeps every
// admission, so neither rounding nor a forgotten key goes unseen.
package limittest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/limit"
)

// Clock is moved by hand.
type Clock struct {
	mu sync.Mutex

	now time.Time
}

// NewClock starts at a fixed time.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} }

// Now gives the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Run runs the whole contract. Fresh makes a limiter that has seen nobody and takes its time from the clock; the name tells apart
// limiters that share a server.
func Run(t *testing.T, fresh func(tb testing.TB, name string, now func() time.Time) limit.Limiter) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, limit.Limiter, *Clock)
	}{
		{"BurstIsTheLimit", burstIsTheLimit},
		{"AllowanceComesBackEvenly", comesBackEvenly},
		{"RefusalCountsNothing", refusalCountsNothing},
		{"CostIsAdmittedWhollyOrNot", costIsWhole},
		{"CostAboveTheLimitIsNeverAdmitted", costAboveLimit},
		{"CostOfNothingTellsWhatIsLeft", costOfNothing},
		{"KeysAreApart", keysAreApart},
		{"BadArgumentsAreErrors", badArguments},
		{"CancelledContextCountsNothing", cancelledContext},
		{"ChangeOfPolicyNeverAdmitsMore", changeOfPolicy},
		{"ConcurrentCallersShareOneAllowance", concurrentCallers},
		{"ManyCallersAreNeverOverAdmitted", concurrentRequests},
		{"HeldIsNotThereForOthers", heldIsNotThere},
		{"UnusedIsThereAgain", unusedIsThereAgain},
		{"MoreThanReservedIsPaidFirst", moreIsPaidFirst},
		{"DebtIsPaidWhileNobodyAsks", debtIsPaidUnseen},
		{"BadReservationsAreErrors", badReservations},
		{"ManyReservationsAreNeverOverAdmitted", concurrentReservations},
		{"PlacesAreBounded", placesAreBounded},
		{"PlacesAreCounted", placesAreCounted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			c.test(t, fresh(t, c.name, clock.Now), clock)
		})
	}
	t.Run("DecisionsAreThoseOfTheModel", func(t *testing.T) {
		t.Parallel()
		n := 0
		rapid.Check(t, func(rt *rapid.T) {
			n++
			clock := NewClock()
			againstModel(rt, fresh(t, fmt.Sprint("model", n), clock.Now), clock)
		})
	})
	t.Run("ReservationsAreThoseOfTheModel", func(t *testing.T) {
		t.Parallel()
		runReservationModel(t, fresh)
	})
}

func allow(t *testing.T, l limit.Limiter, key string, cost int, p limit.Policy) limit.Decision {
	t.Helper()
	d, err := l.Allow(t.Context(), key, cost, p)
	if err != nil {
		t.Fatalf("Allow(%s, %d, %+v) = %v", key, cost, p, err)
	}
	return d
}

func want(t *testing.T, what string, got, want limit.Decision) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func burstIsTheLimit(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerHour(1000)
	for n := range 1000 {
		d := allow(t, l, "k", 1, p)
		want(t, fmt.Sprint("request ", n+1), d, limit.Decision{
			Allowed: true, Limit: 1000, Remaining: 999 - n, ResetAfter: time.Duration(n+1) * 3600 * time.Millisecond,
		})
	}
	want(t, "request 1001", allow(t, l, "k", 1, p), limit.Decision{Limit: 1000, ResetAfter: time.Hour, RetryAfter: 3600 * time.Millisecond})
}

func comesBackEvenly(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.Policy{Limit: 7, Period: time.Second} // A seventh of a second is no whole number of nanoseconds.
	for round := range 50 {
		for n := range 7 {
			if d := allow(t, l, "k", 1, p); !d.Allowed || d.Remaining != 6-n {
				t.Fatalf("round %d, request %d of a whole allowance: %+v", round, n+1, d)
			}
		}
		d := allow(t, l, "k", 1, p)
		if d.Allowed || d.RetryAfter != 142857143 {
			t.Fatalf("round %d, request 8: %+v, want a refusal until 142857143 ns later", round, d)
		}
		clock.Advance(d.RetryAfter - 1)
		if early := allow(t, l, "k", 1, p); early.Allowed {
			t.Fatalf("round %d: admitted a nanosecond early: %+v", round, early)
		}
		clock.Advance(1)
		if back := allow(t, l, "k", 1, p); !back.Allowed || back.Remaining != 0 {
			t.Fatalf("round %d: refused after RetryAfter: %+v", round, back)
		}
		clock.Advance(time.Second)
	}
}

func refusalCountsNothing(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(2)
	allow(t, l, "k", 2, p)
	for range 100 {
		if d := allow(t, l, "k", 1, p); d.Allowed || d.RetryAfter != 30*time.Second {
			t.Fatalf("got %+v, want a refusal for 30 s, however often it was asked", d)
		}
	}
	clock.Advance(30 * time.Second)
	if d := allow(t, l, "k", 1, p); !d.Allowed {
		t.Errorf("got %+v, want it admitted after 30 s", d)
	}
}

func costIsWhole(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(60)
	want(t, "a batch of 50", allow(t, l, "k", 50, p), limit.Decision{Allowed: true, Limit: 60, Remaining: 10, ResetAfter: 50 * time.Second})
	want(t, "a batch of 11", allow(t, l, "k", 11, p), limit.Decision{Limit: 60, Remaining: 10, ResetAfter: 50 * time.Second, RetryAfter: time.Second})
	want(t, "a batch of 10", allow(t, l, "k", 10, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
	clock.Advance(20 * time.Second)
	want(t, "a batch of 60", allow(t, l, "k", 60, p), limit.Decision{Limit: 60, Remaining: 20, ResetAfter: 40 * time.Second, RetryAfter: 40 * time.Second})
	clock.Advance(40 * time.Second)
	want(t, "the same later", allow(t, l, "k", 60, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
}

func costAboveLimit(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerMinute(5)
	allow(t, l, "k", 2, p)
	d, err := l.Allow(t.Context(), "k", 6, p)
	if !errors.Is(err, limit.ErrCost) || !fault.Is(err, fault.RateLimitExceeded) {
		t.Errorf("Allow of 6 with a limit of 5 = %v, want ErrCost in a RATE_LIMIT_EXCEEDED fault", err)
	}
	if f := fault.Of(err); f.RetryAfter != 0 || f.Remediation == "" {
		t.Errorf("fault %+v, want a remediation and no time to come back", f)
	}
	want(t, "cost above the limit", d, limit.Decision{Limit: 5, Remaining: 3, ResetAfter: 24 * time.Second})
	if d := allow(t, l, "k", 3, p); !d.Allowed {
		t.Errorf("afterwards %+v, want that nothing was counted", d)
	}
}

func costOfNothing(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerMinute(3)
	want(t, "before", allow(t, l, "k", 0, p), limit.Decision{Allowed: true, Limit: 3, Remaining: 3})
	allow(t, l, "k", 3, p)
	want(t, "after", allow(t, l, "k", 0, p), limit.Decision{Allowed: true, Limit: 3, ResetAfter: time.Minute})
}

func keysAreApart(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerMinute(1)
	for n := range 500 {
		if d := allow(t, l, fmt.Sprint("key-", n), 1, p); !d.Allowed {
			t.Fatalf("first request of key %d refused: %+v", n, d)
		}
	}
	for n := range 500 {
		if d := allow(t, l, fmt.Sprint("key-", n), 1, p); d.Allowed {
			t.Fatalf("second request of key %d admitted: %+v", n, d)
		}
	}
}

func badArguments(t *testing.T, l limit.Limiter, _ *Clock) {
	for what, c := range map[string]struct {
		cost int
		p    limit.Policy
	}{
		"negative cost": {-1, limit.PerMinute(1)},
		"no limit":      {1, limit.PerMinute(0)},
		"no period":     {1, limit.Policy{Limit: 1}},
		"long period":   {1, limit.Policy{Limit: 1, Period: limit.MaxPeriod + 1}},
		"huge limit":    {1, limit.PerMinute(limit.MaxLimit + 1)},
	} {
		if d, err := l.Allow(t.Context(), "k", c.cost, c.p); err == nil || d.Allowed {
			t.Errorf("%s: got %+v, nil, want an error", what, d)
		}
	}
}

func cancelledContext(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerMinute(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := l.Allow(ctx, "k", 1, p); !errors.Is(err, context.Canceled) || d.Allowed {
		t.Errorf("Allow with a cancelled context = %+v, %v, want context.Canceled", d, err)
	}
	if d := allow(t, l, "k", 1, p); !d.Allowed {
		t.Errorf("afterwards %+v, want that nothing was counted", d)
	}
}

func changeOfPolicy(t *testing.T, l limit.Limiter, clock *Clock) {
	allow(t, l, "up", 10, limit.PerHour(10))
	if d := allow(t, l, "up", 1, limit.PerHour(1000)); d.Allowed || d.RetryAfter > 4*time.Second {
		t.Errorf("a spent limit that was raised gives %+v, want a refusal for 3.6 s", d)
	}
	allow(t, l, "short", 10, limit.PerHour(10))
	if d := allow(t, l, "short", 1, limit.PerMinute(10)); d.Allowed || d.RetryAfter != 6*time.Second || d.ResetAfter != time.Minute {
		t.Errorf("a spent limit whose period was shortened gives %+v, want a refusal for 6 s and nothing older than the new period", d)
	}
	allow(t, l, "down", 1, limit.PerHour(7))
	if d := allow(t, l, "down", 0, limit.PerHour(3)); d.Remaining > 2 {
		t.Errorf("a used limit that was lowered gives %+v, want less than the whole", d)
	}
	clock.Advance(time.Hour)
	if d := allow(t, l, "down", 3, limit.PerHour(3)); !d.Allowed {
		t.Errorf("an hour later %+v, want the whole limit", d)
	}
}

func concurrentCallers(t *testing.T, l limit.Limiter, _ *Clock) {
	const workers, each = 8, 200
	p := limit.PerHour(500)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				if d, err := l.Allow(t.Context(), "k", 1, p); err != nil {
					t.Error(err)
				} else if d.Allowed {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 500 {
		t.Errorf("%d of %d requests admitted, want exactly 500", n, workers*each)
	}
}

// admission is one admitted cost.
type admission struct {
	at   int64
	cost int
}

// againstModel holds a random walk of two keys against the model.
func againstModel(t *rapid.T, l limit.Limiter, clock *Clock) {
	p := limit.Policy{
		Limit:  rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 1_000_000)).Draw(t, "limit"),
		Period: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(48*time.Hour)).Draw(t, "period")),
	}
	start := clock.Now()
	models := map[string]*model{"a": newModel(p), "b": newModel(p)}
	var last limit.Decision
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		switch rapid.IntRange(0, 3).Draw(t, "step") {
		case 0:
			clock.Advance(time.Duration(rapid.Int64Range(0, int64(p.Period)).Draw(t, "wait")))
		case 1: // The moments where rounding would show.
			clock.Advance(max(0, last.RetryAfter-time.Duration(rapid.IntRange(0, 1).Draw(t, "early"))))
		}
		key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
		cost := rapid.IntRange(0, min(p.Limit, 1+rapid.IntRange(0, p.Limit).Draw(t, "most"))).Draw(t, "cost")
		now := int64(clock.Now().Sub(start))
		got, err := l.Allow(context.Background(), key, cost, p)
		if err != nil {
			t.Fatalf("Allow = %v", err)
		}
		if expect := models[key].decide(now, cost); got != expect {
			t.Fatalf("at %d ns, cost %d of %+v: got %+v, want %+v", now, cost, p, got, expect)
		}
		last = got
		models[key].checkBound(t, now)
	}
}

// model is the rule in rational numbers: a bucket of limit that fills with limit/period.
type model struct {
	p        limit.Policy
	level    *big.Rat // What is used.
	at       int64
	admitted []admission
}

func newModel(p limit.Policy) *model { return &model{p: p, level: new(big.Rat)} }

func (m *model) decide(now int64, cost int) limit.Decision {
	rate := big.NewRat(int64(m.p.Limit), int64(m.p.Period))
	drained := new(big.Rat).Mul(rate, new(big.Rat).SetInt64(now-m.at))
	m.level.Sub(m.level, drained)
	if m.level.Sign() < 0 {
		m.level.SetInt64(0)
	}
	m.at = now
	whole := new(big.Rat).SetInt64(int64(m.p.Limit))
	after := new(big.Rat).Add(m.level, new(big.Rat).SetInt64(int64(cost)))
	d := limit.Decision{Limit: m.p.Limit}
	over := new(big.Rat).Sub(after, whole)
	if over.Sign() <= 0 {
		d.Allowed = true
		m.level.Set(after)
		if cost > 0 {
			m.admitted = append(m.admitted, admission{now, cost})
		}
	} else {
		d.RetryAfter = ceil(over.Quo(over, rate))
	}
	left := new(big.Rat).Sub(whole, m.level)
	d.Remaining = int(new(big.Int).Quo(left.Num(), left.Denom()).Int64())
	d.ResetAfter = ceil(new(big.Rat).Quo(m.level, rate))
	return d
}

func ceil(r *big.Rat) time.Duration {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return time.Duration(q.Int64())
}

// checkBound holds every stretch of admissions that ends now against the definition: burst + elapsed × rate.
func (m *model) checkBound(t *rapid.T, now int64) {
	sum := new(big.Int)
	for i := len(m.admitted) - 1; i >= 0; i-- {
		a := m.admitted[i]
		sum.Add(sum, big.NewInt(int64(a.cost)))
		// sum <= limit + elapsed × limit / period, without division.
		most := new(big.Int).Mul(big.NewInt(now-a.at), big.NewInt(int64(m.p.Limit)))
		most.Add(most, new(big.Int).Mul(big.NewInt(int64(m.p.Limit)), big.NewInt(int64(m.p.Period))))
		if got := new(big.Int).Mul(sum, big.NewInt(int64(m.p.Period))); got.Cmp(most) > 0 {
			t.Fatalf("%s admitted in %d ns under %+v: over-admission", sum, now-a.at, m.p)
		}
	}
}
