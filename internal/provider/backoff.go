package provider

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/promptd/promptd/internal/dialect"
)

// Backoff says how long to wait before the same provider is asked again.
type Backoff struct {
	// Base is the first pause's upper bound, Cap the largest.
	Base, Cap time.Duration
}

// Pause gives the wait before the n-th repeat, n from 1: full jitter over an exponential bound (the spread keeps clients that failed together from coming back
// together), or what the service asked for where that is longer.
func (b Backoff) Pause(n int, asked time.Duration) time.Duration {
	bound := b.Cap
	if shift := n - 1; shift < 16 {
		bound = min(b.Cap, b.Base<<shift)
	}
	pause := asked
	if bound > 0 {
		pause = max(asked, rand.N(bound)) //nolint:gosec // Jitter needs no secrecy.
	}
	return pause
}

// Sleep waits, or gives the context's error as soon as it ends; it does not begin a wait that the deadline cuts.
func Sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return context.DeadlineExceeded
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Retryable reports whether the same call may work at the same provider later.
func Retryable(o dialect.Outcome) bool { return RuleOf(o).Repeat }
