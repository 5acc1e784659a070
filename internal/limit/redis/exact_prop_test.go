package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/limit/limittest"
	"github.com/promptd/promptd/internal/limit/memory"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// drawPolicy draws any policy that there may be.
func drawPolicy(t *rapid.T) limit.Policy {
	return limit.Policy{
		Limit:  int(rapid.OneOf(rapid.Int64Range(1, 20), rapid.Int64Range(1, limit.MaxLimit)).Draw(t, "limit")),
		Period: time.Duration(rapid.OneOf(rapid.Int64Range(int64(time.Millisecond), int64(time.Second)), rapid.Int64Range(int64(time.Millisecond), int64(limit.MaxPeriod))).Draw(t, "period")),
	}
}

// walk is a random walk that two limiters take side by side: every answer is the same, to the nanosecond.
type walk struct {
	clock        *limittest.Clock
	here, server limit.Ledger
	p            limit.Policy
	reserved     []int
	last         limit.Decision
}

func (w *walk) wait(t *rapid.T) {
	var d time.Duration
	switch rapid.IntRange(0, 2).Draw(t, "wait") {
	case 0:
		d = time.Duration(rapid.Int64Range(0, int64(w.p.Period)).Draw(t, "for"))
	case 1: // The moments where rounding would show.
		d = max(0, w.last.RetryAfter-time.Duration(rapid.IntRange(0, 1).Draw(t, "early")))
	}
	if w.clock.Now().Add(d).Year() < 2110 { // The scale of the arithmetic ends in 2116.
		w.clock.Advance(d)
	}
}

func (w *walk) policy(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "another policy") == 0 {
		w.p = drawPolicy(t)
	}
}

func (w *walk) decide(t *rapid.T, what string, ask func(limit.Limiter) (limit.Decision, error)) limit.Decision {
	want, wantErr := ask(w.here)
	got, err := ask(w.server)
	if got != want || (err == nil) != (wantErr == nil) {
		t.Fatalf("%s under %+v at %s: the server says %+v, %v; the limiter in memory %+v, %v", what, w.p, w.clock.Now().Format(time.RFC3339Nano), got, err, want, wantErr)
	}
	w.last = got
	return got
}

func (w *walk) cost(t *rapid.T) int {
	return int(rapid.Int64Range(0, min(limit.MaxLimit, int64(w.p.Limit)+1)).Draw(t, "cost"))
}

func (w *walk) allow(t *rapid.T) {
	w.policy(t)
	w.wait(t)
	n, p := w.cost(t), w.p
	w.decide(t, fmt.Sprint("Allow ", n), func(l limit.Limiter) (limit.Decision, error) { return l.Allow(context.Background(), "rate", n, p) })
}

func (w *walk) reserve(t *rapid.T) {
	w.policy(t)
	w.wait(t)
	n, p := w.cost(t), w.p
	d := w.decide(t, fmt.Sprint("Reserve ", n), func(l limit.Limiter) (limit.Decision, error) { return l.Reserve(context.Background(), "tab", n, p) })
	if d.Allowed && n > 0 {
		w.reserved = append(w.reserved, n)
	}
}

func (w *walk) count(t *rapid.T) {
	w.wait(t)
	n := int(rapid.Int64Range(0, 2*int64(w.p.Limit)).Draw(t, "counted"))
	for _, l := range []limit.Ledger{w.here, w.server} {
		if err := l.Count(context.Background(), "rate", n, w.p); err != nil {
			t.Fatal(err)
		}
	}
}

func (w *walk) settle(t *rapid.T) {
	if len(w.reserved) == 0 {
		t.Skip("nothing is reserved")
	}
	w.wait(t)
	n, p := w.reserved[0], w.p
	w.reserved = w.reserved[1:]
	used := int(rapid.Int64Range(0, 3*int64(n)).Draw(t, "used"))
	for _, l := range []limit.Limiter{w.here, w.server} {
		if err := l.Settle(context.Background(), "tab", n, used, p); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerDecidesExactlyAsMemoryDoes(t *testing.T) {
	t.Parallel()
	client := redistest.One(t).Open(t)
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		clock := limittest.NewClock()
		w := &walk{
			clock: clock, here: memory.New(memory.Config{Clock: clock.Now}),
			server: named{limits.New(limits.Config{Client: client, Lease: forever, Now: clock.Now}), fmt.Sprint(n, ":")}, p: drawPolicy(rt),
		}
		rt.Repeat(map[string]func(*rapid.T){"allow": w.allow, "reserve": w.reserve, "settle": w.settle, "count": w.count})
	})
}
