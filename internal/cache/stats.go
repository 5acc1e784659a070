package cache

import "context"

// Stats counts what a tier did since it was made, and what it holds now.
type Stats struct {
	Hits        uint64 `json:"hits"`
	Misses      uint64 `json:"misses"`
	Stores      uint64 `json:"stores"`
	Drops       uint64 `json:"drops"`
	Evictions   uint64 `json:"evictions"`
	Expirations uint64 `json:"expirations"`
	// Entries and Bytes are what is held now. Bytes counts the tier's own overhead too, as far as it can be known.
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
	// MaxBytes is the bound of the whole tier; 0 where there is none or it is not known.
	MaxBytes int64 `json:"max_bytes"`
}

// StatsReader gives a tier's figures.
type StatsReader interface {
	// Stats gives the figures of one team, or those of all teams together where team is empty.
	Stats(ctx context.Context, team string) (Stats, error)
}

// HitRatio is the share of lookups that were hits, and whether there were any lookups.
func (s Stats) HitRatio() (ratio float64, known bool) {
	n := s.Hits + s.Misses
	if n == 0 {
		return 0, false
	}
	return float64(s.Hits) / float64(n), true
}

// Add gives the sum of two sets of figures; MaxBytes is kept.
func (s Stats) Add(o Stats) Stats {
	s.Hits += o.Hits
	s.Misses += o.Misses
	s.Stores += o.Stores
	s.Drops += o.Drops
	s.Evictions += o.Evictions
	s.Expirations += o.Expirations
	s.Entries += o.Entries
	s.Bytes += o.Bytes
	return s
}
