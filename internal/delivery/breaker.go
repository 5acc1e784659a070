package delivery

import (
	"sync"
	"time"
)

// The breaker of a host: it opens when so many sends in a row found nobody there, for a time that doubles. Then one probe goes through.
const (
	openAfter  = 5
	openFor    = 10 * time.Second
	openAtMost = 5 * time.Minute
	// mostHosts bounds what is remembered; a host at rest is forgotten first.
	mostHosts = 10_000
)

// verdict is what a send says of the host, whatever it says of the message.
type verdict uint8

// The verdicts. A host that refuses one team's message (4xx, 500) is there; others behind it must not suffer.
const (
	alive verdict = iota
	dead
	unclear
)

// hosts keeps count of sends under way and of hosts that are dead. It is safe for concurrent use.
type hosts struct {
	most int // sends to one host at the same time
	now  func() time.Time

	mu sync.Mutex

	known map[string]*hostState
}

type hostState struct {
	busy     int
	failures int
	until    time.Time // open until then
}

func newHosts(most int, now func() time.Time) *hosts {
	return &hosts{most: most, now: now, known: map[string]*hostState{}}
}

// room says how many more sends a host may get. One that just failed gets one at a time, so that a dead host never holds many workers until it is found out.
func (h *hosts) room(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.known[host]
	switch {
	case s == nil:
		return h.most
	case h.now().Before(s.until):
		return 0
	case s.failures > 0:
		return max(0, 1-s.busy)
	default:
		return max(0, h.most-s.busy)
	}
}

// begin counts a send that begins.
func (h *hosts) begin(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.known[host]
	if s == nil {
		if len(h.known) >= mostHosts {
			h.forget()
		}
		s = &hostState{}
		h.known[host] = s
	}
	s.busy++
}

// end counts a send that ended, and says whether the host's breaker opened by it.
func (h *hosts) end(host string, v verdict) (opened bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.known[host]
	s.busy--
	switch v {
	case alive:
		s.failures, s.until = 0, time.Time{}
	case dead:
		s.failures++
		if s.failures >= openAfter {
			opened = s.failures == openAfter // Told once, however many probes fail.
			s.until = h.now().Add(openTime(s.failures))
		}
	case unclear:
	}
	if s.busy == 0 && s.failures == 0 {
		delete(h.known, host)
	}
	return opened
}

// openTime doubles with every probe that fails.
func openTime(failures int) time.Duration {
	d := openFor
	for range min(failures-openAfter, 32) {
		if d *= 2; d >= openAtMost {
			return openAtMost
		}
	}
	return d
}

// forget drops hosts at rest whose breaker is not open; where all are open, any at rest. Callers hold the lock.
func (h *hosts) forget() {
	now := h.now()
	for _, open := range []bool{false, true} {
		for host, s := range h.known {
			if s.busy == 0 && (open || !now.Before(s.until)) {
				delete(h.known, host)
				return
			}
		}
	}
}
