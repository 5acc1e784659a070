package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/pipeline"
)

// The defaults of a worker.
const (
	// DefaultSlots is how many items are done at the same time.
	DefaultSlots = 64
	// DefaultDrain is how long work may go on when the worker is to end.
	DefaultDrain = 25 * time.Second
	// PerMessage is how many items a message stands for at most: what was announced together needs no more messages than that, and what is announced alone waits for no other.
	PerMessage = 8
	// idle is the time between two looks into the store where there was nothing, and restless the bound of the pause after a look that failed.
	idle, restless = time.Second, 10 * time.Second
)

// Doer does an item: it gives the answer as JSON, or the error that stands for one. The context ends when the lease is lost.
type Doer interface {
	Do(ctx context.Context, w *Work) ([]byte, error)
}

// WorkerConfig is what a [Worker] needs; Queue, Doer and Finisher are wanted.
type WorkerConfig struct {
	Queue    Queue
	Doer     Doer
	Finisher *Finisher
	// Broker tells of work sooner than the worker looks by itself; nil where there is none.
	Broker broker.Broker
	// Deferrer takes items that may wait; nil where nobody does.
	Deferrer Deferrer
	// Rules say how items go on; Rules.Worker is the worker's name.
	Rules Rules
	// Slots is jobs.concurrency, Lease jobs.lease.
	Slots int
	Lease time.Duration
	// Drain is how long work may go on after Run's context has ended; what is not done then is given back.
	Drain   time.Duration
	Meter   Meter
	OnError func(error)
}

// Worker does the items of jobs: as many at the same time as it has slots. Run owns all that it does.
//
// It takes work in two ways. A message of the broker is a permit: when a slot is free, an item is claimed, whichever is next by class and team, and some more where slots are free; the
// message is answered when they have ended. So messages stay with the broker while all workers are busy. And whenever slots are free it looks by itself, so that what no message told of costs a second
// and nothing more.
type Worker struct {
	cfg    WorkerConfig
	slots  chan struct{} // One for each item under way.
	claims *claims
	leases *leases
	pace   pace
	// wake has room for one: a second word would say the same.
	wake chan struct{}
	// hands are goroutines that have done an item and wait for the next: their stacks have grown to what the work needs, which costs a new one a tenth of it.
	hands chan handful
	// under counts the goroutines that do items.
	under sync.WaitGroup
}

// handful is an item for a hand, and what is called when it has ended.
type handful struct {
	taken
	ended func()
}

// NewWorker makes a worker. The finisher's bell tells it of jobs that are over.
func NewWorker(cfg WorkerConfig) *Worker {
	cfg.Slots, cfg.Lease, cfg.Drain = cmp.Or(cfg.Slots, DefaultSlots), cmp.Or(cfg.Lease, DefaultLease), cmp.Or(cfg.Drain, DefaultDrain)
	cfg.Rules = cfg.Rules.filled()
	if cfg.Meter == nil {
		cfg.Meter = Unmetered{}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(error) {}
	}
	w := &Worker{
		cfg: cfg, slots: make(chan struct{}, cfg.Slots), wake: make(chan struct{}, 1), hands: make(chan handful),
		claims: newClaims(cfg.Queue, cfg.Rules.Worker, cfg.Lease, cfg.Meter, cfg.Lease/beats),
		leases: newLeases(cfg.Queue, cfg.Lease, cfg.Meter.LeaseLost, cfg.OnError),
	}
	cfg.Finisher.cfg.Bell.Always(func(n Note) {
		if n.Stop {
			w.leases.check(n.Job)
		}
	})
	return w
}

// Wake has the worker look for work now.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until the context ends. Then it takes nothing more, lets what is under way go on for the time to drain, gives the rest back, and returns.
func (w *Worker) Run(ctx context.Context) error {
	lasting, end := context.WithCancel(context.WithoutCancel(ctx)) // For what goes on when ctx has ended.
	defer end()
	var beating, taking sync.WaitGroup
	beating.Go(func() { w.leases.run(lasting) })
	taking.Go(func() { w.look(ctx, lasting) })
	if w.cfg.Broker != nil {
		taking.Go(func() { w.consume(ctx, lasting) })
	}
	<-ctx.Done()
	drained := time.AfterFunc(w.cfg.Drain, w.leases.end)
	defer drained.Stop()
	taking.Wait()
	close(w.hands)
	w.under.Wait()
	end()
	beating.Wait()
	return nil
}

// look looks for work whenever slots are free: at once again while it finds as much as it wanted, else after a pause.
func (w *Worker) look(ctx, lasting context.Context) {
	pause := idle
	for {
		n := w.free(ctx, mostClaimed)
		if n == 0 {
			return
		}
		list, err := w.claims.take(ctx, n)
		for range n - len(list) {
			<-w.slots
		}
		for _, t := range list {
			w.give(lasting, handful{t, func() {}})
		}
		switch {
		case err != nil:
			w.cfg.OnError(fmt.Errorf("look for work: %w", err))
			pause = min(2*pause, restless)
		case len(list) == n:
			pause = idle
			continue
		default:
			pause = idle
		}
		if !w.rest(ctx, pause) {
			return
		}
	}
}

