package api_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider/providertest"
)

const streamNumber = `{"stream": true, "prompt": "How many? Three.", "schema": ` + numberSchema + `}`

func TestStreamEndsWithTheResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Chunks: []string{`{"a": 1`, `, "b": "tw`, `o", "c"`, `: [1, 2]}`}})
	a := w.post("/v1/analyze", `{"stream": true, "prompt": "x", "schema": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "array"}},
		"required": ["a", "b", "c"]}}`, "X-Request-ID", "mine")
	if a.status != 200 || a.header.Get("Content-Type") != "text/event-stream" || a.header.Get("X-Accel-Buffering") != "no" || a.header.Get("X-Request-ID") != "mine" {
		t.Fatalf("got %d with %v, want an unbuffered event stream: %s", a.status, a.header, a.body)
	}
	list := events(t, a.body)
	partials, attempts := 0, 0
	before := map[string]string{}
	for i, e := range list {
		if e.id != strconv.Itoa(i+1) {
			t.Errorf("event %d has the id %q", i+1, e.id)
		}
		switch e.name {
		case "attempt":
			attempts++
		case "partial":
			partials++
			var p struct{ Data map[string]json.RawMessage }
			if err := json.Unmarshal([]byte(e.data), &p); err != nil {
				t.Fatal(err)
			}
			for name, v := range before {
				if string(p.Data[name]) != v {
					t.Errorf("%s was %s and is taken back: %s", name, v, e.data)
				}
			}
			for name, v := range p.Data {
				before[name] = string(v)
			}
		}
	}
	last := list[len(list)-1]
	var got passed
	if err := json.Unmarshal([]byte(last.data), &got); err != nil || last.name != "result" {
		t.Fatalf("got the last event %+v, want the result", last)
	}
	if string(got.Data) != `{"a":1,"b":"two","c":[1,2]}` || got.ClientRequestID != "mine" {
		t.Errorf("got the result %s", last.data)
	}
	if strings.Count(a.body, "event: result") != 1 || strings.Contains(a.body, "event: error") || partials == 0 || attempts != 1 {
		t.Errorf("got %d partials, %d attempts in %s, want partials, an attempt and one end", partials, attempts, a.body)
	}
	if v := w.visits.all(); v[0].id != got.RequestID {
		t.Errorf("the watch saw the id %s, the answer has %s", v[0].id, got.RequestID)
	}
}

func TestStreamFaultsBeforeTheFirstEventAnswerWithTheirStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.post("/v1/analyze", `{"stream": true, "prompt": ""}`).problem(t, 400, "INVALID_REQUEST")
	w.post("/v1/analyze", `{"stream": true, "prompt": "x", "schema": {"type": "text"}}`).problem(t, 400, "INVALID_SCHEMA")
	w.post("/v1/analyze", `{"stream": true, "prompt": "x", "options": {"model": "nothing"}}`).problem(t, 404, "NOT_FOUND")
}

func TestStreamEndsWithTheError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := providertest.Reply{Text: `{"n": 0}`}
	w.service.Queue(bad, bad, bad, bad)
	a := w.post("/v1/analyze", streamNumber)
	list := events(t, a.body)
	if a.status != 200 || len(list) < 2 {
		t.Fatalf("got %d with %d events, want 200 with attempts and an end: %s", a.status, len(list), a.body)
	}
	var p problem
	last := list[len(list)-1]
	if err := json.Unmarshal([]byte(last.data), &p); err != nil || last.name != "error" || p.Code != "VALIDATION_FAILED" || p.Validation == nil {
		t.Errorf("got the last event %+v, want the error VALIDATION_FAILED with its report", last)
	}
	if strings.Contains(a.body, "event: result") || strings.Count(a.body, "event: error") != 1 {
		t.Errorf("got more than one end: %s", a.body)
	}
}

func TestRepeatedStreamGetsTheResultAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, providertest.Reply{Text: `{"n": 4}`})
	first := w.post("/v1/analyze", streamNumber, "Idempotency-Key", "s1")
	second := w.post("/v1/analyze", streamNumber, "Idempotency-Key", "s1")
	ends := events(t, second.body)
	if second.header.Get("Idempotent-Replayed") != "true" || len(ends) != 1 || ends[0].name != "result" {
		t.Fatalf("got %v %s, want the result alone, replayed", second.header, second.body)
	}
	all := events(t, first.body)
	if all[len(all)-1].data != ends[0].data || w.service.Requests() != 1 {
		t.Errorf("got %s, want the first one's result %s without another call", ends[0].data, all[len(all)-1].data)
	}
}
