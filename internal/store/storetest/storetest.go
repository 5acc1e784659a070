// Package storetest holds a store to what its consumers' interfaces promise. It is the definition of done for a store: a new
// engine passes [Run], and a change of behaviour begins here.
//
// It is not for what one engine alone has (files, locks, backups): that is tested beside the engine.
//
// [Run] takes a function that opens an empty store on a given clock and runs every contract as subtests: key.Store,
// usage.Store, idempotency.Store, shelf.Store for each shelf, and so on. Each subtest opens its own store, so that they run side by side.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/member"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/usage"
)

// History is what the history is to its consumers.
type History interface {
	usage.Store
	registry.History
}

// Stores are one engine's implementations, on the same empty database.
type Stores struct {
	Keys        key.Store
	History     History
	Idempotency idempotency.Store
	Schemas     shelf.Store
	Templates   shelf.Store
	Learned     router.Store
	Teams       key.TeamStore
	Budgets     limit.BudgetStore
	Deliveries  Deliveries
	Jobs        job.Store
	Batches     bulk.Store
	Members     member.Store
}

// Open gives an empty store that tells the time by now. It registers its own cleanup.
type Open func(tb testing.TB, now func() time.Time) Stores

// Run runs every contract.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, c := range []struct {
		name  string
		tests []contract
	}{
		{"keys", keyContracts()},
		{"history", historyContracts()},
		{"usage", usageContracts()},
		{"idempotency", idempotencyContracts()},
		{"tried", triedContracts()},
		{"schemas", shelfContracts(func(s Stores) shelf.Store { return s.Schemas })},
		{"templates", shelfContracts(func(s Stores) shelf.Store { return s.Templates })},
		{"shelves", shelvesContracts()},
		{"learned", learnedContracts()},
		{"teams", teamContracts()},
		{"budgets", budgetContracts()},
		{"deliveries", deliveryContracts()},
		{"jobs", jobContracts()},
		{"batches", batchContracts()},
		{"members", memberContracts()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, test := range c.tests {
				t.Run(test.rule, func(t *testing.T) {
					t.Parallel()
					clock := &Clock{}
					clock.Set(start())
					test.run(t, open(t, clock.Now), clock)
				})
			}
		})
	}
}

// contract is one rule and the test that shows it.
type contract struct {
	rule string
	run  func(t *testing.T, s Stores, clock *Clock)
}

// start is when the stores' time begins.
func start() time.Time { return time.Date(2026, 11, 24, 10, 30, 0, 123456000, time.UTC) }

// Clock is a clock that stands still until it is set. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now tells the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set sets the time.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Advance moves the time on.
func (c *Clock) Advance(d time.Duration) { c.Set(c.Now().Add(d)) }

// must ends the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("got the error %v, want none", err)
	}
}

// wantCode checks that an error is a fault of the code.
func wantCode(t *testing.T, what string, err error, want fault.Code) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s: got the error %v, want a fault %s", what, err, want)
	}
}

// cancelled gives a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// wantCancelled checks that an operation on an ended context says so.
func wantCancelled(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%s on a cancelled context: got the error %v, want context.Canceled", what, err)
	}
}

// together runs f n times at once and gives the errors.
func together(n int, f func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := f(i); err != nil {
				errs[i] = fmt.Errorf("goroutine %d: %w", i, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// strange are texts that stores have been seen to break.
func strange() []string {
	return []string{
		"plain", "", "Grüße, 東京 🙂👩‍👩‍👧", "'; DROP TABLE keys; --", `quote " and back \ slash`, "line\nbreak\ttab", "%_?$1",
		"e\u0301 combining", "\u202eright to left", "ﬀ ligature", "null", "0", " leading and trailing ",
	}
}
