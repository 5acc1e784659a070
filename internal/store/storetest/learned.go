package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/router"
)

func learnedContracts() []contract {
	return []contract{
		{"a row is read as it was kept", learnedKept},
		{"a row takes the place of the one before", learnedReplaced},
		{"teams, schemas, providers and models have rows of their own", learnedApart},
		{"the oldest are forgotten beyond the bound", learnedBounded},
		{"many writers lose nothing", learnedRace},
		{"a cancelled call changes nothing", learnedCancelled},
	}
}

const manyRows = 1000

// sampleRow is a row of a team's schema at a model; n makes its figures.
func sampleRow(team key.TeamID, n int) router.Row {
	r := router.Row{Team: team, Name: "invoice@3", Provider: "p", Model: "m", Figures: sampleFigures(n)}
	if team != "" {
		r.Schema = [32]byte{1, 2, 3}
	} else {
		r.Name = ""
	}
	return r
}

func sampleFigures(n int) router.Figures {
	f := float64(n)
	return router.Figures{
		Attempts: int64(n), Weight: f + 0.5, Passed: f / 3, Reasks: 0.1, Nano: 1e12 * f, Priced: f, Output: 1e6, Metred: f, Took: 1e15, Timed: 7,
		Updated: start().Add(time.Duration(n) * time.Second).Truncate(time.Microsecond),
	}
}

func wantLearned(t *testing.T, s Stores, want ...router.Row) {
	t.Helper()
	got, err := s.Learned.Learned(t.Context(), manyRows)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was learned differs (-want +got):\n%s", diff)
	}
}

func learnedKept(t *testing.T, s Stores, _ *Clock) {
	wantLearned(t, s)
	var rows []router.Row
	for i, text := range strange() {
		r := sampleRow("acme", 100-i)
		r.Provider, r.Model, r.Name = text, text, text
		rows = append(rows, r)
	}
	rows = append(rows, sampleRow("", 1)) // Of a model over all schemas.
	must(t, s.Learned.Learn(t.Context(), rows, manyRows))
	wantLearned(t, s, rows...)
	got, err := s.Learned.Learned(t.Context(), 2)
	must(t, err)
	if diff := cmp.Diff(rows[:2], got); diff != "" {
		t.Errorf("the two newest differ (-want +got):\n%s", diff)
	}
}

func learnedReplaced(t *testing.T, s Stores, _ *Clock) {
	must(t, s.Learned.Learn(t.Context(), []router.Row{sampleRow("acme", 1)}, manyRows))
	must(t, s.Learned.Learn(t.Context(), []router.Row{sampleRow("acme", 2)}, manyRows))
	wantLearned(t, s, sampleRow("acme", 2))
}

func learnedApart(t *testing.T, s Stores, _ *Clock) {
	rows := []router.Row{sampleRow("a", 9), sampleRow("b", 8), sampleRow("a", 7), sampleRow("a", 6), sampleRow("a", 5), sampleRow("", 4)}
	rows[2].Schema[31]++
	rows[3].Provider = "q"
	rows[4].Model = "n"
	must(t, s.Learned.Learn(t.Context(), rows, manyRows))
	wantLearned(t, s, rows...)
}

func learnedBounded(t *testing.T, s Stores, _ *Clock) {
	var rows []router.Row
	for i := range 10 {
		r := sampleRow("acme", i)
		r.Model = fmt.Sprint(i)
		rows = append(rows, r)
	}
	must(t, s.Learned.Learn(t.Context(), rows, 3))
	wantLearned(t, s, rows[9], rows[8], rows[7])
	must(t, s.Learned.Learn(t.Context(), nil, 1))
	wantLearned(t, s, rows[9])
}

func learnedRace(t *testing.T, s Stores, _ *Clock) {
	const writers = 16
	must(t, together(writers, func(i int) error {
		r := sampleRow("acme", writers-i)
		r.Model = fmt.Sprint(i)
		return s.Learned.Learn(t.Context(), []router.Row{r}, manyRows)
	}))
	got, err := s.Learned.Learned(t.Context(), manyRows)
	must(t, err)
	if len(got) != writers {
		t.Errorf("got %d rows, want %d", len(got), writers)
	}
}

func learnedCancelled(t *testing.T, s Stores, _ *Clock) {
	wantCancelled(t, "Learn", s.Learned.Learn(cancelled(), []router.Row{sampleRow("acme", 1)}, manyRows))
	_, err := s.Learned.Learned(cancelled(), manyRows)
	wantCancelled(t, "Learned", err)
	wantLearned(t, s)
}
