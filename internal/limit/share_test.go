package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/limit/limittest"
	"github.com/promptd/promptd/internal/limit/memory"
)

// errGone is what a ledger says that is away.
var errGone = errors.New("the ledger is away")

// cuttable is a ledger that can be cut off. Answers are lost for good where lose says so: what was asked is done all the same.
type cuttable struct {
	*memory.Limiter
	cut  atomic.Bool
	lose func() bool
}

func newCuttable(now func() time.Time) *cuttable {
	return &cuttable{Limiter: memory.New(memory.Config{Clock: now}), lose: func() bool { return false }}
}

func (c *cuttable) gone(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.cut.Load() || c.lose() {
		return errGone
	}
	return nil
}

func (c *cuttable) Allow(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := c.gone(ctx); err != nil {
		return limit.Decision{}, err
	}
	return c.Limiter.Allow(ctx, key, cost, p)
}

func (c *cuttable) Count(ctx context.Context, key string, cost int, p limit.Policy) error {
	if err := c.gone(ctx); err != nil {
		return err
	}
	return c.Limiter.Count(ctx, key, cost, p)
}

func (c *cuttable) Reserve(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := c.gone(ctx); err != nil {
		return limit.Decision{}, err
	}
	return c.Limiter.Reserve(ctx, key, cost, p)
}

func (c *cuttable) Settle(ctx context.Context, key string, reserved, used int, p limit.Policy) error {
	if err := c.gone(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return c.Limiter.Settle(ctx, key, reserved, used, p)
}

func (c *cuttable) Enter(ctx context.Context, key string, most int) (limit.Decision, error) {
	if err := c.gone(ctx); err != nil {
		return limit.Decision{}, err
	}
	return c.Limiter.Enter(ctx, key, most)
}

func (c *cuttable) Leave(ctx context.Context, key string) error {
	if err := c.gone(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return c.Limiter.Leave(ctx, key)
}

func (c *cuttable) Inside(ctx context.Context, key string) (int, error) {
	if err := c.gone(ctx); err != nil {
		return 0, err
	}
	return c.Limiter.Inside(ctx, key)
}

// replicas are processes that share one ledger.
type replicas struct {
	clock  *limittest.Clock
	ledger *cuttable
	each   []*limit.Shared
}

func newReplicas(n int) *replicas {
	r := &replicas{clock: limittest.NewClock()}
	r.ledger = newCuttable(r.clock.Now)
	for range n {
		r.each = append(r.each, limit.NewShared(limit.ShareConfig{Ledger: r.ledger, Members: func() int { return n }, Now: r.clock.Now}))
	}
	return r
}

func (r *replicas) cut(t *testing.T) {
	t.Helper()
	r.ledger.cut.Store(true)
}

// mend lets the ledger answer again, and waits until it is asked again.
func (r *replicas) mend() {
	r.ledger.cut.Store(false)
	r.clock.Advance(time.Second)
}

func (r *replicas) allow(t interface {
	Helper()
	Fatal(...any)
}, i int, key string, cost int, p limit.Policy,
) limit.Decision {
	t.Helper()
	d, err := r.each[i].Allow(context.Background(), key, cost, p)
	if err != nil {
		t.Fatal("an outage must be nobody's error: ", err)
	}
	return d
}

func TestSharedKeepsTheContractWithItsLedger(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(_ testing.TB, _ string, now func() time.Time) limit.Limiter {
		return limit.NewShared(limit.ShareConfig{Ledger: newCuttable(now), Now: now})
	})
}

func TestSharedKeepsTheContractAlone(t *testing.T) {
	t.Parallel()
	limittest.Run(t, func(_ testing.TB, _ string, now func() time.Time) limit.Limiter {
		ledger := newCuttable(now)
		ledger.cut.Store(true)
		return limit.NewShared(limit.ShareConfig{Ledger: ledger, Now: now})
	})
}

func TestEachReplicaHasItsShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ limit, members, want int }{
		{100, 4, 100},
		{100, 3, 99},
		{7, 4, 4},
		{4, 4, 4},
		{1, 1, 1},
		{2, 4, 4}, // One each, or some would have none; they come back half as fast.
	} {
		r := newReplicas(c.members)
		r.cut(t)
		p := limit.PerHour(c.limit)
		admitted := 0
		for i := range r.each {
			for r.allow(t, i, "k", 1, p).Allowed {
				admitted++
			}
		}
		if admitted != c.want {
			t.Errorf("a limit of %d among %d: %d were admitted, want %d", c.limit, c.members, admitted, c.want)
		}
		r.clock.Advance(time.Hour)
		again := 0
		for i := range r.each {
			for r.allow(t, i, "k", 1, p).Allowed {
				again++
			}
		}
		if want := min(c.want, c.limit); again > want {
			t.Errorf("a limit of %d among %d: %d were admitted in the next hour, want at most %d", c.limit, c.members, again, want)
		}
	}
}

