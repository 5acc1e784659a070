package simulation

import (
	"context"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/test/history"
)

// estimate is what is reserved for a call, which costs that at the most.
const estimate = 1000

// doer does items as the pipeline does: it reserves money, calls the provider, and settles.
type doer struct {
	p       *process
	budgets *limit.Budgets
}

// Do does an item.
func (d doer) Do(ctx context.Context, x *job.Work) ([]byte, error) {
	if !d.p.runs() {
		return nil, errDead
	}
	held, err := d.budgets.Reserve(ctx, estimate, d.p.w.bill(x.Job.Team))
	if err != nil {
		if fault.Is(err, fault.BudgetExceeded) {
			d.p.w.saw(shortBudget)
		}
		return nil, err
	}
	answer, cost, err := d.p.w.ask(ctx, d.p, x)
	held.Settle(key.Nanos(cost))
	return answer, err
}

// ask calls the provider, which keeps its own ledger of what it charged. cost is what the caller takes it to be: where it heard no answer, all that it may be.
func (w *world) ask(ctx context.Context, p *process, x *job.Work) (answer []byte, cost int64, err error) {
	if err := p.asks(ctx); err != nil {
		return nil, 0, err
	}
	o := w.orderOf(&x.Job)
	number, nth := w.nextCall(x.Lease.Job, x.Lease.N)
	c := w.plan.of(200, hashed(string(x.Lease.Job)), uint64(x.Lease.N), nth) //nolint:gosec // Items are few.
	e := history.Event{Call: number, Order: o.n, Job: string(x.Lease.Job), Item: x.Lease.N}
	begun := e
	begun.Kind, begun.Process, begun.Most = history.CallBegun, p.name, estimate
	w.note(begun)
	e.Kind, e.Cost = history.CallEnded, int64(1+c.of(1).n(estimate))
	took := c.of(2).span(20*time.Millisecond, 900*time.Millisecond)
	if o.Items == bigBatch {
		took /= 20
	}
	if w.trouble() && c.of(3).hit(w.plan.rate[providerSlow]) {
		w.saw(providerSlow)
		took = c.of(4).span(lease/2, 3*lease)
	}
	if o.poison && x.Lease.N == 0 {
		p.die(poison)
	}
	if !w.waits(ctx, p, took) { // Nobody hears the answer; the provider charges for it all the same, or not.
		e.Cut = true
		if c.of(5).hit(0.3) {
			e.Cost = 0
		}
		w.note(e)
		if !p.runs() {
			return nil, 0, errDead
		}
		return nil, estimate, context.Cause(ctx)
	}
	if w.trouble() && c.of(6).hit(w.plan.rate[providerFails]) {
		w.saw(providerFails)
		return w.fails(c, e)
	}
	e.Answer = `{"call":` + strconv.Itoa(number) + `}`
	w.note(e)
	return []byte(e.Answer), e.Cost, nil
}

// asks says whether a call is sent: not where its context has ended, which a client looks at last before it writes. One that stood still between the two writes all the same.
func (p *process) asks(ctx context.Context) error {
	looked, ended := time.Now(), ctx.Err()
	switch {
	case ended != nil:
		return ended
	case !p.runs():
		return errDead
	case time.Now().After(looked):
		return nil
	}
	return ctx.Err()
}

// fails is an answer that is an error: of the service, which charges nothing, or one that is no valid answer and is paid for.
func (w *world) fails(c chance, e history.Event) ([]byte, int64, error) {
	f := fault.New(fault.ProviderError, "the service is overloaded")
	if c.of(7).hit(0.3) {
		f = fault.New(fault.ValidationFailed, "the answer does not fit the schema")
	} else {
		e.Cost = 0
	}
	w.note(e)
	return nil, e.Cost, f
}

// waits waits for an answer, and says whether it was heard: not where the process died or gave the call up. One that stood still hears what came meanwhile.
func (w *world) waits(ctx context.Context, p *process, took time.Duration) bool {
	answered := time.Now().Add(took)
	t := time.NewTimer(took)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	case <-p.died:
		return false
	}
	w.mu.Lock()
	thaw := p.thaw
	w.mu.Unlock()
	if thaw != nil {
		select {
		case <-thaw:
		case <-p.died:
			return false
		}
	}
	return !time.Now().Before(answered)
}

func hashed(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text)) //nolint:errcheck // It gives none.
	return h.Sum64()
}

var _ job.Doer = doer{}
