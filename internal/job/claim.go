package job

import (
	"context"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// The bounds of claims.
const (
	// mostClaimed is how many items one call of the store takes: whoever takes more holds what others could begin.
	mostClaimed = 64
	// round is the claims of which one looks at the lowest class first, and two at the middle one, so that none is shut out by those above it: where all have
	// more than enough, a claim is filled by the class that it looks at first.
	round = 8
)

// claims takes items for the slots of a worker, several slots in one call.
type claims struct {
	queue    Queue
	worker   string
	lease    time.Duration
	meter    Meter
	combined *Combiner[int, []taken]

	// mu guards where the turn stands.
	mu    sync.Mutex
	turn  int
	after key.TeamID
}

// taken is an item, with when the call that took it began.
type taken struct {
	Work
	begun time.Time
}

func newClaims(q Queue, worker string, lease time.Duration, m Meter, timeout time.Duration) *claims {
	c := &claims{queue: q, worker: worker, lease: lease, meter: m}
	weigh := func(n int) int { return n }
	c.combined = NewCombiner(CombinerConfig[int]{Most: mostClaimed, Weigh: weigh, Gather: gather, Timeout: timeout}, c.claim)
	return c
}

// take takes up to n items. What is taken is the caller's even where its context has ended: it is not asked for it.
func (c *claims) take(ctx context.Context, n int) ([]taken, error) {
	return c.combined.Do(context.WithoutCancel(ctx), n)
}

// claim takes items for all that want some, the first ones first.
func (c *claims) claim(ctx context.Context, wanted []int) ([][]taken, error) {
	total := 0
	for _, n := range wanted {
		total += n
	}
	begun := time.Now()
	list, err := c.queue.Claim(ctx, c.want(total))
	if err != nil {
		return nil, err
	}
	c.meter.Claimed(len(list), total)
	c.served(list)
	out := make([][]taken, len(wanted))
	for i, n := range wanted {
		out[i] = make([]taken, 0, min(n, len(list)))
		for ; n > 0 && len(list) > 0; n-- {
			out[i] = append(out[i], taken{list[0], begun})
			list = list[1:]
		}
	}
	return out, nil
}

func (c *claims) want(n int) Want {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	classes := []Priority{High, Normal, Low}
	switch c.turn % round {
	case 0:
		classes = []Priority{Low, High, Normal}
	case 3, 6:
		classes = []Priority{Normal, High, Low}
	}
	return Want{Worker: c.worker, Most: n, Lease: c.lease, Classes: classes, After: c.after}
}

func (c *claims) served(list []Work) {
	if len(list) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.after = list[len(list)-1].Job.Team
}
