package rabbitmq

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
)

// names are what the exchange and the queues of one promptd are called on the server.
type names struct{ prefix string }

func (n names) queue(q broker.Queue) string {
	if q == broker.Deliveries || q == broker.Dead {
		return n.prefix + "." + string(q)
	}
	return n.prefix + ".jobs." + string(q)
}

// dead is the exchange for dead messages, and their queue.
func (n names) dead() string { return n.queue(broker.Dead) }

// The bounds of the queue of dead messages: it is for people to look into.
const (
	deadMost = 10_000
	deadDays = 7
)

// arguments are those a queue is declared with. A queue that exists keeps the ones it has, so a change here needs a word in the guide.
//
// Quorum queues survive the loss of a node, and count how often a message comes back. Dead letters at least once need reject-publish (RabbitMQ's
// documentation of quorum queues), which also makes the bound one that publishers see. x-max-priority is refused on quorum queues (3.10 and 4.0, tried
// 2026-11), hence a queue for each class.
func (b *Broker) arguments(q broker.Queue) amqp.Table {
	if q == broker.Dead {
		return amqp.Table{
			"x-queue-type":  "quorum",
			"x-max-length":  int64(deadMost),
			"x-overflow":    "drop-head",
			"x-message-ttl": int64(deadDays * 24 * 3600 * 1000),
		}
	}
	return amqp.Table{
		"x-queue-type":           "quorum",
		"x-delivery-limit":       int64(b.cfg.Limit),
		"x-max-length":           int64(b.cfg.Room),
		"x-overflow":             "reject-publish",
		"x-dead-letter-exchange": b.names.dead(),
		"x-dead-letter-strategy": "at-least-once",
	}
}

// declare makes a queue that is not there. One that is there with other arguments is used as it is, and told of once.
func (b *Broker) declare(s *session, q broker.Queue) error {
	name := b.names.queue(q)
	err := s.once("declare queue "+name, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, b.arguments(q))
		return err
	})
	if of := (*amqp.Error)(nil); !errors.As(err, &of) || of.Code != amqp.PreconditionFailed {
		return err
	}
	b.differs(q, err)
	return s.once("find queue "+name, func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		return err
	})
}

// differs tells once of a queue that was made with other arguments.
func (b *Broker) differs(q broker.Queue, err error) {
	if b.standing.tellOnce(q) {
		b.cfg.OnError(fmt.Errorf("queue %s exists with other settings and is used as it is (%w). To have promptd's: stop its workers, delete the queue, "+
			"and start them; jobs are in the database and are found there", b.names.queue(q), err))
	}
}

// declareDead makes the exchange and the queue for dead messages. They come before the queues that send there.
func (b *Broker) declareDead(s *session) error {
	name := b.names.dead()
	err := s.once("declare exchange "+name, func(ch *amqp.Channel) error {
		return ch.ExchangeDeclare(name, amqp.ExchangeFanout, true, false, false, false, nil)
	})
	if err != nil {
		return err
	}
	if err := b.declare(s, broker.Dead); err != nil {
		return err
	}
	return s.once("bind queue "+name, func(ch *amqp.Channel) error { return ch.QueueBind(name, "", name, false, nil) })
}

// declareAll makes everything, once a connection for publishing. A queue that can't be declared keeps the others from nothing.
func (b *Broker) declareAll(s *session) {
	if err := b.declareDead(s); err != nil {
		b.cfg.OnError(err)
	}
	for _, q := range broker.Queues() {
		if b.standing.held(q) != nil {
			continue
		}
		if err := b.declare(s, q); err != nil {
			b.standing.hold(q, heldFor, err)
			b.cfg.OnError(err)
		}
	}
}

// once makes an exchange on a channel of its own, since the server closes a channel with its refusal.
func (s *session) once(what string, f func(*amqp.Channel) error) error {
	ch, err := s.channel()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer s.leave(ch)
	return s.call(what, func() error { return f(ch) })
}
