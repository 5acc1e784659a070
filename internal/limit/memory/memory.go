// Package memory is the limiter inside the process: exact where one process serves all.
//
// It is not shared: two processes admit twice the limit, which is what limit/redis is for. The main type is [Limiter].
//
// Keys are spread over shards, each a map under a mutex of its own that is held for one decision. A key whose allowance is whole
// again is the same as one never seen, so it is forgotten: when a shard has doubled since its last sweep, which bounds memory to
// twice the keys in use, and by Run once a minute, which gives memory back after a peak.
package memory

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/limit"
)

const (
	shards = 64
	// smallest is the size below which a shard is not swept on growth.
	smallest = 64
	// sweepEvery is the time between two sweeps of Run.
	sweepEvery = time.Minute
)

// Config is what a Limiter is made from.
type Config struct {
	// Clock gives the time; nil means time.Now.
	Clock func() time.Time
}

// Limiter is the limiter inside the process.
type Limiter struct {
	clock func() time.Time
	start time.Time
	seed  maphash.Seed
	shard [shards]shard
}

type shard struct {
	mu sync.Mutex

	keys map[string]limit.State
	// tabs are the keys of Reserve, inside counts those who have entered by key.
	tabs   map[string]limit.Tab
	inside map[string]int
	// sweepAt is the number of keys at which the shard is swept.
	sweepAt int

	_ [16]byte // Neighbours do not share a cache line.
}

// New makes a limiter that has seen nobody. Nothing runs in the background until Run is called.
func New(c Config) *Limiter {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	l := &Limiter{clock: c.Clock, start: c.Clock(), seed: maphash.MakeSeed()}
	for i := range l.shard {
		l.shard[i].keys = make(map[string]limit.State)
		l.shard[i].tabs = make(map[string]limit.Tab)
		l.shard[i].inside = make(map[string]int)
		l.shard[i].sweepAt = smallest
	}
	return l
}

// Run forgets keys that are idle, until the context ends.
func (l *Limiter) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			l.Sweep()
		}
	}
}

// Allow decides on a request; see limit.Limiter.
func (l *Limiter) Allow(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return limit.Decision{}, err
	}
	if err := limit.Check(cost, p); err != nil {
		return limit.Decision{}, err
	}
	now := l.now()
	s := l.of(key)
	s.mu.Lock()
	state, seen := s.keys[key]
	next, d := state.Advance(now, cost, p)
	if d.Allowed && cost > 0 {
		if !seen {
			s.grow(now)
		}
		s.keys[key] = next
	}
	s.mu.Unlock()
	if cost > p.Limit {
		return d, limit.TooCostly(cost, p)
	}
	return d, nil
}

// Count counts what was admitted elsewhere; see limit.Ledger.
func (l *Limiter) Count(ctx context.Context, key string, cost int, p limit.Policy) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := limit.Check(cost, p); err != nil || cost == 0 {
		return err
	}
	now := l.now()
	s := l.of(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	state, seen := s.keys[key]
	if !seen {
		s.grow(now)
	}
	s.keys[key] = state.Count(now, cost, p)
	return nil
}

// Sweep forgets every idle key and returns how many are left.
func (l *Limiter) Sweep() int {
	left := 0
	for i := range l.shard {
		s := &l.shard[i]
		now := l.now()
		s.mu.Lock()
		s.sweep(now)
		left += len(s.keys) + len(s.tabs)
		s.mu.Unlock()
	}
	return left
}

// now counts from the start, so that a step of the wall clock moves nothing.
func (l *Limiter) now() int64 { return int64(l.clock().Sub(l.start)) }

func (l *Limiter) of(key string) *shard { return &l.shard[maphash.String(l.seed, key)%shards] }

// grow makes room for one more key. The mutex is held.
func (s *shard) grow(now int64) {
	if len(s.keys)+len(s.tabs) >= s.sweepAt {
		s.sweep(now)
	}
}

// sweep forgets idle keys. A map keeps its largest size, so one that has become much smaller is made anew. The mutex is held.
func (s *shard) sweep(now int64) {
	before := len(s.keys)
	for key, state := range s.keys {
		if state.Idle(now) {
			delete(s.keys, key)
		}
	}
	if len(s.keys) < before/4 {
		fresh := make(map[string]limit.State, len(s.keys))
		for key, state := range s.keys {
			fresh[key] = state
		}
		s.keys = fresh
	}
	for key, tab := range s.tabs {
		if tab.Idle(now) {
			delete(s.tabs, key)
		}
	}
	s.sweepAt = max(smallest, 2*(len(s.keys)+len(s.tabs)))
}

var _ limit.Ledger = (*Limiter)(nil)
