package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/store/storetest"
	"github.com/promptd/promptd/internal/usage"
)

// partitions lists the partitions of requests with their numbers of rows.
func partitions(tb testing.TB, url string) map[string]int {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(tb.Context()))
	rows, err := conn.Query(tb.Context(), "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'requests'::regclass")
	if err != nil {
		tb.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]int{}
	for _, name := range names {
		var n int
		if err := conn.QueryRow(tb.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil {
			tb.Fatal(err)
		}
		all[name] = n
	}
	return all
}

func wantPartitions(tb testing.TB, what, url string, want map[string]int) {
	tb.Helper()
	if d := cmp.Diff(want, partitions(tb, url)); d != "" {
		tb.Errorf("%s: the partitions differ (-want +got):\n%s", what, d)
	}
}

func recordAt(id string, at time.Time) usage.Record {
	return usage.Record{RequestID: id, Team: "acme", Time: at, Status: 200, Tokens: usage.Tokens{Input: 1}, Cost: usage.Costs(5)}
}

func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
}

func TestMonthsAreMadeAheadAndDroppedWhole(t *testing.T) {
	t.Parallel()
	url, clock := postgrestest.Database(t), &storetest.Clock{}
	clock.Set(day(2026, time.November, 24))
	db := open(t, postgres.Options{URL: url, Now: clock.Now})
	h := db.History()
	appendAll := func(records ...usage.Record) {
		t.Helper()
		if err := h.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	purge := func(before time.Time, want int) {
		t.Helper()
		if got, err := h.Purge(t.Context(), before, 100); err != nil || got != want {
			t.Fatalf("purge before %s: got %d, %v, want %d", before.Format(time.DateOnly), got, err, want)
		}
	}
	appendAll(recordAt("october", day(2026, time.October, 5)), recordAt("november", day(2026, time.November, 5)), recordAt("far", day(2031, time.May, 1)))
	wantPartitions(t, "what has no month lies beside", url, map[string]int{"requests_other": 2, "requests_2026_11": 1})
	purge(day(2026, time.January, 1), 0)
	wantPartitions(t, "two are made ahead", url, map[string]int{"requests_other": 2, "requests_2026_11": 1, "requests_2026_12": 0, "requests_2027_01": 0})

	clock.Set(day(2026, time.December, 20))
	appendAll(recordAt("december", day(2026, time.December, 20)), recordAt("late", day(2026, time.November, 30)))
	clock.Set(day(2027, time.January, 10))
	purge(day(2026, time.November, 10), 2)
	wantPartitions(t, "a part of a month goes row by row", url, map[string]int{
		"requests_other": 1, "requests_2026_11": 1, "requests_2026_12": 1, "requests_2027_01": 0, "requests_2027_02": 0, "requests_2027_03": 0,
	})
	purge(day(2026, time.December, 10), 0)
	wantPartitions(t, "a whole month is dropped", url, map[string]int{
		"requests_other": 1, "requests_2026_12": 1, "requests_2027_01": 0, "requests_2027_02": 0, "requests_2027_03": 0,
	})
	list, _, err := h.Requests(t.Context(), key.AllTeams(), usage.Filter{})
	if err != nil || len(list) != 2 || list[0].RequestID != "far" || list[1].RequestID != "december" {
		t.Errorf("what is left: got %+v, %v", list, err)
	}
	sums, err := h.Usage(t.Context(), key.AllTeams(), usage.Query{})
	if err != nil || sums.Total.Requests != 5 {
		t.Errorf("the sums of what is gone: got %+v, %v, want 5 requests", sums.Total, err)
	}
}

// TestAMonthTakesWhatLayBeside makes a partition for rows that came before it.
func TestAMonthTakesWhatLayBeside(t *testing.T) {
	t.Parallel()
	url, clock := postgrestest.Database(t), &storetest.Clock{}
	clock.Set(day(2026, time.November, 24))
	db := open(t, postgres.Options{URL: url, Now: clock.Now})
	if err := db.History().Append(t.Context(), []usage.Record{recordAt("early", day(2027, time.March, 3))}); err != nil {
		t.Fatal(err)
	}
	clock.Set(day(2027, time.March, 1))
	if err := db.History().Append(t.Context(), []usage.Record{recordAt("in time", day(2027, time.March, 3)), recordAt("early", day(2027, time.March, 3))}); err != nil {
		t.Fatal(err)
	}
	wantPartitions(t, "the month", url, map[string]int{"requests_other": 0, "requests_2027_03": 2})
	sums, err := db.History().Usage(t.Context(), key.AllTeams(), usage.Query{})
	if err != nil || sums.Total.Requests != 2 {
		t.Errorf("got %+v, %v, want 2 requests: the one that moved is there already", sums.Total, err)
	}
}

// TestProcessesTurnTheMonthTogether lets several processes write, purge and make months at the same time around the turn of a year.
func TestProcessesTurnTheMonthTogether(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	const processes, batches = 3, 6
	var all sync.WaitGroup
	errs := make([]error, processes)
	for p := range processes {
		clock := &storetest.Clock{}
		db := open(t, postgres.Options{URL: with(url, "pool_max_conns=3"), Now: clock.Now})
		all.Go(func() {
			for b := range batches {
				at := time.Date(2026, time.December, 31, 23, 59, 57+b, 0, time.UTC)
				clock.Set(at)
				records := make([]usage.Record, 20)
				for i := range records {
					records[i] = recordAt(fmt.Sprintf("%d-%d-%d", p, b, i), at)
				}
				if errs[p] = db.History().Append(context.Background(), records); errs[p] != nil {
					return
				}
				if _, errs[p] = db.History().Purge(context.Background(), day(2026, time.November, 1), 100); errs[p] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	for p, err := range errs {
		if err != nil {
			t.Errorf("process %d: got the error %v, want none", p, err)
		}
	}
	got := partitions(t, url)
	if sum := got["requests_2026_12"] + got["requests_2027_01"]; sum != processes*batches*20 || got["requests_other"] != 0 {
		t.Errorf("got %v, want %d rows in the months and none beside", got, processes*batches*20)
	}
	db := open(t, postgres.Options{URL: url})
	sums, err := db.History().Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: []usage.Group{usage.ByDay}})
	if err != nil || sums.Total.Requests != processes*batches*20 {
		t.Errorf("got %+v, %v", sums.Total, err)
	}
	days := make([]string, 0, len(sums.Rows))
	for _, row := range sums.Rows {
		days = append(days, row.Day)
	}
	if !slices.Equal(days, []string{"2026-12-31", "2027-01-01"}) {
		t.Errorf("got the days %v", days)
	}
}

// TestAnotherKeepsTheMonthsLocked holds a lock that a new partition needs: what is recorded meanwhile lies beside, and moves later.
func TestAnotherKeepsTheMonthsLocked(t *testing.T) {
	t.Parallel()
	url, clock := postgrestest.Database(t), &storetest.Clock{}
	clock.Set(day(2026, time.November, 24))
	db := open(t, postgres.Options{URL: url, Now: clock.Now})
	holder, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(context.WithoutCancel(t.Context()))
	// A long query of somebody's, who looks at all requests.
	if _, err := holder.Exec(t.Context(), "BEGIN; SELECT count(*) FROM requests"); err != nil {
		t.Fatal(err)
	}
	if err := db.History().Append(t.Context(), []usage.Record{recordAt("a", clock.Now())}); err != nil {
		t.Fatalf("beside a long query: got the error %v, want none", err)
	}
	wantPartitions(t, "meanwhile", url, map[string]int{"requests_other": 1})
	if _, err := holder.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Minute)
	if err := db.History().Append(t.Context(), []usage.Record{recordAt("b", clock.Now())}); err != nil {
		t.Fatal(err)
	}
	wantPartitions(t, "afterwards", url, map[string]int{"requests_other": 0, "requests_2026_11": 2})
}
