package job_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/embedded"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
)

func TestWorkIsFoundWithoutAnyMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := run(t, w.worker("a", answered(time.Millisecond), nil).Run)
		defer stop()
		time.Sleep(time.Minute) // It is idle.
		j, took := w.ends(w.submit(100, nil))
		if j.State != job.Completed || j.Progress.Completed != 100 || took > 2*time.Second {
			t.Errorf("got %s %+v after %s", j.State, j.Progress, took)
		}
		if told := w.Told(); len(told) != 1 {
			t.Errorf("got events %v, want one", told)
		}
	})
}

func TestAMessageIsAPermitForOneItem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, b := newWorld(t), embedded.New(embedded.Config{})
		stop := run(t, w.worker("a", answered(time.Second), func(c *job.WorkerConfig) { c.Broker, c.Slots = b, 2 }).Run, b.Run)
		defer stop()
		time.Sleep(10*time.Second + 123*time.Millisecond)
		begun := time.Now()
		id := w.submit(1, nil)
		announcer{t, b}.Announce(broker.Message{Queue: broker.Normal, ID: string(id)}, broker.Message{Queue: broker.Normal, ID: "of-nothing"})
		synctest.Wait()
		if s := w.item(id, 0).State; s != job.ItemLeased || time.Since(begun) != 0 {
			t.Errorf("the item is %s after %s, want it to be taken at once", s, time.Since(begun))
		}
		w.ends(id)
		for _, q := range broker.Queues() {
			if n, err := b.Depth(t.Context(), q); n != 0 || err != nil {
				t.Errorf("%s has %d messages, %v", q, n, err)
			}
		}
	})
}

func TestLongWorkKeepsItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var begun atomic.Int32
		do := answered(10 * lease)
		stop := run(t, w.worker("a", func(ctx context.Context, x *job.Work) ([]byte, error) { begun.Add(1); return do(ctx, x) }, nil).Run, w.reaper("r").Run)
		defer stop()
		if j, _ := w.ends(w.submit(8, nil)); j.State != job.Completed || begun.Load() != 8 {
			t.Errorf("got %s, with items begun %d times", j.State, begun.Load())
		}
	})
}

// TestALostLeaseStopsTheWork: the store is away for longer than the lease, and the work of that time is done again.
func TestALostLeaseStopsTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var begun atomic.Int32
		stopped := make(chan time.Duration, 1)
		do := func(ctx context.Context, _ *job.Work) ([]byte, error) {
			at := time.Now()
			if begun.Add(1) == 1 {
				<-ctx.Done()
				stopped <- time.Since(at)
				return nil, context.Cause(ctx)
			}
			return []byte(`{}`), nil
		}
		defer run(t, w.worker("a", do, nil).Run, w.reaper("r").Run)()
		id := w.submit(1, nil)
		time.Sleep(lease / 2)
		w.failing(func(call string) (bool, bool) { return call == "renew", false })
		if lived := <-stopped; lived < lease-lease/30 || lived > lease+lease/3+2*time.Second {
			t.Errorf("the work went on for %s, of which the lease was renewed within %s", lived, lease/2)
		}
		j, _ := w.ends(id)
		if item := w.item(id, 0); j.State != job.Completed || item.Attempt != 2 || len(item.Tries) != 1 || item.Tries[0].Code != job.LeaseLost {
			t.Errorf("got %s, %+v", j.State, item)
		}
	})
}

func TestCancellingStopsTheWorkAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var stopped atomic.Int32
		do := func(ctx context.Context, _ *job.Work) ([]byte, error) {
			<-ctx.Done()
			stopped.Add(1)
			return nil, context.Cause(ctx)
		}
		defer run(t, w.worker("a", do, nil).Run)()
		id, other := w.submit(4, nil), w.submit(4, nil)
		time.Sleep(3 * time.Second)
		s := job.NewService(job.Config{Store: w, Bell: w.bell})
		if j, err := s.Cancel(t.Context(), key.OfTeam("default"), id); err != nil || j.State != job.Cancelled {
			t.Fatal(j, err)
		}
		synctest.Wait()
		if n := stopped.Load(); n != 4 {
			t.Errorf("%d items were stopped, want the 4 of the job", n)
		}
		if _, err := s.Cancel(t.Context(), key.OfTeam("default"), id); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second time: %v", err)
		}
		if j := w.job(other); j.State != job.Processing {
			t.Errorf("the other job is %s", j.State)
		}
		if _, err := s.Cancel(t.Context(), key.OfTeam("default"), other); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAnEndIsWrittenWhenTheStoreIsBack: what was answered is not asked again because the store was away for a moment.
