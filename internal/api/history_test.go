package api_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// stored gives every byte of the store's files.
func (w *world) stored(tb testing.TB) string {
	tb.Helper()
	var all strings.Builder
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("list the store's files: %d, %v", len(files), err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

type requestAnswer struct {
	RequestID        string `json:"request_id"`
	ClientRequestID  string `json:"client_request_id"`
	Status           int
	Code, Prompt     string
	ValidationStatus string `json:"validation_status"`
	Attempts         []json.RawMessage
	Answer           json.RawMessage
}

type requestPage struct {
	Data []requestAnswer
	Next string `json:"next_cursor"`
}

func TestHistoryShowsWhatWasAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := providertest.Reply{Text: `{"n": 0}`}
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, bad, bad, bad, bad)
	var first passed
	w.post("/v1/analyze", askNumber, "X-Request-ID", "mine").into(t, 200, &first)
	failed := w.post("/v1/analyze", strings.Replace(askNumber, "Three", "None", 1)).problem(t, 422, "VALIDATION_FAILED")
	w.post("/v1/analyze", `{"prompt": "quiet", "options": {"redact_logs": true}}`)

	var page requestPage
	w.get("/v1/requests").into(t, 200, &page)
	if len(page.Data) != 3 || page.Data[2].RequestID != first.RequestID || page.Data[1].RequestID != failed.RequestID || page.Data[2].Attempts != nil {
		t.Fatalf("got %+v, want three requests, the newest first, without their attempts", page.Data)
	}
	var one requestAnswer
	w.get("/v1/requests/"+first.RequestID).into(t, 200, &one)
	if one.ClientRequestID != "mine" || one.Prompt != "How many? Three." || string(one.Answer) != `{"n":3}` || len(one.Attempts) != 1 || one.Status != 200 {
		t.Errorf("got %+v, want the whole request", one)
	}
	w.get("/v1/requests/"+failed.RequestID).into(t, 200, &one)
	if one.Code != "VALIDATION_FAILED" || one.Status != 422 || len(one.Attempts) != 4 {
		t.Errorf("got %+v, want the failure with four attempts", one)
	}
	quiet := w.get("/v1/requests/" + page.Data[0].RequestID)
	if quiet.status != 200 || strings.Contains(quiet.body, "quiet") {
		t.Errorf("got %s, want the request without its text", quiet.body)
	}
	for query, want := range map[string]int{"status=422": 1, "validation_status=passed": 2, "model=small": 3, "model=other": 0, "provider=scripted&status=200": 2, "to=2001-01-01": 0, "from=2001-01-01": 3} {
		var p requestPage
		w.get("/v1/requests?"+query).into(t, 200, &p)
		if len(p.Data) != want {
			t.Errorf("%s: got %d requests, want %d", query, len(p.Data), want)
		}
	}
	var seen int
	path := "/v1/requests?limit=1"
	for range 5 {
		var p requestPage
		w.get(path).into(t, 200, &p)
		seen += len(p.Data)
		if p.Next == "" {
			break
		}
		path = "/v1/requests?limit=1&cursor=" + p.Next
	}
	if seen != 3 {
		t.Errorf("got %d requests over the pages, want 3", seen)
	}
	if a := w.do(ask{method: "DELETE", path: "/v1/requests/" + first.RequestID}); a.status != 204 || a.body != "" {
		t.Errorf("got %d, want 204", a.status)
	}
	w.get("/v1/requests/"+first.RequestID).problem(t, 404, "NOT_FOUND")
	w.do(ask{method: "DELETE", path: "/v1/requests/" + first.RequestID}).problem(t, 404, "NOT_FOUND")
}

func TestTeamsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := w.newKey(key.Key{Name: "other", Team: "other"})
	as := func(method, path string) answer { return w.do(ask{method: method, path: path, key: other}) }
	var mine passed
	w.post("/v1/analyze", askNumber).into(t, 200, &mine)
	as("GET", "/v1/requests/"+mine.RequestID).problem(t, 404, "NOT_FOUND")
	as("DELETE", "/v1/requests/"+mine.RequestID).problem(t, 404, "NOT_FOUND")
	var page requestPage
	as("GET", "/v1/requests").into(t, 200, &page)
	var usage struct{ Total struct{ Requests int } }
	as("GET", "/v1/usage").into(t, 200, &usage)
	var stats struct{ Entries int }
	as("GET", "/v1/cache/stats").into(t, 200, &stats)
	if len(page.Data) != 0 || usage.Total.Requests != 0 || stats.Entries != 0 {
		t.Errorf("another team sees %d requests, %d in usage and %d cached answers", len(page.Data), usage.Total.Requests, stats.Entries)
	}
	as("GET", "/v1/usage?all_teams=true").problem(t, 403, "FORBIDDEN")
	as("DELETE", "/v1/cache?all=true")
	var again passed
	w.post("/v1/analyze", askNumber).into(t, 200, &again)
	if !again.Cached {
		t.Errorf("another team dropped this one's cache")
	}
}

func TestUsageSumsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/v1/analyze", askNumber)
	w.post("/v1/analyze", askNumber)
	var got struct {
		Rows []struct {
			Model, Day, Key  string
			Requests, Cached int
		}
		Total struct {
			Requests, Passed, Cached int
			Cost                     *float64 `json:"cost_usd"`
			Unpriced                 int      `json:"unpriced_requests"`
		}
	}
	w.get("/v1/usage?group_by=model,day").into(t, 200, &got)
	if got.Total.Requests != 2 || got.Total.Passed != 2 || got.Total.Cached != 1 || got.Total.Unpriced != 0 || got.Total.Cost == nil || *got.Total.Cost <= 0 {
		t.Errorf("got the total %+v, want two requests, both passed, one cached, with a cost", got.Total)
	}
	if len(got.Rows) == 0 || got.Rows[0].Model != "small" || got.Rows[0].Day == "" || got.Rows[0].Key != "" {
		t.Errorf("got the rows %+v, want model and day alone", got.Rows)
	}
	w.get("/v1/usage?group_by=key&all_teams=true").into(t, 200, &got)
	if len(got.Rows) != 1 || !strings.HasPrefix(got.Rows[0].Key, "key_") {
		t.Errorf("got the rows %+v, want one of the key", got.Rows)
	}
}

func TestCacheIsDroppedByOneSelection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var first passed
	w.post("/v1/analyze", askNumber).into(t, 200, &first)
	w.post("/v1/analyze", `{"prompt": "another"}`)
	for _, query := range []string{"", "?all=false", "?all=true&key=" + first.CacheKey, "?all=yes", "?key=x", "?schema=", "?schema=a@", "?template=a@1@2"} {
		w.do(ask{method: "DELETE", path: "/v1/cache" + query}).problem(t, 400, "INVALID_REQUEST")
	}
	for _, c := range []struct {
		query string
		want  int
	}{{"key=" + first.CacheKey, 1}, {"schema=invoice@3", 0}, {"template=mail", 0}, {"all=true", 1}, {"all=true", 0}} {
		var got struct{ Dropped int }
		w.do(ask{method: "DELETE", path: "/v1/cache?" + c.query}).into(t, 200, &got)
		if got.Dropped != c.want {
			t.Errorf("%s: dropped %d, want %d", c.query, got.Dropped, c.want)
		}
	}
	var stats struct {
		Hits, Misses, Stores, Drops int
		Ratio                       *float64 `json:"hit_ratio"`
	}
	w.post("/v1/analyze", askNumber)
	w.post("/v1/analyze", askNumber)
	w.get("/v1/cache/stats").into(t, 200, &stats)
	if stats.Hits != 1 || stats.Misses != 3 || stats.Stores != 3 || stats.Drops != 2 || stats.Ratio == nil || *stats.Ratio != 0.25 {
		t.Errorf("got %+v, want 1 hit, 3 misses, 3 stores, 2 drops and a ratio of 0.25", stats)
	}
}