// rest waits between two looks, not always as long: workers that were started together do not look together.
func (w *Worker) rest(ctx context.Context, pause time.Duration) bool {
	t := time.NewTimer(pause*3/4 + w.cfg.Rules.Random(pause/2))
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.wake:
	case <-ctx.Done():
		return false
	}
	return true
}

// free takes a slot, and those that are free beside it, up to so many together; none where the context has ended.
func (w *Worker) free(ctx context.Context, most int) int {
	if ctx.Err() != nil {
		return 0
	}
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; n < most; n++ {
		select {
		case w.slots <- struct{}{}:
		default:
			return n
		}
	}
	return most
}

// consume takes the broker's messages until the context ends.
func (w *Worker) consume(ctx, lasting context.Context) {
	for pause := idle; ctx.Err() == nil; pause = min(2*pause, restless) {
		err := w.cfg.Broker.Consume(ctx, broker.Jobs(), w.cfg.Slots, func(ctx context.Context, _ broker.Message) error { return w.permitted(ctx, lasting) })
		if ctx.Err() != nil {
			return
		}
		w.cfg.OnError(fmt.Errorf("take messages of work: %w", cmp.Or(err, errors.New("the broker ended by itself"))))
		w.rest(ctx, pause)
	}
}

// permitted does what a message stands for: one item, or up to PerMessage where slots are free for them. There may be none: it is done, or somebody has it. An error
// has the message come again.
func (w *Worker) permitted(ctx, lasting context.Context) error {
	n := w.free(ctx, PerMessage)
	if n == 0 {
		return context.Cause(ctx)
	}
	list, err := w.claims.take(ctx, n)
	for range n - len(list) {
		<-w.slots
	}
	if err != nil || len(list) == 0 {
		return err
	}
	var beside sync.WaitGroup
	beside.Add(len(list))
	for _, t := range list {
		w.give(lasting, handful{t, beside.Done})
	}
	beside.Wait()
	return nil
}

// give gives an item to a hand that waits, or to a new one: there are hardly more of them than slots, as one that has just freed its own may not wait
// yet. It is not called any more when nobody takes items.
func (w *Worker) give(ctx context.Context, h handful) {
	select {
	case w.hands <- h:
		return
	default:
	}
	w.under.Go(func() {
		for more := true; more; h, more = <-w.hands {
			w.work(ctx, h.taken)
			h.ended()
		}
	})
}

// work does one item that was taken, and frees its slot.
func (w *Worker) work(ctx context.Context, t taken) {
	defer func() { <-w.slots }()
	w.cfg.Meter.Working(1)
	defer w.cfg.Meter.Working(-1)
	h := w.leases.take(ctx, t.Lease, t.begun)
	defer w.leases.drop(h)
	if w.deferred(h.work, &t.Work) {
		return
	}
	begun := time.Now()
	answer, err := w.do(h.work, &t.Work)
	switch {
	case h.ctx.Err() != nil:
		return // The lease is lost: what was done is done again, or not wanted; nothing of it can be written.
	case err != nil && errors.Is(context.Cause(h.work), errEnding):
		w.finish(h.ctx, w.cfg.Rules.Released(&t.Work))
		return
	}
	x := w.cfg.Rules.Of(&t.Work, begun, answer, err)
	if errors.Is(err, pipeline.ErrCrowded) && x.State == ItemPending {
		x.Again = w.pace.wait(t.Job.Key)
	}
	w.finish(h.ctx, x)
}

// do does an item by the pipeline; what goes wrong inside is an error and no more.
func (w *Worker) do(ctx context.Context, t *Work) ([]byte, error) {
	begun := time.Now()
	w.pace.begin(t.Job.Key)
	answer, err := guarded(func() ([]byte, error) { return w.cfg.Doer.Do(ctx, t) })
	took := time.Since(begun)
	if errors.Is(err, pipeline.ErrCrowded) {
		took = 0
	}
	w.pace.end(t.Job.Key, took)
	return answer, err
}

// deferred hands an item that may wait to whoever takes such.
func (w *Worker) deferred(ctx context.Context, t *Work) bool {
	if w.cfg.Deferrer == nil || t.Job.Urgency != Whenever {
		return false
	}
	was, err := w.cfg.Deferrer.Defer(ctx, t)
	if err != nil {
		w.cfg.OnError(fmt.Errorf("put off item %d of job %s: %w", t.Lease.N, t.Lease.Job, err))
	}
	return was
}

func (w *Worker) finish(ctx context.Context, x Finished) {
	if _, err := w.cfg.Finisher.Finish(ctx, x); err != nil && !errors.Is(err, ErrLeaseLost) {
		w.cfg.OnError(fmt.Errorf("item %d of job %s is left to its lease: %w", x.Lease.N, x.Lease.Job, err))
	}
}
