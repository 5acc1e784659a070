package redis

import (
	"sync/atomic"
)

const (
	// mostStreak failures in a row open the breaker: one may be bad luck, and each costs its caller the whole timeout.
	mostStreak = 3
	// In a window, windowFailures that are at least one in windowShare of all calls open it too: a server that answers every other call is no help.
	windowFailures = 10
	windowShare    = 4
)

// breaker says whether the server is asked. It opens by what calls and probes tell it, and closes by the prober alone.
type breaker struct {
	// ready is read by every call.
	ready  atomic.Bool
	streak atomic.Int32
	// calls and failures are of the present window, which the prober begins anew.
	calls, failures atomic.Int64

	woken chan struct{} // Of capacity 1: one reason to look is as good as several.
}

func (b *breaker) init() { b.woken = make(chan struct{}, 1) }

func (b *breaker) succeeded() {
	b.calls.Add(1)
	if b.streak.Load() != 0 {
		b.streak.Store(0)
	}
}

// failed counts a failure, and says whether it opened the breaker.
func (b *breaker) failed() bool {
	streak, failures, calls := b.streak.Add(1), b.failures.Add(1), b.calls.Add(1)
	if streak < mostStreak && (failures < windowFailures || failures*windowShare < calls) {
		return false
	}
	return b.ready.CompareAndSwap(true, false)
}

// window begins a new window.
func (b *breaker) window() {
	b.calls.Store(0)
	b.failures.Store(0)
}

// close lets calls through again.
func (b *breaker) close() {
	b.window()
	b.streak.Store(0)
	b.ready.Store(true)
}

// wake tells the prober that the breaker has opened.
func (b *breaker) wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}
