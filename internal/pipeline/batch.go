package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
)

// mostBatched bounds the items of all batches that run at the same time. A batch takes one place at the door, so what it fans out into is bounded here; the
// providers' own limits hold below it. It is several full batches: one alone never waits.
const mostBatched = 512

// longestWait bounds how long an item waits for one of its caller's places: whoever holds them may have requests of the longest time limit, one behind the other.
const longestWait = time.Hour

// Done is what became of one item of a batch: an answer, or why there is none.
type Done struct {
	Answer *Answer
	Err    error
}

// Summary counts a batch.
type Summary struct {
	// NeedsInput counts the items whose text does not say enough, and that ask back.
	Total, Passed, Failed, NeedsInput int
	// Cost is unknown where one item's is. Answers of the cache, and those that joined an identical request, cost nothing.
	Cost       provider.Cost
	Processing time.Duration
}

// Batch answers the items side by side and gives what became of each, in their order. An item that fails leaves the others alone. It returns when all have
// ended, which is soon after ctx has.
func (p *Pipeline) Batch(ctx context.Context, a Admission, items []prompt.Item) ([]Done, Summary) {
	started := time.Now()
	done := make([]Done, len(items))
	var all sync.WaitGroup
	for i := range items {
		if err := items[i].Fault; err != nil {
			done[i].Err = err
			continue
		}
		all.Go(func() { done[i] = p.item(ctx, a, &items[i]) })
	}
	all.Wait()
	s := Summary{Total: len(items), Cost: provider.Cost{Known: true}, Processing: time.Since(started)}
	for i := range done {
		s.count(&done[i])
	}
	return done, s
}

// item runs one item in its turn.
func (p *Pipeline) item(ctx context.Context, a Admission, item *prompt.Item) (d Done) {
	defer func() {
		if v := recover(); v != nil { // As at the door of a request: the value may hold anything, its type and the place are enough.
			d = Done{Err: fault.New(fault.Internal, "something failed inside promptd").Because(fmt.Errorf("panic of type %T\n%s", v, debug.Stack()))}
		}
	}()
	// The caller's own place comes first: who waits for it must not keep others from theirs.
	leave, err := p.admit.await(ctx, a.caller, longestWait)
	if err != nil {
		return Done{Err: faultOf(ctx, err)}
	}
	if leave != nil {
		defer leave()
	}
	select {
	case p.batched <- struct{}{}:
		defer func() { <-p.batched }()
	case <-ctx.Done():
		return Done{Err: faultOf(ctx, ctx.Err())}
	}
	answer, err := p.Run(ctx, a, item.Prompt)
	var failure *Failure
	if errors.As(err, &failure) {
		failure.Fault = fault.Of(item.Placed(failure.Fault)) // It may be shared with an identical request: moved, it is this item's own.
	}
	return Done{answer, err}
}

func (s *Summary) count(d *Done) {
	var failure *Failure
	switch {
	case d.Err == nil:
		if d.Answer.Valid.OK() {
			s.Passed++
		} else {
			s.NeedsInput++
		}
		if !d.Answer.Cached && !d.Answer.Coalesced {
			s.Cost = s.Cost.Plus(d.Answer.Cost)
		}
		return
	case errors.As(d.Err, &failure) && len(failure.Attempts) > 0:
		s.Cost = s.Cost.Plus(failure.Cost)
	}
	s.Failed++
}
