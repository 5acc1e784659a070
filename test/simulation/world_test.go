package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/test/history"
)

// world is a history in progress: servers, processes and callers, in a bubble of its own time.
type world struct {
	plan  *plan
	begun time.Time
	store *store
	// What processes are given of the store: the same, or one with a planted bug.
	jobs    job.Store
	hooks   delivery.Store
	carrier *carrier
	// over ends what dead processes wait for. under are goroutines of the world itself.
	over  chan struct{}
	under sync.WaitGroup

	mu        sync.Mutex
	processes [workers + 1]*process // Nil while there is none.
	all       []*process
	ending    bool
	events    []history.Event
	seen      [kinds]bool
	calls     map[string]uint64 // Of the provider, by item.
	called    int
	sends     map[string]uint64 // By message.
	awayUntil time.Time         // The receiver is.
}

func newWorld(p *plan) *world {
	w := &world{plan: p, begun: time.Now(), store: newStore(time.Now), over: make(chan struct{}), calls: map[string]uint64{}, sends: map[string]uint64{}}
	w.jobs, w.hooks = w.store, w.store.hooks
	w.carrier = &carrier{w: w, line: broker.NewLine()}
	w.events = make([]history.Event, 0, 512)
	return w
}

// note writes down what is seen.
func (w *world) note(e history.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.At = time.Since(w.begun)
	w.events = append(w.events, e)
}

// saw counts a kind.
func (w *world) saw(k kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[k] = true
}

// trouble says that things may go wrong still.
func (w *world) trouble() bool { return !w.plan.calm && time.Since(w.begun) <= troubleEnds }

func (w *world) nextCall(id job.ID, n int) (number int, nth uint64) {
	name := string(id) + "/" + strconv.Itoa(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.called++
	w.calls[name]++
	return w.called, w.calls[name]
}

func (w *world) nextSend(id string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sends[id]++
	return w.sends[id]
}

func (w *world) receiverAway() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.awayUntil)
}

// orderOf gives the order that a job came from: its number is in the metadata.
func (w *world) orderOf(j *job.Job) *order {
	n, _ := strconv.Atoi(between(string(j.Metadata), `{"order":`, `}`)) //nolint:errcheck // It was written here.
	return &w.plan.orders[n]
}

// bill says what a team may spend. In some histories it is not enough for one.
func (w *world) bill(team key.TeamID) limit.Bill {
	b := limit.Bill{Payer: limit.TeamPayer(team), Budget: key.Budget{Limit: 1e9, Period: key.Daily}}
	if team == teams()[2] && w.plan.of(500).hit(0.3) && !w.plan.calm {
		b.Limit = 8 * estimate
	}
	return b
}

// at is the process in a slot; nil where it is dead, or has ended.
func (w *world) at(slot int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p := w.processes[slot]; p != nil && !p.dead {
		return p
	}
	return nil
}

// restart has a process begin in a slot after a time.
func (w *world) restart(slot int, after time.Duration) {
	w.under.Go(func() {
		rest(after)
		w.spawn(slot)
	})
}

// spawn begins a process: in the first slot the one that takes jobs, in the others those that do them.
func (w *world) spawn(slot int) {
	p := &process{w: w, slot: slot, died: make(chan struct{})}
	p.ctx, p.stop = context.WithCancel(context.Background())
	w.mu.Lock()
	if w.ending {
		w.mu.Unlock()
		p.stop()
		return
	}
	p.number = len(w.all)
	p.name = fmt.Sprintf("p%d.%d", slot, p.number)
	w.all, w.processes[slot] = append(w.all, p), p
	w.mu.Unlock()
	p.begin()
}

