// Package redis is the broadcaster of a service of several processes: they tell each other through a channel of a Redis server.
//
// It keeps nothing on the server. The main type is [Broadcaster], which hears others while its Run runs.
//
// Redis gives a message to the connections that listen at that moment, so one that is lost with its connection is lost for good. Two signals stand for
// what was lost: after each connection that is made anew every subscriber of this process is told that it may have missed something; and a process whose
// Publish failed tells the others so, by topic, as soon as the server takes messages again. A process that dies owing that has only its database to speak
// for it; consumers therefore bound by time what they believe, too.
package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/promptd/promptd/internal/broadcast"
	"github.com/promptd/promptd/internal/redis"
)

const (
	// waiting is how many messages may wait for subscribers that are busy. Further ones wait on the server, which cuts off a listener that is far behind.
	waiting = 256
	// Attempts to listen or to tell again are this far apart: at first, then doubled up to the latter, the half of each by chance.
	firstPause = 50 * time.Millisecond
	mostPause  = time.Second
)

// Broadcaster tells and hears through a Redis server.
type Broadcaster struct {
	client   *redis.Client
	channel  string
	origin   string
	audience broadcast.Audience
	hearing  atomic.Bool

	// telling keeps the order of what this process publishes.
	telling sync.Mutex

	mu sync.Mutex

	owed  map[broadcast.Topic]struct{} // topics whose messages did not get out
	owing chan struct{}                // of capacity 1: one reason to look is as good as several
}

// New makes a broadcaster on a client. It hears others once Run runs.
func New(client *redis.Client) *Broadcaster {
	return &Broadcaster{
		client: client, channel: client.Prefix() + "broadcast", origin: rand.Text()[:originSize],
		owed: map[broadcast.Topic]struct{}{}, owing: make(chan struct{}, 1),
	}
}

// Publish tells the subscribers of this process, then those of all others.
func (b *Broadcaster) Publish(ctx context.Context, topic broadcast.Topic, payload string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := broadcast.Check(topic, payload); err != nil {
		return err
	}
	b.audience.Hear(topic, payload)
	err := b.send(ctx, message{origin: b.origin, kind: told, topic: topic, payload: payload})
	if err == nil {
		return nil
	}
	b.owe(topic)
	return fmt.Errorf("%w: %w", broadcast.ErrNotTold, err)
}

func (b *Broadcaster) send(ctx context.Context, m message) error {
	b.telling.Lock()
	defer b.telling.Unlock()
	_, err := b.client.Publish(ctx, b.channel, m.text())
	return err
}

// Subscribe has the subscriber told of a topic.
func (b *Broadcaster) Subscribe(topic broadcast.Topic, s broadcast.Subscriber) (stop func()) {
	return b.audience.Add(topic, s)
}

// Hearing says whether the connection that listens stands.
func (b *Broadcaster) Hearing() bool { return b.hearing.Load() }

// Run hears others and tells them what could not be told before, until the context ends.
func (b *Broadcaster) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	events := make(chan event, waiting)
	wg.Go(func() { b.listen(ctx, events) })
	wg.Go(func() { b.tell(ctx, events) })
	wg.Go(func() { b.repay(ctx) })
	wg.Wait()
	return nil
}

// event is a message, or a connection that was made.
type event struct {
	text   string
	joined bool
}

// listen keeps a connection that hears.
func (b *Broadcaster) listen(ctx context.Context, events chan<- event) {
	pass := func(e event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	pause := firstPause
	for ctx.Err() == nil {
		err := b.client.Listen(ctx, b.channel,
			func() {
				b.hearing.Store(true)
				pause = firstPause
				pass(event{joined: true})
			},
			func(text string) { pass(event{text: text}) })
		b.hearing.Store(false)
		if errors.Is(err, redis.ErrAway) {
			pause = b.wait(ctx, pause)
		}
	}
}

// tell gives the events to the subscribers, one after the other.
func (b *Broadcaster) tell(ctx context.Context, events <-chan event) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			b.hear(e)
		}
	}
}

func (b *Broadcaster) hear(e event) {
	if e.joined {
		b.audience.Missed(broadcast.Topics()...)
		return
	}
	m, err := parse(e.text)
	if err != nil || m.origin == b.origin {
		return // Another program's, a later version's, or our own, which was told already.
	}
	switch m.kind {
	case told:
		b.audience.Hear(m.topic, m.payload)
	case missed:
		b.audience.Missed(m.topic)
	}
}

// owe notes that a message of the topic did not get out.
func (b *Broadcaster) owe(topic broadcast.Topic) {
	b.mu.Lock()
	b.owed[topic] = struct{}{}
	b.mu.Unlock()
	select {
	case b.owing <- struct{}{}:
	default:
	}
}

// repay tells others that they have missed something of the topics owed, as soon as that gets out.
func (b *Broadcaster) repay(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.owing:
		}
		for pause := firstPause; ctx.Err() == nil && !b.repaid(ctx); {
			pause = b.wait(ctx, pause)
		}
	}
}

// repaid pays what is owed, and says whether nothing is left.
func (b *Broadcaster) repaid(ctx context.Context) bool {
	for _, topic := range broadcast.Topics() {
		b.mu.Lock()
		_, owed := b.owed[topic]
		delete(b.owed, topic) // Before it is sent: what fails from here on is owed anew.
		b.mu.Unlock()
		if !owed {
			continue
		}
		if err := b.send(ctx, message{origin: b.origin, kind: missed, topic: topic}); err != nil {
			b.mu.Lock()
			b.owed[topic] = struct{}{}
			b.mu.Unlock()
			return false
		}
	}
	return true
}

// wait waits before the next attempt, and gives the pause after that.
func (b *Broadcaster) wait(ctx context.Context, pause time.Duration) time.Duration {
	timer := time.NewTimer(pause/2 + mathrand.N(pause/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return min(2*pause, mostPause)
}

var _ broadcast.Broadcaster = (*Broadcaster)(nil)
