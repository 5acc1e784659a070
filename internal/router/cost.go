package router

import (
	"math"

	"github.com/promptd/promptd/internal/dialect"
)

// leastRate is the pass rate below which a candidate stands behind the others, however cheap it is: on average it would need more than two attempts, and
// a request has few.
const leastRate = 0.5

// cost asks the candidate with the smallest expected cost of a valid answer: the price of the tokens that are expected, divided by the share of attempts
// that pass. A price that is not known comes last.
type cost struct{}

// Name is cost.
func (cost) Name() string { return "cost" }

// Rank orders by expected cost.
func (cost) Rank(q *Question, of []Choice) {
	for i := range of {
		c := &of[i]
		c.figure = expectedCost(q, c)
		c.Rank = c.figure
		if rate := c.Learned.rate(priorOf(q, c)); rate < leastRate && !math.IsInf(c.Rank, 1) {
			c.Rank = math.MaxFloat64 * (1 - rate)
		}
	}
}

// Explain says the expected cost.
func (cost) Explain(q *Question, c *Choice) string {
	if math.IsInf(c.figure, 1) {
		return "cost: the price is not known"
	}
	return "cost: $" + dollars(c.figure) + " expected, " + percent(c.Learned.rate(priorOf(q, c))) + " pass"
}

// expectedCost is in nano-dollars, infinite where the price is not known.
func expectedCost(q *Question, c *Choice) float64 {
	one := c.Model.Price.Of(dialect.Usage{Input: q.input, Output: q.output, Known: true})
	if !one.Known {
		return math.Inf(1)
	}
	return float64(one.Nano) / c.Learned.rate(priorOf(q, c))
}
