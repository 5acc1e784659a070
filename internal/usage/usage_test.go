package usage_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// What is unknown stays unknown, and is never shown as 0.
func TestCostIsExactOrUnknown(t *testing.T) {
	t.Parallel()
	unknown := usage.Cost{}
	for _, c := range []struct {
		cost usage.Cost
		want string
	}{
		{unknown, "null"},
		{usage.Costs(0), "0"},
		{usage.Costs(1), "0.000000001"},
		{usage.Costs(1_250_000_000), "1.25"},
		{usage.Costs(10).Plus(usage.Costs(20)), "0.00000003"},
		{usage.Costs(10).Plus(unknown), "null"},
		{unknown.Plus(usage.Costs(10)), "null"},
		{usage.Costs(0).Plus(usage.Costs(7)), "0.000000007"},
	} {
		got, err := c.cost.MarshalJSON()
		if err != nil || string(got) != c.want {
			t.Errorf("%+v is written %s, %v; want %s", c.cost, got, err, c.want)
		}
	}
}

func TestARequestIsUnpricedWhenSomethingUnknownWasSpent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		r    usage.Record
		want bool
	}{
		{"no provider was called", usage.Record{}, false},
		{"an unknown price", usage.Record{Provider: "here"}, true},
		{"a known price", usage.Record{Provider: "here", Cost: usage.Costs(0)}, false},
		{"a cache hit", usage.Record{Provider: "here", Cached: true}, false},
		{"a coalesced answer", usage.Record{Provider: "here", Coalesced: true}, false},
	} {
		if got := c.r.Unpriced(); got != c.want {
			t.Errorf("%s: unpriced %v", c.name, got)
		}
	}
}

func TestHoursBeginAtTheFullHourOnBothSidesOf1970(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"1970-01-01T00:00:00Z": 0, "1970-01-01T00:59:59.999999999Z": 0, "1970-01-01T01:00:00Z": 1, "1969-12-31T23:59:59Z": -1, "1969-12-31T23:00:00Z": -1,
		"1969-12-31T22:59:59Z": -2, "2026-11-24T10:30:00+05:30": 498749,
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := usage.HourOf(at); got != want {
			t.Errorf("%s lies in the hour %d, want %d", text, got, want)
		}
	}
}

func records() *rapid.Generator[usage.Record] {
	return rapid.Custom(func(t *rapid.T) usage.Record {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		amount := func(label string) int64 { return rapid.Int64Range(0, 1000).Draw(t, label) }
		tokens := func() usage.Tokens {
			return usage.Tokens{Input: amount("input"), Output: amount("output"), CachedInput: amount("cached")}
		}
		cost := func() usage.Cost {
			return usage.Cost{Nanos: key.Nanos(amount("nanos")), Known: true}
		}
		r := usage.Record{
			Team: key.TeamID(pick("team", "a", "b")), Key: key.ID(pick("key", "k", "l")), Provider: pick("provider", "", "p", "q"), Model: pick("model", "m", "n"),
			Schema: pick("schema", "", "s@1"), Time: time.Unix(rapid.Int64Range(-8000, 8000).Draw(t, "time"), 0), ValidationStatus: pick("status", "", "passed", "failed"),
			Cached: rapid.Bool().Draw(t, "from cache"), Coalesced: rapid.Bool().Draw(t, "coalesced"), Tokens: tokens(),
		}
		if rapid.Bool().Draw(t, "priced") {
			r.Cost = cost()
		}
		for range rapid.IntRange(0, 3).Draw(t, "shares") {
			share := usage.Share{Provider: pick("provider", "p", "q"), Model: pick("model", "m", "n"), Tokens: tokens()}
			if rapid.Bool().Draw(t, "priced") {
				share.Cost = cost()
			}
			r.Spent = append(r.Spent, share)
		}
		return r
	})
}

