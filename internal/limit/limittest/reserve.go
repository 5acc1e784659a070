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

func reserve(t *testing.T, l limit.Limiter, key string, cost int, p limit.Policy) limit.Decision {
	t.Helper()
	d, err := l.Reserve(t.Context(), key, cost, p)
	if err != nil {
		t.Fatalf("Reserve(%s, %d, %+v) = %v", key, cost, p, err)
	}
	return d
}

func settle(t *testing.T, l limit.Limiter, key string, reserved, used int, p limit.Policy) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // A caller that has gone settles all the same.
	if err := l.Settle(ctx, key, reserved, used, p); err != nil {
		t.Fatalf("Settle(%s, %d, %d, %+v) = %v", key, reserved, used, p, err)
	}
}

func heldIsNotThere(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(60)
	want(t, "50 held", reserve(t, l, "k", 50, p), limit.Decision{Allowed: true, Limit: 60, Remaining: 10, ResetAfter: 50 * time.Second})
	clock.Advance(20 * time.Second) // What is held does not drain.
	want(t, "20 more", reserve(t, l, "k", 20, p), limit.Decision{Limit: 60, Remaining: 10, ResetAfter: 50 * time.Second, RetryAfter: 10 * time.Second})
	want(t, "10 more", reserve(t, l, "k", 10, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
	if d := reserve(t, l, "other", 60, p); !d.Allowed {
		t.Errorf("another key: %+v, want it admitted", d)
	}
}

func unusedIsThereAgain(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(60)
	reserve(t, l, "k", 60, p)
	clock.Advance(30 * time.Second)
	settle(t, l, "k", 60, 20, p)
	want(t, "after 20 of 60 were used", reserve(t, l, "k", 40, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
	settle(t, l, "k", 40, 0, p)
	clock.Advance(20 * time.Second)
	want(t, "when the 20 have drained", reserve(t, l, "k", 60, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
}

func moreIsPaidFirst(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(60)
	reserve(t, l, "k", 10, p)
	settle(t, l, "k", 10, 90, p) // 30 beyond the whole limit.
	want(t, "in debt", reserve(t, l, "k", 1, p), limit.Decision{Limit: 60, ResetAfter: 90 * time.Second, RetryAfter: 31 * time.Second})
	clock.Advance(31*time.Second - 1)
	if d := reserve(t, l, "k", 1, p); d.Allowed {
		t.Errorf("a nanosecond early: %+v, want a refusal", d)
	}
	clock.Advance(1)
	if d := reserve(t, l, "k", 1, p); !d.Allowed || d.Remaining != 0 {
		t.Errorf("after the debt: %+v, want it admitted with nothing left", d)
	}
}

func debtIsPaidUnseen(t *testing.T, l limit.Limiter, clock *Clock) {
	p := limit.PerMinute(60)
	reserve(t, l, "k", 10, p)
	settle(t, l, "k", 10, 210, p) // 150 beyond the whole limit.
	clock.Advance(3*time.Minute + 29*time.Second)
	want(t, "nobody asked until it was paid but for one", reserve(t, l, "k", 60, p), limit.Decision{Limit: 60, Remaining: 59, ResetAfter: time.Second, RetryAfter: time.Second})
	clock.Advance(time.Second)
	if d := reserve(t, l, "k", 60, p); !d.Allowed {
		t.Errorf("when all is paid: %+v, want it admitted", d)
	}
}

func badReservations(t *testing.T, l limit.Limiter, _ *Clock) {
	p := limit.PerMinute(5)
	d, err := l.Reserve(t.Context(), "k", 6, p)
	if !errors.Is(err, limit.ErrCost) || !fault.Is(err, fault.RateLimitExceeded) || d.Allowed {
		t.Errorf("Reserve of 6 with a limit of 5 = %+v, %v, want ErrCost in a RATE_LIMIT_EXCEEDED fault", d, err)
	}
	if _, err := l.Reserve(t.Context(), "k", -1, p); err == nil {
		t.Error("Reserve of -1 = nil, want an error")
	}
	if err := l.Settle(t.Context(), "k", 1, -1, p); err == nil {
		t.Error("Settle with -1 used = nil, want an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Reserve(ctx, "k", 1, p); !errors.Is(err, context.Canceled) {
		t.Errorf("Reserve with a cancelled context = %v, want context.Canceled", err)
	}
	want(t, "afterwards", reserve(t, l, "k", 0, p), limit.Decision{Allowed: true, Limit: 5, Remaining: 5})
}

// concurrentReservations is the bound of the product: 64 callers, no over-admission.
func concurrentReservations(t *testing.T, l limit.Limiter, clock *Clock) {
	const callers, each, cost = 64, 50, 7
	p := limit.PerMinute(1000)
	begun := clock.Now()
	var used, held, most atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				d, err := l.Reserve(t.Context(), "k", cost, p)
				if err != nil {
					t.Error(err)
					return
				}
				if !d.Allowed {
					clock.Advance(time.Millisecond)
					continue
				}
				if now := held.Add(cost); now > most.Load() {
					most.Store(now)
				}
				took := int64((c + n) % (cost + 1))
				held.Add(-cost)
				used.Add(took)
				if err := l.Settle(t.Context(), "k", cost, int(took), p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	elapsed := clock.Now().Sub(begun)
	if bound := 1000 + int64(elapsed)*1000/int64(time.Minute); used.Load() > bound || most.Load() > 1000 {
		t.Errorf("%d used and %d held at once, want at most burst + elapsed × rate = %d, and 1000", used.Load(), most.Load(), bound)
	}
}

// concurrentRequests is the same for requests, which cost one each.
func concurrentRequests(t *testing.T, l limit.Limiter, clock *Clock) {
	const callers, each = 64, 200
	p := limit.PerMinute(600)
	begun := clock.Now()
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				d, err := l.Allow(t.Context(), "k", 1, p)
				switch {
				case err != nil:
					t.Error(err)
					return
				case d.Allowed:
					admitted.Add(1)
				default:
					clock.Advance(time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	if bound := 600 + int64(clock.Now().Sub(begun))*600/int64(time.Minute); admitted.Load() > bound {
		t.Errorf("%d admitted, want at most burst + elapsed × rate = %d", admitted.Load(), bound)
	}
}

func placesAreBounded(t *testing.T, l limit.Limiter, _ *Clock) {
	const callers, most = 64, 5
	var inside, peak, entered atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range 100 {
				d, err := l.Enter(t.Context(), "k", most)
				if err != nil {
					t.Error(err)
					return
				}
				if !d.Allowed {
					if d.RetryAfter <= 0 {
						t.Errorf("a refusal says %+v, want a time to come back", d)
					}
					continue
				}
				entered.Add(1)
				if n := inside.Add(1); n > peak.Load() {
					peak.Store(n)
				}
				inside.Add(-1)
				if err := l.Leave(t.Context(), "k"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if peak.Load() > most || entered.Load() == 0 {
		t.Errorf("%d were inside at once and %d entered, want at most %d and some", peak.Load(), entered.Load(), most)
	}
	if n, err := l.Inside(t.Context(), "k"); n != 0 || err != nil {
		t.Errorf("Inside at the end = %d, %v, want 0", n, err)
	}
}

func placesAreCounted(t *testing.T, l limit.Limiter, _ *Clock) {
	enter := func(key string, most int) limit.Decision {
		t.Helper()
		d, err := l.Enter(t.Context(), key, most)
		if err != nil {
			t.Fatalf("Enter(%s, %d) = %v", key, most, err)
		}
		return d
	}
	want(t, "the first", enter("k", 2), limit.Decision{Allowed: true, Limit: 2, Remaining: 1})
	want(t, "the second", enter("k", 2), limit.Decision{Allowed: true, Limit: 2})
	want(t, "the third", enter("k", 2), limit.Decision{Limit: 2, RetryAfter: limit.DefaultRetryAfter})
	want(t, "another key", enter("other", 1), limit.Decision{Allowed: true, Limit: 1})
	want(t, "a lowered limit", enter("k", 1), limit.Decision{Limit: 1, RetryAfter: limit.DefaultRetryAfter})
	if n, err := l.Inside(t.Context(), "k"); n != 2 || err != nil {
		t.Errorf("Inside = %d, %v, want 2", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Leave(ctx, "k"); err != nil {
		t.Errorf("Leave of a caller that has gone = %v, want nil", err)
	}
	want(t, "after one has left", enter("k", 2), limit.Decision{Allowed: true, Limit: 2})
	if _, err := l.Enter(ctx, "k", 9); !errors.Is(err, context.Canceled) {
		t.Errorf("Enter with a cancelled context = %v, want context.Canceled", err)
	}
	if _, err := l.Enter(t.Context(), "k", 0); err == nil {
		t.Error("Enter with a limit of 0 = nil, want an error")
	}
	if err := l.Leave(t.Context(), "nobody"); err == nil {
		t.Error("Leave without Enter = nil, want an error")
	}
}

// reservationsAgainstModel holds a random walk against the sum of what is held and a bucket of what was used, in rational numbers.
func reservationsAgainstModel(t *rapid.T, l limit.Limiter, clock *Clock) {
	p := limit.Policy{
		Limit:  rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 100_000)).Draw(t, "limit"),
		Period: time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(time.Hour)).Draw(t, "period")),
	}
	start := clock.Now()
	m := newModel(p)
	var under []int // Reservations under way.
	held := 0
	for range rapid.IntRange(1, 60).Draw(t, "steps") {
		clock.Advance(time.Duration(rapid.Int64Range(0, int64(p.Period)/2).Draw(t, "wait")))
		now := int64(clock.Now().Sub(start))
		if len(under) > 0 && rapid.Bool().Draw(t, "settle") {
			reserved := under[0]
			under = under[1:]
			used := rapid.IntRange(0, reserved).Draw(t, "used")
			if err := l.Settle(context.Background(), "k", reserved, used, p); err != nil {
				t.Fatalf("Settle = %v", err)
			}
			held -= reserved
			if d := m.decide(now, used); !d.Allowed {
				t.Fatalf("%d used at %d ns under %+v: over-admission", used, now, p)
			}
			m.checkBound(t, now)
			continue
		}
		cost := rapid.IntRange(0, p.Limit).Draw(t, "cost")
		got, err := l.Reserve(context.Background(), "k", cost, p)
		if err != nil {
			t.Fatalf("Reserve = %v", err)
		}
		if expect := m.fits(now, held+cost); got.Allowed != expect {
			t.Fatalf("at %d ns, cost %d beside %d held of %+v: got %+v, want allowed %t", now, cost, held, p, got, expect)
		}
		if got.Allowed {
			held += cost
			under = append(under, cost)
		}
	}
}

// fits says whether so much more would stay within the bucket; it counts nothing.
func (m *model) fits(now int64, cost int) bool {
	rate := big.NewRat(int64(m.p.Limit), int64(m.p.Period))
	level := new(big.Rat).Sub(m.level, new(big.Rat).Mul(rate, new(big.Rat).SetInt64(now-m.at)))
	if level.Sign() < 0 {
		level.SetInt64(0)
	}
	return level.Add(level, new(big.Rat).SetInt64(int64(cost))).Cmp(new(big.Rat).SetInt64(int64(m.p.Limit))) <= 0
}

func runReservationModel(t *testing.T, fresh func(tb testing.TB, name string, now func() time.Time) limit.Limiter) {
	t.Helper()
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		clock := NewClock()
		reservationsAgainstModel(rt, fresh(t, fmt.Sprint("tab", n), clock.Now), clock)
	})
}
