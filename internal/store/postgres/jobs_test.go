package postgres_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// What a statement costs must not grow with what waits or was kept: each searches, and who takes work sorts nothing but what it takes.
func TestJobsAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	plans, err := postgres.JobPlans(t.Context(), open(t, postgres.Options{URL: postgrestest.Database(t)}))
	if err != nil {
		t.Fatal(err)
	}
	for what, plan := range plans {
		if strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s reads a whole table:\n%s", what, plan)
		}
		if strings.Contains(plan, "Join Filter") {
			t.Errorf("%s compares rows with each other, which is quadratic:\n%s", what, plan)
		}
	}
	_, picked, _ := strings.Cut(plans["take"], "LockRows")
	if first, _, _ := strings.Cut(strings.TrimSpace(picked), "->  "); !strings.Contains(plans["take"], "LockRows") || strings.Contains(first, "Sort") ||
		!strings.Contains(picked, "Index Scan using job_items_pending") {
		t.Errorf("items are taken by this plan, want them in the order of the index of what is pending:\n%s", plans["take"])
	}
	if n := strings.Count(plans["turn"], "job_items_pending"); n != 4 {
		t.Errorf("the teams are found by %d scans of the index of what is pending, want 4:\n%s", n, plans["turn"])
	}
}
