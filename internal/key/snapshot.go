package key

import (
	"crypto/subtle"
	"maps"
	"sync/atomic"
	"time"
)

// snapshot is every key as the store had it when its change counter stood at version. Nothing in it changes but the times of use.
type snapshot struct {
	version int64
	held    map[ID]*entry
	byHash  map[Hash]*entry
	teams   map[TeamID]*Team
}

// entry is one key, found by each of its hashes.
type entry struct {
	held   Held
	caller Caller
	// lastUsed is in Unix seconds; it lives as long as the key and is shared by the entries that follow each other.
	lastUsed *atomic.Int64
	// noted is the last time of use that the store was told; the owner goroutine alone uses it.
	noted *int64
}

func emptySnapshot() *snapshot {
	return &snapshot{version: -1, held: map[ID]*entry{}, byHash: map[Hash]*entry{}}
}

// with gives the next snapshot: the same keys with some replaced.
func (s *snapshot) with(changed []Held, teams map[TeamID]*Team, version int64, defaultRate int) *snapshot {
	next := &snapshot{version: version, held: maps.Clone(s.held), byHash: maps.Clone(s.byHash), teams: teams}
	for _, h := range append(s.moved(teams), changed...) {
		e := &entry{held: h, caller: callerOf(h.Key, defaultRate), lastUsed: new(atomic.Int64), noted: new(int64)}
		e.caller.Together = teams[h.Team]
		if before := next.held[h.ID]; before != nil {
			e.lastUsed, e.noted = before.lastUsed, before.noted
			delete(next.byHash, before.held.Hash)
			delete(next.byHash, before.held.Previous)
		}
		next.held[h.ID] = e
		next.byHash[h.Hash] = e
		if !h.PreviousUntil.IsZero() {
			next.byHash[h.Previous] = e
		}
	}
	return next
}

// moved gives the keys of teams that are not as they were.
func (s *snapshot) moved(teams map[TeamID]*Team) []Held {
	changed := map[TeamID]bool{}
	for name, team := range teams {
		if before := s.teams[name]; before == nil || !before.same(team) {
			changed[name] = true
		}
	}
	for name := range s.teams {
		if teams[name] == nil {
			changed[name] = true
		}
	}
	if len(changed) == 0 {
		return nil
	}
	var list []Held
	for _, e := range s.held {
		if changed[e.held.Team] {
			list = append(list, e.held)
		}
	}
	return list
}

func callerOf(k Key, defaultRate int) Caller {
	c := Caller{
		Key: k.ID, Name: k.Name, Team: k.Team, Scopes: k.Scopes, RateLimitPerHour: defaultRate, TokensPerMinute: k.TokensPerMinute,
		MaxConcurrency: k.MaxConcurrency, PromptChars: k.PromptChars, Models: k.Models, Budget: k.Budget,
	}
	if k.RateLimitPerHour != nil {
		c.RateLimitPerHour = *k.RateLimitPerHour
	}
	return c
}

// state is what a hash that was found is good for.
type state uint8

const (
	unknown state = iota
	valid
	expired
	revoked
	rotated
)

// find looks a hash up. The comparison that decides takes the same time for every hash.
func (s *snapshot) find(h *Hash, now time.Time) (*entry, state) {
	e := s.byHash[*h]
	if e == nil {
		return nil, unknown
	}
	current := subtle.ConstantTimeCompare(e.held.Hash[:], h[:]) == 1
	switch {
	case !e.held.RevokedAt.IsZero():
		return e, revoked
	case !e.held.ExpiresAt.IsZero() && !now.Before(e.held.ExpiresAt):
		return e, expired
	case current:
		return e, valid
	case subtle.ConstantTimeCompare(e.held.Previous[:], h[:]) != 1:
		return nil, unknown
	case !now.Before(e.held.PreviousUntil):
		return e, rotated
	}
	return e, valid
}

// any says whether some key can be used now.
func (s *snapshot) any(now time.Time) bool {
	for _, e := range s.held {
		if e.held.RevokedAt.IsZero() && (e.held.ExpiresAt.IsZero() || now.Before(e.held.ExpiresAt)) {
			return true
		}
	}
	return false
}
