// Package router says which provider and model is to be asked: who can be asked at all, in which order, and why.
//
// It is not for asking: package pipeline walks the order, one attempt after the other, and package provider carries the calls and knows how each
// candidate fares. The main type is [Router]: [Fit] leaves out what can't answer a request, [Router.Order] gives the rest in the order of a strategy,
// and [Router.Learn] takes what came of an attempt, for later orders. A [Strategy] is one file with one idea; it sees a [Question] and the live figures
// of each [Choice], and has no clock and no chance but what the router hands it, so that orders repeat under a seed. Before any strategy counts how a
// candidate fares: one with an open breaker is left out, one that asked to wait or has no free slot stands behind the others.
package router

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// Strategy orders candidates. Implementations are safe for concurrent use.
type Strategy interface {
	// Name is the strategy's name in options.routing and routing.strategy.
	Name() string
	// Rank gives each choice its Rank, the smallest for the best. Equal ones keep the order of the configuration.
	Rank(q *Question, of []Choice)
	// Explain says why a choice stands where it does, with the figure that it was ranked by.
	Explain(q *Question, c *Choice) string
}

// Choice is a candidate with what is known of it at the moment of the order.
type Choice struct {
	provider.Candidate
	Live    Live
	Learned Figures
	// Rank is what the strategy orders by.
	Rank float64
	// figure is what the strategy explains the rank with, where that is another number.
	figure  float64
	group   group
	general standingRate // of the model over all other schemas
}

// Skipped is a candidate that is not asked, with the reason.
type Skipped struct {
	Candidate provider.Candidate
	Why       string
	// Wait is the time after which it may be worth asking; 0 is not known.
	Wait time.Duration
}

// Order is who is asked for a request, the first first.
type Order struct {
	Choices  []Choice
	Skipped  []Skipped
	strategy Strategy
	question *Question
	live     func(provider.Candidate) Live
}

// Config is what a router is made of. Only Learned is needed.
type Config struct {
	Learned *Learned
	// Chance gives numbers from 0 to below 1, and is safe for concurrent use; nil is the process's own.
	Chance func() float64
	// Now is the clock; nil is the real one.
	Now func() time.Time
	// Live gives a candidate's figures; nil reads its Standing.
	Live func(provider.Candidate) Live
}

// Router orders candidates. It is safe for concurrent use.
type Router struct {
	cfg        Config
	strategies []Strategy
	shapes     shapes
	distrust   distrust
}

// New makes a router.
func New(c Config) *Router {
	if c.Chance == nil {
		c.Chance = rand.Float64
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Live == nil {
		c.Live = standing
	}
	r := &Router{cfg: c}
	r.strategies = []Strategy{leastBusy{c.Chance}, cost{}, latency{c.Chance}, &quality{}, newWeighted()}
	return r
}

// Names lists the strategies, the default first.
func Names() []string {
	var names []string
	for _, s := range New(Config{}).strategies {
		names = append(names, s.Name())
	}
	return names
}

// named gives a strategy; an unknown name is the default's.
func (r *Router) named(name string) Strategy {
	for _, s := range r.strategies {
		if s.Name() == name {
			return s
		}
	}
	return r.strategies[0]
}

// Order ranks the candidates that fit a request. What is left out now because it does not work is in Skipped.
func (r *Router) Order(q *Question, fit []provider.Candidate) Order {
	q.now = r.cfg.Now()
	o := Order{strategy: r.named(q.strategy()), question: q, live: r.cfg.Live, Choices: make([]Choice, 0, len(fit))}
	for _, c := range fit {
		choice := Choice{Candidate: c, Live: r.cfg.Live(c)}
		if choice.group = groupOf(choice.Live); choice.group == ready && len(fit) > 1 && r.distrust.suspects(c, choice.Live, q.now) {
			choice.group = ailing
		}
		if choice.group == shut {
			o.Skipped = append(o.Skipped, Skipped{c, openUntil(choice.Live, q.now), choice.Live.Until.Sub(q.now)})
			continue
		}
		o.Choices = append(o.Choices, choice)
	}
	if len(o.Choices) > 1 {
		r.estimate(q)
		r.cfg.Learned.recall(q, o.Choices)
		o.strategy.Rank(q, o.Choices)
		slices.SortStableFunc(o.Choices, func(a, b Choice) int {
			return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.Rank, b.Rank))
		})
	}
	return o
}

// Explain says why the i-th choice stands where it does.
func (o *Order) Explain(i int) string {
	c := &o.Choices[i]
	switch {
	case o.question.pinnedBy() != "" && len(o.Choices)+len(o.Skipped) == 1:
		return "pinned by " + o.question.pinnedBy() + "; fallback is off"
	case len(o.Choices)+len(o.Skipped) == 1:
		return "the only candidate"
	case len(o.Choices) == 1:
		return "the only candidate that can be asked now"
	case c.group != ready:
		return c.group.String() + "; " + o.strategy.Explain(o.question, c)
	default:
		return o.strategy.Explain(o.question, c)
	}
}

// Learn takes what came of an attempt.
func (r *Router) Learn(q *Question, a *provider.Attempt, reask bool) {
	now := r.cfg.Now()
	r.distrust.note(a, now)
	r.cfg.Learned.observe(q, a, reask, now)
}

// Note takes an attempt whose answer nobody judges: it says how the service fares, and nothing of what the model can do.
func (r *Router) Note(a *provider.Attempt) { r.distrust.note(a, r.cfg.Now()) }

// Overtaken takes a call that was cancelled because another candidate answered sooner. A service that hangs would never be found out otherwise: hedges cancel its calls
// before they time out.
func (r *Router) Overtaken(a *provider.Attempt) { r.distrust.failed(a, r.cfg.Now()) }
