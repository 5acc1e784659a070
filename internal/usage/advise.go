package usage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/key"
)

// The rule of recommendations. A model is recommended in place of another one for a schema where both were tried often enough of late, and
//
//   - it is cheaper: a valid answer costs at most CheaperAt of what the other's costs, and even the lower end of the interval in which its pass rate lies is
//     not more than Tolerance below the other's measured rate; or
//   - it is better: the lower end of its interval lies above the upper end of the other's.
//
// Intervals are Wilson's at 95 %. Without that much evidence nothing is recommended.
const (
	// LeastEvidence is how many attempts each of both models must have had.
	LeastEvidence = 50
	CheaperAt     = 0.8
	Tolerance     = 0.02
	z95           = 1.959964
	// mostAdvice bounds the list; what saves most comes first.
	mostAdvice = 20
)

// Evidence is how a model has done for a schema of late. Counts are sums that fade, so they need not be whole.
type Evidence struct {
	Provider, Model  string
	Attempts, Passed float64
	// Cost is that of an attempt on average.
	Cost Cost
}

// Rate is the share that passed.
func (e *Evidence) Rate() float64 { return e.Passed / max(e.Attempts, 1) }

// Bounds are the ends of the interval in which the true pass rate lies with 95 % confidence (Wilson 1927).
func (e *Evidence) Bounds() (low, high float64) {
	n := max(e.Attempts, 1)
	p := min(1, e.Passed/n)
	middle := p + z95*z95/(2*n)
	spread := z95 * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
	whole := 1 + z95*z95/n
	return max(0, (middle-spread)/whole), min(1, (middle+spread)/whole)
}

// answer is what a valid answer costs: an attempt's cost, and that of the failed ones before it.
func (e *Evidence) answer() float64 { return float64(e.Cost.Nanos) / max(e.Rate(), 0.001) }

// The kinds of recommendations.
const (
	Cheaper = "cheaper"
	Better  = "better"
)

// Recommendation is a model to use in place of another one for a schema, with the evidence for both.
type Recommendation struct {
	Kind         string
	Schema       string
	Use, Instead Evidence
	// Saves is what a thousand valid answers cost less; unknown where a price is, negative where the better model is dearer.
	Saves Cost
}

// Advise gives the recommendations for one schema: at most one for each model that is in use, the one that saves most, or else passes most.
func Advise(schema string, of []Evidence) []Recommendation {
	var list []Recommendation
	for i := range of {
		instead := &of[i]
		if instead.Attempts < LeastEvidence {
			continue
		}
		var best *Recommendation
		for j := range of {
			if r, ok := compare(schema, instead, &of[j]); ok && (best == nil || r.before(best)) {
				best = &r
			}
		}
		if best != nil {
			list = append(list, *best)
		}
	}
	return list
}

// Rank puts recommendations in order, what saves most first, and leaves out what is too much.
func Rank(list []Recommendation) []Recommendation {
	slices.SortStableFunc(list, func(a, b Recommendation) int {
		return cmp.Or(cmp.Compare(boolRank(b.Saves.Known), boolRank(a.Saves.Known)), cmp.Compare(b.Saves.Nanos, a.Saves.Nanos))
	})
	return list[:min(len(list), mostAdvice)]
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func compare(schema string, instead, use *Evidence) (Recommendation, bool) {
	if use == instead || use.Attempts < LeastEvidence {
		return Recommendation{}, false
	}
	r := Recommendation{Schema: schema, Use: *use, Instead: *instead}
	if use.Cost.Known && instead.Cost.Known {
		const thousand = 1000
		r.Saves = Costs(key.Nanos(math.Round(thousand * (instead.answer() - use.answer()))))
	}
	low, _ := use.Bounds()
	_, high := instead.Bounds()
	switch {
	case r.Saves.Known && r.Saves.Nanos > 0 && use.answer() <= CheaperAt*instead.answer() && low >= instead.Rate()-Tolerance:
		r.Kind = Cheaper
	case low > high:
		r.Kind = Better
	default:
		return Recommendation{}, false
	}
	return r, true
}

// before says which of two is the better advice about the same model.
func (r *Recommendation) before(o *Recommendation) bool {
	if r.Kind != o.Kind {
		return r.Kind == Cheaper
	}
	if r.Kind == Cheaper {
		return r.Saves.Nanos > o.Saves.Nanos
	}
	return r.Use.Rate() > o.Use.Rate()
}

// String says the recommendation with its evidence in a sentence.
func (r *Recommendation) String() string {
	low, _ := r.Use.Bounds()
	text := fmt.Sprintf("%s/%s passes %s %s of the time (n=%.0f, at least %s at 95 %% confidence)", r.Use.Provider, r.Use.Model, r.Schema, percent(r.Use.Rate()),
		r.Use.Attempts, percent(low))
	if r.Saves.Known && r.Instead.Cost.Nanos > 0 {
		text += fmt.Sprintf(" at %s of the cost of %s/%s", percent(r.Use.answer()/r.Instead.answer()), r.Instead.Provider, r.Instead.Model)
	} else {
		text += fmt.Sprintf(", %s/%s", r.Instead.Provider, r.Instead.Model)
	}
	return text + fmt.Sprintf(", which passes %s (n=%.0f)", percent(r.Instead.Rate()), r.Instead.Attempts)
}

func percent(share float64) string {
	const hundred = 100
	return strconv.FormatFloat(math.Round(share*hundred*10)/10, 'f', -1, 64) + " %"
}
