// Package bulk sends calls that may wait through the batch APIs of providers, at half the price.
//
// It is for items of jobs with urgency low: a worker hands them over ([Coordinator.Defer]) and they stay parked under their lease until the answer is there. It is not for
// batches of callers, which packages pipeline and job know, and not for the wire: dialect.Batcher encodes, and package provider carries.
//
// The main type is [Coordinator]. It collects calls by provider and model until there are enough or the first has waited long enough, keeps the batch in the [Store], makes it at
// the service, looks at it now and then, and hands each result to the pipeline's Judge, which goes on as if the call had been its own: a reply that does not pass is re-asked, and what failed falls back, by
// direct calls. Calls that got no answer go back to the workers, which make them directly. No item goes through a batch twice.
//
// What is kept before each step lets another process go on after a crash. The batch is kept before the service hears of it, under a label by which it is found again at the
// service (not at Anthropic's, whose batches have none). Where a batch can't be found, its items are done again: at most the calls are made twice, and what was reserved for them is
// charged. What was collected and not kept yet comes back to the workers by its lease.
package bulk

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
)

// Opener reads an item of a job: whose it is and what it asks.
type Opener interface {
	Open(ctx context.Context, w *job.Work) (*job.Task, error)
}

// Pipeline is the part of the pipeline that a call apart needs.
type Pipeline interface {
	Prepare(ctx context.Context, who *key.Caller, q prompt.Prompt, fits func(provider.Candidate) bool) (pipeline.Prepared, error)
	Hold(ctx context.Context, c *pipeline.Prepared) (pipeline.Payment, error)
	HoldAgain(ctx context.Context, who *key.Caller, m *provider.Model, amount key.Nanos) (pipeline.Payment, error)
	Judge(ctx context.Context, who *key.Caller, q prompt.Prompt, c *pipeline.Came) (*pipeline.Answer, error)
}

// Jobs is the part of the store of jobs that is needed besides the finisher.
type Jobs interface {
	Park(ctx context.Context, leases []job.Lease, d time.Duration) (lost []job.Lease, err error)
	Job(ctx context.Context, reach key.Reach, id job.ID) (job.Job, error)
	Items(ctx context.Context, reach key.Reach, id job.ID, from, limit int) ([]job.Item, error)
}

// Finisher writes how an item goes on.
type Finisher interface {
	Finish(ctx context.Context, x job.Finished) (job.Ended, error)
}

// Config is what a [Coordinator] needs; the first block is wanted, the rest has defaults.
type Config struct {
	Store    Store
	Jobs     Jobs
	Finisher Finisher
	Opener   Opener
	Pipeline Pipeline
	Pool     *provider.Pool
	// Callers gives the caller whose work was accepted under a key.
	Callers job.Callers
	// Holder names this process, unlike any other; Rules say how items go on.
	Holder string
	Rules  job.Rules
	// NewLabel makes labels: up to 40 letters, digits, _ and -, unlike any other for all times.
	NewLabel func() string

	// Calls, Bytes and Window say when a batch is sent: with so many calls, so many bytes, or so long after its first.
	Calls, Bytes int
	Window       time.Duration
	// Look is the pause before the first look at a batch, MostLook the longest one.
	Look, MostLook time.Duration
	// Again are the pauses before a batch is tried to be made again that the service could not make at the moment.
	Again []time.Duration
	// Tick is how often the coordinator looks for what is due.
	Tick time.Duration
	// Judges is how many results are judged at the same time.
	Judges int
	// Drain is how long a batch that is being made may go on when the coordinator is to end.
	Drain time.Duration
	// Now is the clock of this process.
	Now func() time.Time
	// OnError hears of what went wrong and is tried again, or goes another way.
	OnError func(error)
}

// The defaults of a coordinator.
const (
	// DefaultCalls and DefaultBytes bound what a batch holds in memory while it is collected and sent.
	DefaultCalls  = 5000
	DefaultBytes  = 16 << 20
	DefaultWindow = time.Minute
	DefaultLook   = 30 * time.Second
	DefaultMost   = 10 * time.Minute
	defaultTick   = time.Second
	defaultJudges = 16
	defaultDrain  = 20 * time.Second
)

// The times of a batch's life.
const (
	// hold is how long a process keeps a batch without a word: it renews it three times as often.
	hold = 2 * time.Minute
	// lag is how long a batch waits for its own process to look at it before another one does.
	lag = 2 * time.Minute
	// settleEvery is how often a process looks whether others have taken its batches over.
	settleEvery = 30 * time.Second
	// usual is how long a service may take where it says no other time; grace is added before the batch is given up.
	usual, grace = 24 * time.Hour, 2 * time.Hour
	// doubt is how long a batch is looked for whose creation was not answered, unsure the pause between two looks for it.
	doubt, unsure = 15 * time.Minute, 2 * time.Minute
	// mostFailures is how often in a row a batch can't be looked at, or fetched, before it counts as lost: with pauses of ten minutes that is a day.
	mostFailures = 150
	// refusal is how long nothing more is collected for a model whose batch was refused.
	refusal = 10 * time.Minute
	// keepFor is how long a closed batch stays, and with it the memory that its items were in one. A job's results are kept for a day, and itself for a week.
	keepFor = 14 * 24 * time.Hour
)

