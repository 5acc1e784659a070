package rabbitmq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

// The wait before a connection is tried again doubles from the first to the longest, and each is shortened by chance to half of it, so that processes
// that lost a server at the same moment do not come back at the same moment. A connection that held for steadyAfter begins anew.
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
	steadyAfter = 10 * time.Second
)

// link keeps one connection: it opens it, notices its end and opens the next.
type link struct {
	// purpose is told to the server and stands in messages.
	purpose string
	open    func(context.Context) (*session, error)
	// prepare is done on each new connection before others use it.
	prepare func(*session)
	onError func(error)

	mu sync.Mutex

	current *session
	// err says why there is none.
	err error
	// changed is closed and replaced when current changes.
	changed chan struct{}
}

func newLink(purpose string, onError func(error), open func(context.Context) (*session, error), prepare func(*session)) *link {
	return &link{
		purpose: purpose, open: open, prepare: prepare, onError: onError, changed: make(chan struct{}),
		err: fmt.Errorf("the connection for %s was not opened yet", purpose),
	}
}

// run keeps the connection until the context ends.
func (l *link) run(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := l.once(ctx)
		if ctx.Err() != nil {
			return
		}
		l.onError(fmt.Errorf("the connection for %s: %w", l.purpose, err))
		if time.Since(began) > steadyAfter {
			wait = firstWait
		}
		pause(ctx, wait/2+rand.N(wait/2))
		wait = min(2*wait, longestWait)
	}
}

// once opens a connection and keeps it until it ends.
func (l *link) once(ctx context.Context) error {
	s, err := l.open(ctx)
	if err != nil {
		l.set(nil, err)
		return err
	}
	defer s.close()
	l.prepare(s)
	l.set(s, nil)
	select {
	case <-s.ended:
		l.set(nil, s.err)
		return s.err
	case <-ctx.Done():
		l.set(nil, ctx.Err())
		return nil
	}
}

func (l *link) set(s *session, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current, l.err = s, err
	close(l.changed)
	l.changed = make(chan struct{})
}

// get gives the connection, or says why there is none.
func (l *link) get() (*session, error) {
	s, _, err := l.look()
	return s, err
}

func (l *link) look() (*session, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.current == nil {
		return nil, l.changed, fmt.Errorf("%w: %w", broker.ErrUnavailable, l.err)
	}
	return l.current, l.changed, nil
}

// wait gives the connection once there is one; nil when the context ended.
func (l *link) wait(ctx context.Context) *session {
	for ctx.Err() == nil {
		s, changed, err := l.look()
		if err == nil {
			return s
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// pause waits, or less where the context ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
