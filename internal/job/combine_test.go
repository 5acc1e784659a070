package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/job"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// visit is one who comes to a combiner in a drawn history.
type visit struct {
	comes, leaves int // in milliseconds; leaves 0 means that it stays
	weight        int
}

// combined runs a history in its own time, and says what was wrong.
func combined(t *testing.T, most int, visits []visit, took, fails []int) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
		var calls [][]int
		inside := 0
		weigh := func(n int) int { return visits[n].weight }
		c := job.NewCombiner(job.CombinerConfig[int]{Most: most, Weigh: weigh, Timeout: time.Hour}, func(ctx context.Context, in []int) ([]string, error) {
			mu.Lock()
			inside++
			if inside > 1 {
				wrong = append(wrong, "two calls at the same time")
			}
			n := len(calls)
			calls = append(calls, slices.Clone(in))
			mu.Unlock()
			time.Sleep(time.Duration(took[n%len(took)]) * time.Millisecond)
			mu.Lock()
			inside--
			mu.Unlock()
			if ctx.Err() != nil {
				note("call %d was cancelled", n)
			}
			if slices.Contains(fails, n) {
				return nil, errCall
			}
			out := make([]string, len(in))
			for i := range in {
				out[i] = fmt.Sprint("done ", in[i])
			}
			return out, nil
		})
		var all sync.WaitGroup
		for n, v := range visits {
			all.Go(func() {
				time.Sleep(time.Duration(v.comes) * time.Millisecond)
				ctx := t.Context()
				if v.leaves > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, time.Duration(v.leaves)*time.Millisecond)
					defer cancel()
				}
				out, err := c.Do(ctx, n)
				switch {
				case err == nil && out != fmt.Sprint("done ", n):
					note("visit %d got %q", n, out)
				case err == nil || errors.Is(err, errCall):
				case v.leaves == 0:
					note("visit %d, which stayed, got %v", n, err)
				case !errors.Is(err, context.DeadlineExceeded):
					note("visit %d got %v", n, err)
				}
			})
		}
		all.Wait()
		wrong = append(wrong, badCalls(calls, visits, most)...)
		// The combiner is as it was: another goes at once.
		begun := time.Now()
		if _, err := c.Do(t.Context(), 0); err != nil && !errors.Is(err, errCall) {
			note("afterwards: %v", err)
		}
		if waited := time.Since(begun); waited > 100*time.Millisecond {
			note("afterwards one waited %s", waited)
		}
	})
	return wrong
}

var errCall = errors.New("the call failed")

// badCalls says what no history may show: a part done twice, one of who stayed not done, more weight than allowed.
func badCalls(calls [][]int, visits []visit, most int) (wrong []string) {
	seen := map[int]int{}
	for _, in := range calls {
		weight := 0
		for _, n := range in {
			seen[n]++
			weight += visits[n].weight
		}
		if weight > most && len(in) > 1 {
			wrong = append(wrong, fmt.Sprintf("a call weighs %d", weight))
		}
	}
	for n, v := range visits {
		if seen[n] > 1 || seen[n] == 0 && v.leaves == 0 {
			wrong = append(wrong, fmt.Sprintf("part %d was done %d times", n, seen[n]))
		}
	}
	return wrong
}

func TestWhatIsCombinedIsDoneOnceAndNobodyHarmsOthers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		draw := rapid.Custom(func(rt *rapid.T) visit {
			v := visit{comes: rapid.IntRange(0, 30).Draw(rt, "comes"), weight: rapid.IntRange(1, 5).Draw(rt, "weight")}
			if rapid.IntRange(0, 2).Draw(rt, "patience") == 0 {
				v.leaves = rapid.IntRange(1, 20).Draw(rt, "leaves")
			}
			return v
		})
		visits := rapid.SliceOfN(draw, 1, 40).Draw(rt, "visits")
		took := rapid.SliceOfN(rapid.IntRange(0, 10), 1, 5).Draw(rt, "took")
		fails := rapid.SliceOfN(rapid.IntRange(0, 20), 0, 3).Draw(rt, "fails")
		if wrong := combined(t, rapid.IntRange(1, 8).Draw(rt, "most"), visits, took, fails); len(wrong) > 0 {
			rt.Fatalf("%v\nvisits %+v", wrong, visits)
		}
	})
}

