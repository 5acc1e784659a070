package main

import (
	"cmp"
	"math"
	"slices"
	"unicode"
)

// script is the languages that share one, with what tells them apart.
type script struct {
	models []*model
	memo   map[gram][]float32
	alpha, noise float64
	mean bool
	pooled float64 // share of the prior that comes from all languages together
	cands  []candidate
}

// candidate is an n-gram that may go into the table.
type candidate struct {
	gram  gram
	order int
	logs  []float32 // log probability of the last symbol after the others, by language
	joint []float32 // how often it comes, per symbol of text, by language
}

func readScript(dir string, languages []string, table *unicode.RangeTable) (*script, error) {
	s := &script{memo: map[gram][]float32{}, pooled: 0.5}
	for _, l := range languages {
		c, err := readCounts(dir, l, table)
		if err != nil {
			return nil, err
		}
		s.models = append(s.models, newModel(c))
	}
	return s, nil
}

// vector gives the probability of the last symbol of g after the others, by language.
func (s *script) vector(g gram, n int) []float32 {
	if v, ok := s.memo[g]; ok {
		return v
	}
	v := make([]float32, len(s.models))
	var lower []float32
	if n > 1 {
		lower = s.vector(g.tail(), n-1)
	}
	pooled := s.pool(g, n)
	for i, m := range s.models {
		low := 0.0
		if n > 1 {
			low = float64(lower[i])
		}
		v[i] = float32(m.step(g, n, low, pooled, s.pooled, s.alpha))
	}
	if n < maxOrder {
		s.memo[g] = v
	}
	return v
}

// collect lists the n-grams that come often enough in some language to matter.
func (s *script) collect(least float64) {
	for n := 1; n <= maxOrder; n++ {
		set := map[gram]bool{}
		for _, m := range s.models {
			for g, k := range m.by[n] {
				if n <= 2 && k >= 3 || k >= 3 && k/m.total >= least {
					set[g] = true
				}
			}
		}
		grams := make([]gram, 0, len(set))
		for g := range set {
			grams = append(grams, g)
		}
		slices.SortFunc(grams, func(a, b gram) int { return cmp.Compare(a, b) })
		for _, g := range grams {
			c := candidate{gram: g, order: n, logs: make([]float32, len(s.models)), joint: make([]float32, len(s.models))}
			v := s.vector(g, n)
			pooled := 0.0
			for _, p := range v {
				pooled = max(pooled, float64(p))
			}
			if s.mean {
				pooled = s.pool(g, n)
			}
			for i, p := range v {
				c.logs[i] = float32(math.Log(float64(p)*(1-s.noise) + s.noise*pooled))
				c.joint[i] = float32(s.models[i].by[n][g] / s.models[i].total)
			}
			s.cands = append(s.cands, c)
		}
	}
}

// entry is what the table says of one n-gram.
type entry struct {
	gram    gram
	weights []weight
}

type weight struct {
	language int
	value    float32
}

const maxWeight = 15.9

// prune chooses the entries whose evidence, times how often they come in the language that they speak for, is above the least.
func (s *script) prune(least float64) []entry {
	var out []entry
	stored := map[gram][]float32{}
	delta := make([]float32, len(s.models))
	for ci := range s.cands {
		c := &s.cands[ci]
		copy(delta, c.logs)
		for g := c.gram; ; {
			g = g.tail()
			if g == 0 {
				break
			}
			for i, w := range stored[g] {
				delta[i] -= w
			}
		}
		base := s.base(c, delta)
		e := entry{gram: c.gram}
		dense := make([]float32, len(s.models))
		for i := range delta {
			dense[i] = base
			w := delta[i] - base
			// An n-gram that a language has not must not be listed for it, but for the shortest.
			imp := float64(c.joint[i]) * math.Abs(float64(w))
			if c.order == 1 && math.Abs(float64(w)) > 0.05 || imp > least {
				w = max(min(w, maxWeight), -maxWeight)
				e.weights = append(e.weights, weight{i, w})
				dense[i] = base + w
			}
		}
		if len(e.weights) > 0 {
			out = append(out, e)
			stored[c.gram] = dense
		}
	}
	return out
}

// base is the evidence against the languages that an entry does not list.
func (s *script) base(c *candidate, delta []float32) float32 {
	sum, mass := 0.0, 0.0
	h := c.gram.drop()
	for i, m := range s.models {
		if c.joint[i] > 0 {
			continue
		}
		a := m.after[h]/m.total + 1e-9
		if c.order == 1 {
			a = 1
		}
		sum += a * float64(max(delta[i], -6))
		mass += a
	}
	if mass > 0 {
		return float32(sum / mass)
	}
	d := slices.Clone(delta)
	slices.Sort(d)
	return d[len(d)/2]
}

func (s *script) pool(g gram, n int) float64 {
	h := g.drop()
	seen, follow := 0.0, 0.0
	for _, m := range s.models {
		seen += m.by[n][g] / m.total
		follow += m.after[h] / m.total
	}
	return seen / max(follow, 1e-12)
}
