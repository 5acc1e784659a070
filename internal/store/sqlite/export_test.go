package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// LimitPages makes the history's disk full at a number of pages; what it gives lifts the limit.
func LimitPages(ctx context.Context, db *DB, pages int) (lift func(context.Context) error, err error) {
	set := func(ctx context.Context, n int) error {
		_, err := db.history.file.write.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n))
		return err
	}
	return func(ctx context.Context) error { return set(ctx, 1<<30) }, set(ctx, pages)
}

// Plans explains the queries that must not read whole tables.
func Plans(ctx context.Context, tb testing.TB, db *DB) map[string]string {
	tb.Helper()
	plans := map[string]string{}
	explain := func(f *file, name, query string, args ...any) {
		var b strings.Builder
		rows, err := f.read.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
		if err != nil {
			tb.Fatalf("explain %s: %v", name, err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				tb.Fatalf("explain %s: %v", name, err)
			}
			b.WriteString(detail + "\n")
		}
		if err := rows.Err(); err != nil || b.Len() == 0 {
			tb.Fatalf("explain %s: %q, %v", name, b.String(), err)
		}
		plans[name] = b.String()
	}
	h := db.history.file
	f := usage.Filter{Limit: 50, From: time.Unix(1, 0), To: time.Unix(2, 0), Status: 200, Model: "m", After: usage.CursorAt(time.Unix(1, 0), "id")}
	query, args := pageOf("acme", f)
	explain(h, "a page of requests", query, args...)
	explain(h, "requests of a version", triedRequests, "acme", "invoice@3", 10)
	explain(h, "one request", oneRequest, "id", false, "acme")
	explain(h, "delete a request", deleteRequest, "id", false, "acme")
	explain(h, "the next team", nextTeam, "acme")
	query, args, err := sumsOf(key.OfTeam("acme"), usage.Query{GroupBy: usage.Groups(), From: time.Unix(1, 0)})
	if err != nil {
		tb.Fatalf("make the query of sums: %v", err)
	}
	explain(h, "sums of a team", strings.Split(query, " GROUP BY ")[0], args...)
	explain(db.main, "changes of keys", changedKeys, 1)
	explain(db.main, "a team's keys", someKeys, "acme", "", 10)
	explain(db.main, "a team", oneTeam, "acme")
	explain(db.main, "a page of teams", someTeams, "acme", true, "", 10)
	explain(db.main, "what a holder has booked", bookedBudget, "key", "k", "2026-11", "h")
	explain(db.main, "what others hold", othersBudget, "key", "k", "2026-11", "h", 1)
	explain(db.main, "a team's alerts", teamAlerts, "acme", 0, 10)
	explain(db.main, "a claim", readClaim, "acme", "k")
	for _, on := range []*Shelf{db.Schemas(), db.Templates()} {
		explain(db.main, "a version of a "+string(on.kind), on.sql.oneVersion, "acme", "invoice", 0)
		explain(db.main, "a team's "+on.kind.Many(), on.sql.someNames, "acme", "", false, 10)
		explain(db.main, "versions of a "+string(on.kind), on.sql.someVersions, "acme", "invoice", 0, false, 10)
	}
	return plans
}
