package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
)

// Consume takes messages; see broker.Broker. Each queue has a channel of its own and the choice between them is made here, so those of a higher class must
// be at hand whenever there are any: beside the messages that all handlers may work on, as many again are fetched from each queue.
func (b *Broker) Consume(ctx context.Context, q []broker.Queue, prefetch int, f broker.Handler) error {
	if err := broker.CheckConsume(q, prefetch); err != nil {
		return err
	}
	if !b.enter() {
		return nil // The broker has ended, as the consumer is about to.
	}
	defer b.holders.Done()
	line := broker.NewLine()
	answered := make(chan struct{})
	var intakes sync.WaitGroup
	for _, name := range q {
		in := intake{broker: b, queue: name, prefetch: prefetch, line: line}
		intakes.Go(func() { in.run(ctx, answered) })
	}
	broker.Serve(ctx, prefetch, func(ctx context.Context) (broker.Delivery, bool) { return line.Take(ctx, q) }, f, b.cfg.OnError)
	close(answered)
	intakes.Wait()
	return nil
}

// intake brings the messages of one queue from the server into the line of a consumer.
type intake struct {
	broker   *Broker
	queue    broker.Queue
	prefetch int
	line     *broker.Line
}

// run subscribes again and again until the context ends; then it takes nothing more, and leaves when the handlers have answered.
func (in intake) run(ctx context.Context, answered <-chan struct{}) {
	wait := firstWait
	for {
		s := in.broker.consuming.wait(ctx)
		if s == nil {
			return
		}
		took, err := in.try(ctx, s, answered)
		if ctx.Err() != nil {
			return
		}
		if took {
			wait = firstWait
		}
		if errors.Is(err, errIdle) {
			continue
		}
		in.broker.cfg.OnError(fmt.Errorf("consume %s: %w", in.broker.names.queue(in.queue), err))
		if errors.Is(err, errUnusable) {
			in.broker.standing.raiseAlarm()
			in.broker.examine(ctx, in.queue)
		}
		pause(ctx, wait)
		wait = min(2*wait, longestWait)
	}
}

// try subscribes; while there is an alarm it looks at the queue apart before, so that a queue that is unusable does not cost the others their connection.
func (in intake) try(ctx context.Context, s *session, answered <-chan struct{}) (took bool, err error) {
	if in.broker.standing.alarmed() {
		if err := in.broker.probe(ctx, in.queue); err != nil {
			return false, err
		}
	}
	return in.subscribe(ctx, s, answered)
}

// subscribe takes messages on one connection until it or its channel ends. It says whether the server let it.
func (in intake) subscribe(ctx context.Context, s *session, answered <-chan struct{}) (took bool, err error) {
	sub, err := in.broker.subscribe(s, in.queue, in.prefetch)
	if err != nil {
		return false, err
	}
	defer s.leave(sub.ch)
	renew := time.NewTicker(in.broker.cfg.RenewEvery)
	defer renew.Stop()
	idle := true // Nothing came since the last tick.
	for {
		select {
		case d, ok := <-sub.deliveries:
			if !ok {
				return true, sub.reason()
			}
			idle = false
			in.take(sub, d)
		case <-renew.C:
			if idle && sub.inHand.Load() == 0 {
				return true, errIdle
			}
			idle = true
		case <-ctx.Done():
			// The server sends nothing more, and what it sent and nobody began goes back when the channel closes.
			_ = s.call("cancel a consumer", func() error { return sub.ch.Cancel(sub.tag, false) })
			<-answered
			return true, ctx.Err()
		}
	}
}

// errIdle ends a subscription that gets nothing, for another one. RabbitMQ 3.10.8 forgets the consumers of a quorum queue that is deleted and declared
// again at once: it does not cancel them, counts them at the new queue, and what it hands to them never arrives (measured 2026-11, 10 of 10; with a pause
// between the two they are cancelled, 10 of 10). Nothing shows that to a consumer but that it is idle.
var errIdle = errors.New("nothing came")

// take puts a message into the line. One that no promptd has sent goes to the dead ones, where people find it.
func (in intake) take(sub *subscription, d amqp.Delivery) {
	m := broker.Message{Queue: in.queue, ID: string(d.Body)}
	if err := m.Check(); err != nil {
		in.broker.cfg.OnError(fmt.Errorf("a message in %s is not promptd's, and goes to %s: %w", in.broker.names.queue(in.queue), in.broker.names.dead(), err))
		_ = d.Reject(false)
		return
	}
	in.line.Put(sub.delivery(m, d))
}

// subscription is one consumer on the server.
type subscription struct {
	ch         *amqp.Channel
	tag        string
	deliveries <-chan amqp.Delivery
	closes     chan *amqp.Error
	// inHand counts messages that were taken and not answered.
	inHand atomic.Int64
}

// reason says why the deliveries ended.
func (s *subscription) reason() error {
	select {
	case err, ok := <-s.closes:
		if ok {
			return explain(err)
		}
		return errors.New("the connection ended")
	default:
		return errors.New("the server ended the consumer: the queue was deleted, or its node left")
	}
}

// subscribe asks for the messages of a queue, which is declared first. One queue is asked for at a time on a connection, so that the answer that ends it
// can be told to be the answer to that. errUnusable is given where the queue itself is the reason.
func (b *Broker) subscribe(s *session, q broker.Queue, prefetch int) (*subscription, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	ch, err := s.channel() // On a connection that does not answer this fails, and the queue is not suspected.
	if err != nil {
		return nil, err
	}
	sub, err := b.ask(s, ch, q, prefetch)
	if err != nil {
		s.leave(ch)
		return nil, err
	}
	return sub, nil
}

func (b *Broker) ask(s *session, ch *amqp.Channel, q broker.Queue, prefetch int) (*subscription, error) {
	if err := s.call("set the prefetch", func() error { return ch.Qos(min(2*prefetch, broker.MaxPrefetch), 0, false) }); err != nil {
		return nil, err
	}
	if err := b.declare(s, q); err != nil {
		return nil, suspect(err)
	}
	sub := &subscription{ch: ch, tag: b.tag(), closes: ch.NotifyClose(make(chan *amqp.Error, 1))}
	err := s.call("ask for messages", func() (err error) {
		sub.deliveries, err = ch.Consume(b.names.queue(q), sub.tag, false, false, false, false, nil)
		return err
	})
	if err != nil {
		return nil, suspect(err)
	}
	return sub, nil
}

// delivery is a message with its answer. An answer on a channel that has ended goes nowhere: the server gives the message to another then.
func (s *subscription) delivery(m broker.Message, d amqp.Delivery) broker.Delivery {
	s.inHand.Add(1)
	return broker.Delivery{
		Message:  m,
		Failures: failures(d),
		Gone:     s.ch.IsClosed,
		Settle: func(done bool) {
			defer s.inHand.Add(-1)
			if done {
				_ = d.Ack(false)
				return
			}
			_ = d.Nack(false, true)
		},
	}
}

// failures reads how often the message came back. The header is absent the first time.
func failures(d amqp.Delivery) int {
	switch n := d.Headers["x-delivery-count"].(type) {
	case int64:
		return int(max(0, min(n, 1<<20)))
	case int32:
		return int(max(0, n))
	default:
		if d.Redelivered {
			return 1
		}
		return 0
	}
}
