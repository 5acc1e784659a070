package router

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/provider"
)

func TestWhatWasLearnedFades(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m"}), question(t, "")
	w.taught(q, "a/m", 30, 10)
	one := func() Lesson {
		list := w.cfg.Learned.Lessons("acme", "a", "m", 10, w.now)
		if len(list) != 1 {
			t.Fatalf("got %d lessons, want 1", len(list))
		}
		return list[0]
	}
	now := one()
	if now.Schema != "simple" || now.Attempts != 40 || math.Abs(now.PassRate()-0.75) > 0.01 || now.ReaskRate() == 0 || now.Latency().Round(time.Microsecond) != time.Second || now.Cost() != (provider.Cost{Nano: 1000, Known: true}) {
		t.Errorf("got %+v", now)
	}
	w.now = w.now.Add(halfLife)
	later := one()
	if math.Abs(later.Weight-now.Weight/2) > 1e-9 || math.Abs(later.PassRate()-now.PassRate()) > 1e-9 || later.Attempts != 40 {
		t.Errorf("after a half-life got %+v, want half the weight of %+v", later, now)
	}
	// A model that has changed is found out by the next few hundred attempts, whatever it did before.
	w.taught(q, "a/m", 5000, 0)
	w.taught(q, "a/m", 0, 800)
	if f := one(); f.PassRate() > 0.25 || f.Weight > memorySize {
		t.Errorf("got a pass rate of %.2f on %.0f, want one that has noticed", f.PassRate(), f.Weight)
	}
}

func TestOnlyAnswersSaySomethingOfAModel(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m"}), question(t, "")
	for o := dialect.Unknown; o <= dialect.Cancelled; o++ {
		w.Learn(q, &provider.Attempt{Provider: "a", Model: "m", Outcome: o}, false)
	}
	list := w.cfg.Learned.Lessons("acme", "a", "m", 10, w.now)
	if len(list) != 1 || list[0].Attempts != 5 || math.Abs(list[0].Passed-list[0].Weight/5) > 0.01 {
		t.Errorf("got %+v, want one pass of five answers: ok, invalid, truncated, refused, filtered", list)
	}
}

func TestTeamsDoNotSeeEachOthersSchemas(t *testing.T) {
	t.Parallel()
	w, q := newWorld(t, 1, known{name: "a/m", tier: 1, price: 1}, known{name: "b/m", tier: 1, price: 1}), question(t, "quality")
	w.taught(q, "a/m", 0, 100)
	if list := w.cfg.Learned.Lessons("others", "a", "m", 10, w.now); len(list) != 0 {
		t.Errorf("another team sees %+v", list)
	}
	other := question(t, "quality")
	other.Caller.Team = "others"
	// What holds for all schemas of a model is known to all, without saying of whom.
	if o := w.Order(other, w.all); names(o) != "b/m a/m" || o.Choices[1].Learned.Attempts != 0 {
		t.Errorf("got %s with %+v", names(o), o.Choices[1].Learned)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	t.Parallel()
	l, q := NewLearned(), question(t, "")
	now := time.Unix(0, 0)
	for i := range mostLessons + 100 {
		q.Schema = compile(t, fmt.Sprintf(`{"const":%d}`, i))
		now = now.Add(time.Second)
		l.observe(q, &provider.Attempt{Provider: "a", Model: "m", Outcome: dialect.OK}, false, now)
	}
	if n := len(l.lessons); n > mostLessons || n < mostLessons/2 {
		t.Errorf("%d schemas are remembered, want at most %d", n, mostLessons)
	}
	if _, newest := l.lessons[lessonKey{"acme", q.Schema.Hash()}]; !newest {
		t.Error("the newest was forgotten")
	}
	if n := len(l.changed); n > len(l.lessons)+1 {
		t.Errorf("%d changes wait to be written, of %d schemas", n, len(l.lessons))
	}
}

// A store that was away gives rows back whose schema has been forgotten meanwhile, and may have been begun again with another model.
func TestRowsThatAreNoLongerKnownAreNotWritten(t *testing.T) {
	t.Parallel()
	l, q := NewLearned(), question(t, "")
	l.observe(q, &provider.Attempt{Provider: "a", Model: "m", Outcome: dialect.OK}, false, time.Unix(1, 0))
	rows := l.take(10)
	clear(l.lessons)
	l.observe(q, &provider.Attempt{Provider: "b", Model: "m", Outcome: dialect.OK}, false, time.Unix(2, 0))
	l.putBack(rows)
	for _, r := range l.take(10) {
		if r.Schema == q.Schema.Hash() && r.Provider == "a" {
			t.Errorf("got the row %+v, which nothing is known of", r)
		}
	}
}

// kept is a store in memory that fails when told to.
type kept struct {
	rows  map[rowKey]Row
	fails int
}

func (k *kept) Learned(_ context.Context, most int) ([]Row, error) {
	var list []Row
	for _, r := range k.rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Row) int { return b.Figures.Updated.Compare(a.Figures.Updated) })
	return list[:min(most, len(list))], nil
}