func (c Config) filled() Config {
	c.Calls, c.Bytes, c.Window = cmp.Or(c.Calls, DefaultCalls), cmp.Or(c.Bytes, DefaultBytes), cmp.Or(c.Window, DefaultWindow)
	c.Look, c.MostLook, c.Tick = cmp.Or(c.Look, DefaultLook), cmp.Or(c.MostLook, DefaultMost), cmp.Or(c.Tick, defaultTick)
	c.Judges, c.Drain = cmp.Or(c.Judges, defaultJudges), cmp.Or(c.Drain, defaultDrain)
	if c.Again == nil {
		c.Again = []time.Duration{2 * time.Second, 10 * time.Second, 30 * time.Second}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c
}

// Coordinator collects calls, makes batches of them, and brings their results home. It is safe for concurrent use; Run owns all that it does.
type Coordinator struct {
	cfg   Config
	parks *job.Combiner[parking, bool]
	ends  *job.Combiner[ending, struct{}]
	full  chan struct{} // Room for one: some collection is to be sent.

	mu sync.Mutex

	ended      bool // nothing is taken any more
	bytes      int  // collected, or being sent
	collecting map[target]*collection
	refused    map[target]time.Time                   // until when nothing is collected
	payments   map[string]map[string]pipeline.Payment // by label and call
	claiming   map[string]bool                        // labels whose owner this process is about to become
}

// target is who is asked.
type target struct{ provider, model string }

// New makes a coordinator. What it takes before Run is sent by Run; after Run it takes nothing.
func New(cfg Config) *Coordinator {
	c := &Coordinator{
		cfg: cfg.filled(), full: make(chan struct{}, 1), collecting: map[target]*collection{}, refused: map[target]time.Time{}, payments: map[string]map[string]pipeline.Payment{}, claiming: map[string]bool{},
	}
	c.parks = job.NewCombiner(job.CombinerConfig[parking]{Most: mostParked, Timeout: storeLimit}, c.park)
	c.ends = job.NewCombiner(job.CombinerConfig[ending]{Most: mostParked, Timeout: storeLimit}, c.endAll)
	return c
}

// mostBusy bounds the batches that are made, looked at or brought home at the same time; each may hold its calls or its results in memory.
const mostBusy = 4

// Run works until the context ends. Then what was collected goes back to the workers, what is being made is made to its end, and all else is left to whoever comes next.
func (c *Coordinator) Run(ctx context.Context) error {
	var under sync.WaitGroup
	slots := make(chan struct{}, mostBusy)
	// A batch that is being made outlives the context for a time: where it is cut nobody knows whether it was made.
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	tick := time.NewTicker(c.cfg.Tick)
	defer tick.Stop()
	var forgotten, settled time.Time
	for ctx.Err() == nil {
		for _, s := range c.ripe(false) {
			under.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				c.guard("send a batch", func() { c.send(lasting, s) })
			})
		}
		c.work(ctx, &under, slots)
		now := c.cfg.Now()
		if now.Sub(forgotten) >= time.Hour {
			forgotten = now
			c.report("forget old batches", c.forget(ctx))
		}
		if now.Sub(settled) >= settleEvery {
			settled = now
			c.report("look what was taken over", c.settle(ctx))
		}
		select {
		case <-tick.C:
		case <-c.full:
		case <-ctx.Done():
		}
	}
	cut := time.AfterFunc(c.cfg.Drain, end)
	defer cut.Stop()
	for _, s := range c.ripe(true) {
		c.giveBack(lasting, s.items, s.payments)
	}
	under.Wait()
	c.leave(lasting)
	return nil
}

// work begins to look after batches that are due, as many as there are slots free.
func (c *Coordinator) work(ctx context.Context, under *sync.WaitGroup, slots chan struct{}) {
	free := cap(slots) - len(slots)
	if free <= 0 {
		return
	}
	list, err := c.cfg.Store.Take(ctx, c.cfg.Holder, hold, lag, free)
	if err != nil {
		if ctx.Err() == nil {
			c.report("look for batches that are due", err)
		}
		return
	}
	for _, b := range list {
		under.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c.guard("look after batch "+b.Label, func() { c.attend(ctx, b) })
		})
	}
}

func (c *Coordinator) forget(ctx context.Context) error {
	const portion = 1000
	_, err := c.cfg.Store.Forget(ctx, keepFor, portion)
	return err
}

// guard keeps a panic from ending the process: the batch is taken again when its hold has ended.
func (c *Coordinator) guard(what string, f func()) {
	defer func() {
		if v := recover(); v != nil { // The value may hold anything; its type is enough.
			c.report(what, fmt.Errorf("panic of type %T", v))
		}
	}()
	f()
}

func (c *Coordinator) report(what string, err error) {
	if err != nil {
		c.cfg.OnError(fmt.Errorf("%s: %w", what, err))
	}
}

// find gives a configured provider and its model; false where either is not there any more, or has no batches now.
func (c *Coordinator) find(providerName, model string) (*provider.Provider, *provider.Model, bool) {
	for _, p := range c.cfg.Pool.Providers() {
		if _, ok := p.Batcher(); !ok || p.Name() != providerName {
			continue
		}
		for i := range p.Models() {
			if m := &p.Models()[i]; m.Name == model {
				return p, m, true
			}
		}
	}
	return nil, nil, false
}

// callID names an item's call at a service.
func callID(id job.ID, n int) string { return string(id) + "-" + strconv.Itoa(n) }
