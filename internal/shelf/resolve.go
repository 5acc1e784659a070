package shelf

import (
	"context"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/key"
)

// reference is a reference of one team.
type reference struct {
	team key.TeamID
	text string
}

// remembered is what a reference meant in a generation. What was made of its version outlives that: versions do not change.
type remembered[T any] struct {
	made       T
	hash       [32]byte
	generation uint64
	weight     uint32
}

// memoryBytes bounds what a shelf remembers.
const memoryBytes = 32 << 20

func newMemory[T any]() *otter.Cache[reference, remembered[T]] {
	return otter.Must(&otter.Options[reference, remembered[T]]{
		MaximumWeight: memoryBytes,
		Weigher:       func(_ reference, m remembered[T]) uint32 { return m.weight },
	})
}

// Resolve gives what was made of the version that a reference of the team means: name@version, or name for the newest that can be used. A reference that is
// none is an INVALID_REQUEST, what was never published NOT_FOUND, and what was withdrawn GONE with what to do about it.
func (s *Shelf[T]) Resolve(ctx context.Context, team key.TeamID, text string) (T, error) {
	var none T
	// The generation is taken before the store is read: what is read is at least as new.
	generation := s.generation.Load()
	at := reference{team, text}
	if m, ok := s.remembered.GetIfPresent(at); ok && m.generation == generation {
		return m.made, nil
	}
	ref, err := s.cfg.Kind.ParseRef(text)
	if err != nil {
		return none, err
	}
	_, v, err := s.Find(ctx, team, ref, false)
	if err != nil {
		return none, err
	}
	m, err := s.make(v)
	if err != nil {
		return none, err
	}
	m.generation = generation
	s.remembered.Set(at, m)
	if pinned := v.Ref(); pinned != text { // The version can be used by its number too, and is found by it when another becomes the newest.
		s.remembered.Set(reference{team, pinned}, m)
	}
	return m.made, nil
}

// make gives what was made of a version before, or makes it.
func (s *Shelf[T]) make(v Version) (remembered[T], error) {
	if m, ok := s.remembered.GetIfPresent(reference{v.Team, v.Ref()}); ok && m.hash == v.Hash {
		return m, nil
	}
	made, err := s.cfg.Make(v)
	if err != nil {
		return remembered[T]{}, err
	}
	weight := min(s.cfg.Around+s.cfg.Overhead*len(v.Content.String()), memoryBytes)
	return remembered[T]{made: made, hash: v.Hash, weight: uint32(weight)}, nil //nolint:gosec // Bounded by a constant.
}
