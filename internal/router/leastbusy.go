package router

import "math"

// leastBusy asks the candidate with the smallest share of its limit in use.
//
// Ties, such as of idle ones, are spread in proportion to the limits: each gets an exponentially distributed number divided by its limit, and the smallest of such
// numbers falls so. What failed lately makes a candidate busier than it is, in proportion.
type leastBusy struct{ chance func() float64 }

// Name is least-busy.
func (leastBusy) Name() string { return "least-busy" }

// Rank orders by the share in use.
func (s leastBusy) Rank(_ *Question, of []Choice) {
	const tie = 1e-6 // Of a call: it decides between equal shares alone.
	for i := range of {
		c := &of[i]
		spread := -math.Log(1-s.chance()) * tie
		c.Rank = (float64(c.Live.InFlight) + spread) / (float64(max(1, c.Live.Limit)) * c.Live.health())
	}
}

// Explain says how much is in use.
func (leastBusy) Explain(_ *Question, c *Choice) string {
	return "least-busy: " + whole(c.Live.InFlight) + " of " + whole(c.Live.Limit) + " slots in use"
}
