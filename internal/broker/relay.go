package broker

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Outcome is what became of messages that were announced.
type Outcome string

// The outcomes.
const (
	// Published: the broker is responsible.
	Published Outcome = "published"
	// Dropped: there were too many already that waited to be published.
	Dropped Outcome = "dropped"
	// Failed: the broker did not take them, or did not say so in time.
	Failed Outcome = "failed"
)

// The defaults of a RelayConfig.
const (
	// defaultRelayRoom is what a batch of the largest size needs: 50,000 items, of some 100 bytes each.
	defaultRelayRoom = 65_536
	defaultBatch     = 1024
	// defaultPublishLimit is above a backend's own limit for a confirmation.
	defaultPublishLimit = 15 * time.Second
	defaultFlushLimit   = 2 * time.Second
)

// RelayConfig is what a Relay may be told; everything has a default.
type RelayConfig struct {
	// Room is how many messages of a class may wait to be published, Batch how many are published at once.
	Room, Batch int
	// Share is for how many of the messages that are published together one is sent: those who hear one look for as much. 0 means that each is sent.
	Share int
	// PublishLimit bounds one publication, FlushLimit what is done about messages that wait when Run ends.
	PublishLimit, FlushLimit time.Duration
	// Count is told what became of messages, for metrics. It must not block.
	Count func(q Queue, o Outcome, n int)
	// OnError is told of what the broker refused. Errors of one kind come often while a broker is away.
	OnError func(error)
}

// Relay publishes for those who must not wait, such as a submit that has committed: the row in the database says that the work is to be done, and what
// the relay drops is found there. Each class is published by a goroutine of its own, so that a queue that is out of order delays no other; while one
// batch is on its way the next one grows, so that a busy relay asks the broker seldom.
type Relay struct {
	broker Broker
	cfg    RelayConfig
	lanes  map[Queue]*lane
}

// lane holds the messages of a class that wait.
type lane struct {
	queue Queue
	// ready has room for one token: there are messages.
	ready chan struct{}

	mu sync.Mutex

	waiting []Message
}

// NewRelay makes a relay. What is announced before Run waits for it.
func NewRelay(b Broker, c RelayConfig) *Relay {
	if c.Room <= 0 {
		c.Room = defaultRelayRoom
	}
	if c.Batch <= 0 {
		c.Batch = defaultBatch
	}
	if c.Share <= 0 {
		c.Share = 1
	}
	if c.PublishLimit <= 0 {
		c.PublishLimit = defaultPublishLimit
	}
	if c.FlushLimit <= 0 {
		c.FlushLimit = defaultFlushLimit
	}
	if c.Count == nil {
		c.Count = func(Queue, Outcome, int) {}
	}
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	r := &Relay{broker: b, cfg: c, lanes: map[Queue]*lane{}}
	for _, q := range Queues() {
		r.lanes[q] = &lane{queue: q, ready: make(chan struct{}, 1)}
	}
	return r
}

// Announce hands messages to the relay and does not wait. A message that can't be carried is a mistake of the program: it is told to OnError and counts
// as failed, since its work is found in the database as well.
func (r *Relay) Announce(m ...Message) {
	for len(m) > 0 {
		if err := m[0].Check(); err != nil {
			r.cfg.Count(m[0].Queue, Failed, 1)
			r.cfg.OnError(err)
			m = m[1:]
			continue
		}
		n := 1 // Messages that follow each other mostly go to the same queue: they are put at once.
		for n < len(m) && m[n].Queue == m[0].Queue && m[n].Check() == nil {
			n++
		}
		l := r.lanes[m[0].Queue]
		if dropped := l.put(m[:n], r.cfg.Room); dropped > 0 {
			r.cfg.Count(l.queue, Dropped, dropped)
		}
		m = m[n:]
	}
}

// put adds what there is room for, and says how many there was none for.
func (l *lane) put(m []Message, room int) (dropped int) {
	l.mu.Lock()
	n := min(len(m), max(room-len(l.waiting), 0))
	l.waiting = append(l.waiting, m[:n]...)
	l.mu.Unlock()
	if n > 0 {
		select {
		case l.ready <- struct{}{}:
		default: // Its goroutine knows already.
		}
	}
	return len(m) - n
}

// take gives up to so many messages, and whether others are left.
func (l *lane) take(most int) ([]Message, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(most, len(l.waiting))
	batch := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	if len(l.waiting) == 0 {
		l.waiting = nil // What was taken is the batch's alone, and goes when it is published.
	}
	return batch, len(l.waiting) > 0
}

// Run publishes until the context ends, and then for a bounded time what is left. The broker is run by whoever made it; where both are told to stop at
// the same moment, its connections stay until the relay is done.
func (r *Relay) Run(ctx context.Context) error {
	if h, ok := r.broker.(Holder); ok {
		defer h.Hold()()
	}
	working, finish := context.WithCancel(context.WithoutCancel(ctx))
	var owned, lanes sync.WaitGroup
	defer owned.Wait()
	defer finish()
	owned.Go(func() { r.endFlush(ctx, working, finish) })
	for _, l := range r.lanes {
		lanes.Go(func() { r.publishAll(ctx, working, l) })
	}
	lanes.Wait()
	return nil
}

// endFlush ends publishing when the time of the flush is over, or nothing is left.
func (r *Relay) endFlush(stop, working context.Context, finish func()) {
	<-stop.Done()
	end := time.NewTimer(r.cfg.FlushLimit)
	defer end.Stop()
	select {
	case <-end.C:
		finish()
	case <-working.Done():
	}
}

// publishAll publishes what comes until stop ends, and then what is there until working ends.
func (r *Relay) publishAll(stop, working context.Context, l *lane) {
	for more := true; more; {
		select {
		case <-l.ready:
		case <-stop.Done():
			more = false
		}
		for r.publish(working, l) {
		}
	}
}

// publish publishes one batch, and says whether others wait. When the time of the flush is over, what is left fails without being tried.
func (r *Relay) publish(ctx context.Context, l *lane) (more bool) {
	batch, more := l.take(r.cfg.Batch)
	if len(batch) == 0 {
		return false
	}
	batch = spread(batch, r.cfg.Share)
	limited, cancel := context.WithTimeout(ctx, r.cfg.PublishLimit)
	defer cancel()
	if err := r.broker.Publish(limited, batch...); err != nil {
		r.cfg.Count(l.queue, Failed, len(batch))
		r.cfg.OnError(fmt.Errorf("announce %d messages in queue %s: %w", len(batch), l.queue, err))
		return more
	}
	r.cfg.Count(l.queue, Published, len(batch))
	return more
}

// spread picks one of so many messages, the first ones first.
func spread(batch []Message, share int) []Message {
	n := (len(batch) + share - 1) / share
	for i := range n {
		batch[i] = batch[i*share]
	}
	return batch[:n]
}
