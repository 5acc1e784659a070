package redis

import (
	"sync"
	"time"
)

// State is how things stand with the server.
type State struct {
	// Ready says that it answers and is asked.
	Ready bool
	// Since is when that began.
	Since time.Time
	// Err is the last error of a probe; nil where Ready.
	Err error
}

// Ready says whether the server is asked at present.
func (c *Client) Ready() bool { return c.breaker.ready.Load() }

// State gives how things stand.
func (c *Client) State() State { return c.watchers.now() }

// OnChange calls f with the present state and then with every other one, one call at a time, until stop is called. F returns soon: it holds up the
// probes.
func (c *Client) OnChange(f func(State)) (stop func()) { return c.watchers.add(f) }

// watchers are who is told of changes.
type watchers struct {
	mu sync.Mutex

	state State
	all   map[int]func(State)
	next  int

	telling sync.Mutex // Held while functions are called; taken before mu.
}

func (w *watchers) now() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// set notes the state, and tells it where it is another: Ready has changed.
func (w *watchers) set(s State) {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.mu.Lock()
	changed := s.Ready != w.state.Ready
	w.state = s
	told := make([]func(State), 0, len(w.all))
	for _, f := range w.all {
		told = append(told, f)
	}
	w.mu.Unlock()
	if !changed {
		return
	}
	for _, f := range told {
		f(s)
	}
}

func (w *watchers) add(f func(State)) (stop func()) {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.mu.Lock()
	if w.all == nil {
		w.all = make(map[int]func(State))
	}
	id := w.next
	w.next++
	w.all[id] = f
	s := w.state
	w.mu.Unlock()
	f(s)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.all, id)
	}
}
