package main

import (
	"math"
	"slices"
	"unicode"
)

// The figures of smoothing and choosing. They hold for every language alike; a few values of each were compared by how many
// labelled sentences came out right, and the differences were small.
const (
	// alpha weighs the prior of a context: how many unseen symbols each kind of symbol that was seen stands for.
	alpha = 3.0
	// shared is the share of that prior that comes from all languages together: what nobody counted tells nothing.
	shared = 0.5
	// noise bounds what one letter can say against a language: foreign words and names come in every text.
	noise = 0.03
	// rarest is how often, per letter, an n-gram must come in some language to be looked at.
	rarest = 3e-7
	// neighbours is how many of a language's closest ones must also be told from it by an n-gram that it has not.
	neighbours = 2
	// maxWeight is what the table's format holds.
	maxWeight = 7.9
)

// script is the languages that share one, with what tells them apart.
type script struct {
	models []*model
	memo   map[gram][]float32
	cands  []candidate
	// scale says by two languages how much a difference between them counts: the closer, the more. It is the inverse of
	// how far a letter tells them apart, for a language's closest neighbours and, in the diagonal, for the closest of all.
	scale [][]float64
}

// candidate is an n-gram that may go into the table.
type candidate struct {
	gram  gram
	logs  []float32 // log probability of the last symbol after the others, by language
	joint []float32 // how often it comes, per symbol of text, by language
}

func readScript(dir string, languages []string, letters *unicode.RangeTable) (*script, error) {
	s := &script{memo: map[gram][]float32{}}
	for _, l := range languages {
		c, err := readCounts(dir, l, letters)
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
		v[i] = float32(m.step(g, n, low, pooled))
	}
	if n < maxOrder {
		s.memo[g] = v
	}
	return v
}

// pool gives the probability of the last symbol of g after the others in all languages together.
func (s *script) pool(g gram, n int) float64 {
	h := g.drop()
	seen, follow := 0.0, 0.0
	for _, m := range s.models {
		seen += m.by[n][g] / m.total
		follow += m.after[h] / m.total
	}
	return seen / max(follow, 1e-12)
}

// collect lists the n-grams that come often enough in some language to matter, the short ones first.
func (s *script) collect() {
	for n := 1; n <= maxOrder; n++ {
		set := map[gram]bool{}
		for _, m := range s.models {
			for g, k := range m.by[n] {
				if k >= 3 && (n <= 2 || k/m.total >= rarest) {
					set[g] = true
				}
			}
		}
		for _, g := range sorted(set) {
			s.cands = append(s.cands, s.candidate(g, n))
		}
	}
	s.memo = nil
}

func (s *script) candidate(g gram, n int) candidate {
	c := candidate{gram: g, logs: make([]float32, len(s.models)), joint: make([]float32, len(s.models))}
	v := s.vector(g, n)
	most := slices.Max(v)
	for i, p := range v {
		c.logs[i] = float32(math.Log(float64(p)*(1-noise) + noise*float64(most)))
		c.joint[i] = float32(s.models[i].by[n][g] / s.models[i].total)
	}
	return c
}

// weigh fills scale. How far a letter tells two languages apart is the mean, in texts of the one and of the other, of the
// log ratio of its probabilities, given all the letters before it that the models look at.
func (s *script) weigh() {
	n := len(s.models)
	apart := make([][]float64, n)
	for i := range apart {
		apart[i] = make([]float64, n)
	}
	for _, c := range s.cands {
		order := c.gram.order()
		if order == 1 || order < maxOrder && !c.gram.startsWord(order) {
			continue
		}
		for a := range n {
			if c.joint[a] == 0 {
				continue
			}
			for b := range n {
				d := float64(c.joint[a]) * float64(c.logs[a]-c.logs[b]) / 2
				apart[a][b] += d
				apart[b][a] += d
			}
		}
	}
	s.scale = make([][]float64, n)
	for a := range n {
		row := make([]float64, n)
		for b := range n {
			if a != b {
				row[b] = 1 / apart[a][b]
			}
		}
		closest := slices.Sorted(slices.Values(row))
		least := closest[max(0, n-neighbours)]
		for b := range n {
			if row[b] < least {
				row[b] = 0
			}
		}
		row[a] = closest[n-1]
		s.scale[a] = row
	}
}

// entry is what the table says of one n-gram.
type entry struct {
	gram    gram
	weights []weight
}

// weight is an n-gram's evidence for a language, beyond that of the shorter n-grams that it ends in.
type weight struct {
	language int
	value    float32
}

// prune chooses the weights whose evidence, times how often it comes up, is above the least; and all of those that have a row.
func (s *script) prune(least float64) []entry {
	var out []entry
	stored := map[gram][]float32{}
	delta := make([]float32, len(s.models))
	for ci := range s.cands {
		c := &s.cands[ci]
		copy(delta, c.logs)
		for g := c.gram.tail(); g != 0; g = g.tail() {
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
			if c.gram.order() <= rowOrder || s.importance(c, i)*math.Abs(float64(w)) > least {
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

// importance says how often a text of the language, or of a close one, shows the n-gram, times the closeness.
func (s *script) importance(c *candidate, language int) float64 {
	most := 0.0
	for b, scale := range s.scale[language] {
		most = max(most, scale*float64(c.joint[b]))
	}
	return most
}

// base is the evidence against the languages that an entry does not list: the mean over those that never show the n-gram,
// weighted by how often they show what it begins with.
func (s *script) base(c *candidate, delta []float32) float32 {
	sum, mass := 0.0, 0.0
	h := c.gram.drop()
	for i, m := range s.models {
		if c.joint[i] > 0 {
			continue
		}
		a := m.after[h]/m.total + 1e-9
		if h == 0 {
			a = 1
		}
		sum += a * float64(max(delta[i], -6))
		mass += a
	}
	if mass > 0 {
		return float32(sum / mass)
	}
	d := slices.Sorted(slices.Values(delta))
	return d[len(d)/2]
}

func sorted(set map[gram]bool) []gram {
	grams := make([]gram, 0, len(set))
	for g := range set {
		grams = append(grams, g)
	}
	slices.Sort(grams)
	return grams
}
