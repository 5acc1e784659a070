// Package rabbitmq is the broker over RabbitMQ 3.10 and later, by AMQP 0-9-1: it wakes workers of all processes that share a server.
//
// It keeps nothing that the database does not have; see package broker. Work that the server loses, refuses or does not tell of is found in the
// database, and whatever happens to the server, no call here waits for it without a bound.
//
// The main type is [Broker]. It keeps two connections, since a server holds back a connection that publishes when it has too much to do, and
// acknowledgements must not wait behind that. On each a supervisor opens the next when one ends; queues, exchange and binding are declared when a
// connection is made. Publishing goes through a channel a queue, in windows with confirmations; consuming through a channel a queue as well, from which
// a consumer chooses the higher class. An exchange with the server that takes longer than its limit costs the connection, so that nothing hangs.
package rabbitmq

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/promptd/promptd/internal/broker"
)

// The defaults of a Config.
const (
	defaultPrefix = "promptd"
	// defaultRoom of messages take some 30 MB of the server's memory a queue.
	defaultRoom         = 100_000
	defaultLimit        = 20
	defaultHeartbeat    = 10 * time.Second
	defaultCallLimit    = 5 * time.Second
	defaultConfirmLimit = 10 * time.Second
	defaultDrainLimit   = 30 * time.Second
	defaultRenewEvery   = 30 * time.Second
)

// Config is what a Broker is made from. Everything but URL has a default.
type Config struct {
	// URL is amqp:// or amqps://; see the guide for its parameters.
	URL string
	// Prefix begins the names of queues and exchange: promptd.jobs.high, promptd.dead.
	Prefix string
	// Room bounds the messages that wait in a queue, Limit how often a message comes again after an error. Queues that exist keep theirs.
	Room, Limit int
	// Heartbeat is how often each side says that it is there, in whole seconds; a server that is silent for one and a half of it is lost.
	Heartbeat time.Duration
	// CallLimit bounds an exchange with the server, ConfirmLimit the wait for confirmations, and DrainLimit how long Run waits at its end for consumers
	// whose handlers run.
	CallLimit, ConfirmLimit, DrainLimit time.Duration
	// RenewEvery is how often a consumer that gets nothing asks anew.
	RenewEvery time.Duration
	// OnError is told of what went wrong and is tried again: lost connections, refused declarations. It must not block.
	OnError func(error)
	// OnRepaired is told of a queue that was deleted and declared anew, so that what is due can be announced again. It must not block.
	OnRepaired func(broker.Queue)
}

func (c *Config) complete() {
	if c.Prefix == "" {
		c.Prefix = defaultPrefix
	}
	c.Room, c.Limit = positive(c.Room, defaultRoom), positive(c.Limit, defaultLimit)
	c.Heartbeat, c.DrainLimit = positive(c.Heartbeat, defaultHeartbeat), positive(c.DrainLimit, defaultDrainLimit)
	c.RenewEvery = positive(c.RenewEvery, defaultRenewEvery)
	c.CallLimit, c.ConfirmLimit = positive(c.CallLimit, defaultCallLimit), positive(c.ConfirmLimit, defaultConfirmLimit)
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	if c.OnRepaired == nil {
		c.OnRepaired = func(broker.Queue) {}
	}
}

func positive[T int | time.Duration](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

// Broker carries messages over RabbitMQ.
type Broker struct {
	cfg                   Config
	target                *target
	names                 names
	standing              *standing
	publishing, consuming *link
	outlets               map[broker.Queue]*outlet

	// leaving guards ended, after which nobody holds the connections anew.
	leaving sync.Mutex
	ended   bool
	holders sync.WaitGroup
}

// New makes a broker. Nothing is connected until Run. The error says what is wrong with the URL.
func New(c Config) (*Broker, error) {
	c.complete()
	t, err := parseURL(c.URL)
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: c, target: t, names: names{c.Prefix}, standing: newStanding(), outlets: map[broker.Queue]*outlet{}}
	for _, q := range broker.Queues() {
		b.outlets[q] = &outlet{queue: q, turn: make(chan struct{}, 1)}
	}
	b.publishing = b.link("publishing", b.declareAll)
	b.consuming = b.link("consuming", func(*session) {}) // Consumers declare what they ask for.
	return b, nil
}

func (b *Broker) link(purpose string, prepare func(*session)) *link {
	return newLink(purpose, b.cfg.OnError, func(ctx context.Context) (*session, error) { return b.open(ctx, purpose) }, prepare)
}

func (b *Broker) open(ctx context.Context, purpose string) (*session, error) {
	return b.target.dial(ctx, b.names.prefix+" "+purpose, b.cfg.Heartbeat, b.cfg.CallLimit)
}

// Run keeps the connections until the context ends and, for a bounded time, until consumers have answered for what they have in hand and others that
// hold the broker let go.
func (b *Broker) Run(ctx context.Context) error {
	connected, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var links sync.WaitGroup
	links.Go(func() { b.publishing.run(connected) })
	links.Go(func() { b.consuming.run(connected) })
	<-ctx.Done()
	b.drain()
	leave()
	links.Wait()
	return nil
}

// drain waits for those who hold the broker, whose contexts end about now as well.
func (b *Broker) drain() {
	b.leaving.Lock()
	b.ended = true
	b.leaving.Unlock()
	gone := make(chan struct{})
	go func() { // It ends with the last holder, whoever still waits for it.
		b.holders.Wait()
		close(gone)
	}()
	limit := time.NewTimer(b.cfg.DrainLimit)
	defer limit.Stop()
	select {
	case <-gone:
	case <-limit.C:
	}
}

// enter counts a holder in; false after the end.
func (b *Broker) enter() bool {
	b.leaving.Lock()
	defer b.leaving.Unlock()
	if b.ended {
		return false
	}
	b.holders.Add(1)
	return true
}

// Hold keeps the connections; see broker.Holder.
func (b *Broker) Hold() (release func()) {
	if !b.enter() {
		return func() {}
	}
	return b.holders.Done
}

// tag names a consumer on the server.
func (b *Broker) tag() string { return b.names.prefix + "-" + rand.Text() }

// Depth asks the server how many messages wait in a queue. Those that a consumer has fetched are not among them.
func (b *Broker) Depth(ctx context.Context, q broker.Queue) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s, err := b.publishing.get()
	if err != nil {
		return 0, err
	}
	n, name := 0, b.names.queue(q)
	err = s.once("ask for the depth of "+name, func(ch *amqp.Channel) error {
		queue, err := ch.QueueDeclarePassive(name, true, false, false, false, nil)
		n = queue.Messages
		return err
	})
	return n, err
}

// Ready gives nil when both connections are there and the server takes messages.
func (b *Broker) Ready(context.Context) error {
	var errs []error
	for _, l := range []*link{b.publishing, b.consuming} {
		s, err := l.get()
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if reason := s.blocked.Load(); reason != nil {
			errs = append(errs, fmt.Errorf("%w: the server takes no messages now: %s", broker.ErrUnavailable, strings.TrimSpace(*reason)))
		}
	}
	return errors.Join(errs...)
}

var (
	_ broker.Broker = (*Broker)(nil)
	_ broker.Holder = (*Broker)(nil)
)
