// Package embedded is the broker inside the process: it wakes the workers of the same process when there is work.
//
// It reaches no other process and keeps nothing over an end: workers find in the database what was not told to them, as with every broker. Where
// several processes share a database without RabbitMQ, each has one of these, and finds the others' work by asking the database.
//
// The main type is [Broker]. A message that waits already is not kept twice, so announcing what is due again and again costs no memory.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/promptd/promptd/internal/broker"
)

// The defaults of a Config.
const (
	// defaultRoom of ids take some 10 MB a class.
	defaultRoom  = 65_536
	defaultLimit = 20
)

// Config is what a Broker is made from; everything has a default.
type Config struct {
	// Room is how many messages of a class may wait.
	Room int
	// Limit is how often a message comes again after an error.
	Limit int
	// OnError is told of handlers that panicked. It must not block.
	OnError func(error)
}

// Broker carries messages inside the process.
type Broker struct {
	cfg  Config
	line *broker.Line

	mu sync.Mutex

	// waiting are the messages in the line, and how often each failed before.
	waiting map[broker.Message]int
	count   map[broker.Queue]int
	dead    int
}

// New makes a broker without messages.
func New(c Config) *Broker {
	if c.Room <= 0 {
		c.Room = defaultRoom
	}
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return &Broker{cfg: c, line: broker.NewLine(), waiting: map[broker.Message]int{}, count: map[broker.Queue]int{}}
}

// Publish puts messages into the line, as far as there is room; see broker.Broker.
func (b *Broker) Publish(ctx context.Context, m ...broker.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := broker.Check(m); err != nil {
		return err
	}
	var errs []error
	refused := map[broker.Queue]bool{}
	for _, message := range m {
		if !b.put(message, 0) && !refused[message.Queue] {
			refused[message.Queue] = true
			errs = append(errs, fmt.Errorf("queue %s holds %d messages: %w", message.Queue, b.cfg.Room, broker.ErrFull))
		}
	}
	return errors.Join(errs...)
}

// put says false where the class is full.
func (b *Broker) put(m broker.Message, failures int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before, waits := b.waiting[m]; waits {
		b.waiting[m] = max(before, failures)
		return true
	}
	if b.count[m.Queue] >= b.cfg.Room {
		return false
	}
	b.waiting[m] = failures
	b.count[m.Queue]++
	b.line.Put(broker.Delivery{Message: m})
	return true
}

// Consume takes messages; see broker.Broker.
func (b *Broker) Consume(ctx context.Context, q []broker.Queue, prefetch int, f broker.Handler) error {
	if err := broker.CheckConsume(q, prefetch); err != nil {
		return err
	}
	broker.Serve(ctx, prefetch, func(ctx context.Context) (broker.Delivery, bool) { return b.take(ctx, q) }, f, b.cfg.OnError)
	return nil
}

func (b *Broker) take(ctx context.Context, q []broker.Queue) (broker.Delivery, bool) {
	d, ok := b.line.Take(ctx, q)
	if !ok {
		return d, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Failures = b.waiting[d.Message]
	delete(b.waiting, d.Message)
	b.count[d.Queue]--
	d.Settle = func(done bool) {
		if !done {
			b.again(d)
		}
	}
	return d, true
}

// again puts a message back that was answered with an error, or counts it among the dead. One that finds no room is lost, as a full queue refuses any.
func (b *Broker) again(d broker.Delivery) {
	if d.Failures < b.cfg.Limit {
		b.put(d.Message, d.Failures+1)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dead++
}

// Depth gives the messages that wait. Of the dead the number is all that is kept.
func (b *Broker) Depth(ctx context.Context, q broker.Queue) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if q == broker.Dead {
		return b.dead, nil
	}
	return b.count[q], nil
}

// Run has no connection to own: it waits for the end.
func (b *Broker) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Ready gives nil: what is in the process is there.
func (b *Broker) Ready(context.Context) error { return nil }

var _ broker.Broker = (*Broker)(nil)
