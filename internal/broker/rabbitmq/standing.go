package rabbitmq

import (
	"fmt"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/broker"
)

// heldFor is how long nothing is published to a queue that did not answer: each try costs its publisher the limit of an exchange.
const heldFor = 10 * time.Second

// standing is what is known of queues beyond one connection.
type standing struct {
	mu sync.Mutex

	heldUntil map[broker.Queue]time.Time
	why       map[broker.Queue]error
	told      map[broker.Queue]bool
	repaired  map[broker.Queue]time.Time
	alarm     time.Time
}

func newStanding() *standing {
	return &standing{heldUntil: map[broker.Queue]time.Time{}, why: map[broker.Queue]error{}, told: map[broker.Queue]bool{}, repaired: map[broker.Queue]time.Time{}}
}

// hold keeps publishers from a queue for a while.
func (s *standing) hold(q broker.Queue, d time.Duration, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heldUntil[q], s.why[q] = time.Now().Add(d), why
}

// release lets publishers to a queue again.
func (s *standing) release(q broker.Queue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.heldUntil, q)
	delete(s.why, q)
}

// held gives why nothing is published to a queue now, or nil.
func (s *standing) held(q broker.Queue) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.heldUntil[q]) {
		return fmt.Errorf("%w: the queue is left alone for a moment after this: %w", broker.ErrUnavailable, s.why[q])
	}
	return nil
}

// tellOnce says true the first time.
func (s *standing) tellOnce(q broker.Queue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told[q]
	s.told[q] = true
	return !told
}

// raiseAlarm notes that a queue was found unusable.
func (s *standing) raiseAlarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarm = time.Now()
}

// alarmed says whether one was a moment ago.
func (s *standing) alarmed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.alarm.IsZero() && time.Since(s.alarm) < alarmFor
}

// mayRepair says whether a queue may be deleted and declared anew now, and notes that it is. It may once in a while: what is made anew is the weakest
// there is until the server has settled, so that making it again and again would be the fault that it is to mend.
func (s *standing) mayRepair(q broker.Queue, every time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.repaired[q]; ok && time.Since(at) < every {
		return false
	}
	s.repaired[q] = time.Now()
	return true
}