func (k *kept) Learn(_ context.Context, rows []Row, _ int) error {
	if k.fails > 0 {
		k.fails--
		return errors.New("no disk")
	}
	for _, r := range rows {
		k.rows[rowKey{lessonKey{r.Team, r.Schema}, modelKey{r.Provider, r.Model}}] = r
	}
	return nil
}

func TestWhatWasLearnedSurvivesARestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, q := newWorld(t, 1, known{name: "a/m"}, known{name: "b/m"}), question(t, "")
		store, failed := &kept{rows: map[rowKey]Row{}, fails: 2}, 0
		keeper := &Keeper{Learned: w.cfg.Learned, Store: store, OnError: func(error) { failed++ }}
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- keeper.Run(ctx) }()
		w.taught(q, "a/m", 3, 1)
		time.Sleep(3*writeEvery + time.Second)
		synctest.Wait()
		if failed != 2 || len(store.rows) != 2 {
			t.Errorf("%d writes failed and %d rows are kept, want 2 and 2: of the schema and of the model", failed, len(store.rows))
		}
		w.taught(q, "b/m", 2, 0)
		end()
		if err := <-ended; err != nil || len(store.rows) != 4 {
			t.Errorf("at the end: %v, %d rows, want none and 4", err, len(store.rows))
		}
		again := NewLearned()
		if err := (&Keeper{Learned: again, Store: store}).Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "b"} {
			before, after := w.cfg.Learned.Lessons("acme", name, "m", 9, w.now), again.Lessons("acme", name, "m", 9, w.now)
			if !slices.Equal(before, after) || len(after) != 1 {
				t.Errorf("%s: got %+v, want %+v", name, after, before)
			}
		}
		if len(again.models) != 2 || *again.models[modelKey{"a", "m"}] != *w.cfg.Learned.models[modelKey{"a", "m"}] {
			t.Error("the sums over all schemas did not come back")
		}
	})
}

func TestWhatCanNotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	if err := (&Keeper{Learned: NewLearned(), Store: broken{}}).Load(t.Context()); err == nil {
		t.Error("a store that fails was not noticed")
	}
}

type broken struct{ Store }

func (broken) Learned(context.Context, int) ([]Row, error) { return nil, errors.New("no disk") }

// TestAnOrderHoldsEachCandidateOnce draws figures of every kind: an order has what is not skipped, once, and its groups come in their order.
func TestAnOrderHoldsEachCandidateOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		var list []known
		for i := range rapid.IntRange(1, 8).Draw(rt, "n") {
			list = append(list, known{
				name: fmt.Sprintf("p%d/m", i), price: rapid.Int64Range(0, 1e10).Draw(rt, "price"), tier: rapid.IntRange(0, 3).Draw(rt, "tier"), weight: rapid.IntRange(0, 5).Draw(rt, "weight"),
				live: Live{
					InFlight: rapid.IntRange(0, 80).Draw(rt, "in"), Limit: rapid.IntRange(1, 64).Draw(rt, "limit"), Open: rapid.Bool().Draw(rt, "open"), Probing: rapid.Bool().Draw(rt, "probing"),
					Rest: time.Duration(rapid.IntRange(0, 2).Draw(rt, "rest")), P95: time.Duration(rapid.Int64Range(0, 1e10).Draw(rt, "p95")), Calls: rapid.IntRange(1, 50).Draw(rt, "calls"),
					Success: rapid.Float64Range(0, 1).Draw(rt, "success"),
				},
			})
		}
		w, q := newWorld(t, rapid.Uint64().Draw(rt, "seed"), list...), question(t, rapid.SampledFrom(Names()).Draw(rt, "strategy"))
		for range rapid.IntRange(0, 20).Draw(rt, "lessons") {
			w.taught(q, list[rapid.IntRange(0, len(list)-1).Draw(rt, "of")].name, rapid.IntRange(0, 3).Draw(rt, "passed"), rapid.IntRange(0, 3).Draw(rt, "failed"))
		}
		o := w.Order(q, w.all)
		seen := map[string]int{}
		for i := range o.Choices {
			c := &o.Choices[i]
			seen[c.Name()]++
			if i > 0 && o.Choices[i-1].group > c.group || math.IsNaN(c.Rank) || o.Explain(i) == "" {
				rt.Errorf("%s at %d: group %v, rank %v, reason %q", c.Name(), i, c.group, c.Rank, o.Explain(i))
			}
		}
		for _, s := range o.Skipped {
			seen[s.Candidate.Name()]++
		}
		for _, k := range list {
			if seen[k.name] != 1 {
				rt.Errorf("%s is there %d times", k.name, seen[k.name])
			}
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	for _, strategy := range Names() {
		b.Run(strategy, func(b *testing.B) {
			t := &testing.T{}
			var list []known
			for i := range 4 {
				list = append(list, known{name: fmt.Sprintf("p%d/m", i), price: 1e8, tier: 2, weight: 1})
			}
			w := newWorld(t, 1, list...)
			w.cfg.Live = standing
			q := question(t, strategy)
			b.ReportAllocs()
			for b.Loop() {
				o := w.Order(q, w.all)
				o.Explain(0)
			}
		})
	}
}
