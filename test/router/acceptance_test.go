package router

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// many is how many requests a run has.
const many = 20_000

// arrive sends n requests that come by chance at a rate per second, and gives what came of them.
func (w *world) arrive(n int, rate float64, seed uint64, options string) []done {
	chance := rand.New(rand.NewPCG(seed, 2))
	out := make([]done, n)
	var all sync.WaitGroup
	for i := range n {
		time.Sleep(time.Duration(chance.ExpFloat64() / rate * float64(time.Second)))
		all.Go(func() { out[i] = w.ask(i, options) })
	}
	all.Wait()
	return out
}

// TestThreeFlakyServicesAreOneReliableOne: three services that fail one call in ten by themselves, one of them away for a minute in the middle.
func TestThreeFlakyServicesAreOneReliableOne(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]moment{"hangs": {dead: true}, "refuses": {refused: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				away.from, away.to = 100*time.Second, 250*time.Second
				var accounts []account
				for _, n := range []string{"one", "two", "three"} {
					accounts = append(accounts, account{service: &service{name: n, median: 800 * time.Millisecond, spread: 0.5, fails: 0.1, tokens: 10}, concurrency: 64})
				}
				accounts[1].service.moments = []moment{away}
				w := newWorld(t, "least-busy", 7, accounts...)
				defer w.Close()
				all := w.arrive(many, 50, 7, "")
				ok, calls := passed(all)
				share := float64(ok) / many
				t.Logf("%s: %d of %d passed: %.4f %%, %.3f calls a request", name, ok, many, 100*share, float64(calls)/many)
				report(t, all)
				if share < 0.9995 {
					t.Errorf("%.4f %% passed, want at least 99.95 %%", 100*share)
				}
				mean, most, touched, of := lost(all, "two", opened(all, "two", away), away.to)
				t.Logf("%s: after its breaker opened the dead service cost %.3f ms a request on average (%v at most, %d of %d requests)", name, mean, most, touched, of)
				if mean >= 5 || of < 1000 {
					t.Errorf("the dead service cost %.3f ms a request over %d requests, want below 5", mean, of)
				}
			})
		})
	}
}

// report shows some requests that failed.
func report(t *testing.T, all []done) {
	t.Helper()
	const few = 5
	shown := 0
	for i := range all {
		if all[i].err == nil || shown == few {
			continue
		}
		shown++
		var story []string
		for _, a := range all[i].attempts {
			story = append(story, fmt.Sprintf("%s %s %v (%s)", a.Provider, a.Outcome, a.Total.Round(time.Millisecond), a.Reason))
		}
		t.Logf("request %d at %v after %v: %v: %s", i, all[i].at.Round(time.Millisecond), all[i].took.Round(time.Millisecond), all[i].err, strings.Join(story, "; "))
	}
}

// opened is when the breaker of a service that was away had opened: the first time at which requests were kept from it because of that.
func opened(all []done, name string, away moment) time.Duration {
	first := time.Duration(math.MaxInt64)
	for i := range all {
		for _, a := range all[i].attempts {
			for _, s := range a.Skipped {
				if s.Candidate == name+"/m" && all[i].at >= away.from {
					first = min(first, all[i].at)
				}
			}
		}
	}
	return first
}

// lost is what attempts at a dead service took of the requests that came in a time, in milliseconds on average.
func lost(all []done, name string, from, to time.Duration) (mean float64, most time.Duration, touched, of int) {
	var sum time.Duration
	for i := range all {
		if all[i].at < from || all[i].at >= to {
			continue
		}
		of++
		for _, a := range all[i].attempts {
			if a.Provider == name {
				sum += a.Total
				most = max(most, a.Total)
				touched++
			}
		}
	}
	return float64(sum) / float64(time.Millisecond) / float64(max(1, of)), most, touched, of
}

// TestADeadServiceIsLeftAlone: one of two is dead from the beginning, the other has no fault.
func TestADeadServiceIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]moment{"hangs": {dead: true, to: time.Hour}, "refuses": {refused: true, to: time.Hour}} {
		for _, rate := range []float64{1, 100} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					n := many
					if rate == 1 {
						n = 2000
					}
					dead := &service{name: "dead", median: time.Second, tokens: 10, moments: []moment{away}}
					good := &service{name: "good", median: time.Second, spread: 0.3, tokens: 10}
					w := newWorld(t, "least-busy", 3, account{service: dead, concurrency: 256}, account{service: good, concurrency: 256})
					defer w.Close()
					all := w.arrive(n, rate, 3, "")
					ok, calls := passed(all)
					toDead := float64(dead.calls.Load()) / float64(n)
					t.Logf("%s at %.0f/s: %d of %d passed, %.3f %% of requests called the dead one, %.4f calls a request", name, rate, ok, n, 100*toDead, float64(calls)/float64(n))
					if ok < n || float64(calls)/float64(n) > 1.1 || rate > 1 && toDead > 0.01 {
						t.Errorf("want all passed, at most 1 %% and 1.1 calls a request")
					}
				})
			})
		}
	}
}

