package cache_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
)

type outcome struct {
	value     string
	coalesced bool
	err       error
}

// ask calls Do in a goroutine and gives the channel of its outcome.
func ask(ctx context.Context, g *cache.Group[string], k cache.Key, fn func(context.Context) (string, error)) <-chan outcome {
	out := make(chan outcome, 1) // One outcome, so that nobody waits for a reader.
	go func() {
		v, coalesced, err := g.Do(ctx, k, fn)
		out <- outcome{v, coalesced, err}
	}()
	synctest.Wait()
	return out
}

func check(t *testing.T, who string, got <-chan outcome, want outcome) {
	t.Helper()
	synctest.Wait()
	select {
	case o := <-got:
		if o.value != want.value || o.coalesced != want.coalesced || !errors.Is(o.err, want.err) {
			t.Errorf("%s got %+v, want %+v", who, o, want)
		}
	default:
		t.Errorf("%s still waits, want %+v", who, want)
	}
}

func slow(d time.Duration, v string, err error) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		select {
		case <-time.After(d):
			return v, err
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func never(context.Context) (string, error) { return "", errors.New("a second call was made") }

func TestIdenticalRequestsShareOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g cache.Group[string]
		k := build("a", field{"x", "1"})
		first := ask(t.Context(), &g, k, slow(time.Second, "v", nil))
		second := ask(t.Context(), &g, k, never)
		other := ask(t.Context(), &g, build("b", field{"x", "1"}), slow(time.Second, "of b", nil))
		if n := g.InFlight(); n != 2 {
			t.Errorf("%d calls in flight, want 2", n)
		}
		<-time.After(time.Second)
		check(t, "first", first, outcome{"v", false, nil})
		check(t, "second", second, outcome{"v", true, nil})
		check(t, "other team", other, outcome{"of b", false, nil})
		later := ask(t.Context(), &g, k, slow(0, "new", nil))
		<-time.After(time.Nanosecond)
		check(t, "later", later, outcome{"new", false, nil})
		if n := g.InFlight(); n != 0 {
			t.Errorf("%d calls in flight, want none", n)
		}
	})
}

func TestErrorIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g cache.Group[string]
		k, sad := build("a", field{"x", "1"}), errors.New("sad")
		first := ask(t.Context(), &g, k, slow(time.Second, "", sad))
		second := ask(t.Context(), &g, k, never)
		<-time.After(time.Second)
		check(t, "first", first, outcome{"", false, sad})
		check(t, "second", second, outcome{"", true, sad})
	})
}

func TestCallSurvivesItsFirstCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type name struct{}
		var g cache.Group[string]
		k := build("a", field{"x", "1"})
		ctx, leave := context.WithTimeout(context.WithValue(t.Context(), name{}, "trace"), 500*time.Millisecond)
		defer leave()
		first := ask(ctx, &g, k, func(ctx context.Context) (string, error) {
			if _, bounded := ctx.Deadline(); bounded {
				t.Error("the shared call has the deadline of its first caller")
			}
			if ctx.Value(name{}) != "trace" {
				t.Error("the shared call lost the values of its first caller's context")
			}
			return slow(time.Second, "v", nil)(ctx)
		})
		second := ask(t.Context(), &g, k, never)
		<-time.After(500 * time.Millisecond)
		check(t, "first", first, outcome{"", false, context.DeadlineExceeded})
		third := ask(t.Context(), &g, k, never)
		<-time.After(500 * time.Millisecond)
		check(t, "second", second, outcome{"v", true, nil})
		check(t, "third", third, outcome{"v", true, nil})
	})
}

func TestCallEndsWithItsLastWaiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g cache.Group[string]
		k := build("a", field{"x", "1"})
		ended := make(chan error, 1) // One call.
		one, leaveOne := context.WithCancel(t.Context())
		two, leaveTwo := context.WithCancel(t.Context())
		first := ask(one, &g, k, func(ctx context.Context) (string, error) {
			<-ctx.Done()
			<-time.After(time.Minute) // It takes its time to stop.
			ended <- ctx.Err()
			return "late", nil
		})
		second := ask(two, &g, k, never)
		leaveOne()
		check(t, "first", first, outcome{"", false, context.Canceled})
		if n := g.InFlight(); n != 1 {
			t.Errorf("%d calls in flight while one waiter is left, want 1", n)
		}
		leaveTwo()
		check(t, "second", second, outcome{"", true, context.Canceled})
		// The dying call is not joined.
		third := ask(t.Context(), &g, k, slow(0, "fresh", nil))
		<-time.After(time.Nanosecond)
		check(t, "third", third, outcome{"fresh", false, nil})
		<-time.After(time.Minute)
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the abandoned call's context ended with %v, want context.Canceled", err)
		}
		g.Close()
	})
}

func TestEndedContextStartsNoCall(t *testing.T) {
	t.Parallel()
	var g cache.Group[string]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := g.Do(ctx, build("a"), never); !errors.Is(err, context.Canceled) {
		t.Errorf("Do with a cancelled context = %v, want context.Canceled", err)
	}
}

func TestPanicBecomesAnErrorForAll(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(){
		"panic":  func() { panic("the caller's secret text") },
		"index":  func() { _ = []int{}[len(t.Name())] },
		"goexit": runtime.Goexit,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var g cache.Group[string]
				k := build("a", field{"x", "1"})
				first := ask(t.Context(), &g, k, func(context.Context) (string, error) {
					<-time.After(time.Second)
					end()
					return "v", nil
				})
				second := ask(t.Context(), &g, k, never)
				<-time.After(time.Second)
				for _, c := range []<-chan outcome{first, second} {
					o := <-c
					if !fault.Is(o.err, fault.Internal) || o.value != "" {
						t.Errorf("got %+v, want an INTERNAL_ERROR fault", o)
					}
					if strings.Contains(o.err.Error(), "secret") {
						t.Errorf("the error holds the value of the panic: %v", o.err)
					}
				}
				if n := g.InFlight(); n != 0 {
					t.Errorf("%d calls in flight after the panic, want none", n)
				}
			})
		})
	}
}

func TestCloseCancelsAndWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g cache.Group[string]
		var ended atomic.Bool
		waiter := ask(t.Context(), &g, build("a"), func(ctx context.Context) (string, error) {
			<-ctx.Done()
			<-time.After(time.Second)
			ended.Store(true)
			return "", ctx.Err()
		})
		g.Close()
		if !ended.Load() {
			t.Error("Close returned before the call did")
		}
		check(t, "waiter", waiter, outcome{"", false, context.Canceled})
		if _, _, err := g.Do(t.Context(), build("a"), never); !errors.Is(err, cache.ErrClosed) {
			t.Errorf("Do after Close = %v, want ErrClosed", err)
		}
	})
}

func TestManyCallersNeverSeeAnotherKeysValue(t *testing.T) {
	t.Parallel()
	var g cache.Group[string]
	var calls atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := range 300 {
				name := fmt.Sprint((w + n) % 5)
				ctx, cancel := context.WithCancel(t.Context())
				if (w+n)%7 == 0 {
					go cancel()
				}
				v, _, err := g.Do(ctx, build("a", field{"x", name}), func(ctx context.Context) (string, error) {
					calls.Add(1)
					runtime.Gosched()
					return name, ctx.Err()
				})
				if err == nil && v != name || err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("Do(%s) = %q, %v", name, v, err)
				}
				if err != nil && ctx.Err() == nil {
					t.Errorf("Do(%s) = %v for a caller who had not gone away", name, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	g.Close()
	if n := g.InFlight(); n != 0 {
		t.Errorf("%d calls in flight at the end, want none", n)
	}
}

func BenchmarkGroup(b *testing.B) {
	var g cache.Group[string]
	k := build("a")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := g.Do(b.Context(), k, func(context.Context) (string, error) { return "", nil }); err != nil {
			b.Fatal(err)
		}
	}
}
