package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/limit/limittest"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// processes makes limiters that count in one server, each as a process of its own would.
func processes(tb testing.TB, s redistest.Server, n int, now func() time.Time) []*limits.Limiter {
	tb.Helper()
	list := make([]*limits.Limiter, n)
	for i := range list {
		list[i] = limits.New(limits.Config{Client: s.Open(tb), Now: now})
	}
	return list
}

func enter(t *testing.T, l limit.Limiter, most int) bool {
	t.Helper()
	d, err := l.Enter(t.Context(), "k", most)
	if err != nil {
		t.Fatalf("Enter = %v", err)
	}
	return d.Allowed
}

func reserve(t *testing.T, l limit.Limiter, cost int) bool {
	t.Helper()
	d, err := l.Reserve(t.Context(), "k", cost, limit.PerMinute(10))
	if err != nil {
		t.Fatalf("Reserve = %v", err)
	}
	return d.Allowed
}

func TestWhatADeadProcessHeldLapses(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		clock := limittest.NewClock()
		two := processes(t, s, 2, clock.Now)
		dead, alive := two[0], two[1]
		for _, l := range two {
			if !enter(t, l, 2) || !reserve(t, l, 5) {
				t.Fatal("what is there was refused")
			}
		}
		if enter(t, alive, 2) || reserve(t, alive, 1) {
			t.Fatal("what two processes hold was not counted")
		}
		for range 3 { // The living one renews what it holds, the dead one does not.
			clock.Advance(limits.DefaultLease / 3)
			if err := alive.RenewAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if !enter(t, alive, 2) || enter(t, alive, 2) {
			t.Error("want that the dead process's place is free again, and that of the living one is not")
		}
		if !reserve(t, alive, 5) || reserve(t, alive, 1) {
			t.Error("want that the dead process's reservation has lapsed, and that of the living one has not")
		}
		// What it used is counted even if somebody comes back from the dead, and nothing is given back twice.
		if err := dead.Settle(t.Context(), "k", 5, 5, limit.PerMinute(10)); err != nil {
			t.Fatal(err)
		}
		if err := dead.Leave(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
		if n, err := alive.Inside(t.Context(), "k"); n != 2 || err != nil {
			t.Errorf("Inside = %d, %v, want the two of the living process", n, err)
		}
	})
}

func TestAServerThatLostItsDataHearsAgainWhatIsHeld(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		clock := limittest.NewClock()
		l := processes(t, s, 1, clock.Now)[0]
		for range 3 {
			if !enter(t, l, 3) || !reserve(t, l, 3) {
				t.Fatal("what is there was refused")
			}
		}
		s.Clean(t)
		if err := l.RenewAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		if enter(t, l, 3) || reserve(t, l, 2) || !reserve(t, l, 1) {
			t.Error("want that all that is held is known again")
		}
		// Either of a tab's two keys may go by itself, where a server makes room.
		client := s.Open(t)
		for _, lost := range []string{client.Key("k", "tab"), client.Key("k", "tab", "held")} {
			if err := client.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Del().Key(lost).Build() }).Error(); err != nil {
				t.Fatal(err)
			}
			if err := l.RenewAll(t.Context()); err != nil {
				t.Fatal(err)
			}
			if reserve(t, l, 1) {
				t.Errorf("without %s more was reserved than there is", lost)
			}
		}
	})
}

func TestEveryKeyGoesByItself(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		l := processes(t, s, 1, nil)[0]
		p := limit.PerHour(10)
		if _, err := l.Allow(t.Context(), "rate", 10, p); err != nil {
			t.Fatal(err)
		}
		if !reserve(t, l, 10) || !enter(t, l, 1) {
			t.Fatal("what is there was refused")
		}
		s.Age(t, limits.DefaultLease+2*time.Minute)
		if _, err := l.Allow(t.Context(), "rate", 0, p); err != nil {
			t.Fatal(err)
		}
		if d, err := l.Allow(t.Context(), "rate", 1, p); err != nil || d.Allowed {
			t.Errorf("Allow = %+v, %v: what still counts is gone", d, err)
		}
		if !reserve(t, l, 10) || !enter(t, l, 1) {
			t.Error("what nobody renews is still there")
		}
		s.Age(t, 2*time.Hour)
		if d, err := l.Allow(t.Context(), "rate", 10, p); err != nil || !d.Allowed {
			t.Errorf("Allow = %+v, %v, want a whole limit", d, err)
		}
	})
}

