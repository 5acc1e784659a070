package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The bounds of a Finisher.
const (
	// mostFinished is how many ends go into one transaction.
	mostFinished = 256
	// gather is how long ends, and looks for work, wait for others under load; nobody is held up by it who waits for an answer. A transaction on PostgreSQL costs its server
	// about 0.4 ms beside what each end costs, and groups of 50 in place of 25 took a quarter off its time for jobs (measured 2026-11).
	gather = 10 * time.Millisecond
	// defaultCallLimit bounds one call of the store.
	defaultCallLimit = 10 * time.Second
	// The pauses before an end is written again that could not be.
	firstPause, lastPause = 50 * time.Millisecond, 5 * time.Second
)

// FinisherConfig is what a [Finisher] needs; Queue and Bell are wanted.
type FinisherConfig struct {
	Queue Queue
	Bell  *Bell
	// Patience is how long an end is tried to be written; 0 means 30 seconds. It is the lease: behind it somebody else does the item again.
	Patience time.Duration
	// CallLimit bounds one call of the store; 0 means 10 seconds.
	CallLimit time.Duration
	// Over is told of each job that became final, such as those who tell others of it; nil means that nobody is.
	Over    func(Ended)
	Meter   Meter
	OnError func(error)
}

// Finisher writes how items end, many in one transaction, and tells who waits for it. It is safe for concurrent use.
type Finisher struct {
	cfg      FinisherConfig
	combined *Combiner[Finished, Ended]
}

// NewFinisher makes a finisher.
func NewFinisher(cfg FinisherConfig) *Finisher {
	cfg.Patience, cfg.CallLimit = cmp.Or(cfg.Patience, DefaultLease), cmp.Or(cfg.CallLimit, defaultCallLimit)
	if cfg.Over == nil {
		cfg.Over = func(Ended) {}
	}
	if cfg.Meter == nil {
		cfg.Meter = Unmetered{}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	return &Finisher{cfg, NewCombiner(CombinerConfig[Finished]{Most: mostFinished, Gather: gather, Timeout: cfg.CallLimit}, cfg.Queue.Finish)}
}

// Finish writes how an item goes on, and gives what became of its job. While the store is away it tries again, until the lease of the item would be over or the context
// ends. ErrLeaseLost says that the item is somebody else's by now, or that this end was written by a call that seemed to fail.
func (f *Finisher) Finish(ctx context.Context, x Finished) (Ended, error) {
	over := time.Now().Add(f.cfg.Patience)
	call := f.combined.Do
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		e, err := call(ctx, x)
		if err == nil {
			err = e.Err
		}
		switch {
		case err == nil:
			f.tell(x, e)
			return e, nil
		case errors.Is(err, ErrLeaseLost), ctx.Err() != nil:
			return e, err
		}
		f.cfg.OnError(fmt.Errorf("write the end of item %d of job %s: %w", x.Lease.N, x.Lease.Job, err))
		if time.Until(over) <= pause {
			return e, fault.New(fault.Overloaded, "the end of an item could not be written").Because(err)
		}
		if !sleep(ctx, pause) {
			return e, context.Cause(ctx)
		}
		call = f.alone // What is wrong may be with another's end in the same transaction.
	}
}

// alone is one end in a transaction of its own.
func (f *Finisher) alone(ctx context.Context, x Finished) (Ended, error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.CallLimit)
	defer cancel()
	list, err := f.cfg.Queue.Finish(ctx, []Finished{x})
	if err != nil {
		return Ended{}, err
	}
	if len(list) != 1 {
		return Ended{}, fmt.Errorf("job: one end gave %d results", len(list))
	}
	return list[0], nil
}

// tell tells of an end that was written.
func (f *Finisher) tell(x Finished, e Ended) {
	f.cfg.Meter.ItemEnded(x.State)
	if e.Last {
		f.cfg.Meter.Over(e.State)
		f.cfg.Over(e)
	}
	if x.State.Ended() {
		f.cfg.Bell.Ring(Note{Job: x.Lease.Job, Final: e.Last})
	}
}

// sleep waits; false where the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
