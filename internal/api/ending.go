package api

import (
	"context"
	"fmt"
	"sync"
)

// ending lets the program wait for its handlers. A server that is closed by force does not: their connections are gone, and they go on. What they still have to
// write, to history and budgets, must find both open.
type ending struct {
	// over ends with the program's patience: for what goes on without its caller.
	over context.Context //nolint:containedctx // It is the lifetime of the server itself.
	stop context.CancelFunc

	mu sync.Mutex

	closed bool
	inside sync.WaitGroup
}

func newEnding() *ending {
	e := &ending{}
	e.over, e.stop = context.WithCancel(context.Background())
	return e
}

// enter counts a handler in; false where nobody waits for handlers any more.
func (e *ending) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.inside.Add(1)
	}
	return !e.closed
}

// outlive gives a context that goes on when the caller has gone, and ends with the server.
func (e *ending) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	on, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(e.over, cancel)
	return on, func() {
		unhook()
		cancel()
	}
}

// End cancels what goes on without its caller, and waits until every handler has ended. No request is answered afterwards. The error says that some have not ended
// by the context's end.
func (s *Server) End(ctx context.Context) error {
	e := s.ending
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	done := make(chan struct{})
	go func() {
		e.inside.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for requests in flight: %w", ctx.Err())
	}
}
