package provider

import (
	"context"
	"sync"
	"time"
)

// The figures of the limit: additive increase and multiplicative decrease, as TCP finds its rate. After a decrease the others of the same burst are not counted
// again, so the limit falls once in a while of that length at most: services answer a whole burst alike.
const (
	decrease      = 0.7
	decreasePause = time.Second
)

// slots bounds the calls under way at one account. Who comes when all are taken waits in order of arrival, within the deadline; who could not be served
// within it is turned away at once.
//
// The limit in force lies between 1 and the configured one. It goes down when the service says that it was given too much, and up by one for as many good calls as it
// has places, where those are made use of.
type slots struct {
	mu sync.Mutex

	most    int     // max_concurrency
	limit   float64 // in force
	inside  int
	waiting []*standby
	lowered int64   // the time of the last decrease
	taken   float64 // for how long a slot is taken of late, in nanoseconds; 0 is not known
	others  others
}

// standby is one in the queue: its channel is closed when the slot is its own; in is guarded by the mutex.
type standby struct {
	called chan struct{}
	in     bool
}

func newSlots(most int) *slots {
	return &slots{most: most, limit: float64(most), lowered: -int64(decreasePause)}
}

// resize takes over another configured limit. The one in force stays where it was lowered.
func (s *slots) resize(most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(s.limit) >= s.most {
		s.limit = float64(most)
	}
	s.most, s.limit = most, min(s.limit, float64(most))
	s.call()
}

// enter takes a slot, to be given back with leave exactly once. The error is ErrBusy, with the wait that was to be expected, or the context's.
func (s *slots) enter(ctx context.Context) (expected time.Duration, err error) {
	s.mu.Lock()
	if s.inside < s.bound() && len(s.waiting) == 0 {
		s.inside++
		s.mu.Unlock()
		return 0, nil
	}
	expected = time.Duration(float64(len(s.waiting)+1) * s.taken / float64(s.bound()))
	if deadline, ok := ctx.Deadline(); ok && expected >= time.Until(deadline) {
		s.mu.Unlock()
		return expected, ErrBusy
	}
	w := &standby{called: make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	return expected, s.stand(ctx, w)
}

// stand waits for a slot.
func (s *slots) stand(ctx context.Context, w *standby) error {
	select {
	case <-w.called:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.in { // Called in the same moment.
		s.inside--
		s.call()
	} else {
		for i, other := range s.waiting {
			if other == w {
				s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
				break
			}
		}
	}
	if timeIsUp(ctx) {
		return ErrBusy
	}
	return ctx.Err()
}

// leave gives a slot back after a call that took so long. Slowed says that the service was given too much, good that it answered.
func (s *slots) leave(now int64, took time.Duration, good, slowed bool) {
	const weight = 0.1 // Of one call in the mean: it follows the last twenty or so.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == 0 {
		s.taken = float64(took)
	}
	s.taken += weight * (float64(took) - s.taken)
	inside := s.inside + s.others.inside
	switch {
	case slowed && now-s.lowered >= int64(decreasePause):
		// Where few calls were under way the limit was not what let too many through: it falls faster to where it matters.
		s.limit = max(1, decrease*min(s.limit, max(float64(inside), s.limit/2)))
		s.lowered = now
	case good && inside >= int(s.limit)/2:
		s.limit = min(float64(s.most), s.limit+1/s.limit)
	}
	s.inside--
	s.call()
}

// abandon gives a slot back that was not made use of.
func (s *slots) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	s.call()
}

// call lets in from the queue while there is room. The mutex is held.
func (s *slots) call() {
	for s.inside < s.bound() && len(s.waiting) > 0 {
		w := s.waiting[0]
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
		s.inside++
		w.in = true
		close(w.called)
	}
}

// load gives the calls under way through this process, those that wait, and the limit in force.
func (s *slots) load() (inside, waiting, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inside, len(s.waiting), int(s.limit)
}
