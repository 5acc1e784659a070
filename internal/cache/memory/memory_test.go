package memory

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/cachetest"
)

// hand is a clock moved by hand.
type hand struct {
	mu sync.Mutex

	now time.Time
}

func newHand() *hand { return &hand{now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)} }

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) Advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func fresh(tb testing.TB, maxBytes int64, now func() time.Time) *Tier {
	tb.Helper()
	tier, err := New(Config{MaxBytes: maxBytes, Clock: now})
	if err != nil {
		tb.Fatal(err)
	}
	return tier
}

func TestMemoryTierKeepsTheContract(t *testing.T) {
	t.Parallel()
	cachetest.Run(t, func(t *testing.T, maxBytes int64) cachetest.Instance {
		t.Helper()
		h := newHand()
		return cachetest.Instance{Tier: fresh(t, maxBytes, h.Now), Advance: h.Advance, MaxBytes: maxBytes}
	})
}

func TestBoundMustBePositive(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{0, -1} {
		if _, err := New(Config{MaxBytes: n}); err == nil {
			t.Errorf("New with %d bytes = nil error, want an error", n)
		}
	}
}

func keyOf(team string, n int) cache.Key {
	b := cache.NewBuilder(team, 20)
	b.Int("n", int64(n))
	return b.Key()
}

func TestIndexHoldsExactlyWhatTheCacheHolds(t *testing.T) {
	t.Parallel()
	h := newHand()
	tier := fresh(t, 1<<20, h.Now)
	held := func(what string) {
		t.Helper()
		tier.entries.CleanUp()
		n := 0
		for range tier.entries.All() {
			n++
		}
		_, indexed := tier.index.size()
		if indexed != 3*n { // Every entry has its own tag, the schema's and the team's.
			t.Errorf("%s: the index holds %d places for %d entries, want %d", what, indexed, n, 3*n)
		}
	}
	for n := range 3000 {
		k := keyOf("a", n%1000)
		err := tier.Put(t.Context(), k, bytes.Repeat([]byte("x"), n%5000), cache.MinTTL+time.Duration(n)*time.Second,
			cache.SchemaTag("a", "s"), cache.TemplateTag("a", fmt.Sprint(n)))
		if err != nil {
			t.Fatal(err)
		}
	}
	held("after eviction and replacement")
	h.Advance(25 * time.Minute)
	held("after some expired")
	if _, err := tier.Drop(t.Context(), cache.TemplateTag("a", "2999"), cache.KeyTag(keyOf("a", 998))); err != nil {
		t.Fatal(err)
	}
	held("after a drop")
	h.Advance(25 * time.Hour)
	held("after all expired")
	if tags, entries := tier.index.size(); tags != 0 || entries != 0 {
		t.Errorf("the index of an empty cache holds %d tags and %d entries", tags, entries)
	}
	if s := tier.teams.stats("a"); s.Entries != 0 || s.Bytes != 0 {
		t.Errorf("an empty cache says that it holds %d entries, %d bytes", s.Entries, s.Bytes)
	}
}

// TestRunFreesExpiredEntries uses the bubble's clock for the tier too.
func TestRunFreesExpiredEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tier := fresh(t, 1<<20, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- tier.Run(ctx) }()
		if err := tier.Put(ctx, keyOf("a", 1), []byte("v"), cache.MinTTL); err != nil {
			t.Fatal(err)
		}
		<-time.After(cache.MinTTL + 2*sweepEvery)
		synctest.Wait()
		if tags, entries := tier.index.size(); tags != 0 || entries != 0 {
			t.Errorf("after the sweep %d tags and %d entries are held, want none", tags, entries)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil after its context ended", err)
		}
	})
}

// TestMemoryStaysNearTheBound is not parallel: it reads the heap of the whole process.
func TestMemoryStaysNearTheBound(t *testing.T) { //nolint:paralleltest // It measures the heap.
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, size := range []int{0, 200, 2000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) { //nolint:paralleltest // It measures the heap.
			const bound = 4 << 20
			before := heap()
			tier := fresh(t, bound, nil)
			empty := heap() - before
			value := bytes.Repeat([]byte("x"), size)
			for n := range 2 * bound / (size + entryOverhead) {
				ref := fmt.Sprint("schema-", n%200, "@", n%7)
				if err := tier.Put(t.Context(), keyOf("team-a", n), value, time.Hour, cache.SchemaTags("team-a", ref)...); err != nil {
					t.Fatal(err)
				}
			}
			full := heap() - before
			t.Logf("values of %d bytes: empty %d kB, full %d kB, bound %d kB, weighs %d kB", size, empty>>10, full>>10, bound>>10, tier.entries.WeightedSize()>>10)
			if empty > bound/8 {
				t.Errorf("an empty cache takes %d bytes, want memory to be used as it fills", empty)
			}
			if full > bound+bound/5 {
				t.Errorf("a full cache takes %d bytes, want at most %d and a fifth", full, bound)
			}
			runtime.KeepAlive(tier)
		})
	}
}

func TestHitCostsOneAllocation(t *testing.T) { //nolint:paralleltest // It counts allocations.
	tier, k := filled(t)
	ctx := t.Context()
	got := testing.AllocsPerRun(2000, func() {
		if _, err := tier.Get(ctx, k); err != nil {
			t.Fatal(err)
		}
	})
	if got > 1 {
		t.Errorf("a hit costs %v allocations, want at most 1", got)
	}
}

func filled(tb testing.TB) (*Tier, cache.Key) {
	tb.Helper()
	tier := fresh(tb, 64<<20, nil)
	value := []byte(strings.Repeat("v", 2000))
	for n := range 1000 {
		if err := tier.Put(context.Background(), keyOf("a", n), value, time.Hour, cache.SchemaTags("a", "s@1")...); err != nil {
			tb.Fatal(err)
		}
	}
	return tier, keyOf("a", 500)
}

func BenchmarkHit(b *testing.B) {
	tier, k := filled(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tier.Get(ctx, k); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMiss(b *testing.B) {
	tier, _ := filled(b)
	ctx, k := b.Context(), keyOf("a", -1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tier.Get(ctx, k); err == nil {
			b.Fatal("hit")
		}
	}
}

func BenchmarkPut(b *testing.B) {
	tier, _ := filled(b)
	value, tags := make([]byte, 2000), cache.SchemaTags("a", "s@1")
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if err := tier.Put(b.Context(), keyOf("a", n), value, time.Hour, tags...); err != nil {
			b.Fatal(err)
		}
	}
}
