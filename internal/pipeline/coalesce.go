package pipeline

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
)

// coalesce lets identical requests in flight share one result.
type coalesce struct{ group cache.Group[*Result] }

// unwinding is how long a caller waits beyond its limit of time for the shared call, which has the same limit, to say what it tried.
const unwinding = 250 * time.Millisecond

// tried is the end of a shared call without a result: the error with what was tried until then.
type tried struct {
	err      error
	attempts []provider.Attempt
	asked    time.Duration
	report   *Validation
	account  *account
}

func (t *tried) Error() string { return t.err.Error() }
func (t *tried) Unwrap() error { return t.err }

// account is whose a shared call is: the one that records what it cost and keeps its answer. That is its first caller, and where that one has gone before the
// end, the first of the others to see the end.
type account struct {
	owner atomic.Int32
	// most is the first caller's max_attempts.
	most  int
	ended chan struct{} // closed behind the call; failed is set before
	// failed is nil where the call gave a result.
	failed *tried
}

// The states of an account's owner.
const (
	firstCaller int32 = iota
	nobody
	another
)

// inherit makes a caller that waited the owner, where there is none.
func (a *account) inherit() bool { return a.owner.CompareAndSwap(nobody, another) }

// leave gives the account up, and waits a moment for the end of a call that was cancelled since nobody else waits: what was tried is recorded by who had it
// tried, the caller gone or not.
func (a *account) leave(x *exchange) {
	a.owner.Store(nobody)
	moment := time.NewTimer(unwinding)
	defer moment.Stop()
	select {
	case <-a.ended:
		if t := a.failed; t != nil && a.inherit() {
			x.attempts, x.asked, x.report = t.attempts, t.asked, t.report
		}
	case <-moment.C:
	}
}

// attempt makes a result.
type attempt func(context.Context, resolved) (*Result, error)

func (s *coalesce) do(client, ctx context.Context, r resolved, try attempt) (*Result, error) {
	timeout := r.prompt.Options.Timeout
	arrived := time.Now()
	wait, cancel := context.WithTimeout(client, timeout+unwinding)
	defer cancel()
	if err := wait.Err(); err != nil {
		return nil, faultOf(wait, err)
	}
	own := &account{ended: make(chan struct{}), most: r.prompt.Options.MaxAttempts}
	shared, coalesced, err := s.group.Do(wait, r.key, func(ctx context.Context) (*Result, error) {
		defer close(own.ended)
		// The shared call outlives its first caller, but not that caller's limit of time; and it keeps its own account of what was tried, since the
		// first caller may be gone and answering by then.
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		apart := *r.exchange
		alone := r
		alone.exchange = &apart
		result, err := try(ctx, alone)
		if err != nil {
			own.failed = &tried{err, apart.attempts, apart.asked, apart.report, own}
			return nil, own.failed
		}
		result.account = own
		return result, nil
	})
	if err != nil {
		var t *tried
		if !errors.As(err, &t) {
			if !coalesced && wait.Err() != nil {
				own.leave(r.exchange)
			}
			return nil, faultOf(wait, err)
		}
		mine := !coalesced || t.account.inherit()
		if mine {
			r.exchange.attempts, r.exchange.asked = t.attempts, t.asked
		}
		if coalesced && ctx.Err() == nil && (ownLimit(t.err) || t.account.most < r.prompt.Options.MaxAttempts) {
			return try(ctx, r) // What ended the call was the first caller's own, or it allowed fewer attempts.
		}
		r.exchange.report = t.report
		return nil, t.err
	}
	if !coalesced || shared.account.inherit() {
		r.exchange.attempts, r.exchange.asked = shared.attempts, shared.asked
		return shared, nil
	}
	mine := *shared
	mine.coalesced = true
	r.exchange.asked = time.Since(arrived)
	return &mine, nil
}

// ownLimit tells a fault that lies with the caller whose call it was, and not with what it asked: its time, its budget, its limits.
func ownLimit(err error) bool {
	return fault.Is(err, fault.Timeout) || fault.Is(err, fault.BudgetExceeded) || fault.Is(err, fault.RateLimitExceeded)
}
