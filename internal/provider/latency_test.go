package provider

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// At one moment all observations weigh the same: the quantiles are those of the sorted list, but for the width of a bin.
func TestQuantilesAreThoseOfTheList(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(int64(2*time.Millisecond), int64(10*time.Minute)), 1, 200).Draw(t, "durations")
		var s sketch
		at := rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "at")
		for _, d := range list {
			s.observe(at, time.Duration(d))
		}
		slices.Sort(list)
		got := s.quantiles()
		for q, have := range map[float64]time.Duration{0.50: got.P50, 0.95: got.P95} {
			// The rank is a sum of floating point numbers: at a whole number it may fall to either side.
			rank := q * float64(len(list))
			low, high := list[max(0, int(math.Ceil(rank-1e-6))-1)], list[min(len(list)-1, int(math.Floor(rank+1e-6)))]
			if f := float64(have); f < float64(low)/1.06 || f > float64(high)*1.06 {
				t.Fatalf("the %v quantile is %s, want it between %s and %s", q, have, time.Duration(low), time.Duration(high))
			}
		}
	})
}

func TestOldObservationsAreForgotten(t *testing.T) {
	t.Parallel()
	var s sketch
	if got := s.quantiles(); got != (Quantiles{}) {
		t.Errorf("of nothing: %v", got)
	}
	var now int64
	second := func(d time.Duration, n int) {
		for range n {
			now += int64(time.Second)
			s.observe(now, d)
		}
	}
	second(100*time.Millisecond, 300)
	second(5*time.Second, 10)
	if got := s.quantiles(); got.P95 < 4*time.Second || got.P50 > 200*time.Millisecond {
		t.Errorf("ten seconds into a brown-out: %v", got)
	}
	second(100*time.Millisecond, 300)
	if got := s.quantiles(); got.P95 > 200*time.Millisecond {
		t.Errorf("five minutes after it: %v", got)
	}
	now += int64(1000 * time.Hour) // The weights are scaled down, and none of them is infinite.
	second(time.Second, 1)
	if got := s.quantiles(); got.P50 < 900*time.Millisecond || got.P95 > 1100*time.Millisecond {
		t.Errorf("after a long silence: %v", got)
	}
}
