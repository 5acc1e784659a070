package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/key"
)

const checkPath = "/v1/schemas/check"

func TestTheDocumentedExampleOfACheckIsWhatIsAnswered(t *testing.T) {
	t.Parallel()
	raw, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	type body struct {
		Content map[string]struct {
			Examples map[string]struct{ Value json.RawMessage }
		}
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody body
			Responses   map[string]body
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	o := doc.Paths[checkPath]["post"]
	var question, want json.RawMessage
	for _, e := range o.RequestBody.Content["application/json"].Examples {
		question = e.Value
	}
	for _, e := range o.Responses["200"].Content["application/json"].Examples {
		want = e.Value
	}
	var got, wanted any
	newWorld(t).post(checkPath, string(question)).into(t, 200, &got)
	if err := json.Unmarshal(want, &wanted); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		compact, _ := json.Marshal(got)
		t.Errorf("the documented answer is another than the real one (-documented +real):\n%s\n%s", diff, compact)
	}
}

func TestASchemaIsCheckedForEveryDialect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post(checkPath, `{"schema": {"properties": {"a": {"exclusiveMinimum": true, "minimum": 1, "type": "number"}}, "required": ["b"]}, "draft": "4"}`)
	var got struct {
		Valid    bool
		Hash     string
		Advice   []api.SchemaAdvice
		Dialects map[string]struct {
			Lowered     any
			Constraints int
		}
	}
	a.into(t, 200, &got)
	if !got.Valid || len(got.Hash) != 64 || !strings.Contains(a.body, `"draft":"4"`) {
		t.Errorf("got %.300s, want a valid schema of draft 4", a.body)
	}
	if !slices.ContainsFunc(got.Advice, func(a api.SchemaAdvice) bool {
		return a.Rule == "required_unknown" && a.Pointer == "/required" && a.Hint != ""
	}) {
		t.Errorf("got the advice %+v, want required_unknown among it", got.Advice)
	}
	for _, name := range []string{"openai", "anthropic", "bedrock", "gemini", "llamacpp", "ollama"} {
		if d, ok := got.Dialects[name]; !ok || d.Lowered == nil || d.Constraints == 0 {
			t.Errorf("%s: got %+v, want its form", name, d)
		}
	}
}

func TestChecksThatCannotBeMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := `"` + strings.Repeat(`gpt","`, 9_999) + `gpt"`
	for _, c := range []struct{ body, code, pointer, rule string }{
		{`{}`, "INVALID_REQUEST", "/schema", "required"},
		{`{"schema": null}`, "INVALID_REQUEST", "/schema", "type"},
		{`{"schema": "order@3"}`, "INVALID_REQUEST", "/schema", "type"},
		{`{"schema": {}, "dialects": "openai"}`, "INVALID_REQUEST", "/dialects", "type"},
		{`{"schema": {}, "dialects": []}`, "INVALID_REQUEST", "/dialects", "minItems"},
		{`{"schema": {}, "dialects": ["openai", "gpt"]}`, "INVALID_REQUEST", "/dialects/1", "enum"},
		{`{"schema": {}, "dialects": [` + names + `]}`, "INVALID_REQUEST", "/dialects", "maxItems"},
		{`{"schema": {}, "draft": "5"}`, "INVALID_REQUEST", "/draft", "enum"},
		{`{"schema": {}, "dialect": "openai"}`, "INVALID_REQUEST", "/dialect", "unknown_field"},
		{`{"schema": {"type": "text"}}`, "INVALID_SCHEMA", "/schema/type", "unknown_type"},
		{`{"schema": {"$ref": "https://example.org/x"}}`, "INVALID_SCHEMA", "/schema/$ref", "dangling_reference"},
		{`{"schema": {"description": "` + strings.Repeat("x", 256<<10) + `"}}`, "INVALID_SCHEMA", "/schema", "schema_bytes"},
		{`{"schema": {"properties": {` + properties(5001) + `}}}`, "INVALID_SCHEMA", "/schema/properties/p4999", "schema_subschemas"},
		{`{"schema": ` + strings.Repeat(`{"not":`, 65) + `{}` + strings.Repeat(`}`, 65) + `}`, "INVALID_SCHEMA", "/schema" + strings.Repeat("/not", 65), "schema_depth"},
	} {
		p := w.post(checkPath, c.body).problem(t, 400, c.code)
		if len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer || p.Errors[0].Rule != c.rule || p.Errors[0].Hint == "" && c.rule != "type" {
			t.Errorf("%.80s: got %.300v, want the rule %s at %s with a hint", c.body, p.Errors, c.rule, c.pointer)
		}
	}
	w.post(checkPath, `{"schema": `).problem(t, 400, "INVALID_REQUEST")
	w.post(checkPath, `{"schema": "`+strings.Repeat("x", 2<<20)+`"}`).problem(t, 413, "PAYLOAD_TOO_LARGE")
	w.do(ask{method: "POST", path: checkPath, reader: strings.NewReader(`{"schema": {}}`), header: http.Header{"Content-Type": {"text/plain"}}}).
		problem(t, 415, "UNSUPPORTED_MEDIA_TYPE")
}

