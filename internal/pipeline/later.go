package pipeline

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/prompt"
)

// ErrCrowded is the cause of a fault of [Pipeline.Later] where nothing was begun, since as many of the caller's prompts are under way as may be.
var ErrCrowded = errors.New("pipeline: no place for this caller")

// Pinned are the versions that a prompt's references name now, as name@version; empty where it refers to nothing.
type Pinned struct{ Schema, Template string }

// Examine finds what is wrong with a prompt that is to be answered later, as far as that can be known before: its texts, template, schema and options, and whether
// a model can answer it. It asks nobody and counts nothing. What it gives is to be put in place of the prompt's references, so that a version that is published
// meanwhile changes nothing.
func (p *Pipeline) Examine(ctx context.Context, who *key.Caller, q prompt.Prompt) (Pinned, error) {
	x := &exchange{who: who, prompt: q, started: time.Now()}
	var pinned Pinned
	if q.Template != nil {
		if _, err := p.expand.do(ctx, x); err != nil {
			return pinned, err
		}
		pinned.Template = x.prompt.Template.Ref
	}
	plain, err := p.normalise.do(ctx, x)
	if err != nil {
		return pinned, err
	}
	checked, err := p.check.do(ctx, plain)
	if err != nil {
		return pinned, err
	}
	if err := p.resolve.examine(ctx, checked); err != nil {
		return pinned, ofTemplate(&x.prompt, err)
	}
	pinned.Schema = x.reference
	return pinned, nil
}

// examine finds the faults of a request's schema and of whom it asks. Whether somebody can be asked at the moment is another matter, and so is what this process
// has: one that does no work itself may have no provider.
func (s resolve) examine(ctx context.Context, c checked) error {
	compiled, err := s.callers(ctx, c)
	if err != nil {
		return err
	}
	c.exchange.schema = compiled
	if c.prompt.Options.Missing != prompt.MissingNull && !c.prompt.Conversation {
		if _, err := s.forms.of(compiled); err != nil {
			return err
		}
	}
	if _, err := candidates(s.pool, c.question("")); fault.Is(err, fault.InvalidRequest) || fault.Is(err, fault.Forbidden) {
		return err
	}
	return nil
}

// Later answers a prompt that was let in before, by [Pipeline.Admit] with others: it counts as no request again, and is held to the limits that its caller has
// now. Whoever calls it waits for no place of the caller's: the error is then a fault whose cause is [ErrCrowded].
func (p *Pipeline) Later(ctx context.Context, who *key.Caller, q prompt.Prompt) (*Answer, error) {
	who = p.admit.latest.of(who)
	leave, err := p.admit.await(ctx, who, limit.DefaultWait)
	switch {
	case fault.Is(err, fault.RateLimitExceeded):
		return nil, fault.Of(err).Because(ErrCrowded)
	case err != nil:
		return nil, faultOf(ctx, err)
	case leave != nil:
		defer leave()
	}
	return p.Run(ctx, Admission{caller: who}, q)
}
