package embedded_test

import (
	"context"
	"testing"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/brokertest"
	"github.com/promptd/promptd/internal/broker/embedded"
)

func TestBroker(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(*testing.T) brokertest.Instance {
		return brokertest.Instance{Broker: embedded.New(embedded.Config{Room: brokertest.Room, Limit: brokertest.Limit})}
	})
}

func TestMessageThatWaitsIsKeptOnce(t *testing.T) {
	t.Parallel()
	b := embedded.New(embedded.Config{Room: 2})
	one, two := broker.Message{Queue: broker.High, ID: "one"}, broker.Message{Queue: broker.High, ID: "two"}
	for range 100 {
		if err := b.Publish(t.Context(), one, two); err != nil {
			t.Fatalf("Publish = %v: what waits already needs no room", err)
		}
	}
	if n, err := b.Depth(t.Context(), broker.High); n != 2 || err != nil {
		t.Errorf("Depth = %d, %v, want 2", n, err)
	}
	// What is in a handler's hand may have come too late for it: a message of that time is carried.
	ctx, cancel := context.WithCancel(t.Context())
	seen := map[broker.Message]int{}
	err := b.Consume(ctx, broker.Jobs(), 1, func(ctx context.Context, m broker.Message) error {
		if seen[m]++; m == one && seen[m] == 1 {
			if err := b.Publish(ctx, one); err != nil {
				t.Errorf("Publish = %v", err)
			}
		}
		if seen[one] == 2 && seen[two] == 1 {
			cancel()
		}
		return nil
	})
	if err != nil {
		t.Errorf("Consume = %v", err)
	}
}
