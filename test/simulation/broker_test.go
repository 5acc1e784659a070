package simulation

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

// carrier is the broker: it keeps messages until somebody takes them, as far as the adversary lets it.
type carrier struct {
	w    *world
	line *broker.Line

	// The rest is guarded by world.mu.
	awayUntil time.Time
	sent      uint64
}

// away says whether nobody reaches it now.
func (c *carrier) away() bool {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return time.Now().Before(c.awayUntil)
}

// carry takes a message, and may lose it, double it, or have others overtake it.
func (c *carrier) carry(m broker.Message) {
	c.w.mu.Lock()
	c.sent++
	luck := c.w.plan.of(400, c.sent)
	c.w.mu.Unlock()
	rate := &c.w.plan.rate
	if !c.w.trouble() {
		rate = new([kinds]float64)
	}
	if luck.of(1).hit(rate[brokerLoses]) {
		c.w.saw(brokerLoses)
		return
	}
	times := 1
	if luck.of(2).hit(rate[brokerDoubles]) {
		c.w.saw(brokerDoubles)
		times = 2
	}
	for n := range uint64(times) {
		wait := luck.of(3, n).span(time.Millisecond, 5*time.Millisecond)
		if luck.of(4, n).hit(rate[brokerReorders]) {
			c.w.saw(brokerReorders)
			wait = luck.of(5, n).span(5*time.Millisecond, 3*time.Second)
		}
		c.put(m, wait)
	}
}

// put has a message wait for somebody after a time.
func (c *carrier) put(m broker.Message, wait time.Duration) {
	time.AfterFunc(wait, func() { c.line.Put(broker.Delivery{Message: m}) })
}

// brokerHandle is the broker as a process sees it.
type brokerHandle struct {
	p *process
}

// Publish hands messages over.
func (h brokerHandle) Publish(ctx context.Context, m ...broker.Message) error {
	if !h.p.runs() {
		return errDead
	}
	c := h.p.next(opPublish)
	rest(c.of(1).span(20*time.Microsecond, time.Millisecond))
	if !h.p.runs() {
		return errDead
	}
	if h.p.w.carrier.away() || !h.p.reaches(&h.p.brokerUntil) {
		return broker.ErrUnavailable
	}
	for _, one := range m {
		h.p.w.carrier.carry(one)
	}
	return ctx.Err()
}

// Consume takes messages; what a process had that died goes to others.
func (h brokerHandle) Consume(ctx context.Context, q []broker.Queue, prefetch int, f broker.Handler) error {
	broker.Serve(ctx, prefetch, func(ctx context.Context) (broker.Delivery, bool) { return h.next(ctx, q) }, f, func(error) {})
	return nil
}

func (h brokerHandle) next(ctx context.Context, q []broker.Queue) (broker.Delivery, bool) {
	line := h.p.w.carrier
	for {
		d, ok := line.line.Take(ctx, q)
		switch {
		case !ok:
			return d, false
		case !h.p.runs():
			line.put(d.Message, time.Second)
			return d, false
		case line.away() || !h.p.reaches(&h.p.brokerUntil):
			line.put(d.Message, time.Second)
			rest(time.Second)
			continue
		}
		d.Settle = func(done bool) {
			if !done {
				line.put(d.Message, 100*time.Millisecond)
			}
		}
		return d, true
	}
}

// Depth counts nothing: nobody here asks.
func (brokerHandle) Depth(context.Context, broker.Queue) (int, error) { return 0, nil }

// Run waits for the end.
func (brokerHandle) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Ready says whether it is to be reached.
func (h brokerHandle) Ready(context.Context) error {
	if h.p.w.carrier.away() {
		return broker.ErrUnavailable
	}
	return nil
}

var _ broker.Broker = brokerHandle{}
