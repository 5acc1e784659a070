package limit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// The defaults of a Door: a queue for bursts of arrival, not a place to stay.
const (
	DefaultWait       = 100 * time.Millisecond
	DefaultRetryAfter = time.Second
)

// DoorConfig is what a Door is made from.
type DoorConfig struct {
	// Slots is how many may be inside at the same time (limits.max_concurrency).
	Slots int
	// Queue is how many may wait; 0 means nobody.
	Queue int
	// Wait is how long one may wait; 0 means DefaultWait.
	Wait time.Duration
	// RetryAfter is what those who are turned away are told; 0 means DefaultRetryAfter.
	RetryAfter time.Duration
}

// Door lets a bounded number in at the same time. Who comes when it is full waits in a short queue, first come first served,
// for a short time, and is then turned away: a request that waits long is answered late and holds memory meanwhile, one that is
// refused at once can be sent elsewhere.
type Door struct {
	wait, retryAfter time.Duration

	mu sync.Mutex

	slots, queue int
	inside       int
	waiting      []*waiter // The first is the next to go in.
	refused      uint64
}

// waiter is one in the queue. Its channel is closed when the place inside is its own; in is guarded by the door's mutex.
type waiter struct {
	called chan struct{}
	in     bool
}

// NewDoor makes an open door.
func NewDoor(c DoorConfig) (*Door, error) {
	if c.Slots < 1 || c.Queue < 0 || c.Wait < 0 || c.RetryAfter < 0 {
		return nil, fmt.Errorf("concurrency limit of %d with a queue of %d for %s: slots must be positive, the rest not negative", c.Slots, c.Queue, c.Wait)
	}
	d := &Door{slots: c.Slots, queue: c.Queue, wait: c.Wait, retryAfter: c.RetryAfter}
	if d.wait == 0 {
		d.wait = DefaultWait
	}
	if d.retryAfter == 0 {
		d.retryAfter = DefaultRetryAfter
	}
	return d, nil
}

// Enter lets the caller in, who then calls Leave exactly once. It returns an OVERLOADED fault when the queue is full or the
// wait was too long, and the context's error when that ended first.
func (d *Door) Enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	// Nobody overtakes the queue.
	if d.inside < d.slots && len(d.waiting) == 0 {
		d.inside++
		d.mu.Unlock()
		return nil
	}
	if len(d.waiting) >= d.queue {
		defer d.mu.Unlock()
		return d.refuse()
	}
	w := &waiter{called: make(chan struct{})}
	d.waiting = append(d.waiting, w)
	d.mu.Unlock()
	return d.stand(ctx, w)
}

// stand waits in the queue.
func (d *Door) stand(ctx context.Context, w *waiter) error {
	patience := time.NewTimer(d.wait)
	defer patience.Stop()
	var err error
	select {
	case <-w.called:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-patience.C:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.in { // Called in the same moment.
		if err == nil {
			return nil
		}
		d.inside--
		d.call()
		return err
	}
	for i, other := range d.waiting {
		if other == w {
			d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
			break
		}
	}
	if err == nil {
		err = d.refuse()
	}
	return err
}

// refuse turns one away. The mutex is held.
func (d *Door) refuse() error {
	d.refused++
	f := fault.New(fault.Overloaded, "promptd is handling %d requests at the same time, as many as limits.max_concurrency allows", d.slots)
	f.RetryAfter = d.retryAfter
	return f
}

// Leave gives the place to the next in the queue.
func (d *Door) Leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside == 0 {
		panic("limit: Leave without Enter")
	}
	d.inside--
	d.call()
}

// call lets in from the queue while there is room. The mutex is held.
func (d *Door) call() {
	for d.inside < d.slots && len(d.waiting) > 0 {
		w := d.waiting[0]
		d.waiting[0] = nil
		d.waiting = d.waiting[1:]
		d.inside++
		w.in = true
		close(w.called)
	}
}

// Resize changes the number of slots. Those inside stay; where they are more than the slots, nobody enters until enough have left.
func (d *Door) Resize(slots int) error {
	if slots < 1 {
		return fmt.Errorf("concurrency limit of %d: slots must be positive", slots)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.slots = slots
	d.call()
	return nil
}

// Load is the state of a door at one moment.
type Load struct {
	// Inside is the gauge of requests in flight.
	Inside, Waiting, Slots int
	// Refused counts those who were turned away since the start.
	Refused uint64
}

// Load gives the door's state.
func (d *Door) Load() Load {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Load{Inside: d.inside, Waiting: len(d.waiting), Slots: d.slots, Refused: d.refused}
}
