package provider

import (
	"sync"
	"time"
)

// The retry budget: in a stretch of budgetWindow a provider is asked again at most for a fifth of its calls, and a few times besides, so that a
// quiet server still repeats. Without it an outage multiplies the calls by max_attempts just when the service can bear the least.
const (
	budgetWindow = 10 * time.Second
	budgetShare  = 0.2
	budgetFloor  = 10
)

// retryBudget bounds the repeats at one provider to a share of its recent calls.
type retryBudget struct {
	mu sync.Mutex

	calls   window // good counts every call, bad the repeats among them
	refused int64  // since the start
}

func newRetryBudget() *retryBudget { return &retryBudget{calls: newWindow(budgetWindow)} }

// called counts a call that was sent.
func (b *retryBudget) called(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls.count(now, tally{good: 1})
}

// allow says whether one more repeat is within the budget, and counts it if so.
func (b *retryBudget) allow(now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if left(b.calls.total(now)) < 1 {
		b.refused++
		return false
	}
	b.calls.count(now, tally{bad: 1})
	return true
}

// left gives how many repeats the budget still has.
func left(t tally) float64 { return budgetFloor + budgetShare*float64(t.good) - float64(t.bad) }

// figures gives the share of the budget that is left, from 0 to 1, and the repeats that were refused since the start.
func (b *retryBudget) figures(now int64) (share float64, refused int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := b.calls.total(now)
	return max(0, left(t)) / (budgetFloor + budgetShare*float64(t.good)), b.refused
}
