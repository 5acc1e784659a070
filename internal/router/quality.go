package router

import "math"

// quality asks the least model that is up to the task: of the candidates that are expected to pass about as often as the best of them, the cheapest.
//
// How often a candidate passes is expected from the task's complexity and the model's tier until it was measured: the answers of this schema at this model count
// against that expectation as pseudo-answers do (see Figures), those of other schemas at the model move the expectation.
type quality struct{}

// Within this distance of the best pass rate candidates count as equal: less than what can be told apart after a few hundred answers.
const equalRate = 0.02

// Name is quality.
func (*quality) Name() string { return "quality" }

// Rank orders those that are up to the task by expected cost, then the others by their pass rate.
func (*quality) Rank(q *Question, of []Choice) {
	best := 0.0
	for i := range of {
		c := &of[i]
		c.figure = c.Learned.rate(priorOf(q, c))
		if c.group <= ready {
			best = max(best, c.figure)
		}
	}
	for i := range of {
		c := &of[i]
		c.Rank = math.MaxFloat64 * (1 - c.figure)
		if c.figure >= best-equalRate {
			// Where no price is known the lower tier is taken for the cheaper one.
			c.Rank = min(expectedCost(q, c), math.MaxFloat64/1e6*float64(max(1, c.Model.Tier)))
		}
	}
}

// Explain says what was expected of whom.
func (*quality) Explain(q *Question, c *Choice) string {
	text := "quality: complexity " + number(q.complexity) + " asks for tier " + whole(tierFor(q.complexity)) + "; tier " + whole(c.Model.Tier) + ", "
	if c.Learned.Attempts > 0 {
		return text + percent(c.figure) + " pass, measured on " + whole(int(c.Learned.Attempts))
	}
	return text + percent(c.figure) + " expected to pass"
}

// priorOf is the pass rate that is expected before this schema was measured at the model. A model that is up to the task fails one time in fifty; beyond its reach
// failures grow with the distance.
func priorOf(q *Question, c *Choice) float64 {
	const usual, steep = 0.02, 0.5
	expected := 1 - usual - steep*max(0, q.complexity-reach(c.Model.Tier))
	return c.general.posterior(expected)
}
