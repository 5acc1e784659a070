package job

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultLease is how long a worker may be silent before its items are taken again.
const DefaultLease = 30 * time.Second

const (
	// beats is how often in the time of a lease all of them are renewed: two may fail.
	beats = 3
	// early is the part of a lease that work stops before its end, so that it has stopped when somebody else begins: a second of the usual lease.
	early = 30
)

// leases are those that a worker holds. One heartbeat renews them all.
type leases struct {
	queue   Queue
	lease   time.Duration
	lost    func()
	onError func(error)
	// doubts are jobs whose leases are to be looked at now; a few of them at a time are many.
	doubts chan ID

	mu    sync.Mutex
	held  map[Lease]*hold
	ended bool
}

// hold is one lease. Its context ends when the lease is lost: by the store's word, or because nobody could renew it in time. The work under it has a context of its
// own, which also ends with the worker: what became of the work is still to be written then.
type hold struct {
	lease  Lease
	ctx    context.Context //nolint:containedctx // It is the lifetime of the lease.
	work   context.Context //nolint:containedctx // It is that of the work.
	cancel context.CancelCauseFunc
	stop   context.CancelCauseFunc
	// timer ends the context shortly before the lease is over by the monotonic clock of this process. The store's lease ends later: it began when the call was on its way.
	timer *time.Timer
}

func newLeases(q Queue, lease time.Duration, lost func(), onError func(error)) *leases {
	return &leases{queue: q, lease: lease, lost: lost, onError: onError, doubts: make(chan ID, 64), held: map[Lease]*hold{}}
}

// take holds a lease that was given by a call that began at a time.
func (l *leases) take(ctx context.Context, lease Lease, begun time.Time) *hold {
	h := &hold{lease: lease}
	h.ctx, h.cancel = context.WithCancelCause(ctx)
	h.work, h.stop = context.WithCancelCause(h.ctx)
	h.timer = time.AfterFunc(l.left(begun), func() { l.lose(lease, errNotRenewed) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[lease] = h
	if l.ended {
		h.stop(errEnding)
	}
	return h
}

// left is how long work may go on under a lease that was given by a call that began at a time.
func (l *leases) left(begun time.Time) time.Duration {
	return time.Until(begun.Add(l.lease - l.lease/early))
}

var errNotRenewed = fmt.Errorf("%w: the store did not renew it in time", ErrLeaseLost)

// drop lets go of a lease: nobody renews it any more.
func (l *leases) drop(h *hold) {
	l.mu.Lock()
	delete(l.held, h.lease)
	l.mu.Unlock()
	h.timer.Stop()
	h.stop(nil)
	h.cancel(nil)
}

// lose ends the work under a lease that is still held.
func (l *leases) lose(lease Lease, cause error) {
	l.mu.Lock()
	h := l.held[lease]
	delete(l.held, lease)
	l.mu.Unlock()
	if h != nil {
		h.timer.Stop()
		h.cancel(cause)
		l.lost()
	}
}

// check asks the store at once whether the leases of a job still hold: it may have been cancelled. Who asks does not wait; where much is asked the heartbeat finds out.
func (l *leases) check(id ID) {
	if len(l.list(id)) == 0 {
		return
	}
	select {
	case l.doubts <- id:
	default:
	}
}

// list gives the leases that are held, those of one job where it is named.
func (l *leases) list(id ID) []Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Lease, 0, len(l.held))
	for lease := range l.held {
		if id == "" || lease.Job == id {
			list = append(list, lease)
		}
	}
	return list
}

// errEnding ends work because the worker ends: what is not done is given back.
var errEnding = errors.New("job: the worker ends")

// end ends all work, and keeps the leases for giving it back.
func (l *leases) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	for _, h := range l.held {
		h.stop(errEnding)
	}
}

// run renews until the context ends.
func (l *leases) run(ctx context.Context) {
	every := time.NewTicker(l.lease / beats)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			l.renew(ctx, l.list(""))
		case id := <-l.doubts:
			l.renew(ctx, l.list(id))
		case <-ctx.Done():
			return
		}
	}
}

// renew prolongs leases in one call. Where that fails the timers go on.
func (l *leases) renew(ctx context.Context, list []Lease) {
	if len(list) == 0 {
		return
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, l.lease/beats)
	defer cancel()
	lost, err := l.queue.Renew(ctx, list, l.lease)
	if err != nil {
		l.onError(fmt.Errorf("renew %d leases: %w", len(list), err))
		return
	}
	for _, lease := range lost {
		l.lose(lease, ErrLeaseLost)
	}
	left := l.left(begun)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lease := range list {
		if h := l.held[lease]; h != nil {
			h.timer.Reset(left)
		}
	}
}
