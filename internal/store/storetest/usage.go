package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

func usageContracts() []contract {
	return []contract{
		{"sums count what was passed, cached, coalesced and unpriced", usageSums},
		{"sums group by every column", usageGroups},
		{"tokens and cost are where they were spent", usageShares},
		{"sums show one team alone", usageTeams},
		{"hours are chosen by from and to", usageTimes},
		{"an empty store has no rows", usageEmpty},
		{"unknown groups are refused", usageBadGroup},
	}
}

func usageSums(t *testing.T, s Stores, _ *Clock) {
	passed := sampleRecord(1, "acme")
	cached := sampleRecord(2, "acme")
	cached.Cached, cached.Tokens, cached.Cost = true, usage.Tokens{}, usage.Costs(0)
	coalesced := sampleRecord(3, "acme")
	coalesced.Coalesced, coalesced.Tokens, coalesced.Cost = true, usage.Tokens{}, usage.Cost{}
	unpriced := sampleRecord(4, "acme")
	unpriced.Cost = usage.Cost{}
	refused := usage.Record{RequestID: requestID(5), Team: "acme", Key: "key_1", Time: start(), Status: 400, Code: "INVALID_REQUEST"}
	failed := sampleRecord(6, "acme")
	failed.Status, failed.ValidationStatus = 422, "failed"
	appendAll(t, s, passed, cached, coalesced)
	appendAll(t, s, unpriced, refused, failed)
	want := usage.Sums{
		Requests: 6, Passed: 4, Cached: 1, Coalesced: 1, Tokens: usage.Tokens{Input: 300, Output: 60, CachedInput: 15}, Cost: 2 * 1234, UnpricedRequests: 1,
	}
	got, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	must(t, err)
	if diff := cmp.Diff(usage.Report{Rows: []usage.Row{{Sums: want}}, Total: want}, got); diff != "" {
		t.Errorf("the sums differ (-want +got):\n%s", diff)
	}
}

func usageGroups(t *testing.T, s Stores, _ *Clock) {
	one, two := sampleRecord(1, "acme"), sampleRecord(2, "beta")
	two.Key, two.Provider, two.Model, two.Schema, two.Time = "key_2", "openai", "pro", "other@1", start().Add(24*time.Hour)
	appendAll(t, s, one, two, sampleRecord(3, "acme"))
	first := usage.Sums{Requests: 2, Passed: 2, Tokens: usage.Tokens{Input: 200, Output: 40, CachedInput: 10}, Cost: 2468}
	second := usage.Sums{Requests: 1, Passed: 1, Tokens: usage.Tokens{Input: 100, Output: 20, CachedInput: 5}, Cost: 1234}
	for _, c := range []struct {
		by   []usage.Group
		want []usage.Row
	}{
		{[]usage.Group{usage.ByKey}, []usage.Row{{Key: "key_1", Sums: first}, {Key: "key_2", Sums: second}}},
		{[]usage.Group{usage.ByTeam}, []usage.Row{{Team: "acme", Sums: first}, {Team: "beta", Sums: second}}},
		{[]usage.Group{usage.ByProvider}, []usage.Row{{Provider: "gemini", Sums: first}, {Provider: "openai", Sums: second}}},
		{[]usage.Group{usage.ByModel}, []usage.Row{{Model: "flash", Sums: first}, {Model: "pro", Sums: second}}},
		{[]usage.Group{usage.BySchema}, []usage.Row{{Schema: "invoice@3", Sums: first}, {Schema: "other@1", Sums: second}}},
		{[]usage.Group{usage.ByDay}, []usage.Row{{Day: "2026-11-24", Sums: first}, {Day: "2026-11-25", Sums: second}}},
		{[]usage.Group{usage.ByKey, usage.ByModel, usage.ByDay}, []usage.Row{
			{Key: "key_1", Model: "flash", Day: "2026-11-24", Sums: first}, {Key: "key_2", Model: "pro", Day: "2026-11-25", Sums: second},
		}},
	} {
		got, err := s.History.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: c.by})
		must(t, err)
		total := first
		total.Add(second)
		if diff := cmp.Diff(usage.Report{Rows: c.want, Total: total}, got); diff != "" {
			t.Errorf("group by %v differs (-want +got):\n%s", c.by, diff)
		}
	}
}

