package provider

import (
	"errors"
	"sync/atomic"
)

// Figures are what a provider counts of itself, for operators. Those that count only grow, over a reload too.
type Figures struct {
	// RetryBudget is the share of the retry budget that is left, from 0 to 1; RetriesRefused counts the repeats that it did not allow.
	RetryBudget    float64
	RetriesRefused int64
	// Open, Busy, Resting and Limited count the calls that were not sent: see [ErrOpen], [ErrBusy], [ErrResting] and [ErrLimited].
	Open, Busy, Resting, Limited int64
	// Credentials are the account's, CredentialsResting those that are left alone now for some model, Rests counts the rests of all.
	Credentials, CredentialsResting int
	Rests                           int64
}

// Figures gives what the provider counts.
func (p *Provider) Figures() Figures {
	l := p.live
	now := l.clock()
	f := Figures{
		Open: l.counts.open.Load(), Busy: l.counts.busy.Load(), Resting: l.counts.resting.Load(), Limited: l.counts.limited.Load(), Rests: l.counts.rests.Load(),
	}
	f.RetryBudget, f.RetriesRefused = l.budget.figures(now)
	f.Credentials, f.CredentialsResting = l.turn.counts(now)
	return f
}

// counts are those of an account since the start.
type counts struct{ open, busy, resting, limited, rests atomic.Int64 }

// refused counts a call that was not sent.
func (c *counts) refused(why error) {
	switch {
	case errors.Is(why, ErrOpen):
		c.open.Add(1)
	case errors.Is(why, ErrBusy):
		c.busy.Add(1)
	case errors.Is(why, ErrResting):
		c.resting.Add(1)
	case errors.Is(why, ErrLimited):
		c.limited.Add(1)
	}
}
