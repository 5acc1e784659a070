// Package brokertest is the contract of broker.Broker as tests: every broker runs it and none is done before it passes.
//
// It is for tests alone. [Run] is the entry; an [Instance] says how the broker at hand is made. A change to a broker's behaviour is a change here first.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

// The figures that every instance is made with, so that tests reach them.
const (
	// Room is how many messages of a class may wait. A server may take some more than that.
	Room = 200
	// Limit is how often a message comes again after an error.
	Limit = 3
)

// patience bounds every wait for something that must happen; nothing waits for it to pass.
const patience = 60 * time.Second

// Instance is a broker without messages under test, which Run owns already.
type Instance struct {
	Broker broker.Broker
	// Other is the same broker as another process sees it; nil where a broker is inside one process.
	Other broker.Broker
	// Fetches says that a consumer takes messages from a server before there is a handler for them.
	Fetches bool
}

// Run runs the whole contract. Fresh makes an instance with the figures of this package; what it opens is closed by t.Cleanup.
func Run(t *testing.T, fresh func(t *testing.T) Instance) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, Instance)
	}{
		{"WhatIsPublishedIsConsumed", published},
		{"PublishBeforeAnyConsumer", publishedBefore},
		{"QueuesAreApart", queuesApart},
		{"EarlierQueueComesFirst", earlierFirst},
		{"UpToPrefetchHandlersRun", prefetchIsTheBound},
		{"ErrorBringsAMessageAgain", errorBringsAgain},
		{"PanicIsAnError", panicIsError},
		{"AtTheLimitAMessageIsDead", limitIsTheEnd},
		{"MessageGoesToOneConsumer", oneConsumer},
		{"ConsumerThatEndsGivesBackWhatItHad", givesBack},
		{"EndWaitsForHandlers", endWaits},
		{"FullQueueRefuses", fullRefuses},
		{"DepthCountsWhatWaits", depthCounts},
		{"WhatCannotBeCarriedIsRefused", refused},
		{"EndedContextIsAnError", endedContext},
		{"ConcurrentPublishersLoseNothing", concurrentPublishers},
		{"ReadyOnceItRuns", ready},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, fresh(t))
		})
	}
}

// ids makes so many messages of a queue.
func ids(q broker.Queue, n int) []broker.Message {
	messages := make([]broker.Message, n)
	for i := range messages {
		messages[i] = broker.Message{Queue: q, ID: fmt.Sprintf("%s-%04d", q, i)}
	}
	return messages
}

func publish(t *testing.T, b broker.Broker, m ...broker.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Publish(ctx, m...); err != nil {
		t.Fatalf("Publish(%d messages) = %v", len(m), err)
	}
}

// inbox counts what handlers see.
type inbox struct {
	mu sync.Mutex

	seen  []broker.Message
	times map[broker.Message]int
	// changed is closed and replaced when something came.
	changed chan struct{}
}

func newInbox() *inbox {
	return &inbox{times: map[broker.Message]int{}, changed: make(chan struct{})}
}

func (i *inbox) add(m broker.Message) (times int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen = append(i.seen, m)
	i.times[m]++
	close(i.changed)
	i.changed = make(chan struct{})
	return i.times[m]
}

func (i *inbox) done(_ context.Context, m broker.Message) error {
	i.add(m)
	return nil
}

// until waits until the test says that what came is enough.
func (i *inbox) until(t *testing.T, what string, enough func(*inbox) bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		i.mu.Lock()
		ok, changed, n := enough(i), i.changed, len(i.seen)
		i.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("no %s within %s; %d messages came", what, patience, n)
		}
	}
}

// all waits until every message came.
func (i *inbox) all(t *testing.T, want []broker.Message) {
	t.Helper()
	i.until(t, fmt.Sprintf("%d messages", len(want)), func(i *inbox) bool {
		for _, m := range want {
			if i.times[m] == 0 {
				return false
			}
		}
		return true
	})
}

// consume runs Consume until it is stopped, at the end of the test at the latest.
func consume(t *testing.T, b broker.Broker, q []broker.Queue, prefetch int, f broker.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- b.Consume(ctx, q, prefetch, f) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("Consume = %v at its end, want nil", err)
				}
			case <-time.After(patience):
				t.Errorf("Consume did not end within %s", patience)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// depth waits until a queue has the depth, since a server may count a little later.
func depth(t *testing.T, b broker.Broker, q broker.Queue, want int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := b.Depth(ctx, q)
		if err == nil && n == want {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("Depth(%s) = %d, %v, want %d", q, n, err, want)
		}
	}
}

var errAway = errors.New("the database is away")
