package router

import (
	"math"
	"slices"
	"time"
)

// explored is the share of requests that go to another candidate than the one that seems fastest, so that one that became faster is found out. The slower
// a candidate was, the more seldom it is its turn.
const explored = 0.02

// latency asks the candidate whose recent successful calls were done soonest, by their decaying 95th percentile; calls in flight make it slower in
// proportion to the share of its limit. One that was never asked counts as the median of the others.
type latency struct{ chance func() float64 }

// Name is latency.
func (latency) Name() string { return "latency" }

// Rank orders by what a call is expected to take.
func (s latency) Rank(_ *Question, of []Choice) {
	usual := median(of)
	best := 0
	for i := range of {
		c := &of[i]
		p95 := c.Live.P95
		if p95 == 0 {
			p95 = usual
		}
		c.figure = float64(c.Live.P95)
		c.Rank = float64(p95) * (1 + c.Live.share()) / c.Live.health()
		if c.Rank < of[best].Rank {
			best = i
		}
	}
	if usual == 0 {
		for i := range of {
			of[i].Rank = s.chance() // Nothing is known of anybody.
		}
		return
	}
	if s.chance() < explored {
		s.explore(of, best)
	}
}

// explore puts one of the others first.
func (s latency) explore(of []Choice, best int) {
	chosen, least := -1, math.Inf(1)
	for i := range of {
		// The smallest of exponential numbers: by weights that fall with what a call takes.
		if at := -math.Log(1-s.chance()) * of[i].Rank; i != best && of[i].group == ready && at < least {
			chosen, least = i, at
		}
	}
	if chosen >= 0 {
		of[chosen].Rank = -1
	}
}

// Explain says the percentile.
func (latency) Explain(_ *Question, c *Choice) string {
	switch {
	case c.figure == 0:
		return "latency: not measured yet"
	case c.Rank < 0:
		return "latency: measured again, p95 " + seconds(time.Duration(c.figure))
	default:
		return "latency: p95 " + seconds(time.Duration(c.figure))
	}
}

// median of the known ones; 0 where none is.
func median(of []Choice) time.Duration {
	var known []time.Duration
	for i := range of {
		if of[i].Live.P95 > 0 {
			known = append(known, of[i].Live.P95)
		}
	}
	if len(known) == 0 {
		return 0
	}
	slices.Sort(known)
	return known[len(known)/2]
}