func TestAnOutageMakesNothingWhole(t *testing.T) {
	t.Parallel()
	r := newReplicas(4)
	p := limit.PerHour(100)
	for range 60 {
		r.allow(t, 0, "k", 1, p)
	}
	for i := range r.each {
		r.allow(t, i, "k", 0, p) // Everybody knows what is left.
	}
	r.cut(t)
	admitted := 0
	for i := range r.each {
		for r.allow(t, i, "k", 1, p).Allowed {
			admitted++
		}
	}
	if admitted != 40 {
		t.Errorf("%d were admitted in the outage, want the 40 that were left", admitted)
	}
	if d := r.allow(t, 1, "k", 1, p); d.Limit != 100 || d.RetryAfter <= 0 {
		t.Errorf("a refusal says %+v, want the caller's own limit and a time to come back", d)
	}
	r.mend()
	for i := range r.each {
		r.allow(t, i, "k", 0, p) // Everybody is back.
	}
	for i := range r.each {
		if d := r.allow(t, i, "k", 1, p); d.Allowed {
			t.Errorf("process %d: %+v, want that the ledger has heard of the others' admissions", i, d)
		}
	}
	if f := r.each[0].Figures(); f.Keys != 0 || f.Decisions == 0 {
		t.Errorf("figures %+v, want decisions that were made here, and no key by now", f)
	}
	r.clock.Advance(time.Hour)
	if d := r.allow(t, 2, "k", 100, p); !d.Allowed {
		t.Errorf("an hour later: %+v, want the whole limit", d)
	}
}

func TestTheLedgerIsToldThoughNobodyAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := newCuttable(time.Now)
		s := limit.NewShared(limit.ShareConfig{Ledger: ledger, Members: func() int { return 2 }})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		ledger.cut.Store(true)
		p := limit.PerHour(100)
		if d, err := s.Allow(ctx, "requests", 30, p); err != nil || !d.Allowed {
			t.Fatal(d, err)
		}
		if d, err := s.Reserve(ctx, "tokens", 30, p); err != nil || !d.Allowed {
			t.Fatal(d, err)
		}
		if err := s.Settle(ctx, "tokens", 30, 20, p); err != nil {
			t.Fatal(err)
		}
		if d, err := s.Enter(ctx, "places", 4); err != nil || !d.Allowed {
			t.Fatal(d, err)
		}
		<-time.After(time.Minute)
		ledger.cut.Store(false)
		<-time.After(3 * time.Second)
		synctest.Wait()
		if f := s.Figures(); f.Keys != 0 {
			t.Errorf("%d keys are still counted here", f.Keys)
		}
		if d, err := ledger.Limiter.Allow(ctx, "requests", 0, p); err != nil || d.Remaining < 70 || d.Remaining > 72 {
			t.Errorf("the ledger says %+v, %v, want that 30 were admitted", d, err)
		}
		if d, err := ledger.Limiter.Reserve(ctx, "tokens", 0, p); err != nil || d.Remaining < 80 || d.Remaining > 82 {
			t.Errorf("the ledger says %+v, %v, want that 20 were used", d, err)
		}
		if n, err := ledger.Limiter.Inside(ctx, "places"); n != 1 || err != nil {
			t.Errorf("the ledger counts %d inside, %v, want the one that entered without it", n, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func TestTroubleWithTheLedgerIsToldNowAndThen(t *testing.T) {
	t.Parallel()
	clock := limittest.NewClock()
	ledger := newCuttable(clock.Now)
	ledger.cut.Store(true)
	var told []error
	s := limit.NewShared(limit.ShareConfig{Ledger: ledger, Now: clock.Now, OnError: func(err error) { told = append(told, err) }})
	for range 25 { // 25 seconds.
		if _, err := s.Allow(t.Context(), "k", 1, limit.PerHour(10)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Enter(t.Context(), "k", 10); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Second)
	}
	if len(told) != 3 || !errors.Is(told[0], errGone) {
		t.Errorf("told %v, want the ledger's error three times in 25 s", told)
	}
}

func TestABatchAboveTheShareIsPaidBack(t *testing.T) {
	t.Parallel()
	r := newReplicas(4)
	r.cut(t)
	p := limit.PerHour(100)
	if d := r.allow(t, 0, "k", 80, p); !d.Allowed || d.Remaining != 0 {
		t.Fatalf("a batch of 80 with a share of 25: %+v, want it admitted and nothing left", d)
	}
	r.clock.Advance(2*time.Hour + 14*time.Minute) // 55 above the share come back at 25 an hour, and one more after 2 h 14 min 24 s.
	if d := r.allow(t, 0, "k", 1, p); d.Allowed {
		t.Errorf("%+v before it is paid back, want a refusal", d)
	}
	r.clock.Advance(time.Minute)
	if d := r.allow(t, 0, "k", 1, p); !d.Allowed {
		t.Errorf("%+v when it is paid back, want it admitted", d)
	}
	if _, err := r.each[0].Allow(t.Context(), "k", 101, p); !errors.Is(err, limit.ErrCost) {
		t.Errorf("a batch above the limit: %v, want ErrCost", err)
	}
}

func TestReservationsOutliveAnOutage(t *testing.T) {
	t.Parallel()
	r := newReplicas(2)
	p := limit.PerMinute(100)
	s := r.each[0]
	hold := func(cost int) {
		t.Helper()
		if d, err := s.Reserve(t.Context(), "k", cost, p); err != nil || !d.Allowed {
			t.Fatalf("Reserve(%d) = %+v, %v", cost, d, err)
		}
	}
	settle := func(reserved, used int) {
		t.Helper()
		if err := s.Settle(t.Context(), "k", reserved, used, p); err != nil {
			t.Fatalf("Settle(%d, %d) = %v", reserved, used, err)
		}
	}
	hold(20)
	hold(10)
	r.cut(t)
	settle(10, 10) // The ledger hears of it when it is back, and the reservation there lapses.
	hold(10)
	hold(5)
	settle(5, 4)
	r.mend()
	settle(10, 10) // Held while the ledger was away.
	settle(20, 20)
	if _, err := s.Reserve(t.Context(), "k", 0, p); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Limiter.Settle(t.Context(), "k", 10, 0, p); err != nil { // As if it had lapsed.
		t.Fatal(err)
	}
	d, err := r.ledger.Limiter.Reserve(t.Context(), "k", 0, p)
	// 10 + 4 + 10 + 20 were used, of which some have come back within the second of the return.
	if err != nil || d.Remaining < 56 || d.Remaining > 56+2 {
		t.Errorf("the ledger says %+v, %v, want that 44 were used", d, err)
	}
}

func TestPlacesOutliveAnOutage(t *testing.T) {
	t.Parallel()
	r := newReplicas(4)
	enter := func(i int) bool {
		t.Helper()
		d, err := r.each[i].Enter(t.Context(), "k", 8)
		if err != nil || d.Limit != 8 {
			t.Fatalf("Enter = %+v, %v", d, err)
		}
		return d.Allowed
	}
	inside := func(i, want int) {
		t.Helper()
		if n, err := r.each[i].Inside(t.Context(), "k"); n != want || err != nil {
			t.Errorf("Inside of process %d = %d, %v, want %d", i, n, err, want)
		}
	}
	for range 3 {
		enter(0)
	}
	r.cut(t)
	if enter(0) {
		t.Error("three are inside through a process whose share is two, and one more was let in")
	}
	for n, want := range []bool{true, true, false} {
		if got := enter(1); got != want {
			t.Errorf("Enter %d of a process whose share is two = %t, want %t", n+1, got, want)
		}
	}
	inside(1, 2)
	if err := r.each[0].Leave(t.Context(), "k"); err != nil { // In the ledger the place lapses.
		t.Error(err)
	}
	r.mend()
	if !enter(1) {
		t.Error("a place that is free was refused")
	}
	inside(2, 6) // Two, one that has not lapsed yet, and three.
	for i, n := range []int{2, 3} {
		for range n {
			if err := r.each[i].Leave(t.Context(), "k"); err != nil {
				t.Error(err)
			}
		}
		if err := r.each[i].Leave(t.Context(), "k"); err == nil {
			t.Error("Leave without Enter = nil, want an error")
		}
	}
	inside(0, 1)
}

// TestNoMoreIsAdmittedOverOutages is the bound over random outages, where each process knows how things stood when the ledger went, and has told it what it admitted
// before others ask for more.
func TestNoMoreIsAdmittedOverOutages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.IntRange(1, 5).Draw(t, "members")
		p := limit.Policy{Limit: rapid.IntRange(members, 1000).Draw(t, "limit"), Period: time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "period"))}
		r := newReplicas(members)
		begun := r.clock.Now()
		admitted := 0
		everybody := func() {
			for i := range r.each {
				r.allow(t, i, "k", 0, p)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				i, n := rapid.IntRange(0, members-1).Draw(t, "process"), rapid.IntRange(1, p.Limit/members).Draw(t, "cost")
				if r.allow(t, i, "k", n, p).Allowed {
					admitted += n
				}
			},
			"wait": func(t *rapid.T) {
				r.clock.Advance(time.Duration(rapid.Int64Range(0, int64(p.Period)/4).Draw(t, "for")))
			},
			"outage": func(*rapid.T) {
				if !r.ledger.cut.Load() {
					everybody()
					r.ledger.cut.Store(true)
				}
			},
			"return": func(*rapid.T) {
				if r.ledger.cut.Load() {
					r.mend()
					everybody()
				}
			},
			"": func(t *rapid.T) {
				// Rounding to whole nanoseconds may cost one in each change, never give one.
				if bound := int64(p.Limit) + int64(float64(r.clock.Now().Sub(begun))*float64(p.Limit)/float64(p.Period)); int64(admitted) > bound {
					t.Fatalf("%d admitted, want at most burst + elapsed × rate = %d", admitted, bound)
				}
			},
		})
	})
}