// begin makes what a process is made of, as the program does, and runs it.
func (p *process) begin() {
	w, jobs := p.w, handle{p.w.jobs, p}
	relay := broker.NewRelay(brokerHandle{p}, broker.RelayConfig{PublishLimit: 2 * time.Second, FlushLimit: 500 * time.Millisecond})
	sender := delivery.NewSender(delivery.SenderConfig{
		Store: hookHandle{w.hooks, p}, Composer: composer{jobs}, Transport: transport{p}, NewID: p.newToken, Workers: 8, PerHost: 4, Lease: hookLease, Poll: 2 * time.Second,
		Chance: func() float64 { return p.next(opSend).float() / 4 },
	})
	over := func(job.Ended) { sender.Wake() }
	p.bell = &job.Bell{Tell: p.ringOthers}
	p.run(relay.Run, sender.Run)
	if p.slot == 0 {
		p.service = job.NewService(job.Config{
			Store: jobs, Pipeline: examiner{}, Defaults: defaults, Bell: p.bell, NewID: p.newJob, Targets: targets{}, Announce: relay, Over: over, CallLimit: 4 * time.Second,
		})
		return
	}
	budgets := limit.NewBudgets(limit.BudgetsConfig{Store: budgetHandle{w.store.budgets, p}, Holder: p.name, Lease: budgetLease, Now: p.now})
	finisher := job.NewFinisher(job.FinisherConfig{Queue: jobs, Bell: p.bell, Patience: lease, CallLimit: 2 * time.Second, Over: over})
	rules := job.Rules{Worker: p.name, MostAttempts: attempts, Random: func(d time.Duration) time.Duration {
		return time.Duration(p.next(opCall).float() * float64(min(d, 3*time.Second)))
	}}
	worker := job.NewWorker(job.WorkerConfig{
		Queue: jobs, Doer: doer{p, budgets}, Finisher: finisher, Broker: brokerHandle{p}, Rules: rules, Slots: slots, Lease: lease, Drain: 2 * time.Second,
	})
	reaper := job.NewReaper(job.ReaperConfig{Store: jobs, Holder: p.name, Bell: p.bell, Announce: relay, Policy: job.Policy{MostAttempts: attempts}, Over: over})
	p.run(reaper.Run)
	p.owners.Go(func() { // What was reserved is settled before the last booking: the worker ends first.
		booking, end := context.WithCancel(context.WithoutCancel(p.ctx))
		var books sync.WaitGroup
		books.Go(func() { _ = budgets.Run(booking) }) //nolint:errcheck // It gives none.
		_ = worker.Run(p.ctx)                         //nolint:errcheck // It gives none.
		end()
		books.Wait()
	})
}

func (p *process) run(owners ...func(context.Context) error) {
	for _, run := range owners {
		p.owners.Go(func() { _ = run(p.ctx) }) //nolint:errcheck // They give none.
	}
}

// ringOthers tells the other processes that work is to stop; some do not hear it.
func (p *process) ringOthers(n job.Note) {
	w := p.w
	w.mu.Lock()
	all := w.processes
	w.mu.Unlock()
	for slot, other := range all {
		if other == nil || other == p || w.plan.of(600, hashed(string(n.Job)), uint64(slot)).hit(0.3) { //nolint:gosec // Slots are few.
			continue
		}
		w.under.Go(func() {
			rest(time.Millisecond * time.Duration(1+slot))
			other.bell.Hear(n)
		})
	}
}

func (p *process) newToken() string { return p.name + "-" + strconv.Itoa(p.count()) }

func (p *process) newJob() string { return string(jobID(p.number, p.count())) }

func (p *process) count() int {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.ids++
	return p.ids
}

// composer gives what a message tells of.
type composer struct{ store job.Store }

// Compose reads a job.
func (c composer) Compose(ctx context.Context, m delivery.Message) (json.RawMessage, error) {
	return job.Compose(ctx, c.store, m.Team, job.ID(m.Job), string(m.Event), m.At)
}

// examiner finds nothing wrong.
type examiner struct{}

// Examine finds nothing.
func (examiner) Examine(context.Context, *key.Caller, prompt.Prompt) (pipeline.Pinned, error) {
	return pipeline.Pinned{}, nil
}

func defaults() prompt.Defaults { return prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4} }

// targets takes every target.
type targets struct{}

// Aim takes it.
func (targets) Aim(_ context.Context, _ key.TeamID, w job.Webhook) (job.Webhook, string, error) {
	return w, "", nil
}
