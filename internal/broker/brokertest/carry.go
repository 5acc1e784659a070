package brokertest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/promptd/promptd/internal/broker"
)

func published(t *testing.T, i Instance) {
	in := newInbox()
	consume(t, i.Broker, broker.Jobs(), 8, in.done)
	for _, q := range broker.Jobs() {
		publish(t, i.Broker, ids(q, 30)...)
		in.all(t, ids(q, 30))
	}
	publish(t, i.Broker)
	for _, q := range broker.Jobs() {
		depth(t, i.Broker, q, 0)
	}
}

func publishedBefore(t *testing.T, i Instance) {
	publish(t, i.Broker, ids(broker.Normal, 150)...)
	in := newInbox()
	consume(t, i.Broker, broker.Jobs(), 16, in.done)
	in.all(t, ids(broker.Normal, 150))
}

func queuesApart(t *testing.T, i Instance) {
	publish(t, i.Broker, ids(broker.Deliveries, 5)...)
	in := newInbox()
	stop := consume(t, i.Broker, broker.Jobs(), 4, in.done)
	publish(t, i.Broker, ids(broker.Low, 5)...)
	in.all(t, ids(broker.Low, 5))
	stop()
	if n := len(in.seen); n != 5 {
		t.Errorf("who consumes jobs got %d messages of 5, with those of webhooks", n)
	}
	depth(t, i.Broker, broker.Deliveries, 5)
	consume(t, i.Broker, []broker.Queue{broker.Deliveries}, 4, in.done)
	in.all(t, ids(broker.Deliveries, 5))
}

// earlierFirst holds the one place with a message while others come, lower ones first; then the higher ones must be taken before any lower one. What a
// consumer had taken from its server already is at its choice: it chooses the higher class too.
func earlierFirst(t *testing.T, i Instance) {
	in, began, hold := newInbox(), make(chan struct{}, 1), make(chan struct{})
	first := broker.Message{Queue: broker.High, ID: "first"}
	publish(t, i.Broker, first)
	consume(t, i.Broker, broker.Jobs(), 1, func(ctx context.Context, m broker.Message) error {
		if m == first {
			began <- struct{}{}
			select {
			case <-hold:
			case <-ctx.Done():
			}
		}
		return in.done(ctx, m)
	})
	<-began
	for _, q := range []broker.Queue{broker.Low, broker.Normal, broker.High} {
		publish(t, i.Broker, ids(q, 1)...)
	}
	if i.Fetches {
		for _, q := range broker.Jobs() {
			depth(t, i.Broker, q, 0)
		}
	}
	close(hold)
	in.until(t, "4 messages", func(i *inbox) bool { return len(i.seen) == 4 })
	for n, want := range append([]broker.Queue{broker.High}, broker.Jobs()...) {
		if got := in.seen[n].Queue; got != want {
			t.Errorf("message %d came from %s, want %s: %v", n, got, want, in.seen)
		}
	}
}

func prefetchIsTheBound(t *testing.T, i Instance) {
	const most = 5
	var running, peak atomic.Int64
	var once sync.Once
	together, in := make(chan struct{}), newInbox()
	consume(t, i.Broker, broker.Jobs(), most, func(ctx context.Context, m broker.Message) error {
		n := running.Add(1)
		defer running.Add(-1)
		for old := peak.Load(); n > old && !peak.CompareAndSwap(old, n); old = peak.Load() {
		}
		if n >= most {
			once.Do(func() { close(together) })
		}
		select {
		case <-together:
		case <-ctx.Done():
		}
		return in.done(ctx, m)
	})
	publish(t, i.Broker, ids(broker.Normal, 4*most)...)
	in.all(t, ids(broker.Normal, 4*most))
	if got := peak.Load(); got != most {
		t.Errorf("%d handlers ran at the same time, want %d", got, most)
	}
}