func TestAnEndIsWrittenWhenTheStoreIsBack(t *testing.T) {
	t.Parallel()
	for _, took := range []bool{false, true} {
		t.Run(fmt.Sprint("effect ", took), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var begun atomic.Int32
				back := time.Now().Add(10 * time.Second)
				w.failing(func(call string) (bool, bool) { return call == "finish" && time.Now().Before(back), took })
				do := func(context.Context, *job.Work) ([]byte, error) { begun.Add(1); return []byte(`{}`), nil }
				defer run(t, w.worker("a", do, nil).Run, w.reaper("r").Run)()
				if j, _ := w.ends(w.submit(5, nil)); j.State != job.Completed || begun.Load() != 5 {
					t.Errorf("got %s, with items begun %d times", j.State, begun.Load())
				}
			})
		})
	}
}

func TestWhatMayPassIsTriedAgainAndTheRestIsNot(t *testing.T) {
	t.Parallel()
	broke := fault.New(fault.BudgetExceeded, "the month's is spent")
	broke.RetryAfter = 20 * 24 * time.Hour
	for name, c := range map[string]struct {
		err   error
		tries int
	}{
		"provider": {fault.New(fault.ProviderError, "no"), 5},
		"overload": {fault.New(fault.Overloaded, "no"), 5},
		"timeout":  {fault.New(fault.Timeout, "no"), 5},
		"inside":   {fmt.Errorf("store: away"), 5},
		"invalid":  {fault.New(fault.ValidationFailed, "no"), 1},
		"revoked":  {fault.New(fault.Unauthorized, "no"), 1},
		"refused":  {fault.New(fault.ContentRefused, "no"), 1},
		"broke":    {broke, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				var begun atomic.Int32
				defer run(t, w.worker("a", func(context.Context, *job.Work) ([]byte, error) { begun.Add(1); return nil, c.err }, nil).Run)()
				id := w.submit(1, nil)
				j, took := w.ends(id)
				item := w.item(id, 0)
				if j.State != job.Failed || int(begun.Load()) != c.tries || item.Attempt != c.tries || len(item.Tries) != c.tries-1 {
					t.Errorf("got %s after %d tries, %+v, want %d", j.State, begun.Load(), item, c.tries)
				}
				if !strings.Contains(string(item.Result), `"code":"`+fault.Of(c.err).Code.String()+`"`) || !strings.Contains(string(item.Result), string(id)) {
					t.Errorf("the problem is %s", item.Result)
				}
				if c.tries > 1 && took < 5*time.Minute {
					t.Errorf("all was over after %s: an outage of some minutes is to be bridged", took)
				}
			})
		})
	}
}

// TestWhatALimitHoldsIsNoAttempt: the key's own limits say when, and an item that waits for them has not been tried.
func TestWhatALimitHoldsIsNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		free := time.Now().Add(10 * time.Minute)
		var asked atomic.Int32
		do := func(context.Context, *job.Work) ([]byte, error) {
			if asked.Add(1); time.Now().Before(free) {
				f := fault.New(fault.RateLimitExceeded, "tokens")
				f.RetryAfter = 20 * time.Second
				return nil, f
			}
			return []byte(`{}`), nil
		}
		defer run(t, w.worker("a", do, nil).Run)()
		id := w.submit(1, nil)
		j, _ := w.ends(id)
		if item := w.item(id, 0); j.State != job.Completed || item.Attempt != 1 || len(item.Tries) != 0 || asked.Load() > 31 {
			t.Errorf("got %s, asked %d times, %+v", j.State, asked.Load(), item)
		}
	})
}

func TestAPanicEndsAnItemAndNothingElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer run(t, w.worker("a", func(_ context.Context, x *job.Work) ([]byte, error) {
			if x.Item.N == 1 {
				panic("secret text")
			}
			return []byte(`{}`), nil
		}, nil).Run)()
		id := w.submit(3, nil)
		j, _ := w.ends(id)
		if item := w.item(id, 1); j.State != job.CompletedWithErrors || !strings.Contains(string(item.Result), "INTERNAL_ERROR") || strings.Contains(string(item.Result), "secret") {
			t.Errorf("got %s, %s", j.State, item.Result)
		}
	})
}

// TestTheEndOfAWorkerGivesBackWhatIsNotDone: what is done within the time to drain is written, the rest is as if nobody had taken it.
func TestTheEndOfAWorkerGivesBackWhatIsNotDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		do := func(ctx context.Context, x *job.Work) ([]byte, error) {
			return answered(time.Duration(1+20*(x.Item.N%2))*time.Second)(ctx, x)
		}
		stop := run(t, w.worker("a", do, func(c *job.WorkerConfig) { c.Drain = 5 * time.Second }).Run)
		id := w.submit(6, nil)
		time.Sleep(1500 * time.Millisecond) // All of them are under way, or done.
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > 6*time.Second {
			t.Errorf("the end took %s", took)
		}
		for n := range 6 {
			item, want := w.item(id, n), job.ItemCompleted
			if n%2 == 1 {
				want = job.ItemPending
			}
			if item.State != want || want == job.ItemPending && (item.Attempt != 0 || len(item.Tries) != 0) {
				t.Errorf("item %d: %+v, want %s", n, item, want)
			}
		}
		defer run(t, w.worker("b", answered(time.Second), nil).Run)()
		if j, _ := w.ends(id); j.State != job.Completed {
			t.Errorf("got %s", j.State)
		}
	})
}

