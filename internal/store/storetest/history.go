package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

func historyContracts() []contract {
	return []contract{
		{"a request is read as it was recorded", historyRoundTrip},
		{"texts are kept as they are", historyTexts},
		{"a list has no attempts and no texts", historyListIsLean},
		{"a list shows one team's requests alone", historyTeams},
		{"filters choose and combine", historyFilters},
		{"a cursor sees each request once, also while requests are recorded", historyCursor},
		{"a list of all teams is in the order of time", historyAllTeams},
		{"bad limits and cursors are refused", historyBadPages},
		{"a request that is there is left out and not summed twice", historyTwice},
		{"batches of every size are kept", historySizes},
		{"a deleted request is gone and its sums stay", historyDelete},
		{"what is too old is deleted in portions", historyPurge},
		{"a cancelled call changes nothing", historyCancelled},
		{"many at once lose nothing", historyConcurrent},
	}
}

// requestID makes ids that sort by number.
func requestID(n int) string { return fmt.Sprintf("019ac6f2-0000-7000-8000-%012d", n) }

// sampleRecord makes a full record; each number is a millisecond later.
func sampleRecord(n int, team key.TeamID) usage.Record {
	return usage.Record{
		RequestID: requestID(n), ClientRequestID: fmt.Sprintf("client-%d", n), Team: team, Key: "key_1", Time: start().Add(time.Duration(n) * time.Millisecond),
		Status: 200, ValidationStatus: "passed", Provider: "gemini", Model: "flash", Schema: "invoice@3", SchemaHash: "abc123", Template: "intake@2", DialectMode: "strict",
		Language: "en", Tokens: usage.Tokens{Input: 100, Output: 20, CachedInput: 5}, Cost: usage.Costs(1234),
		Processing: 1243 * time.Millisecond, Overhead: 400 * time.Microsecond,
		Attempts: []byte(`[{"n":1}]`), Validation: []byte(`{"errors":[]}`), Prompt: "the prompt", Answer: `{"a":1}`,
	}
}

func appendAll(t *testing.T, s Stores, records ...usage.Record) {
	t.Helper()
	must(t, s.History.Append(t.Context(), records))
}

func historyRoundTrip(t *testing.T, s Stores, _ *Clock) {
	full := sampleRecord(1, "acme")
	full.Cached, full.Coalesced = true, true
	failed := sampleRecord(2, "acme")
	failed.Status, failed.Code, failed.ValidationStatus, failed.Cost = 422, "VALIDATION_FAILED", "failed", usage.Cost{}
	free := sampleRecord(3, "acme")
	free.Cost, free.Cached = usage.Costs(0), true
	bare := usage.Record{RequestID: requestID(4), Team: "acme", Time: start()}
	records := []usage.Record{full, failed, free, bare}
	appendAll(t, s, records...)
	for _, want := range records {
		got, err := s.History.Request(t.Context(), key.OfTeam("acme"), want.RequestID)
		must(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("request %s differs (-want +got):\n%s", want.RequestID, diff)
		}
	}
}

func historyTexts(t *testing.T, s Stores, _ *Clock) {
	for i, text := range append(strange(), strings.Repeat("長い", 20000)) {
		r := sampleRecord(i, "acme")
		r.Prompt, r.Answer, r.ClientRequestID, r.Model, r.Attempts = text, text, text, text, []byte(text)
		appendAll(t, s, r)
		got, err := s.History.Request(t.Context(), key.OfTeam("acme"), r.RequestID)
		must(t, err)
		if got.Prompt != text || got.Answer != text || got.ClientRequestID != text || got.Model != text || string(got.Attempts) != text {
			t.Errorf("text %.40q came back changed: %.300q", text, fmt.Sprintf("%+v", got))
		}
	}
}

