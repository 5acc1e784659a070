package brokertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

func errorBringsAgain(t *testing.T, i Instance) {
	in := newInbox()
	consume(t, i.Broker, broker.Jobs(), 8, func(_ context.Context, m broker.Message) error {
		if in.add(m) < Limit {
			return errAway
		}
		return nil
	})
	messages := ids(broker.Normal, 6)
	publish(t, i.Broker, messages...)
	for _, m := range messages {
		in.until(t, "repetition of "+m.ID, func(i *inbox) bool { return i.times[m] == Limit })
	}
	depth(t, i.Broker, broker.Normal, 0)
	depth(t, i.Broker, broker.Dead, 0)
}

func panicIsError(t *testing.T, i Instance) {
	in := newInbox()
	consume(t, i.Broker, broker.Jobs(), 1, func(_ context.Context, m broker.Message) error {
		if in.add(m) == 1 {
			panic("a handler with a mistake")
		}
		return nil
	})
	m := ids(broker.High, 1)[0]
	publish(t, i.Broker, m)
	in.until(t, "repetition", func(i *inbox) bool { return i.times[m] == 2 })
}

func limitIsTheEnd(t *testing.T, i Instance) {
	in := newInbox()
	poison, healthy := broker.Message{Queue: broker.Low, ID: "poison"}, broker.Message{Queue: broker.Low, ID: "healthy"}
	consume(t, i.Broker, broker.Jobs(), 2, func(_ context.Context, m broker.Message) error {
		if in.add(m); m == poison {
			return errAway
		}
		return nil
	})
	publish(t, i.Broker, poison, healthy)
	depth(t, i.Broker, broker.Dead, 1)
	in.all(t, []broker.Message{healthy})
	depth(t, i.Broker, broker.Low, 0)
	if n := in.times[poison]; n != Limit+1 {
		t.Errorf("a message whose handler always fails was tried %d times, want %d", n, Limit+1)
	}
}

// givesBack stops a consumer that holds messages without an answer: another gets all of them.
func givesBack(t *testing.T, i Instance) {
	const n = 20
	began := make(chan struct{}, n)
	stop := consume(t, i.Broker, broker.Jobs(), n/2, func(ctx context.Context, _ broker.Message) error {
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	publish(t, i.Broker, ids(broker.High, n)...)
	for range n / 2 {
		wait(t, "handler", began)
	}
	stop()
	in := newInbox()
	other := i.Other
	if other == nil {
		other = i.Broker
	}
	consume(t, other, broker.Jobs(), n, in.done)
	in.all(t, ids(broker.High, n))
}

// endWaits ends Consume while a handler runs, which still gives its answer: the message must not come again.
func endWaits(t *testing.T, i Instance) {
	began, finish, ended := make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	m := ids(broker.Normal, 1)[0]
	go func() {
		ended <- i.Broker.Consume(ctx, broker.Jobs(), 1, func(context.Context, broker.Message) error {
			began <- struct{}{}
			<-finish
			return nil
		})
	}()
	publish(t, i.Broker, m)
	wait(t, "handler", began)
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("Consume = %v while its handler runs", err)
	default:
	}
	close(finish)
	if err := <-ended; err != nil {
		t.Errorf("Consume = %v, want nil", err)
	}
	// What is published next shows that the first is gone: it would come before.
	in, second := newInbox(), broker.Message{Queue: broker.Normal, ID: "second"}
	publish(t, i.Broker, second)
	consume(t, i.Broker, broker.Jobs(), 1, in.done)
	in.all(t, []broker.Message{second})
	if in.times[m] > 0 {
		t.Error("a message came again that a handler had answered with nil")
	}
}

// fullRefuses publishes without a consumer until the queue refuses, and then that it takes messages again when it was emptied.
func fullRefuses(t *testing.T, i Instance) {
	messages := ids(broker.Low, 20*Room)
	taken := 0
	var err error
	for ; taken < len(messages) && err == nil; taken += Room {
		err = i.Broker.Publish(t.Context(), messages[taken:taken+Room]...)
	}
	if !errors.Is(err, broker.ErrFull) {
		t.Fatalf("Publish = %v after %d messages in a queue that has room for %d, want ErrFull", err, taken, Room)
	}
	publish(t, i.Broker, ids(broker.High, 1)...) // A full queue concerns no other.
	in := newInbox()
	consume(t, i.Broker, []broker.Queue{broker.Low}, 32, in.done)
	in.all(t, messages[:min(taken-Room, Room)])
	depth(t, i.Broker, broker.Low, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := broker.Message{Queue: broker.Low, ID: "last"}
	for i.Broker.Publish(ctx, last) != nil { // A server may refuse some more before it sees that there is room.
		if ctx.Err() != nil {
			t.Fatalf("an emptied queue refuses messages")
		}
	}
	in.all(t, []broker.Message{last})
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %s", what, patience)
	}
}