func oneConsumer(t *testing.T, i Instance) {
	const n = 150
	a, b := newInbox(), newInbox()
	second := i.Other
	if second == nil {
		second = i.Broker
	}
	var both sync.WaitGroup
	both.Add(n)
	count := func(in *inbox) broker.Handler {
		return func(ctx context.Context, m broker.Message) error {
			if in.add(m) == 1 {
				both.Done() // More than n come where a message goes to both: the counter would be negative.
			}
			return nil
		}
	}
	consume(t, i.Broker, broker.Jobs(), 4, count(a))
	consume(t, second, broker.Jobs(), 4, count(b))
	publish(t, i.Broker, ids(broker.High, n)...)
	both.Wait()
	for m := range a.times {
		if b.times[m] > 0 {
			t.Errorf("%s went to both", m.ID)
		}
	}
}

func concurrentPublishers(t *testing.T, i Instance) {
	in := newInbox()
	consume(t, i.Broker, broker.Queues(), 32, in.done)
	var all sync.WaitGroup
	for _, q := range broker.Queues() {
		for _, part := range [][]broker.Message{ids(q, 90)[:30], ids(q, 90)[30:60], ids(q, 90)[60:]} {
			all.Go(func() {
				for len(part) > 0 {
					n := min(len(part), 7)
					if err := i.Broker.Publish(t.Context(), part[:n]...); err != nil {
						t.Errorf("Publish = %v", err)
					}
					part = part[n:]
				}
			})
		}
	}
	all.Wait()
	for _, q := range broker.Queues() {
		in.all(t, ids(q, 90))
	}
}

func depthCounts(t *testing.T, i Instance) {
	for n, q := range broker.Queues() {
		depth(t, i.Broker, q, 0)
		publish(t, i.Broker, ids(q, n+1)...)
	}
	for n, q := range broker.Queues() {
		depth(t, i.Broker, q, n+1)
	}
	depth(t, i.Broker, broker.Dead, 0)
}

func refused(t *testing.T, i Instance) {
	ok := broker.Message{Queue: broker.Low, ID: "ok"}
	for _, bad := range []broker.Message{
		{},
		{Queue: broker.High},
		{ID: "x"},
		{Queue: "urgent", ID: "x"},
		{Queue: broker.Dead, ID: "x"},
		{Queue: broker.High, ID: strings.Repeat("x", broker.MaxID+1)},
		{Queue: broker.High, ID: "a b"},
		{Queue: broker.High, ID: "ä"},
		{Queue: broker.High, ID: "a\n"},
	} {
		if err := i.Broker.Publish(t.Context(), ok, bad); err == nil {
			t.Errorf("Publish(%+v) = nil", bad)
		}
	}
	depth(t, i.Broker, broker.Low, 0)
	publish(t, i.Broker, broker.Message{Queue: broker.High, ID: strings.Repeat("~", broker.MaxID)})
	for _, c := range []struct {
		queues   []broker.Queue
		prefetch int
	}{
		{nil, 1},
		{broker.Jobs(), 0},
		{broker.Jobs(), -1},
		{broker.Jobs(), broker.MaxPrefetch + 1},
		{[]broker.Queue{"urgent"}, 1},
		{[]broker.Queue{broker.Dead}, 1},
		{[]broker.Queue{broker.Low, broker.Low}, 1},
	} {
		if err := i.Broker.Consume(t.Context(), c.queues, c.prefetch, newInbox().done); err == nil {
			t.Errorf("Consume(%v, %d) = nil", c.queues, c.prefetch)
		}
	}
}

func endedContext(t *testing.T, i Instance) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Broker.Publish(ctx, ids(broker.High, 1)...); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish = %v, want the context's error", err)
	}
	if _, err := i.Broker.Depth(ctx, broker.High); !errors.Is(err, context.Canceled) {
		t.Errorf("Depth = %v, want the context's error", err)
	}
	if err := i.Broker.Consume(ctx, broker.Jobs(), 1, newInbox().done); err != nil {
		t.Errorf("Consume = %v, want nil: its context has ended, as it always does", err)
	}
	depth(t, i.Broker, broker.High, 0)
}

func ready(t *testing.T, i Instance) {
	if err := i.Broker.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
}
