package provider

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrNotSent is what every error is of a call that was never sent: it cost nothing, the service knows nothing of it, and it is no attempt. The error of
// the call is still a *dialect.Error, whose Wait says after which time it may be worth asking again; 0 is not known.
var ErrNotSent = errors.New("the call was not sent")

// Why a call was not sent.
var (
	// ErrOpen: the breaker is open.
	ErrOpen error = unsent("the breaker is open")
	// ErrBusy: no slot comes free before the deadline.
	ErrBusy error = unsent("no slot comes free in time")
	// ErrResting: the service said that it does not want to be asked before a certain time.
	ErrResting error = unsent("the service asked to wait")
	// ErrLimited: the account's own limits (rpm, tpm) do not allow it before the deadline.
	ErrLimited error = unsent("the account's own limit is reached")
)

// unsent is a reason for which a call was not sent.
type unsent string

// Error gives the reason.
func (u unsent) Error() string { return string(u) }

// Is makes every reason an ErrNotSent.
func (u unsent) Is(target error) bool { return target == ErrNotSent }

// timeIsUp says that it was the deadline which ended a context.
func timeIsUp(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// Standing is how a candidate stands at one moment: what the router orders by.
type Standing struct {
	// InFlight counts the account's calls under way and those that wait for a slot, of all processes that share what they know; Limit is how many may be under way
	// now: max_concurrency, or less where the service said that it was given too much. All models of an account share them.
	InFlight, Limit int
	// Breaker is the state of the model's breaker. HalfOpen means that the next call, and it alone, is let through as a probe; while that is under way it is Open.
	Breaker BreakerState
	// OpenUntil is when an open breaker lets a probe through, now where one is under way; zero where it is not open.
	OpenUntil time.Time
	// Rest is how long the candidate should be left alone, because the service said so or has refused of late; 0 is not at all.
	Rest time.Duration
	// Latency is that of good calls of late, First that of their first token, in streams.
	Latency, First Quantiles
	// Calls counts the calls in the breaker's window that say something, Success is the share of good ones, 1 where there are none.
	Calls   int
	Success float64
}

// Standing says how the candidate stands. It is cheap and may be asked for every candidate of every request.
func (c Candidate) Standing() Standing { return c.Provider.Standing(c.Model) }

// Standing says how a model of the provider stands.
func (p *Provider) Standing(m *Model) Standing {
	l := p.live
	now := l.clock()
	t := l.track(m)
	s := Standing{Latency: t.latency.quantiles(), First: t.first.quantiles(), Success: 1}
	s.InFlight, s.Limit = l.slots.all()
	h := t.breaker.health(now)
	s.Breaker = h.state
	if h.probing {
		s.Breaker = Open // Any further call would be refused.
	}
	if s.Breaker == Open {
		s.OpenUntil = l.epoch.Add(time.Duration(max(now, h.until)))
	}
	if s.Calls = h.tally.judged() + h.tally.limited; s.Calls > 0 {
		s.Success = float64(h.tally.good) / float64(s.Calls)
	}
	s.Rest = time.Duration(max(0, l.turn.free(now, m.Name)-now, t.held.Load()-now, t.told.Load()-now))
	return s
}

// AllowRetry says whether one more repeat at this provider is within its retry budget, and counts it if so. Moving on to another candidate needs no leave.
func (p *Provider) AllowRetry() bool { return p.live.budget.allow(p.live.clock()) }

// live is the state of an account: what is known of it while the program runs. A reload makes other providers of the configuration and hands the state on.
type live struct {
	epoch  time.Time // the times of all parts are nanoseconds since then
	slots  *slots
	budget *retryBudget
	quota  *quota
	turn   *turn
	tracks map[string]*track // by model; never written
	stray  *track            // of models that the account does not list
	counts *counts
}

// track is the state of one model of an account.
type track struct {
	breaker        *breaker
	latency, first sketch
	// held is the time before which the service, overloaded, does not want to be asked, told the same as another process says.
	held, told atomic.Int64
	// silent counts the timeouts in a row of calls that had a fair chance.
	silent atomic.Int64
	// output is how many tokens answers have of late.
	output atomic.Int64
}

func newLive(a *Account) *live {
	l := &live{
		epoch: time.Now(), slots: newSlots(a.MaxConcurrency), budget: newRetryBudget(), quota: &quota{limits: a.Limits}, turn: newTurn(a.Credentials),
		tracks: make(map[string]*track, len(a.Models)), stray: &track{breaker: newBreaker(BreakerConfig{})}, counts: &counts{},
	}
	for i := range a.Models {
		l.tracks[a.Models[i].Name] = &track{breaker: newBreaker(a.Breaker)}
	}
	return l
}

// adopt takes over what is known of the same account before a reload; what the configuration says is the new one's.
func (l *live) adopt(before *live, a *Account) {
	l.epoch, l.slots, l.budget, l.quota, l.counts = before.epoch, before.slots, before.budget, before.quota, before.counts
	l.slots.resize(a.MaxConcurrency)
	l.quota.configure(a.Limits)
	l.turn.adopt(before.turn)
	for name := range l.tracks {
		if t, ok := before.tracks[name]; ok {
			t.breaker.configure(a.Breaker)
			l.tracks[name] = t
		}
	}
}

func (l *live) clock() int64 { return int64(time.Since(l.epoch)) }

func (l *live) track(m *Model) *track {
	if t, ok := l.tracks[m.Name]; ok {
		return t
	}
	return l.stray
}