// Whatever the slots are, their sums are the sums of the records, and each record counts in the slot of its last model.
func TestRollupLosesNothing(t *testing.T) {
	t.Parallel()
	var r usage.Rollup // One for all draws: Reset has to forget everything.
	rapid.Check(t, func(t *rapid.T) {
		r.Reset()
		list := rapid.SliceOfN(records(), 0, 30).Draw(t, "records")
		want := map[usage.Slot]*usage.Sums{}
		at := func(rec *usage.Record, provider, model string) *usage.Sums {
			slot := usage.Slot{Team: rec.Team, Key: rec.Key, Provider: provider, Model: model, Schema: rec.Schema, Hour: usage.HourOf(rec.Time)}
			if want[slot] == nil {
				want[slot] = &usage.Sums{}
			}
			return want[slot]
		}
		for i := range list {
			rec := &list[i]
			r.Add(rec)
			one := usage.Sums{Requests: 1}
			if rec.ValidationStatus == "passed" {
				one.Passed = 1
			}
			if rec.Cached {
				one.Cached = 1
			}
			if rec.Coalesced {
				one.Coalesced = 1
			}
			if rec.Unpriced() {
				one.UnpricedRequests = 1
			}
			at(rec, rec.Provider, rec.Model).Add(one)
			spent := rec.Spent
			if len(spent) == 0 {
				spent = []usage.Share{{Provider: rec.Provider, Model: rec.Model, Tokens: rec.Tokens, Cost: rec.Cost}}
			}
			for _, part := range spent {
				sums := usage.Sums{Tokens: part.Tokens}
				if part.Cost.Known {
					sums.Cost = part.Cost.Nanos
				}
				at(rec, part.Provider, part.Model).Add(sums)
			}
		}
		if d := cmp.Diff(want, r.All(), cmp.Comparer(func(a, b map[usage.Slot]*usage.Sums) bool {
			if len(a) != len(b) {
				return false
			}
			for slot, sums := range a {
				if b[slot] == nil || *b[slot] != *sums {
					return false
				}
			}
			return true
		})); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
	})
}

func TestCursorsLeadBackToTheirPlace(t *testing.T) {
	t.Parallel()
	pattern := regexp.MustCompile(usage.CursorPattern)
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(-1<<56, 1<<56).Draw(t, "micros"))
		id := rapid.StringMatching(`[0-9A-Za-z_-]{1,128}`).Draw(t, "id")
		c := usage.CursorAt(at.Add(999*time.Nanosecond), id)
		micros, back, err := c.Place()
		if err != nil || micros != at.UnixMicro() || back != id {
			t.Fatalf("%s leads to %d %s, %v", c, micros, back, err)
		}
		if !pattern.MatchString(string(c)) {
			t.Fatalf("%s does not match the pattern", c)
		}
	})
	if micros, id, err := usage.Cursor("").Place(); micros != 0 || id != "" || err != nil {
		t.Errorf("no cursor leads to %d %q, %v", micros, id, err)
	}
	for _, text := range []string{"x", ".", "1.", ".a", "+1.a", "A.a", "1.a b", "1.é", "1.a'", "--1.a", "1.a.b", "123456789012.a", "1." + strings.Repeat("a", 129), "zzzzzzzzzzzzzz.a", "\x00.a"} {
		if _, _, err := usage.Cursor(text).Place(); !fault.Is(err, fault.InvalidRequest) || pattern.MatchString(text) {
			t.Errorf("%q: %v, the pattern matches: %v", text, err, pattern.MatchString(text))
		}
	}
}

func TestFiltersHaveDefaultsAndBounds(t *testing.T) {
	t.Parallel()
	f, err := usage.Filter{}.Checked()
	if err != nil || f.Limit != usage.DefaultPage {
		t.Errorf("the default is %+v, %v", f, err)
	}
	for limit, ok := range map[int]bool{1: true, 500: true, 501: false, -1: false} {
		if f, err := (usage.Filter{Limit: limit}).Checked(); (err == nil) != ok || err == nil && f.Limit != limit || err != nil && !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("limit %d: %+v, %v", limit, f, err)
		}
	}
	if _, err := (usage.Filter{After: "nonsense"}).Checked(); !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("a bad cursor: %v", err)
	}
}

