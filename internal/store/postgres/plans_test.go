package postgres_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// TestQueriesReadByAnIndex explains each query that grows with the data.
func TestQueriesReadByAnIndex(t *testing.T) {
	t.Parallel()
	db := open(t, postgres.Options{URL: postgrestest.Database(t)})
	plans, err := postgres.Plans(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for name, plan := range plans {
		for line := range strings.SplitSeq(plan, "\n") {
			if strings.Contains(line, "Seq Scan") {
				t.Errorf("%s reads a whole table:\n%s", name, plan)
				break
			}
		}
	}
	// An ordered index makes a page cost as much as the page.
	if plan := plans["a page of requests"]; strings.Contains(plan, "Sort") {
		t.Errorf("a page of requests is sorted, and not read in order:\n%s", plan)
	}
}
