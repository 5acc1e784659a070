package main

// model gives a language's smoothed probabilities: Witten and Bell's interpolation, with a prior that is shared with
// the other languages of the script.
type model struct {
	*counts
	kinds map[gram]float64 // how many different symbols follow a context
	after map[gram]float64 // how often a context was followed
}

func newModel(c *counts) *model {
	m := &model{counts: c, kinds: map[gram]float64{}, after: map[gram]float64{}}
	for n := 1; n <= maxOrder; n++ {
		for g, k := range c.by[n] {
			m.kinds[g.drop()]++
			m.after[g.drop()] += k
		}
	}
	return m
}

// step gives the probability of the last symbol of g after the others, where lower is that of g without its first
// symbol and pooled that of all languages together.
func (m *model) step(g gram, n int, lower, pooled float64) float64 {
	if n == 1 {
		return (m.by[1][g] + m.kinds[0]*pooled*unseen) / (m.total + m.kinds[0])
	}
	h := g.drop()
	seen, kinds := m.after[h], m.kinds[h]*alpha
	if seen == 0 {
		return lower
	}
	prior := (1-shared)*lower + shared*pooled
	return (m.by[n][g] + kinds*prior) / (seen + kinds)
}

// unseen bounds what a letter that a language does not use can have of the mass for the unknown.
const unseen = 0.1