// TestClassesGoFirstAndNothingStarves: with one slot the order in which items begin is that of the claims.
func TestClassesGoFirstAndNothingStarves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		began := &turns{}
		do := func(ctx context.Context, x *job.Work) ([]byte, error) {
			began.note(x.Job.Priority.String())
			return answered(time.Second)(ctx, x)
		}
		low, high := w.submit(10, func(j *job.Job) { j.Priority = job.Low }), w.submit(40, func(j *job.Job) { j.Priority = job.High })
		defer run(t, w.worker("a", do, func(c *job.WorkerConfig) { c.Slots = 1 }).Run)()
		w.ends(low)
		w.ends(high)
		order, lows := began.taken(), 0
		for _, p := range order[:40] {
			if p == "low" {
				lows++
			}
		}
		if lows < 4 || lows > 6 || !slices.Contains(order[:8], "low") {
			t.Errorf("of the first 40 items %d were of the lowest class, want one in eight: %v", lows, order)
		}
	})
}

// crowd lets so many items of a key be under way.
type crowd struct {
	mu     sync.Mutex
	places int
	inside map[key.ID]int
	asked  map[key.ID]int
	peak   int
}

func (c *crowd) do(ctx context.Context, x *job.Work) ([]byte, error) {
	k := x.Job.Key
	c.mu.Lock()
	c.asked[k]++
	if c.inside[k] >= c.places {
		c.mu.Unlock()
		return nil, fault.New(fault.RateLimitExceeded, "full").Because(pipeline.ErrCrowded)
	}
	c.inside[k]++
	c.peak = max(c.peak, c.inside[k])
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inside[k]--
	}()
	return answered(time.Second)(ctx, x)
}

// TestAKeyWithFewPlacesHoldsUpNobody: its items come back as fast as they end, and are not taken in vain again and again.
func TestAKeyWithFewPlacesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := &crowd{places: 2, inside: map[key.ID]int{}, asked: map[key.ID]int{}}
		narrow := w.submit(300, func(j *job.Job) { j.Key, j.Team = "narrow", "a" })
		stop := run(t, w.worker("a", c.do, nil).Run)
		time.Sleep(10 * time.Second)
		other := w.submit(4, func(j *job.Job) { j.Key, j.Team = "other", "b" })
		if _, took := w.ends(other); took > 10*time.Second {
			t.Errorf("the other team waited %s", took)
		}
		j, took := w.ends(narrow)
		stop()
		if j.State != job.Completed || took > 10*time.Minute || c.asked["narrow"] > 10*300 {
			t.Errorf("got %s after %s and %d tries", j.State, took, c.asked["narrow"])
		}
		t.Logf("300 items of one second at two places took %s and %d tries", took, c.asked["narrow"])
	})
}

// deferrer takes every item, and gives it back after a time or ends it.
type deferrer struct {
	w *world

	mu   sync.Mutex
	took map[job.Lease]bool
}

// Defer parks the first time.
func (d *deferrer) Defer(ctx context.Context, x *job.Work) (bool, error) {
	if len(x.Item.Tries) > 0 {
		return false, nil
	}
	_, err := d.w.Park(ctx, []job.Lease{x.Lease}, time.Hour)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took[x.Lease] = err == nil
	return err == nil, err
}

func TestWhatMayWaitIsHandedOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		d := &deferrer{w: w, took: map[job.Lease]bool{}}
		var done atomic.Int32
		stop := run(t, w.worker("a", func(context.Context, *job.Work) ([]byte, error) { done.Add(1); return []byte(`{}`), nil }, func(c *job.WorkerConfig) { c.Deferrer = d }).Run, w.reaper("r").Run)
		defer stop()
		soon, late := w.submit(3, nil), w.submit(2, func(j *job.Job) { j.Urgency = job.Whenever })
		w.ends(soon)
		time.Sleep(30 * time.Minute)
		d.mu.Lock()
		defer d.mu.Unlock()
		if item := w.item(late, 0); item.State != job.ItemWaiting || len(d.took) != 2 || done.Load() != 3 {
			t.Fatalf("got %+v, %d handed on and %d done", item, len(d.took), done.Load())
		}
		f := job.NewFinisher(job.FinisherConfig{Queue: w, Bell: w.bell})
		for lease := range d.took { // One ends by its other way, the other comes back.
			x := job.Finished{Lease: lease, State: job.ItemCompleted, Result: []byte(`{}`)}
			if lease.N == 1 {
				x = job.Finished{Lease: lease, State: job.ItemPending, Try: &job.Try{Code: "LLM_PROVIDER_ERROR"}}
			}
			if _, err := f.Finish(t.Context(), x); err != nil {
				t.Fatal(err)
			}
		}
		if j, _ := w.ends(late); j.State != job.Completed || done.Load() != 4 {
			t.Errorf("got %s, %d done by the worker", j.State, done.Load())
		}
	})
}
