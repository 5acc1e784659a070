package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

type batchAnswer struct {
	RequestID string `json:"request_id"`
	Summary   struct {
		Total, Passed, Failed int
		CostUSD               *float64 `json:"cost_usd"`
	}
	Items []struct {
		ID, Status string
		Result     *passed
		Error      *problem
	}
}

func TestBatchAnswersEveryItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) {
		w.service.Answer = func(r providertest.Request) (string, bool) {
			if strings.Contains(string(r.Body), "poison") {
				return `{"n": "none"}`, true
			}
			return `{"n": 3}`, true
		}
	})
	a := w.post("/v1/analyze/batch", `{"schema": `+numberSchema+`, "options": {"max_attempts": 2}, "items": [{"id": "good", "prompt": "Three."}, {"id": "bad", "prompt": "poison"},
		{"id": "wrong", "prompt": "Three.", "options": {"temperature": 7}}, {"prompt": "Three, please.", "format": "yaml"}]}`)
	var got batchAnswer
	a.into(t, 200, &got)
	if s := got.Summary; s.Total != 4 || s.Passed != 2 || s.Failed != 2 || s.CostUSD == nil || *s.CostUSD <= 0 {
		t.Errorf("got the summary %+v, want 2 of 4 passed at a known cost", s)
	}
	for i, want := range []string{"good passed", "bad failed", "wrong failed", "3 passed"} {
		if have := got.Items[i].ID + " " + got.Items[i].Status; have != want {
			t.Errorf("item %d: got %s, want %s", i, have, want)
		}
	}
	if r := got.Items[3].Result; r == nil || string(r.Data) != `{"n":3}` || r.Output != "\"n\": 3\n" {
		t.Errorf("got %s, want the fourth item as YAML too", a.body)
	}
	bad := got.Items[1].Error
	if bad == nil || bad.Code != "VALIDATION_FAILED" || len(bad.Attempts) != 2 || bad.RequestID == got.RequestID {
		t.Errorf("got %+v, want VALIDATION_FAILED with two attempts and a request id of its own", bad)
	}
	if wrong := got.Items[2].Error; wrong == nil || wrong.Code != "INVALID_REQUEST" || wrong.Errors[0].Pointer != "/items/2/options/temperature" {
		t.Errorf("got %+v, want INVALID_REQUEST at /items/2/options/temperature", wrong)
	}
	// Each item that ran is a request of its own in the history.
	if list := w.get("/v1/requests/" + bad.RequestID); list.status != 200 {
		t.Errorf("got %d for the failed item's request, want it in the history", list.status)
	}
}

func TestABadSchemaOfTheBatchIsToldWhereItStands(t *testing.T) {
	t.Parallel()
	a := newWorld(t).post("/v1/analyze/batch", `{"schema": {"type": "strin"}, "items": [{"prompt": "a"}, {"prompt": "b", "schema": {"type": "numbr"}}]}`)
	var got batchAnswer
	a.into(t, 200, &got)
	for i, want := range []string{"/schema/type", "/items/1/schema/type"} {
		if e := got.Items[i].Error; e == nil || e.Code != "INVALID_SCHEMA" || e.Errors[0].Pointer != want {
			t.Errorf("item %d: got %+v, want INVALID_SCHEMA at %s", i, e, want)
		}
	}
}

func TestABatchCountsItsItems(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limit := 10
	k := w.newKey(key.Key{Name: "small", Scopes: key.ScopesOf(key.Analyze), RateLimitPerHour: &limit})
	items := make([]string, 8)
	for i := range items {
		items[i] = fmt.Sprintf(`{"prompt": "Number %d."}`, i)
	}
	body := `{"items": [` + strings.Join(items, ",") + `]}`
	first := w.do(ask{method: "POST", path: "/v1/analyze/batch", body: body, key: k})
	if first.status != 200 || !strings.Contains(first.header.Get("RateLimit"), "r=2") {
		t.Errorf("got %d with RateLimit %q, want 200 with two left", first.status, first.header.Get("RateLimit"))
	}
	second := w.do(ask{method: "POST", path: "/v1/analyze/batch", body: body, key: k})
	second.problem(t, 429, "RATE_LIMIT_EXCEEDED")
	if second.header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to come again")
	}
}

func TestABatchIsKeptUnderItsIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"items": [{"id": "a", "prompt": "One.", "options": {"bypass_cache": true}}]}`
	first := w.post("/v1/analyze/batch", body, "Idempotency-Key", "k-1")
	second := w.post("/v1/analyze/batch", body, "Idempotency-Key", "k-1")
	if first.status != 200 || first.body != second.body || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got %s and %s, want the same answer twice", first.body, second.body)
	}
	if n := len(w.service.Exchanges()); n != 1 {
		t.Errorf("the provider was called %d times, want once", n)
	}
	w.post("/v1/analyze/batch", `{"items": [{"id": "b", "prompt": "Two."}]}`, "Idempotency-Key", "k-1").problem(t, 409, "CONFLICT")
}

func TestMalformedBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, body := range []string{`[]`, `{}`, `{"items": []}`, `{"items": "a"}`, `{"items": [null]}`, `{"items": [{"id": "", "prompt": "a"}]}`, `{"items": [{"prompt": "a"}], "optins": {}}`} {
		p := w.post("/v1/analyze/batch", body).problem(t, 400, "INVALID_REQUEST")
		if len(p.Errors) == 0 {
			t.Errorf("%s: got %s, want the place of the fault", body, p.Detail)
		}
	}
	var got batchAnswer
	a := w.post("/v1/analyze/batch", `{"items": [{"prompt": "\u200b"}]}`)
	a.into(t, 200, &got)
	if e := got.Items[0].Error; e == nil || e.Errors[0].Pointer != "/items/0/prompt" {
		raw, _ := json.Marshal(e)
		t.Errorf("got %s, want a fault at /items/0/prompt", raw)
	}
}
