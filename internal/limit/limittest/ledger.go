package limittest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
)

// RunLedger runs the whole contract of a ledger, that of a limiter included. Fresh is as in [Run].
func RunLedger(t *testing.T, fresh func(tb testing.TB, name string, now func() time.Time) limit.Ledger) {
	t.Helper()
	Run(t, func(tb testing.TB, name string, now func() time.Time) limit.Limiter {
		tb.Helper()
		return fresh(tb, name, now)
	})
	for _, c := range []struct {
		name string
		test func(*testing.T, limit.Ledger, *Clock)
	}{
		{"CountedIsNotThereForOthers", countedIsNotThere},
		{"CountedBeyondTheLimitIsTheLimit", countedBeyond},
		{"BadCountsAreErrors", badCounts},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := NewClock()
			c.test(t, fresh(t, c.name, clock.Now), clock)
		})
	}
}

func count(t *testing.T, l limit.Ledger, key string, cost int, p limit.Policy) {
	t.Helper()
	if err := l.Count(t.Context(), key, cost, p); err != nil {
		t.Fatalf("Count(%s, %d, %+v) = %v", key, cost, p, err)
	}
}

func countedIsNotThere(t *testing.T, l limit.Ledger, clock *Clock) {
	p := limit.PerMinute(60)
	count(t, l, "k", 20, p)
	want(t, "20 counted", allow(t, l, "k", 10, p), limit.Decision{Allowed: true, Limit: 60, Remaining: 30, ResetAfter: 30 * time.Second})
	clock.Advance(10 * time.Second)
	count(t, l, "k", 30, p)
	want(t, "30 more", allow(t, l, "k", 11, p), limit.Decision{Limit: 60, Remaining: 10, ResetAfter: 50 * time.Second, RetryAfter: time.Second})
	count(t, l, "k", 0, p)
	want(t, "none", allow(t, l, "k", 10, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
}

func countedBeyond(t *testing.T, l limit.Ledger, clock *Clock) {
	p := limit.PerMinute(60)
	for _, n := range []int{50, 50, 1_000_000} {
		count(t, l, "k", n, p)
	}
	want(t, "the whole limit", allow(t, l, "k", 1, p), limit.Decision{Limit: 60, ResetAfter: time.Minute, RetryAfter: time.Second})
	clock.Advance(time.Minute)
	want(t, "a minute later", allow(t, l, "k", 60, p), limit.Decision{Allowed: true, Limit: 60, ResetAfter: time.Minute})
}

func badCounts(t *testing.T, l limit.Ledger, _ *Clock) {
	if err := l.Count(t.Context(), "k", -1, limit.PerMinute(1)); err == nil {
		t.Error("Count of -1 = nil, want an error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Count(ctx, "k", 1, limit.PerMinute(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Count with a cancelled context = %v, want context.Canceled", err)
	}
	want(t, "afterwards", allow(t, l, "k", 1, limit.PerMinute(1)), limit.Decision{Allowed: true, Limit: 1, ResetAfter: time.Minute})
}