func TestTheFirstGoesAtOnceAndTheOthersTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		c := job.NewCombiner(job.CombinerConfig[int]{Most: 64, Timeout: time.Hour}, func(_ context.Context, in []int) ([]int, error) {
			calls = append(calls, len(in))
			time.Sleep(10 * time.Millisecond)
			return in, nil
		})
		begun := time.Now()
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				if out, err := c.Do(t.Context(), n); err != nil || out != n {
					t.Errorf("got %d, %v, want %d", out, err, n)
				}
			})
		}
		all.Wait()
		if want := []int{1, 49}; !slices.Equal(calls, want) || time.Since(begun) != 20*time.Millisecond {
			t.Errorf("got calls of %v in %s, want %v in two turns", calls, time.Since(begun), want)
		}
	})
}

func TestACallWaitsForCompanyOnlyWhereTheLastHadSome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		c := job.NewCombiner(job.CombinerConfig[int]{Most: 64, Gather: 5 * time.Millisecond, Timeout: time.Hour}, func(_ context.Context, in []int) ([]int, error) {
			calls = append(calls, len(in))
			time.Sleep(10 * time.Millisecond)
			return in, nil
		})
		// together has parts come at the same time, each so many milliseconds after the one before, and gives how long all of them took.
		together := func(n int, apart time.Duration) time.Duration {
			begun := time.Now()
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() {
					time.Sleep(time.Duration(i) * apart)
					if _, err := c.Do(t.Context(), i); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			return time.Since(begun)
		}
		for _, step := range []struct {
			n           int
			apart, want time.Duration
		}{
			{1, 0, 10 * time.Millisecond},                // Alone: at once.
			{3, 0, 20 * time.Millisecond},                // One at once; two behind it, whose call had one before it.
			{2, time.Millisecond, 15 * time.Millisecond}, // The last call had company: this one waits, and gets it.
			{1, 0, 15 * time.Millisecond},                // It waits in vain,
			{1, 0, 10 * time.Millisecond},                // and then nobody does.
		} {
			if took := together(step.n, step.apart); took != step.want {
				t.Errorf("%d parts took %s, want %s", step.n, took, step.want)
			}
		}
		if want := []int{1, 1, 2, 2, 1, 1}; !slices.Equal(calls, want) {
			t.Errorf("got calls of %v, want %v", calls, want)
		}
	})
}

func TestAPanicOfACombinedCallReachesItsLeaderAndNobodyHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := true
		c := job.NewCombiner(job.CombinerConfig[int]{Most: 64, Timeout: time.Hour}, func(_ context.Context, in []int) ([]int, error) {
			time.Sleep(time.Millisecond)
			if broken && len(in) > 1 {
				broken = false
				panic("broken")
			}
			return in, nil
		})
		var all sync.WaitGroup
		var mu sync.Mutex
		panicked, failed := 0, 0
		for n := range 10 {
			all.Go(func() {
				defer func() {
					if recover() != nil {
						mu.Lock()
						panicked++
						mu.Unlock()
					}
				}()
				if _, err := c.Do(t.Context(), n); err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
				}
			})
			if n == 0 {
				synctest.Wait() // It has gone before the others come.
			}
		}
		all.Wait()
		if panicked != 1 || failed != 8 {
			t.Errorf("%d panicked and %d failed, want 1 and 8: the first went alone", panicked, failed)
		}
	})
}

// Parts that come shortly after each other, never at the very same time, wait for company once many have done so; the few of one job do not.
func TestABriskSuccessionGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const gather, brisk = 3 * time.Millisecond, 5 * time.Millisecond
		c := job.NewCombiner(job.CombinerConfig[int]{Most: 64, Gather: gather, Brisk: brisk, Timeout: time.Hour}, func(_ context.Context, in []int) ([]int, error) { return in, nil })
		waits := func() time.Duration {
			begun := time.Now()
			if _, err := c.Do(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			return time.Since(begun)
		}
		for n := range 5 {
			if took := waits(); took != 0 {
				t.Errorf("part %d waited for %v, want none to wait yet", n, took)
			}
			time.Sleep(time.Millisecond)
		}
		for range 2 {
			waits()
		}
		if took := waits(); took != gather {
			t.Errorf("in a brisk succession a part waited for %v, want %v", took, gather)
		}
		time.Sleep(2 * brisk)
		if took := waits(); took != 0 {
			t.Errorf("after a pause a part waited for %v, want none", took)
		}
	})
}
