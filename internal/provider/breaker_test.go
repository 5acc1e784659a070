package provider

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// plainBreaker is the breaker as a text book has it: it keeps every call and counts them anew each time.
type plainBreaker struct {
	config BreakerConfig
	state  BreakerState
	until  int64
	era    int
	probe  bool
	proven int
	calls  []plainCall
}

type plainCall struct {
	slot    int64
	verdict Verdict
}

func (b *plainBreaker) to(s BreakerState) {
	b.state, b.probe, b.proven = s, false, 0
	b.era++
}

func (b *plainBreaker) admit(now int64) (era int, probe, ok bool) {
	if b.state == Open && now >= b.until {
		b.to(HalfOpen)
	}
	if b.state == Open || b.state == HalfOpen && b.probe {
		return 0, false, false
	}
	b.probe = b.state == HalfOpen
	return b.era, b.probe, true
}

func (b *plainBreaker) record(now int64, era int, probe bool, v Verdict) {
	if era != b.era {
		return
	}
	slot := now / (int64(b.config.Window) / windowSlots)
	b.calls = append(b.calls, plainCall{slot, v})
	if probe {
		b.probe = false
		switch v {
		case Bad:
			b.to(Open)
			b.until = now + int64(b.config.OpenFor)
		case Good:
			if b.proven++; b.proven == provenBy {
				b.to(Closed)
				b.calls = nil
			}
		case Neither:
		}
		return
	}
	good, bad := b.counts(now)
	if good+bad >= b.config.MinCalls && float64(bad) >= b.config.FailureShare*float64(good+bad) {
		b.to(Open)
		b.until = now + int64(b.config.OpenFor)
	}
}

func (b *plainBreaker) counts(now int64) (good, bad int) {
	slot := now / (int64(b.config.Window) / windowSlots)
	for _, c := range b.calls {
		if slot-c.slot < windowSlots {
			switch c.verdict {
			case Good:
				good++
			case Bad:
				bad++
			case Neither:
			}
		}
	}
	return good, bad
}

// Whatever comes in whatever order, the breaker does what the plain one does: the same permits, the same state, the same counts.
func TestBreakerFollowsAPlainOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := BreakerConfig{
			FailureShare: rapid.Float64Range(0.05, 1).Draw(t, "share"), MinCalls: rapid.IntRange(1, 8).Draw(t, "min_calls"),
			Window: time.Duration(rapid.IntRange(1, 20).Draw(t, "window")) * time.Second, OpenFor: time.Duration(rapid.IntRange(1, 20).Draw(t, "open_for")) * time.Second,
		}
		real, plain := newBreaker(c), &plainBreaker{config: c}
		type held struct {
			permit permit
			era    int
			probe  bool
		}
		var under []held
		var now int64
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				now += int64(time.Duration(rapid.IntRange(0, 8000).Draw(t, "ms")) * time.Millisecond)
			case 1:
				p, ok, _ := real.admit(now)
				era, probe, want := plain.admit(now)
				if ok != want || ok && p.probe != probe {
					t.Fatalf("at %s admit gives %v (probe %v), want %v (probe %v)", time.Duration(now), ok, p.probe, want, probe)
				}
				if ok {
					under = append(under, held{p, era, probe})
				}
			default:
				if len(under) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(under)-1).Draw(t, "which")
				v := Verdict(rapid.IntRange(0, int(Bad)).Draw(t, "verdict"))
				real.record(now, under[i].permit, v, false)
				plain.record(now, under[i].era, under[i].probe, v)
				under = append(under[:i], under[i+1:]...)
			}
			h := real.health(now)
			good, bad := plain.counts(now)
			state := plain.state
			if state == Open && now >= plain.until {
				state = HalfOpen
			}
			if h.state != state || h.tally.good != good || h.tally.bad != bad {
				t.Fatalf("at %s: %+v, want %s with %d good and %d bad", time.Duration(now), h, state, good, bad)
			}
		}
	})
}

func TestOneProbeAtATime(t *testing.T) {
	t.Parallel()
	const callers, open = 64, int64(time.Second)
	b := newBreaker(BreakerConfig{FailureShare: 0.5, MinCalls: 1, Window: time.Second, OpenFor: time.Duration(open)})
	p, _, _ := b.admit(0)
	b.record(0, p, Bad, false)
	for round := range 3 {
		now := open + int64(round)
		var admitted atomic.Int64
		var probe permit
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if p, ok, until := b.admit(now); ok {
					admitted.Add(1)
					probe = p
				} else if until != now {
					t.Errorf("who is not the probe is told to come at %d, want %d", until, now)
				}
			})
		}
		wg.Wait()
		if admitted.Load() != 1 {
			t.Fatalf("%d probes, want 1", admitted.Load())
		}
		b.record(now, probe, Neither, false) // It was cancelled: the next one is the probe.
	}
}

// A call that began before a breaker opened says nothing of what came after.
func TestLateResultsDoNotCount(t *testing.T) {
	t.Parallel()
	b := newBreaker(BreakerConfig{FailureShare: 0.5, MinCalls: 2, Window: time.Minute, OpenFor: time.Second})
	var early [4]permit
	for i := range early {
		early[i], _, _ = b.admit(0)
	}
	b.record(0, early[0], Bad, false)
	b.record(0, early[1], Bad, false)
	if h := b.health(0); h.state != Open {
		t.Fatalf("after two bad calls of two: %s", h.state)
	}
	now := int64(time.Second)
	probe, ok, _ := b.admit(now)
	b.record(now, early[2], Good, false)
	b.record(now, early[3], Bad, false)
	if h := b.health(now); !ok || h.state != HalfOpen {
		t.Errorf("late results made it %s", h.state)
	}
	b.record(now, probe, Good, false)
	if probe, ok, _ = b.admit(now); !ok {
		t.Fatal("no second probe")
	}
	b.record(now, probe, Good, false)
	if h := b.health(now); h.state != Closed || h.tally != (tally{}) {
		t.Errorf("after two good probes: %+v, want it closed with an empty window", h)
	}
}

func TestABreakerWithoutAShareNeverOpens(t *testing.T) {
	t.Parallel()
	b := newBreaker(BreakerConfig{})
	for range 1000 {
		p, ok, _ := b.admit(0)
		if !ok {
			t.Fatal("it opened")
		}
		b.record(0, p, Bad, false)
	}
	b.configure(BreakerConfig{FailureShare: 1, MinCalls: 1, Window: 30 * time.Second, OpenFor: time.Hour})
	p, _, _ := b.admit(0)
	b.record(0, p, Bad, false)
	if _, ok, until := b.admit(1); ok || until != int64(time.Hour) {
		t.Errorf("configured to open: admitted %v, until %d", ok, until)
	}
	b.configure(BreakerConfig{})
	if _, ok, _ := b.admit(1); !ok {
		t.Error("switched off while open it still refuses")
	}
}
