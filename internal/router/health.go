package router

import (
	"cmp"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// Live is how a candidate fares now.
type Live struct {
	// InFlight counts the calls under way and those that wait, of the whole provider; Limit is how many it takes at once now.
	InFlight, Limit int
	// Open says that the breaker lets no call through, until Until. Probing says that it lets one through to see.
	Open, Probing bool
	Until         time.Time
	// Rest is how long the service wants to be left alone; 0 is not at all.
	Rest time.Duration
	// P95 is the decaying 95th percentile of what good calls took; 0 where there were none.
	P95 time.Duration
	// Calls counts recent calls, Success is the share of good ones.
	Calls   int
	Success float64
}

// standing reads a candidate's figures.
func standing(c provider.Candidate) Live {
	s := c.Standing()
	return Live{
		InFlight: s.InFlight, Limit: s.Limit, Open: s.Breaker == provider.Open, Probing: s.Breaker == provider.HalfOpen, Until: s.OpenUntil,
		Rest: s.Rest, P95: s.Latency.P95, Calls: s.Calls, Success: s.Success,
	}
}

// health is the share of recent calls that worked, beginning from two that did: a single failure says little, and a candidate that is hardly asked and
// always fails is left to the others before its breaker has seen enough.
func (l Live) health() float64 {
	const prior = 2
	return (l.Success*float64(l.Calls) + prior) / (float64(l.Calls) + prior)
}

// share is the part of the limit that is in use.
func (l Live) share() float64 { return float64(l.InFlight) / float64(max(1, l.Limit)) }

// ProbeFor is how long a probe of the i-th choice may take: somewhat over twice its usual 95th percentile, below which a timeout says nothing of a service, or
// that of the slowest other one where it is not known.
func (o *Order) ProbeFor(i int) time.Duration {
	const times, margin, least = 2, 100 * time.Millisecond, time.Second
	p95 := o.Choices[i].Live.P95
	for j := range o.Choices {
		if o.Choices[i].Live.P95 == 0 {
			p95 = max(p95, o.Choices[j].Live.P95)
		}
	}
	return max(least, times*p95) + margin
}

// Worse compares how two choices fare by now, which the order does not show: below 0 where the first fares better, above 0 where it fares worse. Between such
// that can be asked alike it is 0, unless failures says to compare what failed of late as well.
func (o *Order) Worse(i, j int, failures bool) int {
	a, b := o.live(o.Choices[i].Candidate), o.live(o.Choices[j].Candidate)
	if c := cmp.Compare(groupOf(a), groupOf(b)); c != 0 || !failures {
		return c
	}
	return -cmp.Compare(a.health(), b.health())
}

// group is what counts before any strategy.
type group uint8

const (
	// probing candidates come first, for a single call: otherwise one that works again would never be found out while others work.
	probing group = iota
	ready
	// ailing ones failed most of their recent calls.
	ailing
	// full ones have no free slot: a call would wait for one.
	full
	// waiting ones said when to come again.
	waiting
	// shut ones have an open breaker and are left out.
	shut
)

func (g group) String() string {
	return [...]string{"breaker half-open: a probe", "ready", "failed most of its recent calls", "no free slot", "asked to wait", "breaker open"}[g]
}

func groupOf(l Live) group {
	const sick = 0.5
	switch {
	case l.Open:
		return shut
	case l.Rest > 0:
		return waiting
	case l.Probing:
		return probing
	case l.InFlight >= l.Limit:
		return full
	case l.health() < sick:
		return ailing
	default:
		return ready
	}
}

func openUntil(l Live, now time.Time) string {
	return "breaker open for " + seconds(l.Until.Sub(now))
}

// seconds writes a time for people.
func seconds(d time.Duration) string {
	d = max(d, 0)
	if d < time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}