func historyListIsLean(t *testing.T, s Stores, _ *Clock) {
	want := sampleRecord(1, "acme")
	appendAll(t, s, want)
	list, _, err := s.History.Requests(t.Context(), key.OfTeam("acme"), usage.Filter{})
	must(t, err)
	want.Attempts, want.Validation, want.Prompt, want.Answer, want.Template = nil, nil, "", "", ""
	if diff := cmp.Diff([]usage.Record{want}, list); diff != "" {
		t.Errorf("the list differs (-want +got):\n%s", diff)
	}
}

func historyTeams(t *testing.T, s Stores, _ *Clock) {
	appendAll(t, s, sampleRecord(1, "acme"), sampleRecord(2, "beta"), sampleRecord(3, "acme"))
	for _, c := range []struct {
		name  string
		reach key.Reach
		want  []int
	}{
		{"acme", key.OfTeam("acme"), []int{3, 1}},
		{"beta", key.OfTeam("beta"), []int{2}},
		{"a team without requests", key.OfTeam("bet"), nil},
		{"the zero reach", key.Reach{}, nil},
		{"all teams", key.AllTeams(), []int{3, 2, 1}},
	} {
		wantRequests(t, s, "list of "+c.name, c.reach, usage.Filter{}, c.want...)
	}
	_, err := s.History.Request(t.Context(), key.OfTeam("beta"), requestID(1))
	wantCode(t, "read another team's request", err, fault.NotFound)
	wantCode(t, "delete another team's request", s.History.Delete(t.Context(), key.OfTeam("beta"), requestID(1)), fault.NotFound)
	_, err = s.History.Request(t.Context(), key.OfTeam("acme"), requestID(1))
	must(t, err)
}

// wantRequests checks one page that must be the last.
func wantRequests(t *testing.T, s Stores, what string, reach key.Reach, f usage.Filter, want ...int) {
	t.Helper()
	list, next, err := s.History.Requests(t.Context(), reach, f)
	must(t, err)
	var ids []string
	for _, n := range want {
		ids = append(ids, requestID(n))
	}
	if diff := cmp.Diff(ids, idsOfRecords(list)); diff != "" || next != "" {
		t.Errorf("%s: next cursor %q, ids differ (-want +got):\n%s", what, next, diff)
	}
}

func idsOfRecords(list []usage.Record) []string {
	var ids []string
	for _, r := range list {
		ids = append(ids, r.RequestID)
	}
	return ids
}

func historyFilters(t *testing.T, s Stores, _ *Clock) {
	records := make([]usage.Record, 6)
	for i := range records {
		records[i] = sampleRecord(i, "acme")
	}
	records[1].Key = "key_2"
	records[2].Status, records[2].ValidationStatus = 422, "failed"
	records[3].Provider = "openai"
	records[4].Model = "pro"
	records[5].Schema = "other@1"
	appendAll(t, s, records...)
	appendAll(t, s, sampleRecord(9, "beta"))
	for _, c := range []struct {
		name string
		f    usage.Filter
		want []int
	}{
		{"key", usage.Filter{Key: "key_2"}, []int{1}},
		{"status", usage.Filter{Status: 422}, []int{2}},
		{"validation status", usage.Filter{ValidationStatus: "failed"}, []int{2}},
		{"provider", usage.Filter{Provider: "openai"}, []int{3}},
		{"model", usage.Filter{Model: "pro"}, []int{4}},
		{"schema", usage.Filter{Schema: "other@1"}, []int{5}},
		{"every version of a schema", usage.Filter{Schema: "other"}, []int{5}},
		{"a part of a schema's name", usage.Filter{Schema: "othe"}, nil},
		{"another version", usage.Filter{Schema: "other@10"}, nil},
		{"from", usage.Filter{From: records[4].Time}, []int{5, 4}},
		{"to", usage.Filter{To: records[2].Time}, []int{1, 0}},
		{"a time between", usage.Filter{From: records[2].Time, To: records[4].Time}, []int{3, 2}},
		{"several at once", usage.Filter{Key: "key_1", Provider: "gemini", Status: 200, Schema: "invoice@3", Model: "flash"}, []int{0}},
		{"nothing fits", usage.Filter{Key: "key_2", Status: 422}, nil},
		{"a text that is SQL", usage.Filter{Model: "' OR 1=1 --"}, nil},
	} {
		wantRequests(t, s, "filter "+c.name, key.OfTeam("acme"), c.f, c.want...)
	}
}

