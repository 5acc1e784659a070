package cache

import (
	"sync"
	"sync/atomic"
)

// Counts holds what a tier did, by team. Its zero value is ready.
type Counts struct{ teams sync.Map }

// TeamCounts are the counts of one team.
type TeamCounts struct{ Hits, Misses, Stores, Drops atomic.Uint64 }

// Of gives the counts of a team, which are made when it is first seen. Teams are few and stay.
func (c *Counts) Of(team string) *TeamCounts {
	if t, ok := c.teams.Load(team); ok {
		return t.(*TeamCounts)
	}
	t, _ := c.teams.LoadOrStore(team, new(TeamCounts))
	return t.(*TeamCounts)
}

// Stats gives the counts of a team, or of all together where team is empty.
func (c *Counts) Stats(team string) Stats {
	var sum Stats
	c.teams.Range(func(name, t any) bool {
		if team == "" || name == team {
			t := t.(*TeamCounts)
			sum = sum.Add(Stats{Hits: t.Hits.Load(), Misses: t.Misses.Load(), Stores: t.Stores.Load(), Drops: t.Drops.Load()})
		}
		return true
	})
	return sum
}
