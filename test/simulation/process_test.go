package simulation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/test/history"
)

// op is a kind of call of a server.
type op int

const (
	opSubmit op = iota
	opBegin
	opAppend
	opSeal
	opClaim
	opRenew
	opFinish
	opRead
	opCancel
	opRetry
	opReap
	opLead
	opDepth
	opDue
	opTake
	opProlong
	opKeep
	opRecord
	opSweep
	opDraw
	opPublish
	opCall
	opSend
	ops
)

// rare says that a call is made again and again whether there is work or not: it meets a crash seldom, so that those of work are met.
func (o op) rare() bool {
	switch o { //nolint:exhaustive // The others are of work.
	case opClaim, opRenew, opReap, opLead, opDepth, opDue, opSweep, opRead, opProlong:
		return true
	default:
		return false
	}
}

var (
	// errAway is what a call gives that failed. errDead ends what a dead process does; it is no lease of it any more.
	errAway = errors.New("the server is away")
	errDead = errors.Join(errors.New("the process is dead"), job.ErrLeaseLost, delivery.ErrLeaseLost)
)

// process is a process of promptd: its handles of servers are all that it has in common with others.
type process struct {
	w      *world
	name   string
	slot   int
	number int // Of all processes that there were.
	ctx    context.Context
	stop   context.CancelFunc
	owners sync.WaitGroup
	bell   *job.Bell
	// service takes jobs, in the first slot alone.
	service *job.Service

	// The rest is guarded by world.mu.
	dead        bool
	died        chan struct{} // Closed by its death.
	thaw        chan struct{} // Closed when it goes on, nil while it runs.
	storeUntil  time.Time     // It does not reach the store until then, nor the broker.
	brokerUntil time.Time
	skew        time.Duration
	counts      [ops]uint64
	ids         int
}

// next gives the draws of the next call of a kind.
func (p *process) next(o op) chance {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.counts[o]++
	return p.w.plan.of(100, uint64(p.number), uint64(o), p.counts[o]) //nolint:gosec // They are small.
}

// now is the clock of the process, which may be set.
func (p *process) now() time.Time {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return time.Now().Add(p.skew)
}

// runs waits while the process stands still, and says whether it lives. What a dead one does waits until all is over.
func (p *process) runs() bool {
	for {
		p.w.mu.Lock()
		dead, thaw := p.dead, p.thaw
		p.w.mu.Unlock()
		switch {
		case dead:
			<-p.w.over
			return false
		case thaw == nil:
			return true
		}
		select {
		case <-thaw:
		case <-p.died:
		}
	}
}

// die ends the process at once. Nothing of it is given back.
func (p *process) die(k kind) {
	p.w.mu.Lock()
	if p.dead || p.w.ending {
		p.w.mu.Unlock()
		return
	}
	p.dead = true
	close(p.died)
	p.w.mu.Unlock()
	p.w.saw(k)
	p.w.note(history.Event{Kind: history.Killed, Process: p.name})
	p.w.restart(p.slot, p.next(opSubmit).of(9).span(200*time.Millisecond, 4*time.Second))
}

// reaches says whether the process reaches the store now.
func (p *process) reaches(until *time.Time) bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return !time.Now().Before(*until)
}

// call makes a call of the store: a step at which the adversary may strike.
func call[T any](ctx context.Context, p *process, o op, effect func(context.Context) (T, error)) (out T, err error) {
	asked := time.Now()
	if !p.runs() {
		return out, errDead
	}
	switch {
	case time.Now().After(asked):
		ctx = context.WithoutCancel(ctx) // It stood still with the call on its lips: nothing has looked at its context since.
	case ctx.Err() != nil:
		return out, ctx.Err()
	}
	c := p.next(o)
	rest(c.of(1).span(20*time.Microsecond, 2*time.Millisecond)) // Calls are apart in time, so that their order is drawn and not the scheduler's.
	if !p.reaches(&p.storeUntil) {
		return out, errAway
	}
	k, strikes := p.strike(o, c)
	if !strikes {
		if !p.runs() {
			return out, errDead
		}
		return effect(ctx)
	}
	return struck(ctx, p, k, c, effect)
}

// struck makes a call that meets a fault.
func struck[T any](ctx context.Context, p *process, k kind, c chance, effect func(context.Context) (T, error)) (out T, err error) {
	switch k { //nolint:exhaustive // The others are no fault of a call.
	case crashBefore:
		p.die(k)
	case crashAfter:
		_, _ = effect(ctx) //nolint:errcheck // Nobody hears of it.
		p.die(k)
	case failed:
		p.w.saw(k)
		return out, errAway
	case lostAnswer:
		p.w.saw(k)
		_, _ = effect(ctx) //nolint:errcheck // Nobody hears of it.
		return out, errAway
	case delayed:
		p.w.saw(k)
		return late(ctx, p, min(c.of(3).span(100*time.Millisecond, 2*lease), max(0, troubleEnds-time.Since(p.w.begun))), effect)
	}
	if !p.runs() {
		return out, errDead
	}
	return out, errAway
}

// late is a call that is on its way for long: it takes effect though whoever made it has gone.
func late[T any](ctx context.Context, p *process, after time.Duration, effect func(context.Context) (T, error)) (out T, err error) {
	type answer struct {
		out T
		err error
	}
	come := make(chan answer, 1)
	lasting := context.WithoutCancel(ctx)
	p.w.under.Go(func() {
		rest(after)
		out, err := effect(lasting)
		come <- answer{out, err}
	})
	select {
	case a := <-come:
		if !p.runs() {
			return out, errDead
		}
		return a.out, a.err
	case <-ctx.Done():
		return out, ctx.Err()
	case <-p.died:
		p.runs()
		return out, errDead
	}
}

// strike says which fault a call meets, if any.
func (p *process) strike(o op, c chance) (kind, bool) {
	w := p.w
	if w.plan.calm || time.Since(w.begun) > troubleEnds {
		return 0, false
	}
	luck := c.of(2).float()
	for _, k := range [...]kind{crashBefore, crashAfter, failed, lostAnswer, delayed} {
		rate := w.plan.rate[k]
		if o.rare() {
			rate /= 8
		}
		if luck < rate {
			return k, true
		}
		luck -= rate
	}
	return 0, false
}
