package memory_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/limit/limittest"
	"github.com/promptd/promptd/internal/limit/memory"
)

func TestMemoryLimiterKeepsTheContract(t *testing.T) {
	t.Parallel()
	limittest.RunLedger(t, func(tb testing.TB, _ string, now func() time.Time) limit.Ledger {
		tb.Helper()
		return memory.New(memory.Config{Clock: now})
	})
}

func use(tb testing.TB, l *memory.Limiter, keys int, p limit.Policy) {
	tb.Helper()
	for n := range keys {
		if d, err := l.Allow(context.Background(), fmt.Sprint("key-", n), 1, p); err != nil || !d.Allowed {
			tb.Fatalf("Allow(%d) = %+v, %v", n, d, err)
		}
	}
}

func TestIdleKeysAreForgotten(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := memory.New(memory.Config{Clock: clock.Now})
	use(t, l, 10_000, limit.PerMinute(10)) // Each is whole again after 6 s.
	clock.Advance(6*time.Second - 1)
	if left := l.Sweep(); left != 10_000 {
		t.Errorf("%d keys left before their allowance is whole, want all 10000", left)
	}
	clock.Advance(1)
	if left := l.Sweep(); left != 0 {
		t.Errorf("%d keys left when their allowance is whole, want none", left)
	}
}

func TestMemoryIsBoundedByKeysInUse(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	l := memory.New(memory.Config{Clock: clock.Now})
	p := limit.PerMinute(60) // A key is idle after a second.
	for n := range 200_000 {
		if d, err := l.Allow(t.Context(), fmt.Sprint("key-", n), 1, p); err != nil || !d.Allowed {
			t.Fatalf("Allow(%d) = %+v, %v", n, d, err)
		}
		clock.Advance(time.Millisecond) // So 1,000 keys are in use at any time.
	}
	// Without anybody's sweep: 64 shards of at least 64 keys, or twice those in use.
	if held := l.Held(); held > 2*64*64 {
		t.Errorf("%d keys are held for 1000 in use, want at most %d", held, 2*64*64)
	}
}

func TestRunSweeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := memory.New(memory.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.Run(ctx) }()
		use(t, l, 100, limit.PerMinute(60))
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if held := l.Held(); held != 0 {
			t.Errorf("%d keys are held after the sweep, want none", held)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil after its context ended", err)
		}
	})
}

func TestPeekingHoldsNoKey(t *testing.T) {
	t.Parallel()
	l := memory.New(memory.Config{})
	if _, err := l.Allow(t.Context(), "k", 0, limit.PerHour(1)); err != nil {
		t.Fatal(err)
	}
	if held := l.Held(); held != 0 {
		t.Errorf("%d keys are held after a peek, want none", held)
	}
}

func TestDecisionAllocatesNothing(t *testing.T) { //nolint:paralleltest // It counts allocations.
	l := memory.New(memory.Config{})
	ctx, p := t.Context(), limit.PerHour(1000)
	got := testing.AllocsPerRun(500, func() {
		if _, err := l.Allow(ctx, "key", 1, p); err != nil {
			t.Fatal(err)
		}
	})
	if got > 0 {
		t.Errorf("a decision costs %v allocations, want none", got)
	}
}

func BenchmarkAllow(b *testing.B) {
	l := memory.New(memory.Config{})
	use(b, l, 10_000, limit.PerHour(1000))
	p, ctx := limit.PerHour(1_000_000_000), b.Context()
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := l.Allow(ctx, "key-77", 1, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := l.Allow(ctx, "key-77", 1, p); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
