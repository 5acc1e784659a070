package provider_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

func TestPausesGrowAndSpread(t *testing.T) {
	t.Parallel()
	b := provider.Backoff{Base: 100 * time.Millisecond, Cap: time.Second}
	for n, bound := range map[int]time.Duration{
		1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 60: time.Second, 1_000_000: time.Second,
	} {
		var least, most time.Duration = time.Hour, 0
		for range 2000 {
			p := b.Pause(n, 0)
			least, most = min(least, p), max(most, p)
		}
		// Full jitter: the whole span is used, and no more than that.
		if least < 0 || most >= bound || least > bound/20 || most < bound-bound/20 {
			t.Errorf("pause %d lies between %s and %s, want about 0 to %s", n, least, most, bound)
		}
	}
}

func TestPausesAreAtLeastWhatTheServiceAsks(t *testing.T) {
	t.Parallel()
	b := provider.Backoff{Base: time.Millisecond, Cap: 10 * time.Millisecond}
	for range 100 {
		if p := b.Pause(1, time.Minute); p != time.Minute {
			t.Fatalf("asked for a minute, the pause is %s", p)
		}
	}
	if p := (provider.Backoff{}).Pause(1, 0); p != 0 {
		t.Errorf("without bounds the pause is %s", p)
	}
}

func TestSleepKeepsToTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if err := provider.Sleep(t.Context(), time.Hour); err != nil || time.Since(begun) != time.Hour {
			t.Errorf("%v after %s, want an hour", err, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begun = time.Now()
		if err := provider.Sleep(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 0 {
			t.Errorf("a wait that the deadline cuts: %v after %s, want it not begun", err, time.Since(begun))
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		if err := provider.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) || time.Since(begun) != time.Second {
			t.Errorf("a wait that was cancelled: %v after %s", err, time.Since(begun))
		}
	})
}

func TestOutcomesWorthARepeat(t *testing.T) {
	t.Parallel()
	for o, want := range map[dialect.Outcome]bool{
		dialect.OK: false, dialect.Truncated: false, dialect.Refused: false, dialect.Filtered: false, dialect.Quota: false, dialect.Auth: false, dialect.BadRequest: false,
		dialect.TooLarge: false, dialect.SchemaRejected: false, dialect.ContextExceeded: false, dialect.Cancelled: false,
		dialect.RateLimited: true, dialect.OverloadedProvider: true, dialect.Timeout: true, dialect.Connection: true, dialect.Unknown: true, dialect.Invalid: true,
		dialect.Paused: true,
	} {
		if got := provider.Retryable(o); got != want {
			t.Errorf("%s is retryable: %v", o, got)
		}
	}
}
