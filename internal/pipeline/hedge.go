package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

// asked is a call that has ended: to whom, and what came of it.
type asked struct {
	planned
	place   int // of the candidate in the order
	reply   dialect.Reply
	attempt provider.Attempt
	err     error
}

// hedged makes a call, and a second one to the next candidate where the first has not ended by routing.hedge_after. The first answer wins and the other call is
// cancelled; both are recorded, and both are paid. Streams are not hedged: two answers can't be shown at once. The loser is nil where there was one call.
func (s attempts) hedged(ctx context.Context, t *series, p planned) (winner asked, loser *asked) {
	after := s.settings().HedgeAfter
	other, ok := t.way.fresh()
	if after <= 0 || t.partial != nil || !ok || t.left() < 2 {
		return s.one(ctx, t.way.at, p, nil), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan asked, 2) // One for each call.
	at := t.way.at
	go func() { done <- s.guarded(ctx, at, p) }()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case only := <-done:
		return only, nil
	case <-timer.C:
	}
	q, err := s.planFor(t, other, nil)
	if err != nil {
		return <-done, nil // The second candidate can't be asked; that is no fault of the first.
	}
	go func() { done <- s.guarded(ctx, other, q) }()
	ended := [2]asked{<-done}
	if ended[0].err == nil {
		cancel()
	}
	ended[1] = <-done
	for i := range ended {
		if ended[i].place == other {
			ended[i].attempt.Reason = "hedge after " + after.String() + "; " + t.way.order.Explain(other)
		}
	}
	if ended[0].err == nil {
		return ended[0], &ended[1]
	}
	return ended[1], &ended[0]
}

// overtaken notes a call that did not win: it stands behind those that were not asked.
func (s attempts) overtaken(t *series, loser *asked) {
	m := &t.way.marks[loser.place]
	switch {
	case errors.Is(loser.err, provider.ErrNotSent):
		m.unsent++
	case loser.attempt.Outcome == dialect.Cancelled:
		m.failed++
		s.router.Overtaken(&loser.attempt)
	default:
		m.failed++
		m.out = loser.err != nil && !provider.RuleOf(loser.attempt.Outcome).Repeat
	}
}

// guarded is one call in a goroutine of its own, where a panic would end the process.
func (s attempts) guarded(ctx context.Context, place int, p planned) (a asked) {
	defer func() {
		if v := recover(); v != nil { // The value may hold anything; its type and the place are enough.
			a = asked{planned: p, place: place}
			a.err = fault.New(fault.Internal, "something failed inside promptd").Because(fmt.Errorf("a hedged call panicked with %T\n%s", v, debug.Stack()))
		}
	}()
	return s.one(ctx, place, p, nil)
}
