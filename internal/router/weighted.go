package router

import (
	"slices"
	"sync"

	"github.com/promptd/promptd/internal/provider"
)

// weighted asks providers in proportion to their weights, exactly over time: smooth weighted round robin, as in nginx. Each provider gathers its weight
// with every request; the one that has gathered most is asked and pays what all have gathered in this turn. A weight of 0 is asked when nobody else is left.
type weighted struct {
	mu sync.Mutex

	gathered map[string]int64 // by the provider's name
}

func newWeighted() *weighted { return &weighted{gathered: map[string]int64{}} }

// mostGathered bounds the names that are remembered; reloads may bring ever new ones.
const mostGathered = 10_000

// Name is weighted.
func (*weighted) Name() string { return "weighted" }

// Rank orders providers by what they have gathered; a provider's models keep the order of the configuration.
func (s *weighted) Rank(_ *Question, of []Choice) {
	var providers []*provider.Provider
	for i := range of {
		if p := of[i].Provider; of[i].group <= ready && !slices.Contains(providers, p) {
			providers = append(providers, p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.gathered) > mostGathered {
		clear(s.gathered)
	}
	s.turn(providers)
	for i := range of {
		p := of[i].Provider
		of[i].Rank = float64(slices.Index(providers, p))
		if of[i].Rank < 0 {
			of[i].Rank = float64(len(of))
		}
		if p.Weight() == 0 {
			of[i].Rank += float64(2 * len(of))
		}
	}
}

// turn orders the providers of one request.
func (s *weighted) turn(providers []*provider.Provider) {
	var total int64
	for _, p := range providers {
		total += int64(p.Weight())
		s.gathered[p.Name()] += int64(p.Weight())
	}
	slices.SortStableFunc(providers, func(a, b *provider.Provider) int {
		switch x, y := s.gathered[a.Name()], s.gathered[b.Name()]; {
		case x > y:
			return -1
		case x < y:
			return 1
		default:
			return 0
		}
	})
	if len(providers) > 0 {
		s.gathered[providers[0].Name()] -= total
	}
}

// Explain says the weight.
func (*weighted) Explain(_ *Question, c *Choice) string {
	return "weighted: weight " + whole(c.Provider.Weight())
}
