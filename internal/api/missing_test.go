package api_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

const (
	dateSchema = `{"type": "object", "properties": {"date": {"type": "string", "format": "date"}}, "required": ["date"], "additionalProperties": false}`
	dateAsked  = `{"missing": [{"pointer": "/date", "question": "Which day?"}], "answer": null}`
	dateGiven  = `{"missing": [], "answer": {"date": "2026-12-01"}}`
)

// asking is an answer that needs input.
type asking struct {
	passed
	Questions []struct{ Pointer, Question string }
	State     string
}

func said(text string) providertest.Reply { return providertest.Reply{Text: text} }

func TestAnalyzeAsksBackAndGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(said(dateAsked), said(dateGiven))
	body := `{"prompt": "A table, please.", "schema": ` + dateSchema + `, "format": "yaml", "options": {"missing": "ask"}}`
	var a asking
	w.post("/v1/analyze", body, "Idempotency-Key", "form-1").into(t, 200, &a)
	if a.ValidationStatus != "needs_input" || string(a.Data) != "null" || a.Output != "" || len(a.Questions) != 1 || a.Questions[0].Pointer != "/date" || a.Questions[0].Question != "Which day?" {
		t.Fatalf("got %+v, want a question about the date", a)
	}
	var again asking
	if w.post("/v1/analyze", body, "Idempotency-Key", "form-1").into(t, 200, &again); again.State != a.State {
		t.Error("the same Idempotency-Key gives another state")
	}
	reply := `{"state": ` + strconv.Quote(a.State) + `, "answers": {"/date": "1 December"}}`
	var b passed
	w.post("/v1/analyze", reply).into(t, 200, &b)
	if b.ValidationStatus != "passed" || string(b.Data) != `{"date":"2026-12-01"}` || b.Output != "date: \"2026-12-01\"\n" && b.Output != "date: 2026-12-01\n" {
		t.Errorf("got %+v", b)
	}
	if list := w.get("/v1/requests?validation_status=needs_input"); !strings.Contains(list.body, a.RequestID) || strings.Contains(list.body, b.RequestID) {
		t.Errorf("the history lists %s", list.body)
	}
	p := w.post("/v1/analyze", strings.Replace(reply, "pd1.", "pd1.A", 1)).problem(t, 400, "INVALID_REQUEST")
	if p.Errors[0].Pointer != "/state" {
		t.Errorf("got %+v", p.Errors)
	}
	other := w.newKey(key.Key{Name: "other", Team: "other"})
	if p := w.do(ask{method: "POST", path: "/v1/analyze", body: reply, key: other}).problem(t, 400, "INVALID_REQUEST"); p.Errors[0].Rule != "state" {
		t.Errorf("another team: got %+v", p.Errors)
	}
	if p := w.post("/v1/analyze", strings.Replace(reply, `"answers"`, `"schema": {}, "answers"`, 1)).problem(t, 400, "INVALID_REQUEST"); p.Errors[0].Pointer != "/schema" {
		t.Errorf("another schema: got %+v", p.Errors)
	}
}

func TestAnalyzeSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(said(dateAsked))
	p := w.post("/v1/analyze", `{"prompt": "A table, please.", "schema": `+dateSchema+`, "options": {"missing": "fail"}}`).problem(t, 422, "VALIDATION_FAILED")
	if len(p.Errors) != 1 || p.Errors[0].Keyword != "MISSING" || p.Errors[0].Pointer != "/date" || p.Errors[0].Hint != "Which day?" {
		t.Errorf("got %+v", p.Errors)
	}
}

func TestAStreamEndsWithTheQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(said(dateAsked))
	list := events(t, w.post("/v1/analyze", `{"stream": true, "prompt": "A table, please.", "schema": `+dateSchema+`, "options": {"missing": "ask"}}`).body)
	last := list[len(list)-1]
	var a asking
	if err := json.Unmarshal([]byte(last.data), &a); err != nil || last.name != "result" || a.ValidationStatus != "needs_input" || a.State == "" {
		t.Errorf("got %+v, %v", last, err)
	}
	for _, e := range list {
		if e.name == "partial" {
			t.Errorf("there is nothing to show: %s", e.data)
		}
	}
}

func TestABatchSaysWhichItemsNeedInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) {
		w.service.Answer = func(r providertest.Request) (string, bool) {
			if strings.Contains(string(r.Body), "December") {
				return dateGiven, true
			}
			return dateAsked, true
		}
	})
	var got struct {
		Summary struct {
			Total, Passed, Failed int
			NeedsInput            int `json:"needs_input"`
		}
		Items []struct {
			Status string
			Result asking
		}
	}
	w.post("/v1/analyze/batch", `{"schema": `+dateSchema+`, "options": {"missing": "ask"}, "items": [{"prompt": "On 1 December."}, {"prompt": "Some day."}]}`).into(t, 200, &got)
	if s := got.Summary; s.Total != 2 || s.Passed != 1 || s.Failed != 0 || s.NeedsInput != 1 {
		t.Errorf("got the summary %+v", s)
	}
	if i := got.Items; i[0].Status != "passed" || i[1].Status != "needs_input" || i[1].Result.State == "" || string(i[1].Result.Data) != "null" {
		t.Errorf("got %+v", i)
	}
}

// TestOpenAIClientsAreNotAskedBack: their format has no room for questions.
func TestOpenAIClientsAreNotAskedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post("/v1/chat/completions", `{"model": "auto", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": `+dateSchema+`}},
		"promptd": {"missing": "ask"}}`)
	if a.status != 400 || !strings.Contains(a.body, "missing") {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

// TestAStateNamesVersions: what a dialogue began with is what it goes on with, whatever is published meanwhile.
func TestAStateNamesVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	publish := func(path, body string) {
		t.Helper()
		if a := w.post(path, body); a.status != 201 {
			t.Fatalf("publish: %d %s", a.status, a.body)
		}
	}
	publish("/v1/schemas", `{"name": "booking", "schema": `+dateSchema+`}`)
	publish("/v1/templates", `{"name": "table", "text": "Read the mail of a guest:\n\n{{ mail }}", "parameters": {"mail": {"type": "string"}}, "schema": "booking", "options": {"missing": "ask"}}`)
	ask := func(body string) (a asking) {
		t.Helper()
		w.service.Queue(said(dateAsked))
		w.post("/v1/analyze", body).into(t, 200, &a)
		if a.ValidationStatus != "needs_input" {
			t.Fatalf("got %+v", a)
		}
		return a
	}
	bySchema := ask(`{"prompt": "A table, please.", "schema": "booking", "options": {"missing": "ask"}}`)
	byTemplate := ask(`{"template": "table", "parameters": {"mail": "A table, please."}}`)
	w.service.Queue(said(dateGiven))
	var b passed
	if w.post("/v1/analyze", `{"state": `+strconv.Quote(byTemplate.State)+`, "prompt": "1 December"}`).into(t, 200, &b); b.ValidationStatus != "passed" {
		t.Errorf("got %+v", b)
	}
	exchanges := w.service.Exchanges()
	if turns := exchanges[len(exchanges)-1].Messages; !strings.Contains(turns[len(turns)-1].Text, "1 December") || !strings.Contains(turns[len(turns)-2].Text, "Which day?") {
		t.Errorf("the conversation is %v", turns)
	}
	publish("/v1/schemas", `{"name": "booking", "compatibility": "none", "schema": {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}}`)
	w.service.Queue(said(dateGiven))
	if w.post("/v1/analyze", `{"state": `+strconv.Quote(bySchema.State)+`, "prompt": "1 December"}`).into(t, 200, &b); string(b.Data) != `{"date":"2026-12-01"}` {
		t.Errorf("got %+v: the state goes on with the first version", b)
	}
	// The template names its schema without a version, so that it means another one now: what was asked is about the first.
	p := w.post("/v1/analyze", `{"state": `+strconv.Quote(byTemplate.State)+`, "prompt": "2 December"}`).problem(t, 400, "INVALID_REQUEST")
	if p.Errors[0].Pointer != "/state" || p.Errors[0].Rule != "schema" {
		t.Errorf("got %+v", p.Errors)
	}
}
