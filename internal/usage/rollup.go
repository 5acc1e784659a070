package usage

import (
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Slot names one kept sum: an hour of one team, key, provider, model and schema.
type Slot struct {
	Team     key.TeamID
	Key      key.ID
	Provider string
	Model    string
	Schema   string
	// Hour is in hours since 1970, UTC.
	Hour int64
}

// HourOf gives the hour that a time lies in.
func HourOf(t time.Time) int64 {
	s := t.Unix()
	hour := s / 3600
	if s%3600 < 0 {
		hour--
	}
	return hour
}

// Rollup sums records by slot, so that a batch changes few rows. The zero value is ready; Reset keeps its memory.
type Rollup struct {
	sums map[Slot]*Sums
	last Slot
	at   *Sums
}

// Add adds one record. The request itself is counted where its last model is, tokens and cost where they were spent.
func (r *Rollup) Add(rec *Record) {
	slot := Slot{Team: rec.Team, Key: rec.Key, Provider: rec.Provider, Model: rec.Model, Schema: rec.Schema, Hour: HourOf(rec.Time)}
	s := r.slot(slot)
	s.Requests++
	s.Passed += count(rec.Passed())
	s.Cached += count(rec.Cached)
	s.Coalesced += count(rec.Coalesced)
	s.UnpricedRequests += count(rec.Unpriced())
	if len(rec.Spent) == 0 {
		s.spend(rec.Tokens, rec.Cost)
		return
	}
	for i := range rec.Spent {
		part := &rec.Spent[i]
		slot.Provider, slot.Model = part.Provider, part.Model
		r.slot(slot).spend(part.Tokens, part.Cost)
	}
}

func (s *Sums) spend(t Tokens, c Cost) {
	s.Tokens.Input += t.Input
	s.Tokens.Output += t.Output
	s.Tokens.CachedInput += t.CachedInput
	if c.Known {
		s.Cost += c.Nanos
	}
}

// slot finds a sum; neighbours in a batch mostly share theirs.
func (r *Rollup) slot(slot Slot) *Sums {
	if r.at != nil && r.last == slot {
		return r.at
	}
	if r.sums == nil {
		r.sums = map[Slot]*Sums{}
	}
	s := r.sums[slot]
	if s == nil {
		s = &Sums{}
		r.sums[slot] = s
	}
	r.last, r.at = slot, s
	return s
}

// All gives every sum.
func (r *Rollup) All() map[Slot]*Sums { return r.sums }

// Reset empties the rollup.
func (r *Rollup) Reset() {
	clear(r.sums)
	r.last, r.at = Slot{}, nil
}

func count(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