// reserved is a reservation under way through a process.
type reserved struct {
	process, cost int
	alone         bool
}

// TestNoMoreIsUsedOverOutages is the same for costs that are known afterwards alone, where what was reserved during an outage has ended before the ledger is back. No
// stretch of time may have more than burst + elapsed × rate.
func TestNoMoreIsUsedOverOutages(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.IntRange(1, 4).Draw(t, "members")
		p := limit.Policy{Limit: rapid.IntRange(members, 200).Draw(t, "limit"), Period: time.Duration(rapid.Int64Range(int64(time.Second), int64(time.Hour)).Draw(t, "period"))}
		r := newReplicas(members)
		type use struct {
			at time.Time
			n  int
		}
		var open []reserved
		var uses []use
		ctx := context.Background()
		reserve := func(i, n int) bool {
			d, err := r.each[i].Reserve(ctx, "k", n, p)
			if err != nil {
				t.Fatal(err)
			}
			return d.Allowed && n > 0
		}
		settle := func(i int) {
			one := open[i]
			open = append(open[:i], open[i+1:]...)
			n := rapid.IntRange(0, one.cost).Draw(t, "used")
			if err := r.each[one.process].Settle(ctx, "k", one.cost, n, p); err != nil {
				t.Fatal(err)
			}
			uses = append(uses, use{r.clock.Now(), n})
		}
		everybody := func() {
			for i := range r.each {
				reserve(i, 0)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"reserve": func(t *rapid.T) {
				i, n := rapid.IntRange(0, members-1).Draw(t, "process"), rapid.IntRange(1, p.Limit/members).Draw(t, "cost")
				if reserve(i, n) {
					open = append(open, reserved{i, n, r.ledger.cut.Load()})
				}
			},
			"settle": func(t *rapid.T) {
				if len(open) > 0 {
					settle(rapid.IntRange(0, len(open)-1).Draw(t, "which"))
				}
			},
			"wait": func(t *rapid.T) {
				r.clock.Advance(time.Duration(rapid.Int64Range(0, int64(p.Period)/2).Draw(t, "for")))
			},
			"outage": func(*rapid.T) {
				if !r.ledger.cut.Load() {
					everybody()
					r.ledger.cut.Store(true)
				}
			},
			"return": func(*rapid.T) {
				if !r.ledger.cut.Load() {
					return
				}
				for i := len(open) - 1; i >= 0; i-- {
					if open[i].alone {
						settle(i)
					}
				}
				r.mend()
				everybody()
			},
			"": func(t *rapid.T) {
				sum := 0
				for i := len(uses) - 1; i >= 0; i-- {
					sum += uses[i].n
					elapsed := r.clock.Now().Sub(uses[i].at)
					if bound := float64(p.Limit) + float64(elapsed)*float64(p.Limit)/float64(p.Period); float64(sum) > bound+1e-6 {
						t.Fatalf("%d used in %s under %+v, want at most %f", sum, elapsed, p, bound)
					}
				}
			},
		})
	})
}

// TestManyCallersOverOutages lets the ledger lose answers at random, as at the moments when a server goes and comes: nobody gets an error, and everything that was held
// is given back at the end.
func TestManyCallersOverOutages(t *testing.T) {
	t.Parallel()
	ledger := newCuttable(time.Now)
	ledger.lose = func() bool { return rand.IntN(20) == 0 } //nolint:gosec // Chance is all that is wanted.
	s := limit.NewShared(limit.ShareConfig{Ledger: ledger, Members: func() int { return 2 }})
	p := limit.PerMinute(100_000)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 200 {
				if _, err := s.Allow(t.Context(), "requests", 1, p); err != nil {
					t.Error(err)
				}
				if d, err := s.Reserve(t.Context(), "tokens", 10, p); err != nil {
					t.Error(err)
				} else if d.Allowed {
					if err := s.Settle(t.Context(), "tokens", 10, 3, p); err != nil {
						t.Error(err)
					}
				}
				if d, err := s.Enter(t.Context(), "places", 40); err != nil {
					t.Error(err)
				} else if d.Allowed {
					if err := s.Leave(t.Context(), "places"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := s.Leave(t.Context(), "places"); err == nil {
		t.Error("somebody is still inside at the end")
	}
}
