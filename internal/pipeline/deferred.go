package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// The first call of a request may be made elsewhere and hours before it is judged: by a provider's batch API. Prepare walks to that call and stops; Judge takes
// the same way again, from the same request, and goes on with the reply where the ordinary loop has its first one. Nothing of the way is kept in between but who
// was asked and in which mode: the rest comes out the same, and where it does not, because the configuration has changed, the schema's judgement says so.

// Prepared is the first call of a request, for whoever makes it.
type Prepared struct {
	Candidate provider.Candidate
	Call      dialect.Call
	// Mode is that of the call, which Judge wants to know.
	Mode lowering.Mode
	// expected is what the call may take.
	expected Expected
	who      *key.Caller
}

// ErrNotApart says that a request is better answered as others are: the cache has its answer, or nobody who can be asked takes calls apart.
var ErrNotApart = errors.New("pipeline: not for a call apart")

// Prepare gives the first call of a prompt that was let in before, to the first candidate in the router's order that fits. It asks nobody and records nothing.
// The error is ErrNotApart, or a fault that the ordinary way has as well.
func (p *Pipeline) Prepare(ctx context.Context, who *key.Caller, q prompt.Prompt, fits func(provider.Candidate) bool) (Prepared, error) {
	who = p.admit.latest.of(who)
	x := &exchange{id: p.deps.NewID(), who: who, prompt: q, started: time.Now()}
	if q.Continues != nil {
		return Prepared{}, ErrNotApart
	}
	r, err := p.untilResolved(ctx, x)
	if err != nil {
		return Prepared{}, err
	}
	found, err := p.lookup.get(ctx, r)
	if err != nil || found.hit {
		return Prepared{}, errors.Join(err, ErrNotApart)
	}
	t := p.attempts.begin(r)
	at := slices.IndexFunc(t.way.order.Choices, func(c router.Choice) bool { return fits(c.Candidate) })
	if at < 0 {
		return Prepared{}, ErrNotApart
	}
	planned, err := p.attempts.planFor(t, at, nil)
	if err != nil {
		return Prepared{}, err
	}
	call := callOf(&planned)
	return Prepared{Candidate: planned.candidate, Call: call, Mode: planned.plan.lowered.Mode, expected: expect(who, &call), who: who}, nil
}

// untilResolved takes the steps before anybody is asked.
func (p *Pipeline) untilResolved(ctx context.Context, x *exchange) (resolved, error) {
	if x.prompt.Template != nil {
		if _, err := p.expand.do(ctx, x); err != nil {
			return resolved{}, err
		}
	}
	plain, err := p.normalise.do(ctx, x)
	if err != nil {
		return resolved{}, err
	}
	checked, err := p.check.do(ctx, plain)
	if err != nil {
		return resolved{}, err
	}
	return p.resolve.do(ctx, checked)
}

// Hold reserves what a prepared call may cost at the price of batches. Of tokens per minute it holds none: how fast a batch is worked is the provider's affair.
// The payment is ended by one Close. The error is an [Unpaid].
func (p *Pipeline) Hold(ctx context.Context, c *Prepared) (Payment, error) {
	return p.purse.apart(ctx, c.who, c.Candidate.Model, c.expected)
}

// HoldAgain reserves an amount that another process had reserved before it died, or what is left to reserve: the call has been made.
func (p *Pipeline) HoldAgain(ctx context.Context, who *key.Caller, m *provider.Model, amount key.Nanos) (Payment, error) {
	return p.purse.again(ctx, who, m, amount)
}

// Came is a reply to a prepared call, or why there is none.
type Came struct {
	Provider, Model string
	Mode            lowering.Mode
	Attempt         provider.Attempt
	Reply           dialect.Reply
	// Err is nil where there is a reply.
	Err error
}

// Judge answers a prompt whose first call was made apart, as [Pipeline.Later] does: what comes of the reply is judged as any other, and where it does not do, the loop goes on with
// calls of its own. It takes no place of the caller's.
func (p *Pipeline) Judge(ctx context.Context, who *key.Caller, q prompt.Prompt, c *Came) (*Answer, error) {
	return p.runWith(ctx, Admission{caller: p.admit.latest.of(who)}, q, nil, c)
}

// byBatch is what attempts[] says of why a batch was asked.
const byBatch = "urgency low: by the provider's batch API"

// meet puts the candidate that has replied already in the first place, or, where it is not there any more, notes its attempt alone.
func (s attempts) meet(t *series) {
	c := t.exchange.came
	if c == nil {
		return
	}
	same := func(o provider.Candidate) bool { return o.Provider.Name() == c.Provider && o.Model.Name == c.Model }
	at := slices.IndexFunc(t.way.order.Choices, func(o router.Choice) bool { return same(o.Candidate) })
	if at < 0 {
		i := slices.IndexFunc(t.candidates, same)
		if i < 0 {
			t.exchange.came = nil
			gone := asked{place: -1, attempt: c.Attempt, err: c.Err}
			gone.attempt.Mode, gone.attempt.Reason = c.Mode, byBatch+"; it is not configured any more"
			t.keep(&gone)
			return
		}
		// The router passes it over for now; what it has said is no worse for that.
		t.way.order.Choices = append(t.way.order.Choices, router.Choice{Candidate: t.candidates[i]})
		t.way.marks = append(t.way.marks, mark{})
		at = len(t.way.marks) - 1
	}
	t.way.at, t.move = at, again
}

// planCame plans for a reply that is there: in the mode in which it was asked for, whatever this process would choose by now.
func (s attempts) planCame(t *series, p planned, mode lowering.Mode) (planned, error) {
	if p.plan.lowered.Mode == mode {
		return p, nil
	}
	one, err := s.planner.planIn(p.candidate, t.schema, t.form, mode)
	if err != nil {
		return p, err
	}
	p.plan, p.capped = one, one.capped
	p.messages = one.meta.Messages(t.prompt)
	t.messages = p.messages
	return p, nil
}

// arrived takes a reply that is there for the attempt under way.
func (s attempts) arrived(t *series, p planned) (replied, error) {
	c := t.exchange.came
	t.exchange.came = nil
	p, err := s.planCame(t, p, c.Mode)
	if err != nil {
		return replied{planned: p}, fault.New(fault.Internal, "the schema can't be fitted to mode %s any more", c.Mode).Because(fmt.Errorf("plan for a reply: %w", err))
	}
	a := asked{planned: p, place: t.way.at, reply: c.Reply, attempt: c.Attempt, err: c.Err}
	a.attempt.Mode = c.Mode
	if a.attempt.Reason == "" {
		a.attempt.Reason = byBatch
	}
	t.keep(&a)
	t.record = len(t.exchange.attempts) - 1
	return replied{a.planned, a.reply}, a.err
}