func TestGroupsAreReadByName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]usage.Group{
		"": nil, "key": {usage.ByKey}, "key,model,day": {usage.ByKey, usage.ByModel, usage.ByDay}, " schema , team,provider": {usage.BySchema, usage.ByTeam, usage.ByProvider},
	} {
		got, err := usage.ParseGroups(text)
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, d)
		}
	}
	for _, text := range []string{"hour", "key,key", ",", "key,", "Key", "key;drop table"} {
		if got, err := usage.ParseGroups(text); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%q is read %v, %v", text, got, err)
		}
	}
}

// drawer is a store with so many old records; each call is noted.
type drawer struct {
	mu     sync.Mutex
	old    int
	err    error
	calls  []int
	before []time.Time
}

func (d *drawer) Purge(_ context.Context, before time.Time, limit int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = append(d.before, before)
	if d.err != nil {
		err := d.err
		d.err = nil
		return 0, err
	}
	n := min(limit, d.old)
	d.old -= n
	d.calls = append(d.calls, n)
	return n, nil
}

// seen gives what the store was asked so far, once everything is at rest.
func (d *drawer) seen() (calls []int, before []time.Time, left int) {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls), slices.Clone(d.before), d.old
}

func TestRetentionDeletesInPortionsEveryHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{old: 450, err: errors.New("busy")}
		var told []error
		r := &usage.Retention{Store: d, Days: 30, OnError: func(err error) { told = append(told, err) }}
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		pass(time.Hour - time.Second)
		if calls, _, _ := d.seen(); len(told) != 1 || calls != nil {
			t.Errorf("before the hour: told of %v, deleted %v", told, calls)
		}
		pass(2 * time.Second)
		calls, before, _ := d.seen()
		if diff := cmp.Diff([]int{200, 200, 50}, calls); diff != "" {
			t.Errorf("portions (-want +got):\n%s", diff)
		}
		if want := begin.Add(time.Hour).AddDate(0, 0, -30); !before[1].Equal(want) || !before[2].Equal(want) {
			t.Errorf("deleted before %v, want %v", before, want)
		}
		d.mu.Lock()
		d.old = 3
		d.mu.Unlock()
		pass(time.Hour)
		if _, _, left := d.seen(); left != 0 {
			t.Errorf("%d are left an hour later", left)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRetentionOfNothingKeepsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{old: 1}
		ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
		defer cancel()
		if err := (&usage.Retention{Store: d}).Run(ctx); err != nil || d.before != nil {
			t.Errorf("%v, deleted %v", err, d.before)
		}
	})
}

func TestRetentionEndsBetweenPortions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{old: 1_000_000}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		n, err := (&usage.Retention{Store: d, Days: 1}).Purge(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || n != 600 {
			t.Errorf("%d deleted, %v", n, err)
		}
	})
}

// On the real store: what is too old goes with its texts, what is younger stays, and the sums stay.
func TestRetentionOnTheRealStore(t *testing.T) {
	t.Parallel()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var batch []usage.Record
	for n := range 500 {
		r := record(n)
		r.Time, r.Prompt = now.AddDate(0, 0, -n), "text"
		batch = append(batch, r)
	}
	if err := db.History().Append(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	n, err := (&usage.Retention{Store: db.History(), Days: 30, Now: func() time.Time { return now }}).Purge(t.Context())
	if err != nil || n != 500-31 {
		t.Errorf("%d deleted, %v; want 469: the one of just 30 days stays", n, err)
	}
	for id, there := range map[string]bool{record(30).RequestID: true, record(31).RequestID: false} {
		r, err := db.History().Request(t.Context(), key.OfTeam("acme"), id)
		if there != (err == nil) || there && r.Prompt != "text" || !there && !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	report, err := db.History().Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	if err != nil || report.Total.Requests != 500 {
		t.Errorf("the sums are %+v, %v", report.Total, err)
	}
}