// TestLeastBusySplitsByCapacity: services that take 8, 16 and 32 calls at once, asked by more callers than they take together.
func TestLeastBusySplitsByCapacity(t *testing.T) {
	t.Parallel()
	for _, load := range []float64{0.25, 0.5, 1, 1.5} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const takes = 500 * time.Millisecond
				var accounts []account
				for i, n := range []string{"small", "middle", "large"} {
					accounts = append(accounts, account{service: &service{name: n, median: takes, spread: 0.2, tokens: 10, capacity: 8 << i}, concurrency: 8 << i})
				}
				w := newWorld(t, "least-busy", 11, accounts...)
				defer w.Close()
				all := w.busy(many, int(load*56), "")
				ok, _ := passed(all)
				total := time.Since(w.began)
				ideal := float64(many) / (float64(min(56, int(load*56))) / (takes.Seconds() * math.Exp(0.02)))
				throughput := ideal / total.Seconds()
				t.Logf("load %.2f: %d passed, split %d:%d:%d, throughput %.3f of what the workers or the services allow", load, ok,
					w.services[0].calls.Load(), w.services[1].calls.Load(), w.services[2].calls.Load(), throughput)
				for i, s := range w.services {
					want := many * float64(int(1)<<i) / 7
					if got := float64(s.calls.Load()); load >= 1 && math.Abs(got-want) > 0.1*want {
						t.Errorf("%s got %.0f calls, want %.0f", s.name, got, want)
					}
				}
				if ok < many || throughput < 0.95 {
					t.Errorf("%d passed, throughput %.3f, want all and at least 0.95", ok, throughput)
				}
			})
		})
	}
}

// TestCostIsWithinReachOfTheCheapestAssignment: three equally good services of different prices, the cheaper ones too small for all requests.
func TestCostIsWithinReachOfTheCheapestAssignment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const takes, workers = 500 * time.Millisecond, 40
		prices := []int64{1, 3, 10}
		sizes := []int{8, 16, 64}
		var accounts []account
		for i, n := range []string{"cheap", "fair", "dear"} {
			accounts = append(accounts, account{
				service: &service{name: n, median: takes, tokens: 100}, concurrency: sizes[i], input: prices[i] * 1e8, output: prices[i] * 4e8, tier: 2,
			})
		}
		// The order of the configuration is no help.
		slices.Reverse(accounts)
		w := newWorld(t, "cost", 5, accounts...)
		defer w.Close()
		all := w.busy(many, workers, "")
		ok, _ := passed(all)
		var cost float64
		for i := range all {
			cost += float64(all[i].cost.Nano)
		}
		one := func(i int) float64 { return float64(prices[i]) * (400*1e8 + 100*4e8) / 1e6 }
		best := many * (8*one(0) + 16*one(1) + float64(workers-24)*one(2)) / workers
		t.Logf("cost: %d passed, %.4f of the cheapest feasible assignment", ok, cost/best)
		if ok < many || cost > 1.05*best {
			t.Errorf("%d passed at %.4f of the cheapest assignment, want all at 1.05 at most", ok, cost/best)
		}
	})
}

// TestCostLearnsThatACheapModelFails: the cheap model breaks the schema nineteen times in twenty.
func TestCostLearnsThatACheapModelFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cheap := &service{name: "cheap", median: time.Second, spread: 0.3, tokens: 100, invalid: 0.95}
		dear := &service{name: "dear", median: time.Second, spread: 0.3, tokens: 100}
		w := newWorld(t, "cost", 5, account{service: cheap, concurrency: 64, input: 1e8, output: 4e8, tier: 1}, account{service: dear, concurrency: 64, input: 1e9, output: 4e9, tier: 3})
		defer w.Close()
		all := w.arrive(2000, 10, 5, "")
		ok, calls := passed(all)
		t.Logf("a cheap model that fails: %d of 2000 passed, %d calls to it, %.3f calls a request", ok, cheap.calls.Load(), float64(calls)/2000)
		if ok < 2000 || cheap.calls.Load() > 60 {
			t.Errorf("%d passed and the failing model got %d calls, want all and at most 60", ok, cheap.calls.Load())
		}
	})
}
