package broadcast

import (
	"slices"
	"sync"
)

// Audience holds the subscribers of one process. Its zero value is ready.
type Audience struct {
	mu sync.Mutex

	// seats are never changed in place, so that a list taken under the mutex can be walked without it.
	seats map[Topic][]*seat
}

// seat tells two subscriptions of the same functions apart. Its mutex is held while one of them runs: one thing after the other.
type seat struct {
	mu sync.Mutex

	s Subscriber
}

// Add gives a subscriber its seat, until stop is called.
func (a *Audience) Add(topic Topic, s Subscriber) (stop func()) {
	mine := &seat{s: s}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seats == nil {
		a.seats = make(map[Topic][]*seat)
	}
	a.seats[topic] = append(slices.Clip(a.seats[topic]), mine)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.seats[topic] = slices.DeleteFunc(slices.Clone(a.seats[topic]), func(other *seat) bool { return other == mine })
	}
}

// Hear tells a message to the subscribers of its topic.
func (a *Audience) Hear(topic Topic, payload string) {
	for _, s := range a.of(topic) {
		if s.s.Hear != nil {
			s.hear(payload)
		}
	}
}

// Missed tells the subscribers of the topics that they may have missed something.
func (a *Audience) Missed(topics ...Topic) {
	for _, topic := range topics {
		for _, s := range a.of(topic) {
			if s.s.Missed != nil {
				s.missed()
			}
		}
	}
}

func (a *Audience) of(topic Topic) []*seat {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seats[topic]
}

func (s *seat) hear(payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Hear(payload)
}

func (s *seat) missed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.s.Missed()
}
