package sqlite

import (
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// TestQueriesOfDeliveriesWalkTheirIndex: with a hundred thousand deliveries none of these may read them all.
func TestQueriesOfDeliveriesWalkTheirIndex(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m := delivery.JobMessage("acme", "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", delivery.JobFailed, 1, time.Unix(1, 0))
	subscribed, subscribedArgs := deliveryInserts().Of(int64(1), &m, delivery.Target{})
	page := func(f delivery.Filter) (string, []any) {
		f.Limit, f.After = 10, "1-dlv_x"
		query, args, err := sqltext.DeliveryPage(key.OfTeam("acme"), f)
		if err != nil {
			t.Fatal(err)
		}
		return query, args
	}
	all, allArgs := page(delivery.Filter{})
	ofJob, ofJobArgs := page(delivery.Filter{Job: "j"})
	for _, c := range []struct {
		what, query string
		args        []any
		index       string
	}{
		{"due lanes", sqltext.DueLanes, []any{"", 1, 10}, "deliveries_due"},
		{"a claim", claimLane, []any{"t", 1, "acme h", 1, 10}, "deliveries_due (lane=? AND due_at<?)"},
		{"deliveries for who subscribes", subscribed, subscribedArgs, "webhooks_by_team (team=?)"},
		{"a page", all, allArgs, "deliveries_by_team (team=?"},
		{"a job's", ofJob, ofJobArgs, "deliveries_by_job (job=? AND created_at<?)"},
		{"what is too old", sqltext.ExpireDeliveries, []any{1, 1, 1}, "deliveries_waiting (since<?)"},
		{"what is forgotten", sqltext.ForgetDeliveries, []any{1, 1}, "deliveries_ended"},
		{"what follows its endpoint", sqltext.MoveDeliveries, []any{"wh", "h"}, "deliveries_by_target (target=?"},
		{"a batch's items", sqltext.ForgetBatchItems, []any{"b"}, "batch_items_by_place (label=?)"},
		{"attempts", sqltext.SomeAttempts, []any{"d", 10}, "PRIMARY KEY (delivery=?)"},
	} {
		rows, err := db.main.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+c.query, c.args...)
		if err != nil {
			t.Fatalf("explain %s: %v", c.what, err)
		}
		var plan strings.Builder
		if err := each(rows, func() error {
			var id, parent, unused int
			var detail string
			err := rows.Scan(&id, &parent, &unused, &detail)
			plan.WriteString(detail + "\n")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(plan.String()) {
			if strings.HasPrefix(line, "SCAN deliveries") || strings.HasPrefix(line, "SCAN webhooks") || strings.HasPrefix(line, "SCAN d") {
				t.Errorf("%s reads a whole table: %s", c.what, plan.String())
			}
		}
		if !strings.Contains(plan.String(), c.index) {
			t.Errorf("%s does not use %s:\n%s", c.what, c.index, plan.String())
		}
	}
}
