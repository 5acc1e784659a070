package memory

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/promptd/promptd/internal/cache"
)

// index finds the entries that carry a tag. It holds exactly the entries of the cache, so its size is bounded by the cache's.
type index struct {
	mu sync.Mutex

	byTag map[cache.Tag]map[*entry]struct{}
}

func (x *index) add(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byTag == nil {
		x.byTag = make(map[cache.Tag]map[*entry]struct{})
	}
	for _, tag := range e.tags {
		set := x.byTag[tag]
		if set == nil {
			set = make(map[*entry]struct{})
			x.byTag[tag] = set
		}
		set[e] = struct{}{}
	}
}

func (x *index) remove(e *entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, tag := range e.tags {
		set := x.byTag[tag]
		delete(set, e)
		if len(set) == 0 {
			delete(x.byTag, tag)
		}
	}
}

func (x *index) tagged(tag cache.Tag) []*entry {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Collect(maps.Keys(x.byTag[tag]))
}

// size gives the number of tags and of their entries.
func (x *index) size() (tags, entries int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, set := range x.byTag {
		entries += len(set)
	}
	return len(x.byTag), entries
}

// figures are the counters of one team.
type figures struct {
	hits, misses, stores, drops, evictions, expirations atomic.Uint64
	entries, bytes                                      atomic.Int64
}

func (f *figures) added(e *entry) {
	f.entries.Add(1)
	f.bytes.Add(int64(e.weight))
}

func (f *figures) removed(e *entry) {
	f.entries.Add(-1)
	f.bytes.Add(-int64(e.weight))
}

func (f *figures) stats() cache.Stats {
	return cache.Stats{
		Hits: f.hits.Load(), Misses: f.misses.Load(), Stores: f.stores.Load(), Drops: f.drops.Load(),
		Evictions: f.evictions.Load(), Expirations: f.expirations.Load(),
		Entries: f.entries.Load(), Bytes: f.bytes.Load(),
	}
}

// teams holds the counters of every team seen. Teams are few and stay, so reads take an immutable snapshot.
type teams struct {
	mu sync.Mutex // Held by writers alone.

	seen atomic.Pointer[map[string]*figures]
}

// of gives the counters of a team, which are made when it is first seen.
func (t *teams) of(team string) *figures {
	if seen := t.seen.Load(); seen != nil {
		if f, ok := (*seen)[team]; ok {
			return f
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	next := make(map[string]*figures)
	if seen := t.seen.Load(); seen != nil {
		if f, ok := (*seen)[team]; ok {
			return f
		}
		maps.Copy(next, *seen)
	}
	f := new(figures)
	next[team] = f
	t.seen.Store(&next)
	return f
}

func (t *teams) stats(team string) cache.Stats {
	var sum cache.Stats
	seen := t.seen.Load()
	if seen == nil {
		return sum
	}
	if team != "" {
		if f, ok := (*seen)[team]; ok {
			return f.stats()
		}
		return sum
	}
	for _, f := range *seen {
		sum = sum.Add(f.stats())
	}
	return sum
}
