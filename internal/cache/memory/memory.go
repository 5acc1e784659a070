// Package memory is the cache tier inside the process: bounded by bytes, with a time to live for each entry.
//
// It is not shared with other processes and does not outlive its own. The main type is [Tier].
//
// Entries lie in an otter cache (W-TinyLFU eviction by weight). An entry's weight is its value and an estimate of all that is
// kept beside it, so that the bound is one on memory and not on payload; memory is used only as the cache fills. An index from tag
// to entries serves Drop: an entry enters it under the lock of its hash bucket when it is written, and leaves it under the same
// lock when it is replaced, evicted, expired or dropped, so that index and cache never drift apart.
//
// Locks: a bucket's lock of otter comes before the index's mutex; nothing calls otter while it holds the index's mutex.
package memory

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/cache"
)

// The memory that is held beside a value. Measured by TestMemoryStaysNearTheBound; rounded up.
const (
	entryOverhead = 480
	tagOverhead   = 112
)

// largestShare is the part of the bound that one value may take: a value that would push out a quarter of everything else is
// not worth keeping.
const largestShare = 4

// offers is how often a new entry is offered to a full cache. The policy keeps what is read most and turns away every second
// newcomer, also one that will be asked for in the next moment; each offer counts as an interest in it. Over Zipf loads, with and
// without bursts, the hit ratio is the same to 0.01, and a write stays visible.
const offers = 3

// sweepEvery is the time between two sweeps of Run. An expired entry is never given out, sweep or not; this bounds how long it
// holds memory when nothing is read or written.
const sweepEvery = 5 * time.Second

// Config is what a Tier is made from.
type Config struct {
	// MaxBytes bounds the memory of all entries, overhead included (cache.memory_mb).
	MaxBytes int64
	// Clock gives the time; nil means time.Now.
	Clock func() time.Time
}

// Tier is the cache tier inside the process.
type Tier struct {
	entries *otter.Cache[cache.Key, *entry]
	index   index
	teams   teams
	max     int64
}

// entry is immutable once it is stored, but for evicted.
type entry struct {
	key    cache.Key
	value  []byte
	ttl    time.Duration
	tags   []cache.Tag
	team   *figures
	weight uint32
	// evicted is set when the policy took the entry out for want of room.
	evicted atomic.Bool
}

// New makes an empty tier. Nothing runs in the background until Run is called.
func New(c Config) (*Tier, error) {
	if c.MaxBytes <= 0 {
		return nil, fmt.Errorf("memory cache of %d bytes: the bound must be positive", c.MaxBytes)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	t := &Tier{max: c.MaxBytes}
	entries, err := otter.New(&otter.Options[cache.Key, *entry]{
		MaximumWeight:    uint64(c.MaxBytes),
		Weigher:          func(_ cache.Key, e *entry) uint32 { return e.weight },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[cache.Key, *entry]) time.Duration { return e.Value.ttl }),
		OnAtomicDeletion: t.deleted,
		// Maintenance runs on the goroutine that makes it due: the bound holds when a write returns, and no goroutine is
		// left without an owner. It calls nothing but deleted, which calls nothing of the cache.
		Executor: func(work func()) { work() },
		Clock:    clock(c.Clock),
		Logger:   &otter.NoopLogger{},
	})
	if err != nil {
		return nil, fmt.Errorf("make memory cache: %w", err)
	}
	t.entries = entries
	return t, nil
}

// Run frees what has expired, until the context ends.
func (t *Tier) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			t.entries.CleanUp()
		}
	}
}

// Get returns a copy of what is stored under the key, or cache.ErrMiss.
func (t *Tier) Get(ctx context.Context, k cache.Key) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, ok := t.entries.GetIfPresent(k)
	if !ok {
		t.teams.of(k.Team()).misses.Add(1)
		return nil, cache.ErrMiss
	}
	e.team.hits.Add(1)
	return append(make([]byte, 0, len(e.value)), e.value...), nil
}

