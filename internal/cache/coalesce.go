package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/promptd/promptd/internal/fault"
)

// ErrClosed says that a Group takes no more calls.
var ErrClosed = errors.New("cache: coalescing group is closed")

// Group lets identical requests in flight share one call. Its zero value is ready; Close ends it. A value is shared by all
// waiters, so none of them changes it.
type Group[V any] struct {
	mu sync.Mutex

	calls   map[Key]*call[V]
	running sync.WaitGroup
	closed  bool
}

// call is one shared call. Waiters is guarded by the group's mutex; value and err are set before done is closed.
type call[V any] struct {
	cancel  context.CancelFunc
	waiters int
	done    chan struct{}
	value   V
	err     error
}

// Do gives the value of fn for the key. Where such a call is already in flight it waits for that one, and says so in coalesced.
//
// The call runs under a context of its own, with the values of the first caller's context but neither its deadline nor its
// cancellation: the first caller may go away and the others still get the value. The call's context is cancelled when the last
// waiter has gone. Each waiter leaves with the error of its own context. An error of fn, and a panic in it, is given to all.
func (g *Group[V]) Do(ctx context.Context, k Key, fn func(context.Context) (V, error)) (v V, coalesced bool, err error) {
	if err := ctx.Err(); err != nil {
		return v, false, err
	}
	c, coalesced, err := g.join(ctx, k, fn)
	if err != nil {
		return v, false, err
	}
	select {
	case <-c.done:
		return c.value, coalesced, c.err
	case <-ctx.Done():
	}
	select {
	case <-c.done: // Both at once: the value was made and paid for.
		return c.value, coalesced, c.err
	default:
	}
	g.leave(k, c)
	return v, coalesced, ctx.Err()
}

// InFlight gives the number of shared calls under way.
func (g *Group[V]) InFlight() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.calls)
}

// Close refuses further calls, cancels those under way and waits for their functions to return.
func (g *Group[V]) Close() {
	g.mu.Lock()
	g.closed = true
	for _, c := range g.calls {
		c.cancel()
	}
	g.mu.Unlock()
	g.running.Wait()
}

// join finds the call in flight or starts it, and counts the caller as a waiter.
func (g *Group[V]) join(ctx context.Context, k Key, fn func(context.Context) (V, error)) (*call[V], bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false, ErrClosed
	}
	if c, ok := g.calls[k]; ok {
		c.waiters++
		return c, true, nil
	}
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &call[V]{cancel: cancel, waiters: 1, done: make(chan struct{})}
	if g.calls == nil {
		g.calls = make(map[Key]*call[V])
	}
	g.calls[k] = c
	g.running.Go(func() { g.run(own, k, c, fn) })
	return c, false, nil
}

// leave takes a waiter away. The call of the last one is cancelled and forgotten, so that nobody joins a dying call.
func (g *Group[V]) leave(k Key, c *call[V]) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.waiters--
	if c.waiters > 0 {
		return
	}
	c.cancel()
	g.forget(k, c)
}

// run makes the call and hands its outcome to the waiters, whatever way fn ends: by return, panic or runtime.Goexit.
func (g *Group[V]) run(ctx context.Context, k Key, c *call[V], fn func(context.Context) (V, error)) {
	returned := false
	defer func() {
		if !returned {
			var none V
			c.value, c.err = none, panicked(recover())
		}
		g.mu.Lock()
		g.forget(k, c)
		g.mu.Unlock()
		close(c.done)
		c.cancel()
	}()
	c.value, c.err = fn(ctx)
	returned = true
}

// forget takes the call out of the map, unless a newer one has taken its place. The mutex is held.
func (g *Group[V]) forget(k Key, c *call[V]) {
	if g.calls[k] == c {
		delete(g.calls, k)
	}
}

// panicked makes the error of a call that did not return. The value of a panic may hold a caller's text, so only its type is
// named beside the stack.
func panicked(cause any) error {
	f := fault.New(fault.Internal, "something failed inside promptd")
	if cause == nil {
		return f.Because(errors.New("shared call ended without returning"))
	}
	return f.Because(fmt.Errorf("shared call panicked with %T\n%s", cause, debug.Stack()))
}
