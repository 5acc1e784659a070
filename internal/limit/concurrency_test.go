package limit_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/limit"
)

func door(t *testing.T, c limit.DoorConfig) *limit.Door {
	t.Helper()
	d, err := limit.NewDoor(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func enter(t *testing.T, d *limit.Door) {
	t.Helper()
	if err := d.Enter(t.Context()); err != nil {
		t.Fatalf("Enter = %v, want nil", err)
	}
}

// knock calls Enter in a goroutine and gives the channel of its error.
func knock(ctx context.Context, d *limit.Door) <-chan error {
	out := make(chan error, 1) // One answer, so that nobody waits for a reader.
	go func() { out <- d.Enter(ctx) }()
	synctest.Wait()
	return out
}

func TestFullDoorWithoutAQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	d := door(t, limit.DoorConfig{Slots: 2, RetryAfter: 3 * time.Second})
	enter(t, d)
	enter(t, d)
	err := d.Enter(t.Context())
	if !fault.Is(err, fault.Overloaded) || fault.Of(err).RetryAfter != 3*time.Second {
		t.Errorf("Enter of a full door = %v, want OVERLOADED with 3 s", err)
	}
	if got, want := d.Load(), (limit.Load{Inside: 2, Slots: 2, Refused: 1}); got != want {
		t.Errorf("Load = %+v, want %+v", got, want)
	}
	d.Leave()
	enter(t, d)
}

func TestQueueIsFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := door(t, limit.DoorConfig{Slots: 1, Queue: 2})
		enter(t, d)
		first, second := knock(t.Context(), d), knock(t.Context(), d)
		if err := d.Enter(t.Context()); !fault.Is(err, fault.Overloaded) {
			t.Errorf("Enter with a full queue = %v, want OVERLOADED", err)
		}
		if got, want := d.Load(), (limit.Load{Inside: 1, Waiting: 2, Slots: 1, Refused: 1}); got != want {
			t.Errorf("Load = %+v, want %+v", got, want)
		}
		d.Leave()
		if err := <-first; err != nil {
			t.Errorf("first in the queue = %v, want nil", err)
		}
		select {
		case err := <-second:
			t.Errorf("second in the queue got %v, want that it waits", err)
		default:
		}
		d.Leave()
		if err := <-second; err != nil {
			t.Errorf("second in the queue = %v, want nil", err)
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := door(t, limit.DoorConfig{Slots: 1, Queue: 5})
		enter(t, d)
		started := time.Now()
		if err := d.Enter(t.Context()); !fault.Is(err, fault.Overloaded) {
			t.Errorf("Enter = %v, want OVERLOADED", err)
		}
		if waited := time.Since(started); waited != limit.DefaultWait {
			t.Errorf("waited %s, want %s", waited, limit.DefaultWait)
		}
		if n := d.Load().Waiting; n != 0 {
			t.Errorf("%d wait after the refusal, want none", n)
		}
	})
}

func TestWaiterLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := door(t, limit.DoorConfig{Slots: 1, Queue: 5})
		enter(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := knock(ctx, d), knock(t.Context(), d)
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled waiter got %v, want context.Canceled", err)
		}
		if err := d.Enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Enter with a cancelled context = %v, want context.Canceled", err)
		}
		d.Leave()
		if err := <-stays; err != nil {
			t.Errorf("the next waiter got %v, want nil", err)
		}
		d.Leave()
		if got, want := d.Load(), (limit.Load{Slots: 1}); got != want {
			t.Errorf("Load = %+v, want %+v", got, want)
		}
	})
}

func TestResizeLetsInOrHoldsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := door(t, limit.DoorConfig{Slots: 1, Queue: 5})
		enter(t, d)
		first, second := knock(t.Context(), d), knock(t.Context(), d)
		if err := d.Resize(3); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(<-first, <-second); err != nil {
			t.Errorf("waiters got %v, want to enter through the wider door", err)
		}
		if err := d.Resize(1); err != nil {
			t.Fatal(err)
		}
		waits := knock(t.Context(), d)
		d.Leave()
		d.Leave()
		synctest.Wait()
		if got := d.Load(); got.Inside != 1 || got.Waiting != 1 {
			t.Errorf("Load = %+v, want 1 inside and 1 waiting", got)
		}
		d.Leave()
		if err := <-waits; err != nil {
			t.Errorf("waiter got %v, want nil", err)
		}
		if err := d.Resize(0); err == nil {
			t.Error("Resize(0) = nil, want an error")
		}
	})
}

func TestDoorNeverHoldsMoreThanItsSlots(t *testing.T) {
	t.Parallel()
	const slots, callers = 4, 32
	d := door(t, limit.DoorConfig{Slots: slots, Queue: callers, Wait: time.Minute})
	var inside atomic.Int64
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				if (c+n)%5 == 0 {
					go cancel()
				}
				if err := d.Enter(ctx); err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Errorf("Enter = %v, want nil or context.Canceled", err)
					}
				} else {
					if now := inside.Add(1); now > slots {
						t.Errorf("%d inside, want at most %d", now, slots)
					}
					inside.Add(-1)
					d.Leave()
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if got := d.Load(); got.Inside != 0 || got.Waiting != 0 {
		t.Errorf("Load = %+v at the end, want nobody", got)
	}
}

func TestDoorNeedsASlot(t *testing.T) {
	t.Parallel()
	for _, c := range []limit.DoorConfig{{}, {Slots: -1}, {Slots: 1, Queue: -1}, {Slots: 1, Wait: -1}} {
		if _, err := limit.NewDoor(c); err == nil {
			t.Errorf("NewDoor(%+v) = nil error, want an error", c)
		}
	}
}

func BenchmarkDoor(b *testing.B) {
	d, err := limit.NewDoor(limit.DoorConfig{Slots: 10})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := d.Enter(b.Context()); err != nil {
			b.Fatal(err)
		}
		d.Leave()
	}
}