func historyCursor(t *testing.T, s Stores, _ *Clock) {
	const n = 47
	records := make([]usage.Record, n)
	for i := range records {
		records[i] = sampleRecord(i, "acme")
		records[i].Time = start().Add(time.Duration(i/4) * time.Second) // Four share each time.
	}
	appendAll(t, s, records...)
	var got []string
	for cursor, page := usage.Cursor(""), 0; ; page++ {
		list, next, err := s.History.Requests(t.Context(), key.OfTeam("acme"), usage.Filter{Limit: 5, After: cursor})
		must(t, err)
		got = append(got, idsOfRecords(list)...)
		if next == "" {
			break
		}
		later := sampleRecord(1000+page, "acme")
		later.Time = start().Add(time.Hour)
		appendAll(t, s, later)
		cursor = next
	}
	var want []string
	for i := range n {
		want = append(want, requestID(n-1-i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pages together differ (-want +got):\n%s", diff)
	}
}

func historyAllTeams(t *testing.T, s Stores, _ *Clock) {
	const n = 30
	for i := range n {
		appendAll(t, s, sampleRecord(i, key.TeamID(fmt.Sprintf("team%d", i%4))))
	}
	var got []string
	for cursor := usage.Cursor(""); ; {
		list, next, err := s.History.Requests(t.Context(), key.AllTeams(), usage.Filter{Limit: 7, After: cursor})
		must(t, err)
		got = append(got, idsOfRecords(list)...)
		if cursor = next; next == "" {
			break
		}
	}
	var want []string
	for i := range n {
		want = append(want, requestID(n-1-i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the pages together differ (-want +got):\n%s", diff)
	}
}

func historyBadPages(t *testing.T, s Stores, _ *Clock) {
	for _, f := range []usage.Filter{{Limit: -1}, {Limit: 501}, {After: "nonsense"}, {After: "AAAA"}, {After: "????"}} {
		_, _, err := s.History.Requests(t.Context(), key.OfTeam("acme"), f)
		wantCode(t, fmt.Sprintf("limit %d, cursor %q", f.Limit, f.After), err, fault.InvalidRequest)
	}
}

func historyTwice(t *testing.T, s Stores, _ *Clock) {
	records := make([]usage.Record, 40)
	for i := range records {
		records[i] = sampleRecord(i, "acme")
	}
	appendAll(t, s, records[:20]...)
	appendAll(t, s, records[10:]...)
	appendAll(t, s, records...)
	report, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	must(t, err)
	if report.Total.Requests != 40 || report.Total.Cost != 40*1234 {
		t.Errorf("40 requests, most written twice or more: got sums of %d requests and %d nano-dollars, want 40 and %d",
			report.Total.Requests, report.Total.Cost, 40*1234)
	}
}

func historySizes(t *testing.T, s Stores, _ *Clock) {
	n := 0
	for _, size := range []int{0, 1, 2, 15, 16, 17, 31, 32, 33, 128, 300} {
		batch := make([]usage.Record, size)
		for i := range batch {
			batch[i] = sampleRecord(n, "acme")
			n++
		}
		appendAll(t, s, batch...)
	}
	report, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	must(t, err)
	if report.Total.Requests != int64(n) {
		t.Errorf("got %d requests, want %d", report.Total.Requests, n)
	}
	for _, i := range []int{0, 1, 17, n / 2, n - 1} {
		got, err := s.History.Request(t.Context(), key.OfTeam("acme"), requestID(i))
		must(t, err)
		if diff := cmp.Diff(sampleRecord(i, "acme"), got); diff != "" {
			t.Errorf("request %d differs (-want +got):\n%s", i, diff)
		}
	}
}

func historyDelete(t *testing.T, s Stores, _ *Clock) {
	appendAll(t, s, sampleRecord(1, "acme"), sampleRecord(2, "acme"))
	must(t, s.History.Delete(t.Context(), key.OfTeam("acme"), requestID(1)))
	_, err := s.History.Request(t.Context(), key.AllTeams(), requestID(1))
	wantCode(t, "read a deleted request", err, fault.NotFound)
	wantCode(t, "delete it again", s.History.Delete(t.Context(), key.OfTeam("acme"), requestID(1)), fault.NotFound)
	wantRequests(t, s, "what is left", key.OfTeam("acme"), usage.Filter{}, 2)
	report, err := s.History.Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	must(t, err)
	if report.Total.Requests != 2 {
		t.Errorf("sums after a deletion: got %d requests, want 2", report.Total.Requests)
	}
}

func historyPurge(t *testing.T, s Stores, _ *Clock) {
	for i := range 30 {
		appendAll(t, s, sampleRecord(i, key.TeamID(fmt.Sprintf("team%d", i%3))))
	}
	before := sampleRecord(20, "").Time
	for _, want := range []int{8, 8, 4, 0} {
		got, err := s.History.Purge(t.Context(), before, 8)
		must(t, err)
		if got != want {
			t.Fatalf("a portion of at most 8: deleted %d, want %d", got, want)
		}
	}
	wantRequests(t, s, "what is left", key.AllTeams(), usage.Filter{}, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20)
}

func historyCancelled(t *testing.T, s Stores, clock *Clock) {
	ctx, reach := cancelled(), key.AllTeams()
	appendAll(t, s, sampleRecord(1, "acme"))
	wantCancelled(t, "Append", s.History.Append(ctx, []usage.Record{sampleRecord(2, "acme")}))
	wantCancelled(t, "Delete", s.History.Delete(ctx, reach, requestID(1)))
	_, err := s.History.Purge(ctx, clock.Now().Add(time.Hour), 10)
	wantCancelled(t, "Purge", err)
	_, err = s.History.Request(ctx, reach, requestID(1))
	wantCancelled(t, "Request", err)
	_, _, err = s.History.Requests(ctx, reach, usage.Filter{})
	wantCancelled(t, "Requests", err)
	_, err = s.History.Usage(ctx, reach, usage.Query{})
	wantCancelled(t, "Usage", err)
	wantRequests(t, s, "after cancelled calls", reach, usage.Filter{}, 1)
}

func historyConcurrent(t *testing.T, s Stores, _ *Clock) {
	const writers, batches, size = 4, 5, 20
	must(t, together(writers+2, func(w int) error {
		ctx := context.Background()
		for b := range batches {
			if w >= writers { // Two read and purge meanwhile.
				if _, _, err := s.History.Requests(ctx, key.AllTeams(), usage.Filter{Limit: 3}); err != nil {
					return err
				}
				if _, err := s.History.Purge(ctx, start().Add(-time.Hour), 10); err != nil {
					return err
				}
				continue
			}
			batch := make([]usage.Record, size)
			for i := range batch {
				batch[i] = sampleRecord((w*batches+b)*size+i, key.TeamID(fmt.Sprintf("team%d", w)))
			}
			if err := s.History.Append(ctx, batch); err != nil {
				return err
			}
		}
		return nil
	}))
	report, err := s.History.Usage(t.Context(), key.AllTeams(), usage.Query{GroupBy: []usage.Group{usage.ByTeam}})
	must(t, err)
	if len(report.Rows) != writers || report.Total.Requests != writers*batches*size {
		t.Errorf("got %d teams with %d requests, want %d with %d", len(report.Rows), report.Total.Requests, writers, writers*batches*size)
	}
}