func properties(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"p%d":{}`, i)
	}
	return strings.Join(list, ",")
}

func TestCheckingASchemaNeedsItsScopeAndCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := 1
	if got := w.do(ask{method: "POST", path: checkPath, key: "-", body: `{"schema": {}}`}); got.status != 401 {
		t.Errorf("without a key: got %d, want 401", got.status)
	}
	other := w.newKey(key.Key{Name: "other", Scopes: key.Scopes(key.Analyze)})
	if got := w.do(ask{method: "POST", path: checkPath, key: other, body: `{"schema": {}}`}); got.status != 403 {
		t.Errorf("without the scope: got %d, want 403", got.status)
	}
	few := w.newKey(key.Key{Name: "few", Scopes: key.Scopes(key.Schemas), RateLimitPerHour: &one})
	var status []int
	for range 2 {
		a := w.do(ask{method: "POST", path: checkPath, key: few, body: `{"schema": {}, "dialects": ["openai"]}`})
		if status = append(status, a.status); a.header.Get("RateLimit") == "" {
			t.Errorf("got %d without the header RateLimit", a.status)
		}
	}
	if want := []int{200, 429}; !cmp.Equal(want, status) {
		t.Errorf("with a limit of one: got %v, want %v", status, want)
	}
}

func TestACheckUnderAKeyIsAnsweredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"schema": {"type": "string"}, "dialects": ["openai"]}`
	first := w.post(checkPath, body, "Idempotency-Key", "k1")
	again := w.post(checkPath, body, "Idempotency-Key", "k1")
	if first.status != 200 || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got %d and %q with Idempotent-Replayed %q, want the same answer again", first.status, again.body, again.header.Get("Idempotent-Replayed"))
	}
	w.post(checkPath, `{"schema": {"type": "number"}}`, "Idempotency-Key", "k1").problem(t, 409, "CONFLICT")
}

// Whatever bytes come as a body, the answer is a report or a fault of the caller.
func FuzzCheckSchemaBody(f *testing.F) {
	for _, body := range []string{
		`{"schema": {"type": "object", "properties": {"a": {"default": 1, "type": "string", "pattern": "^(?=a)\\1"}}, "required": ["b"]}}`, `{"schema": true}`, `{"schema": null}`,
		`{"schema": {"oneOf": [{"$ref": "#/$defs/a"}, {"not": {"required": ["x"]}}], "$defs": {"a": {"enum": [1, {}]}}}, "dialects": ["gemini:openapi"], "draft": "7"}`, `{"dialects": [1]}`,
		`{"schema": {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": true, "maximum": 3, "examples": 1}}`,
	} {
		f.Add([]byte(body))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.tb = t
		a := here.do(ask{method: "POST", path: checkPath, reader: bytes.NewReader(body), header: http.Header{"Content-Type": {"application/json"}}})
		if a.status >= 500 && a.status != http.StatusGatewayTimeout {
			t.Errorf("%q: got %d: %s", body, a.status, a.body)
		}
	})
}

// Schemas at the limits are checked, or given up in time; the log says how long it took.
func TestLargeSchemasAreChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, schema := range map[string]string{
		"4,990 properties":     `{"type": "object", "properties": {` + properties(4990) + `}}`,
		"a description of 255": `{"type": "object", "description": "` + strings.Repeat("x", 255<<10) + `"}`,
		"an enum of 20,000":    `{"enum": [` + strings.TrimSuffix(strings.Repeat(`"v",`, 20_000), ",") + `]}`,
	} {
		start := time.Now()
		a := w.post(checkPath, `{"schema": `+schema+`}`)
		if a.status != 200 && a.status != 504 {
			t.Errorf("%s: got %d: %.300s", name, a.status, a.body)
		}
		t.Logf("%s: %d and %d bytes in %v", name, a.status, len(a.body), time.Since(start))
	}
}
