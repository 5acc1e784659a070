package broker

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// Delivery is a message in the hand of a consumer.
type Delivery struct {
	Message
	// Failures counts how often it was answered with an error before, as far as the backend knows.
	Failures int
	// Settle is called once: with true when the message is done, and with false to have it again or, at the limit, dead. It does not wait for long.
	Settle func(done bool)
	// Gone says that the message was taken back before it was begun, as when a connection ends: another one has it. Nil is never.
	Gone func() bool
}

// The wait before a message that was answered with an error is given back: it doubles from the first to the longest. It keeps the place of a
// message under way, so that a worker whose database is away takes less and less.
const (
	firstWait = 100 * time.Millisecond
	// LongestWait is well below the half hour after which RabbitMQ takes a message back by itself.
	LongestWait = 5 * time.Second
)

// Serve takes deliveries from next and runs handlers, up to prefetch at the same time, until the context ends; then it waits for them. Next is
// called by one goroutine, and gives false when the context has ended. OnPanic is told of handlers that panicked; an error is its handler's to tell.
func Serve(ctx context.Context, prefetch int, next func(context.Context) (Delivery, bool), f Handler, onPanic func(error)) {
	places := make(chan struct{}, prefetch) // One for each handler that may run.
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		d, ok := next(ctx)
		if !ok {
			return
		}
		running.Go(func() {
			defer func() { <-places }()
			d.handle(ctx, f, onPanic)
		})
	}
}

func (d Delivery) handle(ctx context.Context, f Handler, onPanic func(error)) {
	if err := d.try(ctx, f, onPanic); err == nil {
		d.Settle(true)
		return
	}
	wait := time.NewTimer(retryWait(d.Failures))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done(): // Another worker may have it at once.
	}
	d.Settle(false)
}

// try runs the handler; what it panics with is an error like others, since a message must not end the process, nor those that come after it.
func (d Delivery) try(ctx context.Context, f Handler, onPanic func(error)) (err error) {
	defer func() {
		if v := recover(); v != nil { // The value may hold anything; its type and the place are enough.
			err = fmt.Errorf("the handler of %s %s: panic of type %T\n%s", d.Queue, d.ID, v, debug.Stack())
			onPanic(err)
		}
	}()
	return f(ctx, d.Message)
}

func retryWait(failures int) time.Duration {
	if failures > 6 { // Beyond it the longest wait is reached, and the shift would end somewhere.
		return LongestWait
	}
	return min(firstWait<<max(failures, 0), LongestWait)
}