// Put stores a copy of the value.
func (t *Tier) Put(ctx context.Context, k cache.Key, v []byte, ttl time.Duration, tags ...cache.Tag) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := cache.CheckPut(k, ttl, tags); err != nil {
		return err
	}
	weight := int64(len(v)) + entryOverhead + int64(len(tags)+1)*tagOverhead
	for _, tag := range tags {
		weight += int64(tag.Size())
	}
	if weight > t.max/largestShare || weight > math.MaxUint32 {
		// An older value under the key would be a wrong answer to "what was stored last".
		t.entries.Invalidate(k)
		return fmt.Errorf("%w: %d bytes, at most %d", cache.ErrTooLarge, weight, t.max/largestShare)
	}
	e := &entry{
		key:    k,
		value:  append(make([]byte, 0, len(v)), v...),
		ttl:    ttl,
		tags:   append(append(make([]cache.Tag, 0, len(tags)+1), cache.AllTag(k.Team())), tags...),
		team:   t.teams.of(k.Team()),
		weight: uint32(weight),
	}
	for offer := 1; ; offer++ {
		t.entries.Compute(k, func(*entry, bool) (*entry, otter.ComputeOp) {
			t.index.add(e)
			e.team.added(e)
			return e, otter.WriteOp
		})
		if !e.evicted.Load() || offer == offers {
			break
		}
		e.evicted.Store(false)
		e.team.evictions.Add(^uint64(0)) // Turned away is not evicted, as long as it is offered again.
	}
	e.team.stores.Add(1)
	return nil
}

// Drop removes every entry that carries at least one of the tags.
func (t *Tier) Drop(ctx context.Context, tags ...cache.Tag) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	n := 0
	for _, tag := range tags {
		if k, ok := tag.Key(); ok {
			if _, dropped := t.entries.Invalidate(k); dropped {
				t.teams.of(k.Team()).drops.Add(1)
				n++
			}
			continue
		}
		for _, e := range t.index.tagged(tag) {
			if t.drop(e) {
				n++
			}
		}
	}
	return n, nil
}

// drop removes an entry unless it is no longer the one under its key.
func (t *Tier) drop(e *entry) bool {
	dropped := false
	t.entries.ComputeIfPresent(e.key, func(now *entry) (*entry, otter.ComputeOp) {
		if now != e {
			return now, otter.CancelOp
		}
		dropped = true
		return nil, otter.InvalidateOp
	})
	if dropped {
		e.team.drops.Add(1)
	}
	return dropped
}

// Stats gives the figures of a team, or of all teams together where team is empty.
func (t *Tier) Stats(ctx context.Context, team string) (cache.Stats, error) {
	if err := ctx.Err(); err != nil {
		return cache.Stats{}, err
	}
	t.entries.CleanUp() // What has expired is not held.
	s := t.teams.stats(team)
	s.MaxBytes = t.max
	return s, nil
}

// deleted keeps index and figures in step with the cache. It runs under the lock of the entry's hash bucket.
func (t *Tier) deleted(d otter.DeletionEvent[cache.Key, *entry]) {
	t.index.remove(d.Value)
	d.Value.team.removed(d.Value)
	switch d.Cause {
	case otter.CauseOverflow:
		d.Value.evicted.Store(true)
		d.Value.team.evictions.Add(1)
	case otter.CauseExpiration:
		d.Value.team.expirations.Add(1)
	case otter.CauseInvalidation, otter.CauseReplacement:
	}
}

// clock is otter's view of the injected clock. It has no ticks: Run sweeps, so that every goroutine has an owner.
type clock func() time.Time

// NowNano gives the time in nanoseconds.
func (c clock) NowNano() int64 { return c().UnixNano() }

// Tick gives no ticks.
func (c clock) Tick(time.Duration) <-chan time.Time { return nil }

var (
	_ cache.Tier        = (*Tier)(nil)
	_ cache.StatsReader = (*Tier)(nil)
)
