package sqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	sqltext "github.com/promptd/promptd/internal/store/statement"
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
	query, args := sqltext.RequestPage("acme", f)
	explain(h, "a page of requests", query, args...)
	explain(h, "requests of a version", sqltext.Tried, "acme", "invoice@3", 10)
	explain(h, "one request", sqltext.OneRequest, "id", false, "acme")
	explain(h, "delete a request", sqltext.DeleteRequest, "id", false, "acme")
	explain(h, "the next team", sqltext.NextTeam, "acme")
	q := usage.Query{GroupBy: usage.Groups(), From: time.Unix(1, 0)}
	query, args, err := sqltext.Sums(key.OfTeam("acme"), q, sqltext.HoursOf(q))
	if err != nil {
		tb.Fatalf("make the query of sums: %v", err)
	}
	explain(h, "sums of a team", strings.Split(query, " GROUP BY ")[0], args...)
	explain(db.main, "changes of keys", sqltext.ChangedKeys, 1)
	explain(db.main, "a team's keys", sqltext.SomeKeys, "acme", "", 10)
	explain(db.main, "a team", sqltext.OneTeam, "acme")
	explain(db.main, "a page of teams", sqltext.SomeTeams, "acme", true, "", 10)
	explain(db.main, "what a holder has booked", bookedBudget, "key", "k", "2026-11", "h")
	explain(db.main, "what others hold", othersBudget, "key", "k", "2026-11", "h", 1)
	explain(db.main, "a team's alerts", sqltext.TeamAlerts, "acme", 0, 10)
	explain(db.main, "a claim", sqltext.ReadClaim, "acme", "k")
	for _, on := range []*Shelf{db.Schemas(), db.Templates()} {
		explain(db.main, "a version of a "+string(on.sql.Kind), on.sql.OneVersion, "acme", "invoice", 0)
		explain(db.main, "a team's "+on.sql.Kind.Many(), on.sql.SomeNames, "acme", "", false, 10)
		explain(db.main, "versions of a "+string(on.sql.Kind), on.sql.SomeVersions, "acme", "invoice", 0, false, 10)
	}
	return plans
}
