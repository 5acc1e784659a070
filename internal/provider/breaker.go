package provider

import (
	"sync"
	"time"
)

// BreakerConfig says when a model is left alone. The zero value is a breaker that never opens.
type BreakerConfig struct {
	// FailureShare is the share of bad calls in the window at which the breaker opens; 0 is never.
	FailureShare float64
	// MinCalls is how many calls the window must hold before the share counts.
	MinCalls int
	// Window is the time in which calls are counted.
	Window time.Duration
	// OpenFor is how long an open breaker lets no call through.
	OpenFor time.Duration
}

// BreakerState is the state of a breaker.
type BreakerState uint8

// The states.
const (
	Closed BreakerState = iota
	HalfOpen
	Open
)

// String gives the state's name on the wire.
func (s BreakerState) String() string {
	return [...]string{"closed", "half_open", "open"}[min(s, Open)]
}

// provenBy is how many probes in a row must be good before a breaker closes. After one, a model that fails every other call would be back half of the time, and
// each time take MinCalls calls to be found out.
const provenBy = 2

// breaker leaves a failing model alone. It is closed while calls go well, opens when too many of the window's calls were bad, and lets probes through, one at a time,
// when it has been open for long enough: a bad one opens it again, some good ones close it with an empty window.
type breaker struct {
	mu sync.Mutex

	config BreakerConfig
	state  BreakerState // Open until the first call after openUntil comes and makes it HalfOpen
	until  int64        // when an open breaker lets a probe through
	// era counts the changes of state. A call that began in another era says nothing of this one.
	era     uint64
	probing bool // a probe is under way
	proven  int  // good probes in a row
	window  window

	elsewhere
}

func newBreaker(c BreakerConfig) *breaker {
	return &breaker{config: c, window: newWindow(c.length())}
}

func (c BreakerConfig) length() time.Duration {
	const usual = 30 * time.Second // Of the figures that are shown where the breaker never opens.
	if c.Window > 0 {
		return c.Window
	}
	return usual
}

// configure takes over another configuration; what was counted stays where the window is the same.
func (b *breaker) configure(c BreakerConfig) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.length() != b.config.length() {
		b.window = newWindow(c.length())
	}
	b.config = c
	if c.FailureShare <= 0 && b.state != Closed {
		b.become(Closed)
	}
}

// permit is the leave to make one call. It is given back with record, exactly once.
type permit struct {
	era   uint64
	probe bool
}

// admit gives a permit, or the time at which it is worth asking again; that is now where a probe is under way, of which nobody knows how long it takes.
func (b *breaker) admit(now int64) (_ permit, ok bool, until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && now >= b.until {
		b.become(HalfOpen)
	}
	switch {
	case b.state == Closed:
		return permit{era: b.era}, true, 0
	case b.state == HalfOpen && !b.probing && b.may(now):
		b.probing = true
		return permit{era: b.era, probe: true}, true, 0
	default:
		return permit{}, false, max(now, b.until)
	}
}

// current says that nothing has changed since a permit was given.
func (b *breaker) current(p permit) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return p.era == b.era
}

// record takes back a permit with what became of the call.
func (b *breaker) record(now int64, p permit, v Verdict, limited bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.era != b.era {
		return
	}
	var t tally
	switch {
	case v == Good:
		t.good = 1
		b.good = now
	case v == Bad:
		t.bad = 1
	case limited:
		t.limited = 1
	}
	b.window.count(now, t)
	if p.probe {
		b.probed(now, v)
		return
	}
	c := b.config
	if sum := b.window.sum; c.FailureShare > 0 && sum.judged() >= max(1, c.MinCalls) && float64(sum.bad) >= c.FailureShare*float64(sum.judged()) {
		b.open(now)
	}
}

// probed takes back a probe. The mutex is held.
func (b *breaker) probed(now int64, v Verdict) {
	b.probing = false
	switch v {
	case Bad:
		b.open(now)
	case Good:
		if b.proven++; b.proven >= provenBy {
			b.become(Closed)
			b.window = newWindow(b.config.length())
			b.mended = now
		}
	case Neither: // The next call is the probe.
	}
}

func (b *breaker) open(now int64) {
	b.become(Open)
	b.until, b.opened, b.told = now+int64(b.config.OpenFor), now, false
}

func (b *breaker) become(s BreakerState) {
	b.state, b.probing, b.proven = s, false, 0
	b.era++
}

// health is what a breaker knows at one moment.
type health struct {
	state   BreakerState
	probing bool
	until   int64
	tally   tally
}

func (b *breaker) health(now int64) health {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := health{b.state, b.probing, b.until, b.window.total(now)}
	if h.state == Open && now >= h.until {
		h.state = HalfOpen
	}
	if h.state == HalfOpen && !h.probing {
		h.probing = !b.may(now) // By another process.
	}
	return h
}
