package limit_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
)

// entering counts who asks a ledger for places.
type entering struct {
	*cuttable
	asked atomic.Int64
}

func (e *entering) Enter(ctx context.Context, key string, most int) (limit.Decision, error) {
	e.asked.Add(1)
	return e.cuttable.Enter(ctx, key, most)
}

// TestNoCallerTellsTheLedgerOfEverybody has many enter while the ledger is away: whoever comes when it is back waits for a few round trips alone, and the ledger hears of
// all within some more calls.
func TestNoCallerTellsTheLedgerOfEverybody(t *testing.T) {
	t.Parallel()
	const many, few = 100, 10
	r := newReplicas(1)
	ledger := &entering{cuttable: r.ledger}
	s := limit.NewShared(limit.ShareConfig{Ledger: ledger, Now: r.clock.Now})
	ledger.cut.Store(true)
	enter := func() {
		t.Helper()
		before := ledger.asked.Load()
		if d, err := s.Enter(t.Context(), "k", 2*many); err != nil || !d.Allowed {
			t.Fatalf("Enter = %+v, %v", d, err)
		}
		if n := ledger.asked.Load() - before; n > few {
			t.Errorf("one caller asked the ledger %d times, want at most %d", n, few)
		}
	}
	for range many {
		enter()
	}
	ledger.cut.Store(false)
	for range many / 4 {
		r.clock.Advance(time.Second)
		enter()
	}
	if n, err := ledger.Limiter.Inside(t.Context(), "k"); err != nil || n != many+many/4 {
		t.Errorf("the ledger counts %d, %v, want all %d", n, err, many+many/4)
	}
}
