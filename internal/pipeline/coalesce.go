package pipeline

import (
	"context"
	"errors"
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
}

func (t *tried) Error() string { return t.err.Error() }
func (t *tried) Unwrap() error { return t.err }

func (s *coalesce) do(client, ctx context.Context, r resolved, try func(context.Context, resolved) (*Result, error)) (*Result, error) {
	timeout := r.prompt.Options.Timeout
	arrived := time.Now()
	wait, cancel := context.WithTimeout(client, timeout+unwinding)
	defer cancel()
	shared, coalesced, err := s.group.Do(wait, r.key, func(own context.Context) (*Result, error) {
		// The shared call outlives its first caller, but not that caller's limit of time; and it keeps its own account of what was tried, since the
		// first caller may be gone and answering by then.
		own, cancel := context.WithTimeout(own, timeout)
		defer cancel()
		apart := *r.exchange
		alone := r
		alone.exchange = &apart
		result, err := try(own, alone)
		if err != nil {
			return nil, &tried{err, apart.attempts, apart.asked, apart.report}
		}
		return result, nil
	})
	if err != nil {
		var t *tried
		if !errors.As(err, &t) {
			return nil, faultOf(wait, err)
		}
		if coalesced && ctx.Err() == nil && fault.Is(t.err, fault.Timeout) {
			return try(ctx, r) // The first caller had less time than this one.
		}
		if !coalesced {
			r.exchange.attempts, r.exchange.asked = t.attempts, t.asked
		}
		r.exchange.report = t.report
		return nil, t.err
	}
	if !coalesced {
		r.exchange.attempts, r.exchange.asked = shared.attempts, shared.asked
		return shared, nil
	}
	mine := *shared
	mine.coalesced = true
	r.exchange.asked = time.Since(arrived)
	return &mine, nil
}
