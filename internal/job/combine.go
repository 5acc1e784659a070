package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Combiner makes one call of many that come at the same time, so that a transaction is paid for once. Who comes alone goes at once, by itself, and what comes while
// a call is under way goes together as soon as it has ended, or a moment later (CombinerConfig.Gather). It starts no goroutine: one of those who wait leads the next
// call. It is safe for concurrent use.
type Combiner[In, Out any] struct {
	call func(context.Context, []In) ([]Out, error)
	cfg  CombinerConfig[In]

	// mu guards busy, which says that a call is under way, the line behind it, the stages of who stands in it, how many the last call was of, when it ended, and how many
	// calls in succession began soon after the one before.
	mu     sync.Mutex
	busy   bool
	line   []*seat[In, Out]
	last   int
	ended  time.Time
	streak int
}

// CombinerConfig bounds what goes together.
type CombinerConfig[In any] struct {
	// Most bounds the weight of one call; one that weighs more goes alone.
	Most int
	// Weigh gives the weight of a part; nil means 1.
	Weigh func(In) int
	// Gather is how long a call waits for company where the one before it had some: under load a transaction then carries many parts in place of a few, which costs each
	// of them less than it saves the rest. 0 means that no call waits.
	Gather time.Duration
	// Brisk is for parts that seldom come at the very same time and often shortly after each other: a call waits for company as well after many in succession of which each
	// began within Brisk of the end of the one before. 0 means that none does.
	Brisk time.Duration
	// Timeout bounds a call: it goes on when those it was begun for have gone.
	Timeout time.Duration
}

// seat is one who waits.
type seat[In, Out any] struct {
	in  In
	out Out
	err error
	// at is the stage, which mu guards.
	at stage
	// told has room for the one word that a seat is sent: that it leads, or that it is done.
	told chan struct{}
}

type stage uint8

const (
	inLine stage = iota
	leading
	riding
	done
)

// NewCombiner makes a combiner. The call gives one result for each part, in their order, or an error for all of them.
func NewCombiner[In, Out any](cfg CombinerConfig[In], call func(context.Context, []In) ([]Out, error)) *Combiner[In, Out] {
	if cfg.Weigh == nil {
		cfg.Weigh = func(In) int { return 1 }
	}
	return &Combiner[In, Out]{call: call, cfg: cfg}
}

// Do has a part done, together with others. Who goes because its context ends leaves the others alone; its part may be done nevertheless.
func (c *Combiner[In, Out]) Do(ctx context.Context, in In) (Out, error) {
	s := &seat[In, Out]{in: in, told: make(chan struct{}, 1)}
	if err := ctx.Err(); err != nil {
		return s.out, context.Cause(ctx)
	}
	if !c.first(s) {
		select {
		case <-s.told:
		case <-ctx.Done():
			c.leave(s)
			return s.lost(ctx)
		}
		if !c.leads(s) {
			return s.out, s.err
		}
	}
	c.lead(ctx, s)
	return s.out, s.err
}

// lost is what one gets who has gone.
func (s *seat[In, Out]) lost(ctx context.Context) (out Out, err error) {
	return out, context.Cause(ctx)
}

// first takes the lead where nobody has it, and a place in the line otherwise.
func (c *Combiner[In, Out]) first(s *seat[In, Out]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.busy {
		c.busy, s.at = true, leading
		return true
	}
	c.line = append(c.line, s)
	return false
}

func (c *Combiner[In, Out]) leads(s *seat[In, Out]) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s.at == leading
}

// leave takes one out who has gone. The lead, where it was just given it, goes to the next.
func (c *Combiner[In, Out]) leave(s *seat[In, Out]) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s.at {
	case inLine:
		for i, other := range c.line {
			if other == s {
				c.line = append(c.line[:i], c.line[i+1:]...)
				break
			}
		}
	case leading:
		c.next()
	case riding, done: // The call under way does not need it.
	}
}

// next gives the lead to the first in line. The mutex is held.
func (c *Combiner[In, Out]) next() {
	if len(c.line) == 0 {
		c.busy, c.line = false, nil
		return
	}
	s := c.line[0]
	c.line = c.line[1:]
	s.at = leading
	s.told <- struct{}{}
}

// brisk is how many calls in succession make it likely that another part comes soon; one job alone makes three: it is submitted, claimed and finished.
const brisk = 6

// gather waits for company, where a call is likely to get some and does not have as much already as the last.
func (c *Combiner[In, Out]) gather() {
	if c.cfg.Gather <= 0 {
		return
	}
	c.mu.Lock()
	if c.streak++; time.Since(c.ended) > c.cfg.Brisk {
		c.streak = 0
	}
	likely := c.last > 1 || c.streak >= brisk
	enough := 1+len(c.line) >= max(c.last, 2)
	c.mu.Unlock()
	if likely && !enough {
		time.Sleep(c.cfg.Gather)
	}
}

// board takes those along who go with the leader.
func (c *Combiner[In, Out]) board(leader *seat[In, Out]) []*seat[In, Out] {
	c.mu.Lock()
	defer c.mu.Unlock()
	weight, n := c.cfg.Weigh(leader.in), 0
	for n < len(c.line) && weight+c.cfg.Weigh(c.line[n].in) <= c.cfg.Most {
		weight += c.cfg.Weigh(c.line[n].in)
		c.line[n].at = riding
		n++
	}
	ride := append([]*seat[In, Out]{leader}, c.line[:n]...)
	c.line = c.line[n:]
	c.last = len(ride)
	return ride
}

// errPanicked is what those get whose call ended by a panic; the leader passes it on.
var errPanicked = errors.New("job: the combined call panicked")

func (c *Combiner[In, Out]) lead(ctx context.Context, leader *seat[In, Out]) {
	c.gather()
	ride := c.board(leader)
	ins := make([]In, len(ride))
	for i, s := range ride {
		ins[i] = s.in
	}
	var outs []Out
	err := errPanicked
	defer func() { c.land(ride, outs, err) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.Timeout)
	defer cancel()
	if outs, err = c.call(ctx, ins); err == nil && len(outs) != len(ins) {
		err = fmt.Errorf("job: a combined call of %d parts gave %d results", len(ins), len(outs))
	}
}

// land gives everybody what is theirs, and the lead to the next.
func (c *Combiner[In, Out]) land(ride []*seat[In, Out], outs []Out, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = time.Now()
	for i, s := range ride {
		if s.err = err; err == nil {
			s.out = outs[i]
		}
		s.at = done
		if i > 0 {
			s.told <- struct{}{}
		}
	}
	c.next()
}