func usageShares(t *testing.T, s Stores, _ *Clock) {
	r := sampleRecord(1, "acme")
	r.Cost = usage.Cost{}
	r.Spent = []usage.Share{
		{Provider: "gemini", Model: "flash", Tokens: usage.Tokens{Input: 60, Output: 5}, Cost: usage.Costs(700)},
		{Provider: "openai", Model: "mini", Tokens: usage.Tokens{Input: 40, Output: 15}},
	}
	appendAll(t, s, r)
	got, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{GroupBy: []usage.Group{usage.ByProvider}})
	must(t, err)
	want := []usage.Row{
		{Provider: "gemini", Sums: usage.Sums{Requests: 1, Passed: 1, Tokens: usage.Tokens{Input: 60, Output: 5}, Cost: 700, UnpricedRequests: 1}},
		{Provider: "openai", Sums: usage.Sums{Tokens: usage.Tokens{Input: 40, Output: 15}}},
	}
	if diff := cmp.Diff(want, got.Rows); diff != "" {
		t.Errorf("the shares differ (-want +got):\n%s", diff)
	}
}

func usageTeams(t *testing.T, s Stores, _ *Clock) {
	appendAll(t, s, sampleRecord(1, "acme"), sampleRecord(2, "beta"), sampleRecord(3, "beta"))
	for _, c := range []struct {
		name  string
		reach key.Reach
		want  int64
	}{{"acme", key.OfTeam("acme"), 1}, {"beta", key.OfTeam("beta"), 2}, {"nobody", key.OfTeam("nobody"), 0}, {"the zero reach", key.Reach{}, 0}, {"all", key.AllTeams(), 3}} {
		got, err := s.History.Usage(t.Context(), c.reach, usage.Query{})
		must(t, err)
		if got.Total.Requests != c.want {
			t.Errorf("%s: got %d requests, want %d", c.name, got.Total.Requests, c.want)
		}
	}
}

func usageTimes(t *testing.T, s Stores, _ *Clock) {
	hour := start().Truncate(time.Hour)
	for i := range 5 {
		r := sampleRecord(i, "acme")
		r.Time = hour.Add(time.Duration(i) * time.Hour)
		appendAll(t, s, r)
	}
	for _, c := range []struct {
		name     string
		from, to time.Time
		want     int64
	}{
		{"all", time.Time{}, time.Time{}, 5},
		{"from an hour", hour.Add(2 * time.Hour), time.Time{}, 3},
		{"from within an hour", hour.Add(2*time.Hour + time.Minute), time.Time{}, 3},
		{"to an hour", time.Time{}, hour.Add(2 * time.Hour), 2},
		{"to within an hour", time.Time{}, hour.Add(2*time.Hour + time.Minute), 3},
		{"between", hour.Add(time.Hour), hour.Add(3 * time.Hour), 2},
		{"nothing there", hour.Add(-2 * time.Hour), hour.Add(-time.Hour), 0},
	} {
		got, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{From: c.from, To: c.to})
		must(t, err)
		if got.Total.Requests != c.want {
			t.Errorf("%s: got %d requests, want %d", c.name, got.Total.Requests, c.want)
		}
	}
}

func usageEmpty(t *testing.T, s Stores, _ *Clock) {
	for _, by := range [][]usage.Group{nil, {usage.ByDay}} {
		got, err := s.History.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: by})
		must(t, err)
		if got.Rows == nil || len(got.Rows) != 0 || got.Total != (usage.Sums{}) {
			t.Errorf("group by %v: got %+v, want no rows, not nil", by, got)
		}
	}
}

func usageBadGroup(t *testing.T, s Stores, _ *Clock) {
	_, err := s.History.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: []usage.Group{"key; DROP TABLE usage"}})
	wantCode(t, "group by SQL", err, fault.InvalidRequest)
}
