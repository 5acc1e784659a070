package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// ending lets the program wait for its handlers. A server that is closed by force does not: their connections are gone, and they go on. What they still have to
// write, to history and budgets, must find both open.
type ending struct {
	// over ends with the program's patience: for what goes on without its caller.
	over context.Context //nolint:containedctx // It is the lifetime of the server itself.
	stop context.CancelFunc
	// begun ends when the program begins to end: for answers that would go on until a job is over.
	begun context.Context //nolint:containedctx // As above.
	begin context.CancelFunc

	mu sync.Mutex

	closed bool
	inside sync.WaitGroup
}

func newEnding() *ending {
	e := &ending{}
	e.over, e.stop = context.WithCancel(context.Background())
	e.begun, e.begin = context.WithCancel(context.Background())
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

// Drain makes the server not ready, and ends the answers that wait for jobs to be over; all other requests are answered as before.
func (s *Server) Drain() {
	s.draining.Drain()
	s.ending.begin()
}

// errEnding ends what waits for a job: the program ends, and another one goes on with the job.
var errEnding = errors.New("api: the server ends") //nolint:gochecknoglobals // A sentinel.

// waiting gives the context of an answer that waits for a job to be over. It ends with the caller, and when the server begins to end: otherwise whoever waits for a
// job of hours would hold it.
func (e *ending) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	on, cancel := context.WithCancelCause(ctx)
	unhook := context.AfterFunc(e.begun, func() { cancel(errEnding) })
	return on, func() {
		unhook()
		cancel(nil)
	}
}

// cut is the error of a wait that ended by its context: a fault that says to ask again where the server ends, nil where the caller has gone.
func cut(ctx context.Context) error {
	if !errors.Is(context.Cause(ctx), errEnding) {
		return nil
	}
	f := fault.New(fault.Overloaded, "this process of promptd ends; the job goes on")
	f.RetryAfter = time.Second
	f.Remediation = "Ask again, and go on where this ended."
	return f
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
