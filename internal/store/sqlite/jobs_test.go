package sqlite_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/store/sqlite"
)

// What a statement costs must not grow with what waits or was kept: each searches, none scans a table or sorts what it finds.
func TestJobsAreFoundByIndexes(t *testing.T) {
	t.Parallel()
	plans, err := sqlite.JobPlans(t.Context(), open(t, sqlite.Options{Dir: t.TempDir()}))
	if err != nil {
		t.Fatal(err)
	}
	for what, plan := range plans {
		for line := range strings.Lines(plan) {
			ordersItsOwn := what == "cancel" && strings.Contains(line, "SCAN") && !strings.Contains(line, "job_items")
			if strings.HasSuffix(strings.TrimSpace(line), "-ROW VALUES CLAUSE") { // These are the statement's own parameters.
				continue
			}
			if (strings.Contains(line, "SCAN") || strings.Contains(line, "TEMP B-TREE")) && !ordersItsOwn {
				t.Errorf("%s: the plan has %q:\n%s", what, strings.TrimSpace(line), plan)
			}
		}
	}
	if plan := plans["the next team"]; !strings.Contains(plan, "job_items_pending (priority=? AND team>?)") {
		t.Errorf("the next team is found by %s, want one step in the index of what is pending", plan)
	}
	if plan := plans["what is due of a team"]; !strings.Contains(plan, "job_items_pending (priority=? AND team=? AND run_at<?)") {
		t.Errorf("what is due is found by %s, want the index of what is pending", plan)
	}
}