// TestALostAnswerHoldsNothing pauses the server: what is asked meanwhile is done when it goes on, and nobody is there any more who would give it back.
func TestALostAnswerHoldsNothing(t *testing.T) {
	t.Parallel()
	own := redistest.Start(t)
	const brief = 20 * time.Millisecond
	client := own.OpenWith(t, redis.Options{Timeout: brief})
	l := limits.New(limits.Config{Client: client})
	if !enter(t, l, 2) || !reserve(t, l, 4) {
		t.Fatal("what is there was refused")
	}
	own.Pause()
	for range 2 {
		if _, err := l.Enter(t.Context(), "k", 2); !errors.Is(err, redis.ErrAway) {
			t.Errorf("Enter = %v, want that Redis is away", err)
		}
		if _, err := l.Reserve(t.Context(), "k", 3, limit.PerMinute(10)); !errors.Is(err, redis.ErrAway) {
			t.Errorf("Reserve = %v, want that Redis is away", err)
		}
	}
	own.Resume()
	redistest.Wait(t, "redis is back", client.Ready)
	if n, err := l.Inside(t.Context(), "k"); err != nil || n < 1 {
		t.Fatalf("Inside = %d, %v", n, err)
	}
	if !enter(t, l, 2) || enter(t, l, 2) {
		t.Error("want the place that was free, and no other")
	}
	if !reserve(t, l, 6) || reserve(t, l, 1) {
		t.Error("want what was free, and no more")
	}
	for range 2 {
		if err := l.Leave(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{4, 6} {
		if err := l.Settle(t.Context(), "k", n, 0, limit.PerMinute(10)); err != nil {
			t.Error(err)
		}
	}
	if n, err := l.Inside(t.Context(), "k"); n != 0 || err != nil {
		t.Errorf("Inside at the end = %d, %v, want nobody", n, err)
	}
}

func TestALostAnswerIsGivenUpByItself(t *testing.T) {
	t.Parallel()
	own := redistest.Start(t)
	client := own.OpenWith(t, redis.Options{Timeout: 20 * time.Millisecond})
	l := limits.New(limits.Config{Client: client})
	other := limits.New(limits.Config{Client: own.Open(t)})
	if _, err := other.Enter(t.Context(), "another", 1); err != nil { // The server has the scripts from now on.
		t.Fatal(err)
	}
	if _, err := other.Reserve(t.Context(), "another", 1, limit.PerMinute(10)); err != nil {
		t.Fatal(err)
	}
	own.Pause()
	if _, err := l.Enter(t.Context(), "k", 2); !errors.Is(err, redis.ErrAway) {
		t.Errorf("Enter = %v, want that Redis is away", err)
	}
	if _, err := l.Reserve(t.Context(), "k", 7, limit.PerMinute(10)); !errors.Is(err, redis.ErrAway) {
		t.Errorf("Reserve = %v, want that Redis is away", err)
	}
	own.Resume()
	redistest.Wait(t, "what was asked is done", func() bool {
		n, err := other.Inside(t.Context(), "k")
		return err == nil && n == 1
	})
	redistest.Wait(t, "redis is back", client.Ready)
	if err := l.RenewAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := other.Inside(t.Context(), "k"); n != 0 || err != nil {
		t.Errorf("Inside = %d, %v, want nobody", n, err)
	}
	if !reserve(t, other, 10) {
		t.Error("what was reserved by a call that got no answer is still held")
	}
	if n := l.Held(); n != 0 {
		t.Errorf("%d keys are remembered when everything has lapsed, want none", n)
	}
}

func TestACallerThatWentAwayHoldsNothing(t *testing.T) {
	t.Parallel()
	l := processes(t, redistest.One(t), 1, nil)[0]
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan struct{})
		go func() { close(asked); cancel() }()
		<-asked
		if d, err := l.Enter(ctx, "k", 1000); err == nil && d.Allowed {
			if err := l.Leave(ctx, "k"); err != nil {
				t.Error(err)
			}
		}
	}
	if !enter(t, l, 1) {
		t.Error("a place is held by somebody who went away")
	}
}
