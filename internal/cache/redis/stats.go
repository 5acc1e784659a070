package redis

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/promptd/promptd/internal/cache"
)

// figures are the counters of one team.
type figures struct{ hits, misses, stores, drops atomic.Uint64 }

// teams holds the counters of every team seen.
type teams struct{ seen sync.Map }

func (t *teams) of(team string) *figures {
	if f, ok := t.seen.Load(team); ok {
		return f.(*figures)
	}
	f, _ := t.seen.LoadOrStore(team, new(figures))
	return f.(*figures)
}

// Stats gives what this process did, of a team or of all together. How many entries the server holds for a team, and what it evicts, is not known.
func (t *Tier) Stats(ctx context.Context, team string) (cache.Stats, error) {
	if err := ctx.Err(); err != nil {
		return cache.Stats{}, err
	}
	var sum cache.Stats
	t.teams.seen.Range(func(name, f any) bool {
		if team == "" || name == team {
			sum = sum.Add(f.(*figures).stats())
		}
		return true
	})
	return sum, nil
}

func (f *figures) stats() cache.Stats {
	return cache.Stats{Hits: f.hits.Load(), Misses: f.misses.Load(), Stores: f.stores.Load(), Drops: f.drops.Load()}
}
