package provider

import (
	"context"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// ticket is the leave to make one call: the breaker's permit, a place within the account's limits, a slot and a credential. It is given back with settle,
// exactly once.
type ticket struct {
	live     *live
	track    *track
	model    string
	permit   permit
	holder   *holder
	tokens   int   // the estimate that was counted
	received int64 // when it was received: the call begins
}

// admit gets a ticket for a call of about so many input tokens, waiting within the deadline where that helps. Nothing is sent without one. The error is a
// *dialect.Error: an ErrNotSent, or the context's end.
func (l *live) admit(ctx context.Context, m *Model, tokens int) (ticket, error) {
	t := ticket{live: l, track: l.track(m), model: m.Name, tokens: tokens}
	if until, barred := t.barred(l.clock()); barred {
		return t, l.refuse(ErrResting, time.Duration(until-l.clock()))
	}
	if err := t.getPermit(); err != nil {
		return t, err
	}
	wait, err := l.quota.take(ctx, l.clock, tokens)
	if err != nil {
		t.dropPermit()
		return t, l.given(ctx, err, wait)
	}
	if wait, err = l.slots.enter(ctx); err != nil {
		l.quota.giveBack(tokens)
		t.dropPermit()
		return t, l.given(ctx, err, wait)
	}
	if err := t.begin(); err != nil {
		l.slots.abandon()
		l.quota.giveBack(tokens)
		return t, err
	}
	return t, nil
}

// begin takes the credential, and looks again at what may have changed while the call waited for its turn.
func (t *ticket) begin() error {
	if !t.track.breaker.current(t.permit) {
		if err := t.getPermit(); err != nil {
			return err
		}
	}
	now := t.live.clock()
	var until int64
	if t.holder, until = t.live.turn.pick(now, t.model); t.holder == nil {
		t.dropPermit()
		return t.live.refuse(ErrResting, time.Duration(until-now))
	}
	t.live.budget.called(now)
	t.received = now
	return nil
}

// barred says until when the service wants no call, as it said itself.
func (t *ticket) barred(now int64) (until int64, barred bool) {
	until, barred = t.live.turn.barred(now, t.model)
	if held := max(t.track.held.Load(), t.track.told.Load()); held > now {
		return max(until, held), true
	}
	return until, barred
}

func (t *ticket) getPermit() error {
	now := t.live.clock()
	p, ok, until := t.track.breaker.admit(now)
	if !ok {
		return t.live.refuse(ErrOpen, time.Duration(until-now))
	}
	t.permit = p
	return nil
}

func (t *ticket) dropPermit() { t.track.breaker.record(t.live.clock(), t.permit, Neither, false) }

// refuse makes the error of a call that is not sent.
func (l *live) refuse(why error, wait time.Duration) *dialect.Error {
	l.counts.refused(why)
	return &dialect.Error{Outcome: dialect.OverloadedProvider, Wait: wait, Cause: why}
}

// given makes the error of a wait that ended without a place.
func (l *live) given(ctx context.Context, err error, wait time.Duration) *dialect.Error {
	if _, ours := err.(unsent); ours { //nolint:errorlint // It comes from beside, unwrapped.
		return l.refuse(err, wait)
	}
	return transport(ctx, err)
}

// settle gives the ticket back with what became of the call.
func (t *ticket) settle(a *Attempt, e *dialect.Error) {
	l, now := t.live, t.live.clock()
	took := time.Duration(now - t.received)
	served := took - a.reading // A caller that reads slowly is not a service that writes slowly.
	rule := RuleOf(a.Outcome)
	verdict := rule.Health
	if a.Outcome == dialect.Timeout {
		verdict = t.track.silence(served)
	} else if a.Outcome != dialect.Cancelled {
		t.track.silent.Store(0)
	}
	l.slots.leave(now, took, verdict == Good, e != nil && rule.Slows && tooMuch(e))
	t.track.breaker.record(now, t.permit, verdict, a.Outcome == dialect.RateLimited)
	if e != nil {
		t.rest(now, rule, e)
	}
	if a.Usage.Known {
		l.quota.settle(t.tokens, a.Usage.Input+a.Usage.Output)
	}
	if verdict != Good {
		return
	}
	t.holder.wake(t.model)
	t.track.latency.observe(now, served)
	if a.FirstToken > 0 {
		t.track.first.observe(now, a.FirstToken-a.Queue)
	}
	if a.Usage.Known {
		const share = 8 // Of the mean, for each new answer.
		mean := t.track.output.Load()
		t.track.output.CompareAndSwap(mean, mean+(int64(a.Usage.Output)-mean)/share) // Lost to another one's: it is an estimate.
	}
}

// rest leaves alone whoever asked for it.
func (t *ticket) rest(now int64, rule Rule, e *dialect.Error) {
	switch {
	case rule.Rests:
		t.live.counts.rests.Add(1)
		t.live.turn.lay(now, t.holder, t.model, e)
	case rule.Slows && e.Wait > 0:
		t.track.held.Store(now + int64(min(e.Wait, mostRest)))
	}
}

// silence judges a timeout by the time that the service had. Callers choose their deadlines, and one with short ones must not take a model away from the others:
// so it counts where most answers would have come by then. Where half of them would, as with a slow model and halved deadlines, it counts from the third
// timeout in a row on, which a service that is alive seldom has.
func (t *track) silence(took time.Duration) Verdict {
	const unknown, row = time.Second, 3
	usual := t.latency.quantiles()
	if usual.P95 == 0 {
		usual = Quantiles{unknown, unknown}
	}
	if took < usual.P50 {
		return Neither
	}
	if n := t.silent.Add(1); took < usual.P95 && n < row {
		return Neither
	}
	return Bad
}

// tooMuch tells a service that was given too much from one that is broken: only for the first a lower limit is a remedy.
func tooMuch(e *dialect.Error) bool {
	const siteOverloaded, flexUnavailable = 529, 498 // Anthropic's and Groq's (wire-formats.md section 0.2).
	switch e.Status {
	case http.StatusServiceUnavailable, siteOverloaded, flexUnavailable:
		return true
	default:
		return e.Outcome == dialect.RateLimited || e.Wait > 0
	}
}
