package deliverytest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/delivery"
)

// Receipt is a message that reached a target.
type Receipt struct {
	At time.Time
	delivery.Request
	// Answer is what the target said.
	Answer delivery.Answer
	Err    error
}

// Targets is a [delivery.Transport] whose targets are scripted. It is safe for concurrent use.
type Targets struct {
	// Respond answers a message, after whatever wait; n counts the messages to its host from 1. It may wait on the context.
	Respond func(ctx context.Context, r delivery.Request, n int) (delivery.Answer, error)

	mu   sync.Mutex
	n    map[string]int
	busy map[string]int
	most map[string]int
	got  []Receipt
}

// Send hands a message to its target.
func (t *Targets) Send(ctx context.Context, r delivery.Request) (delivery.Answer, error) {
	host := delivery.HostOf(r.URL)
	t.mu.Lock()
	if t.n == nil {
		t.n, t.busy, t.most = map[string]int{}, map[string]int{}, map[string]int{}
	}
	t.n[host]++
	t.busy[host]++
	t.most[host] = max(t.most[host], t.busy[host])
	n := t.n[host]
	t.mu.Unlock()
	at := time.Now()
	a, err := t.Respond(ctx, r, n)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy[host]--
	t.got = append(t.got, Receipt{at, r, a, err})
	return a, err
}

// Receipts are the messages that were answered, in the order of the answers.
func (t *Targets) Receipts() []Receipt {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.got)
}

// Most is how many messages a host had at the same time, at most.
func (t *Targets) Most(host string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.most[host]
}

// Status answers with a status at once.
func Status(status int) func(context.Context, delivery.Request, int) (delivery.Answer, error) {
	return func(context.Context, delivery.Request, int) (delivery.Answer, error) {
		return delivery.Answer{Status: status}, nil
	}
}

// Hang answers nothing within 15 seconds, as a host that is dead.
func Hang(ctx context.Context, _ delivery.Request, _ int) (delivery.Answer, error) {
	const limit = 15 * time.Second
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return delivery.Answer{}, &delivery.SendError{Kind: delivery.ErrorTimeout, Detail: "no answer in time"}
}

var _ delivery.Transport = (*Targets)(nil)
