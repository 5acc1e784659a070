// Package broker tells workers that there is work: it carries the ids of job items and deliveries from those who accept them to those who do them.
//
// It is not where work is kept. The row in the database is the truth, and a message is a hint that may be late, doubled or lost: whoever gets one
// claims the work in the database first, and finds what no message told of by asking the database what is due. So a message for work that is done,
// leased or cancelled is answered with nil and forgotten, and a broker that loses everything costs time alone.
//
// The main type is [Broker], which broker/embedded and broker/rabbitmq implement and brokertest holds to its contract. [Relay] stands before it for
// those who must not wait. What backends have in common is here too: [Line] keeps messages by class, and [Serve] runs what takes them.
package broker

import (
	"context"
	"errors"
	"fmt"
)

// Queue is a class of messages. The classes are a fixed set: a backend may need a queue of its own for each.
type Queue string

// The classes: one a priority of jobs, and one for webhooks.
const (
	High       Queue = "high"
	Normal     Queue = "normal"
	Low        Queue = "low"
	Deliveries Queue = "deliveries"
	// Dead is where messages end that were answered with an error too often. Nobody publishes to it and nobody consumes it: its depth is for people who
	// look for work that cannot be taken, whose history is in the database.
	Dead Queue = "dead"
)

// Jobs gives the classes of jobs, the most urgent first, as a worker hands them to Consume.
func Jobs() []Queue { return []Queue{High, Normal, Low} }

// Queues gives the classes that can be published to, the most urgent first.
func Queues() []Queue { return append(Jobs(), Deliveries) }

// MaxID bounds an id, in bytes.
const MaxID = 128

// Message says that there is work.
type Message struct {
	Queue Queue
	// ID names a job item or a delivery: 1 to MaxID bytes of printable ASCII without spaces.
	ID string
}

// Check says whether a message can be carried. What it refuses is a mistake of the program and not of a user.
func (m Message) Check() error {
	if err := m.Queue.check(); err != nil {
		return err
	}
	if m.ID == "" || len(m.ID) > MaxID {
		return fmt.Errorf("the id of a message has %d bytes; 1 to %d are carried", len(m.ID), MaxID)
	}
	for i := range len(m.ID) {
		if m.ID[i] <= ' ' || m.ID[i] > '~' {
			return fmt.Errorf("the id of a message has byte %#x at %d; it is printable ASCII without spaces", m.ID[i], i)
		}
	}
	return nil
}

func (q Queue) check() error {
	for _, known := range Queues() {
		if q == known {
			return nil
		}
	}
	return fmt.Errorf("there is no queue %q for messages", string(q))
}

// Check checks many messages; the first that cannot be carried is named.
func Check(messages []Message) error {
	for _, m := range messages {
		if err := m.Check(); err != nil {
			return err
		}
	}
	return nil
}

// CheckConsume checks the arguments of Consume.
func CheckConsume(queues []Queue, prefetch int) error {
	if len(queues) == 0 {
		return errors.New("consume of no queue")
	}
	if prefetch < 1 || prefetch > MaxPrefetch {
		return fmt.Errorf("consume with a prefetch of %d; it is 1 to %d", prefetch, MaxPrefetch)
	}
	for i, q := range queues {
		if err := q.check(); err != nil {
			return err
		}
		for _, other := range queues[:i] {
			if other == q {
				return fmt.Errorf("consume of queue %q twice", string(q))
			}
		}
	}
	return nil
}

// MaxPrefetch bounds the messages that one Consume has in hand: RabbitMQ's prefetch is 16 bits wide.
const MaxPrefetch = 65_535

// Errors that callers tell apart. None of them loses work: it is in the database.
var (
	// ErrFull is given where a queue has as many messages as it may have.
	ErrFull = errors.New("the queue is full")
	// ErrUnavailable is given where the broker cannot be asked now: there is no connection, or it takes nothing.
	ErrUnavailable = errors.New("the broker is not available")
)

// Handler does what a message tells of, or finds that there is nothing to do. It gives an error only where it could not look, such as when the database
// is away: the message comes again. A handler that panics counts as one that gave an error.
type Handler func(context.Context, Message) error

// Broker carries messages at least once. All methods are safe for concurrent use, and none waits without a bound for a server: where a context sets
// none, the backend does.
type Broker interface {
	// Publish hands messages over. It gives nil when the broker is responsible for all of them; on an error some may be carried nevertheless.
	// The same message that still waits may be carried once for both.
	Publish(ctx context.Context, m ...Message) error
	// Consume takes messages of the queues until the context ends, waits for the handlers that run, and gives nil. Up to prefetch handlers run at the
	// same time, with the context given. Queues are named in order: of messages that wait, those of an earlier queue are taken first. A message whose
	// handler gave nil is gone; on an error it comes again after a wait that grows to some seconds, up to a limit, and is dead then. Several may consume
	// the same queue, here and in other processes: a message goes to one of them. While the server is away Consume waits, and goes on by itself.
	Consume(ctx context.Context, q []Queue, prefetch int, f Handler) error
	// Depth gives how many messages wait in a queue and are with nobody.
	Depth(ctx context.Context, q Queue) (int, error)
	// Run owns the connections until the context ends, and gives nil then. Before it nothing is published, and consumers wait.
	Run(ctx context.Context) error
	// Ready gives nil when messages are taken and given now, and otherwise says what is wrong.
	Ready(ctx context.Context) error
}

// Holder is a broker whose connections outlast the end of Run until those who hold it let go, for a bounded time: what they do at their own end, which
// comes at the same moment, needs them.
type Holder interface {
	// Hold gives what lets go; it is called once.
	Hold() (release func())
}
