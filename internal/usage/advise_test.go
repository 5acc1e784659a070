package usage_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

func evidence(model string, attempts, passed float64, cost key.Nanos) usage.Evidence {
	return usage.Evidence{Provider: "p", Model: model, Attempts: attempts, Passed: passed, Cost: usage.Costs(cost)}
}

func TestAdviceNeedsEvidence(t *testing.T) {
	t.Parallel()
	unpriced := evidence("b", 400, 398, 0)
	unpriced.Cost = usage.Cost{}
	for _, c := range []struct {
		name string
		of   []usage.Evidence
		want string
	}{
		{"nothing", nil, ""},
		{"one model", []usage.Evidence{evidence("a", 400, 396, 900)}, ""},
		{
			"as good at a third of the cost",
			[]usage.Evidence{evidence("a", 400, 392, 900), evidence("b", 400, 396, 300)},
			"cheaper p/b passes invoice 99 % of the time (n=400, at least 97.5 % at 95 % confidence) at 33 % of the cost of p/a, which passes 98 % (n=400)\n",
		},
		{"too few attempts", []usage.Evidence{evidence("a", 400, 392, 900), evidence("b", 49, 49, 300)}, ""},
		{"too few of the one in use", []usage.Evidence{evidence("a", 49, 48, 900), evidence("b", 400, 396, 300)}, ""},
		{"all of few passed: the interval is wide", []usage.Evidence{evidence("a", 400, 392, 900), evidence("b", 60, 60, 300)}, ""},
		{"hardly cheaper", []usage.Evidence{evidence("a", 400, 396, 900), evidence("b", 400, 396, 800)}, ""},
		{"cheap and bad", []usage.Evidence{evidence("a", 400, 396, 900), evidence("b", 400, 300, 100)}, "better p/a"},
		{"failures make it dear", []usage.Evidence{evidence("a", 400, 200, 500), evidence("b", 400, 396, 600)}, "cheaper p/b"},
		{"better without a price", []usage.Evidence{evidence("a", 400, 200, 500), unpriced}, "better p/b"},
		{"free models", []usage.Evidence{evidence("a", 400, 396, 0), evidence("b", 400, 396, 0)}, ""},
	} {
		got := ""
		for _, r := range usage.Rank(usage.Advise("invoice", c.of)) {
			got += r.Kind + " " + r.String() + "\n"
		}
		if !strings.HasPrefix(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: got %q, want it to begin with %q", c.name, got, c.want)
		}
	}
}

func TestIntervalsAreWilsons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, passed, low, high float64 }{
		// Computed by hand from the formula, to four digits.
		{50, 50, 0.9287, 1}, {100, 99, 0.9455, 0.9982}, {200, 100, 0.4314, 0.5686}, {50, 0, 0, 0.0713}, {0, 0, 0, 0.7935},
	} {
		e := usage.Evidence{Attempts: c.n, Passed: c.passed}
		if low, high := e.Bounds(); math.Abs(low-c.low) > 5e-5 || math.Abs(high-c.high) > 5e-5 {
			t.Errorf("%v of %v: got %.4f to %.4f, want %.4f to %.4f", c.passed, c.n, low, high, c.low, c.high)
		}
	}
}

func TestAdviceNeverContradictsItself(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		of := make([]usage.Evidence, rapid.IntRange(0, 6).Draw(t, "models"))
		for i := range of {
			n := rapid.Float64Range(0, 500).Draw(t, "attempts")
			of[i] = usage.Evidence{Provider: "p", Model: string(rune('a' + i)), Attempts: n, Passed: rapid.Float64Range(0, n).Draw(t, "passed")}
			if rapid.Bool().Draw(t, "priced") {
				of[i].Cost = usage.Costs(key.Nanos(rapid.Int64Range(0, 1e12).Draw(t, "cost")))
			}
		}
		list := usage.Advise("s", of)
		for i := range list {
			r := &list[i]
			low, _ := r.Use.Bounds()
			switch {
			case r.Use.Attempts < usage.LeastEvidence || r.Instead.Attempts < usage.LeastEvidence || r.Use.Model == r.Instead.Model:
				t.Fatalf("%s without evidence", r)
			case r.Kind == usage.Cheaper && (!r.Saves.Known || r.Saves.Nanos < 0 || low < r.Instead.Rate()-usage.Tolerance):
				t.Fatalf("%s is not cheaper and as good: %+v", r, r)
			case r.Kind == usage.Better && r.Use.Rate() < r.Instead.Rate():
				t.Fatalf("%s is not better: %+v", r, r)
			}
			for j := range list {
				if list[j].Kind == r.Kind && list[j].Use.Model == r.Instead.Model && list[j].Instead.Model == r.Use.Model {
					t.Fatalf("%s and %s", r, &list[j])
				}
			}
		}
	})
}
