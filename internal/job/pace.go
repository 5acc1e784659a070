package job

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// The bounds of a pace.
const (
	leastPace, mostPace = 50 * time.Millisecond, 10 * time.Second
	// mostPaced bounds the wait of an item: how fast the caller's items end may change, and its limit may be raised.
	mostPaced = 5 * time.Minute
	// mostCallers bounds the callers that are remembered; one that is forgotten begins anew.
	mostCallers = 4096
)

// pace says when items come back that found no place among those of their caller at the same time: one behind the other, as fast as the caller's items end. They
// would all be taken and given back again and again otherwise, as often as a worker looks.
type pace struct {
	mu      sync.Mutex
	callers map[key.ID]*beat
}

// beat is one caller's.
type beat struct {
	inside int           // items of it that this worker does
	took   time.Duration // how long the last ones took, smoothed
	next   time.Time     // when the next one is to come back
}

func (p *pace) of(k key.ID) *beat {
	b := p.callers[k]
	if b == nil {
		if p.callers == nil || len(p.callers) >= mostCallers {
			p.callers = map[key.ID]*beat{}
		}
		b = &beat{}
		p.callers[k] = b
	}
	return b
}

// begin counts an item in.
func (p *pace) begin(k key.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of(k).inside++
}

// end counts it out; took is 0 where it did not run.
func (p *pace) end(k key.ID, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.of(k)
	b.inside = max(0, b.inside-1)
	if took > 0 {
		const weight = 8
		b.took += (took - b.took) / weight
	}
}

// wait gives the time until an item that found no place is to be tried again.
func (p *pace) wait(k key.ID) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	b, now := p.of(k), time.Now()
	step := min(max(b.took/time.Duration(max(1, b.inside)), leastPace), mostPace)
	if b.next.Before(now) {
		b.next = now
	}
	b.next = b.next.Add(step)
	if wait := b.next.Sub(now); wait <= mostPaced {
		return wait
	}
	b.next = now.Add(mostPaced)
	return mostPaced - rand.N(mostPaced/2) //nolint:gosec // Jitter needs no secrecy: those beyond the bound do not come back together.
}
