package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
)

// After a SIGKILL of a server a quorum queue that was declared shortly before can be unusable: basic.consume is answered with 541 INTERNAL_ERROR, which
// ends the connection (RabbitMQ 3.10.8), or never (4.0.5); measured 2026-11 on single nodes. Deleted and declared again the queue works. That loses the
// messages in it, which costs time alone, as they are hints. It must stay the exception: what was just deleted and declared is what a kill makes
// unusable.

// errUnusable says that a queue did not answer as queues do, on a connection that does.
var errUnusable = errors.New("the queue is unusable")

// The times of a repair.
const (
	// repairEvery is the least time between two repairs of a queue by one process.
	repairEvery = time.Minute
	// spread is the longest wait before a queue is examined: several processes see the fault at the same moment, and the first mends it for all.
	spread = 3 * time.Second
	// alarmFor is how long after an unusable queue others are suspected: what made one so has mostly made several.
	alarmFor = time.Minute
	// settleFor is the pause between the end of a queue and its declaration, in which the server tells the consumers of the old one; see errIdle.
	settleFor = time.Second
)

// suspect marks an error that lets a queue be suspected: an internal error of the server, or silence.
func suspect(err error) error {
	var of *amqp.Error
	if errors.Is(err, errSilent) || errors.As(err, &of) && of.Code == amqp.InternalError {
		return fmt.Errorf("%w: %w", errUnusable, err)
	}
	return err
}

// examine looks whether a queue that seemed unusable is, on a connection of its own, and repairs it then. Only a queue that fails twice, the second
// time on a fresh connection that answers otherwise, is deleted and declared anew.
func (b *Broker) examine(ctx context.Context, q broker.Queue) {
	pause(ctx, rand.N(spread))
	if ctx.Err() != nil {
		return
	}
	err := b.probe(ctx, q)
	if !errors.Is(err, errUnusable) || !b.standing.mayRepair(q, repairEvery) {
		return
	}
	name := b.names.queue(q)
	if err := b.remake(ctx, q); err != nil {
		b.cfg.OnError(fmt.Errorf("declare queue %s anew: %w", name, err))
		return
	}
	b.standing.release(q)
	b.cfg.OnError(fmt.Errorf("queue %s was deleted and declared anew, since it could not be consumed (%w); what it held is found in the database", name, err))
	b.cfg.OnRepaired(q)
}

// probe subscribes to the queue on a connection of its own, and gives back what it gets.
func (b *Broker) probe(ctx context.Context, q broker.Queue) error {
	return b.apart(ctx, func(s *session) error {
		sub, err := b.subscribe(s, q, 1)
		if err != nil {
			return err
		}
		s.leave(sub.ch)
		return nil
	})
}

// remake deletes and declares a queue. The deletion of one that is silent is silent too, and done nevertheless (3.10.8, measured 2026-11): whether it is
// shows in the declaration, on another connection.
func (b *Broker) remake(ctx context.Context, q broker.Queue) error {
	name := b.names.queue(q)
	err := b.apart(ctx, func(s *session) error {
		return s.once("delete queue "+name, func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(name, false, false, false)
			return err
		})
	})
	if err != nil && !errors.Is(err, errSilent) {
		return err
	}
	pause(ctx, settleFor)
	return b.apart(ctx, func(s *session) error { return b.declare(s, q) })
}

// apart does something on a connection of its own.
func (b *Broker) apart(ctx context.Context, f func(*session) error) error {
	s, err := b.open(ctx, "repair")
	if err != nil {
		return err
	}
	defer s.close()
	return f(s)
}
