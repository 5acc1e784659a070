package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/cache"
)

// across lets identical requests of several processes share one result, as coalesce does inside one: who makes the shared call of this process first takes
// its turn among the others.
type across struct {
	turns  *cache.Turns // nil in a program that is one process
	lookup lookup
	steps  *steps
}

// share wraps the making of a result: it is taken from another process that is making it, or made, and stored before the others are told that it is there.
func (s across) share(try attempt, speech *tongue) attempt {
	if s.turns == nil {
		return try
	}
	return func(ctx context.Context, r resolved) (*Result, error) {
		turn, err := s.turns.Take(ctx, r.key)
		if err != nil {
			return nil, err
		}
		defer turn.End(false)           // Where it has not ended by then.
		r.exchange.asked += turn.Waited // It is another process's provider that was waited for.
		if result := s.taken(r, turn); result != nil {
			return result, nil
		}
		result, err := try(ctx, r)
		if err == nil && result.valid.OK() {
			// The answer was paid for and others wait for it, so it is stored though the caller may have gone. The tier bounds the time itself.
			f := found{resolved: r, result: result, language: speech.wait()}
			result.stored, _ = do(context.WithoutCancel(ctx), &s.steps.store, s.lookup.store, f)
			turn.End(result.stored)
		}
		return result, err
	}
}

// taken reads the answer that another process has stored; nil where there is none that can be read.
func (s across) taken(r resolved, turn cache.Turn) *Result {
	if turn.Answer == nil {
		return nil
	}
	f := found{resolved: r}
	if !f.restore(turn.Answer) {
		s.lookup.meter.Cache("error")
		return nil
	}
	s.lookup.meter.Cache("coalesced")
	f.result.coalesced, f.result.asked = true, turn.Waited
	return f.result
}
