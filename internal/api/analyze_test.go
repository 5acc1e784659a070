package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

const (
	numberSchema = `{"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"], "additionalProperties": false}`
	askNumber    = `{"prompt": "How many? Three.", "schema": ` + numberSchema + `}`
)

type passed struct {
	RequestID        string `json:"request_id"`
	ClientRequestID  string `json:"client_request_id"`
	Data             json.RawMessage
	OutputFormat     string `json:"output_format"`
	Output           string
	ValidationStatus string `json:"validation_status"`
	Validation       struct {
		Repairs []struct{ Kind string }
		Reasks  int
	}
	ProviderUsed string `json:"provider_used"`
	ModelUsed    string `json:"model_used"`
	Attempts     []struct{ Outcome string }
	Usage        struct {
		InputTokens int `json:"input_tokens"`
	}
	CostUSD  *float64 `json:"cost_usd"`
	Cached   bool
	CacheKey string `json:"cache_key"`
}

func TestAnalyzeGivesValidatedData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: "```json\n{\"n\": 3}\n```", Usage: &providertest.Usage{PromptTokens: 100, CompletionTokens: 10}})
	a := w.post("/v1/analyze", askNumber, "X-Request-ID", "order-4711")
	var got passed
	a.into(t, 200, &got)
	if string(got.Data) != `{"n":3}` || got.ValidationStatus != "passed" || got.OutputFormat != "json" || got.ProviderUsed != "scripted" || got.ModelUsed != "small" {
		t.Errorf("got %s, want the data {\"n\":3} passed from scripted/small", a.body)
	}
	if len(got.Validation.Repairs) == 0 || got.Validation.Repairs[0].Kind != "fence" || len(got.Attempts) != 1 || got.Usage.InputTokens != 100 {
		t.Errorf("got %s, want the repair fence, one attempt and 100 input tokens", a.body)
	}
	if got.CostUSD == nil || *got.CostUSD <= 0 {
		t.Errorf("got the cost %v, want a known one", got.CostUSD)
	}
	if got.ClientRequestID != "order-4711" || a.header.Get("X-Request-ID") != "order-4711" || got.RequestID == "order-4711" {
		t.Errorf("got the ids %q, %q and the header %q, want the caller's kept and answered beside ours", got.RequestID, got.ClientRequestID, a.header.Get("X-Request-ID"))
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got the headers %v, want no-store and nosniff", a.header)
	}
	if visits := w.visits.all(); len(visits) != 1 || visits[0].id != got.RequestID || visits[0].route != "/v1/analyze" || visits[0].status != 200 || visits[0].bytes != int64(len(a.body)) {
		t.Errorf("got the visits %+v, want one of /v1/analyze with 200 and the answer's id and size", visits)
	}
}

func TestAnalyzeWithoutIDsAnswersOurs(t *testing.T) {
	t.Parallel()
	a := newWorld(t).post("/v1/analyze", askNumber)
	var got passed
	a.into(t, 200, &got)
	if got.RequestID == "" || a.header.Get("X-Request-ID") != got.RequestID {
		t.Errorf("got the header %q and the id %q, want the same", a.header.Get("X-Request-ID"), got.RequestID)
	}
}

func TestAnalyzeWritesFormats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for format, want := range map[string]string{"yaml": "n\": 3", "xml": "<n type=\"number\">3</n>", "toon": "n: 3"} {
		w.service.Queue(providertest.Reply{Text: `{"n": 3}`})
		var got passed
		w.post("/v1/analyze", `{"prompt": "`+format+`", "format": "`+format+`", "schema": `+numberSchema+`}`).into(t, 200, &got)
		if !strings.Contains(got.Output, want) || got.OutputFormat != format || string(got.Data) != `{"n":3}` {
			t.Errorf("%s: got the output %q and the data %s, want %q in it and the JSON value", format, got.Output, got.Data, want)
		}
	}
}

func TestAnalyzeHitsTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var first, second passed
	w.post("/v1/analyze", askNumber).into(t, 200, &first)
	w.post("/v1/analyze", askNumber).into(t, 200, &second)
	if first.Cached || !second.Cached || string(first.Data) != string(second.Data) || first.RequestID == second.RequestID || first.CacheKey != second.CacheKey {
		t.Errorf("got %+v and %+v, want the second from the cache with an id of its own", first, second)
	}
	if n := w.service.Requests(); n != 1 {
		t.Errorf("the service was asked %d times, want once", n)
	}
}

// Each case is a request and the one fault that it has.
func TestAnalyzeRefusesByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *wish) { w.promptChars = 50 })
	const secret = "Zebrafalle" // It stands in every prompt and must stand in no answer.
	body := func(rest string) string { return `{"prompt": "` + secret + `", ` + rest + `}` }
	option := func(text string) string { return body(`"options": {` + text + `}`) }
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	cases := []struct{ name, body, pointer, rule string }{
		{"empty body", ``, "", ""},
		{"no JSON", secret, "", ""},
		{"two values", body(`"format": "json"`) + `{}`, "", ""},
		{"duplicate name", `{"prompt": "` + secret + `", "prompt": "b"}`, "", ""},
		{"lone surrogate", `{"prompt": "\ud800"}`, "", ""},
		{"bad UTF-8", "{\"prompt\": \"\xff\"}", "", ""},
		{"NaN", option(`"temperature": NaN`), "", ""},
		{"nesting", body(`"schema": ` + deep), "", ""},
		{"array", `[]`, "", "type"},
		{"no prompt", `{}`, "/prompt", "required"},
		{"prompt of a wrong type", `{"prompt": 3}`, "/prompt", "type"},
		{"empty prompt", `{"prompt": ""}`, "/prompt", "min_length"},
		{"invisible prompt", `{"prompt": "\u200b\u0000"}`, "/prompt", "min_length"},
		{"long prompt", `{"prompt": "` + strings.Repeat(secret, 6) + `"}`, "/prompt", "limits.prompt_chars"},
		{"unknown field", body(`"shema": {}`), "/shema", "unknown_field"},
		{"unknown option", option(`"temprature": 1`), "/options/temprature", "unknown_field"},
		{"template", `{"template": "x", "prompt": "a"}`, "/prompt", "exclusive"},
		{"schema as text", body(`"schema": "{\"type\": \"object\"}"`), "/schema", "pattern"},
		{"schema of a wrong type", body(`"schema": 3`), "/schema", "type"},
		{"format", body(`"format": "csv"`), "/format", "enum"},
		{"prompt and messages", body(`"messages": []`), "/messages", "exclusive"},
		{"no messages", `{"messages": []}`, "/messages", "items"},
		{"no user", `{"messages": [{"role": "system", "content": "` + secret + `"}]}`, "/messages", "user_message"},
		{"role", `{"messages": [{"role": "tool", "content": "` + secret + `"}]}`, "/messages/0/role", "enum"},
		{"foreign image", `{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://169.254.169.254/` + secret + `"}}]}]}`, "/messages/0/content/0/image_url/url", "format"},
		{"temperature", option(`"temperature": 2.1`), "/options/temperature", "range"},
		{"max_tokens", option(`"max_tokens": 0`), "/options/max_tokens", "range"},
		{"max_tokens of a fraction", option(`"max_tokens": 1.5`), "/options/max_tokens", "range"},
		{"timeout_ms", option(`"timeout_ms": 99`), "/options/timeout_ms", "range"},
		{"max_attempts", option(`"max_attempts": 11`), "/options/max_attempts", "range"},
		{"cache_ttl", option(`"cache_ttl": 59`), "/options/cache_ttl", "range"},
		{"coercion", option(`"coercion": "wild"`), "/options/coercion", "enum"},
		{"provenance", option(`"provenance": true`), "/options/provenance", "unsupported"},
		{"missing", option(`"missing": "guess"`), "/options/missing", "enum"},
		{"pii", option(`"pii": "hide"`), "/options/pii", "unsupported"},
		{"routing", option(`"routing": "cheapest"`), "/options/routing", "enum"},
		{"options of a wrong type", body(`"options": []`), "/options", "type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := w.post("/v1/analyze", c.body)
			if c.body == "" {
				a = w.do(ask{method: "POST", path: "/v1/analyze", header: headers("Content-Type", "application/json")})
			}
			p := a.problem(t, 400, "INVALID_REQUEST")
			if len(p.Errors) == 0 {
				t.Fatalf("got no entries: %s", a.body)
			}
			if c.rule != "" && (p.Errors[0].Pointer != c.pointer || p.Errors[0].Rule != c.rule) {
				t.Errorf("got the entry %+v, want %s at %q", p.Errors[0], c.rule, c.pointer)
			}
			if strings.Contains(a.body, secret) {
				t.Errorf("the answer repeats the prompt: %s", a.body)
			}
		})
	}
	if n := w.service.Requests(); n != 0 {
		t.Errorf("the service was asked %d times for refused requests", n)
	}
}

func TestAnalyzeNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	p := newWorld(t).post("/v1/analyze", `{"promt": "x", "options": {"temperature": 9, "nonsense": 1}}`).problem(t, 400, "INVALID_REQUEST")
	var got []string
	for _, e := range p.Errors {
		got = append(got, e.Pointer+" "+e.Rule)
	}
	if want := "/prompt required, /options/temperature range, /promt unknown_field, /options/nonsense unknown_field"; strings.Join(got, ", ") != want {
		t.Errorf("got the faults %s, want %s", strings.Join(got, ", "), want)
	}
	if p.Errors[2].Hint != "Did you mean prompt?" {
		t.Errorf("got the hint %q, want the field that was meant", p.Errors[2].Hint)
	}
}

func TestAnalyzeRefusesBadSchemas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ name, schema, pointer string }{
		{"type", `{"properties": {"a": {"type": "text"}}}`, "/schema/properties/a/type"},
		{"reference", `{"$ref": "https://example.com/other.json"}`, "/schema/$ref"},
		{"x-rules", `{"x-rules": ["self.a >"]}`, "/schema/x-rules/0"},
	} {
		p := w.post("/v1/analyze", `{"prompt": "x", "schema": `+c.schema+`}`).problem(t, 400, "INVALID_SCHEMA")
		if len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer {
			t.Errorf("%s: got the entries %+v, want one at %s", c.name, p.Errors, c.pointer)
		}
	}
}

// What a model service does, and what the caller is told of it.
func TestAnalyzeTellsWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	many := func(r providertest.Reply) []providertest.Reply { return []providertest.Reply{r, r, r, r} }
	cases := []struct {
		name    string
		replies []providertest.Reply
		status  int
		code    string
		judged  bool
	}{
		{"invalid to the end", many(providertest.Reply{Text: `{"n": 0}`}), 422, "VALIDATION_FAILED", true},
		{"unfinished to the end", many(providertest.Reply{Text: `{"n": 3`, Stop: "length"}), 422, "VALIDATION_FAILED", true},
		{"refusal", many(providertest.Reply{Refusal: "I will not."}), 422, "CONTENT_REFUSED", false},
		{"service broken", many(providertest.Reply{Fault: providertest.ServerError}), 502, "LLM_PROVIDER_ERROR", false},
		{"credential refused", many(providertest.Reply{Fault: providertest.Unauthorized}), 502, "LLM_PROVIDER_ERROR", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.service.Queue(c.replies...)
			a := w.post("/v1/analyze", askNumber, "X-Request-ID", "mine")
			p := a.problem(t, c.status, c.code)
			if p.ClientRequestID != "mine" || len(p.Attempts) == 0 || p.Usage == nil {
				t.Errorf("got %s, want the caller's id, the attempts and their usage", a.body)
			}
			if c.judged != (p.Validation != nil) || c.judged && (len(p.Errors) == 0 || p.Errors[0].Keyword == "") {
				t.Errorf("got the validation %v and the errors %+v, want a report: %t", p.Validation, p.Errors, c.judged)
			}
			if c.judged && p.CostUSD == nil {
				t.Errorf("got no cost: %s", a.body)
			}
			if strings.Contains(a.body, "Three") || strings.Contains(a.body, "I will not") {
				t.Errorf("the answer repeats prompt or model text: %s", a.body)
			}
			if w.get("/v1/requests/"+p.RequestID).status != 200 {
				t.Errorf("the request %s is not in the history", p.RequestID)
			}
		})
	}
}

func TestAnalyzeEndsInTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	w.service.Queue(providertest.Reply{Hold: hold})
	p := w.post("/v1/analyze", `{"prompt": "x", "options": {"timeout_ms": 150}}`).problem(t, 504, "TIMEOUT")
	if len(p.Attempts) != 1 {
		t.Errorf("got %d attempts, want the one that ran out of time", len(p.Attempts))
	}
}

func TestAnalyzeKnowsItsProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limited := w.newKey(key.Key{Name: "small models", Models: []string{"other/model"}})
	for _, option := range []string{`"model": "scripted/small"`, `"model": "small"`, `"provider": "scripted"`, `"provider": null, "model": null`} {
		if a := w.post("/v1/analyze", `{"prompt": "x", "options": {`+option+`}}`); a.status != 200 {
			t.Errorf("%s: got %d, want 200: %s", option, a.status, a.body)
		}
	}
	w.post("/v1/analyze", `{"prompt": "x", "options": {"model": "gpt-99"}}`).problem(t, 404, "NOT_FOUND")
	w.post("/v1/analyze", `{"prompt": "x", "options": {"provider": "nobody"}}`).problem(t, 404, "NOT_FOUND")
	w.do(ask{method: "POST", path: "/v1/analyze", body: askNumber, key: limited}).problem(t, 403, "FORBIDDEN")
	p := w.post("/v1/analyze", `{"prompt": "x", "options": {"model": "small", "max_tokens": 5000}}`).problem(t, 400, "INVALID_REQUEST")
	if p.Errors[0].Pointer != "/options/max_tokens" {
		t.Errorf("got the entry %+v, want one at /options/max_tokens", p.Errors[0])
	}
}

func TestRateLimitIsSaidOnEveryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	three := 3
	secret := w.newKey(key.Key{Name: "limited", RateLimitPerHour: &three})
	for i, c := range []struct {
		body   string
		status int
	}{{askNumber, 200}, {`{"nonsense": 1}`, 400}, {`{"prompt": "x", "schema": {"type": "text"}}`, 400}, {askNumber, 429}} {
		a := w.do(ask{method: "POST", path: "/v1/analyze", body: c.body, key: secret})
		if a.status != c.status {
			t.Fatalf("request %d: got %d, want %d: %s", i, a.status, c.status, a.body)
		}
		if got := a.header.Get("RateLimit-Policy"); got != `"hour";q=3;w=3600` {
			t.Errorf("request %d: got RateLimit-Policy %q", i, got)
		}
		if got, want := a.header.Get("RateLimit"), `"hour";r=`+strconv.Itoa(max(0, 2-i))+`;t=`; !strings.HasPrefix(got, want) {
			t.Errorf("request %d: got RateLimit %q, want %s…", i, got, want)
		}
		if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); c.status == 429 && (err != nil || seconds < 1100 || seconds > 1200) {
			t.Errorf("got Retry-After %q, want about 1200 seconds", a.header.Get("Retry-After"))
		}
	}
	var me struct {
		RateLimit struct {
			PerHour, Remaining int
		} `json:"rate_limit"`
	}
	w.do(ask{method: "GET", path: "/v1/me", key: secret}).into(t, 200, &me)
	if me.RateLimit.Remaining != 0 {
		t.Errorf("got %+v left, want none", me.RateLimit)
	}
	if a := w.post("/v1/analyze", askNumber); a.header.Get("RateLimit") != "" {
		t.Errorf("a key without a limit got the header %q", a.header.Get("RateLimit"))
	}
}

func TestRequestIDsAreHeldToTheirForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"a b", strings.Repeat("x", 129), "ü", ""} {
		p := w.post("/v1/analyze", askNumber, "X-Request-ID", id).problem(t, 400, "INVALID_REQUEST")
		if p.ClientRequestID != "" {
			t.Errorf("%q was kept as %q", id, p.ClientRequestID)
		}
	}
	w.post("/v1/analyze", askNumber, "X-Request-ID", "one", "X-Request-ID", "two").problem(t, 400, "INVALID_REQUEST")
	if a := w.do(ask{method: "GET", path: "/v1/me", header: headers("X-Request-ID", "mine")}); a.header.Get("X-Request-ID") != "mine" {
		t.Errorf("got X-Request-ID %q, want mine", a.header.Get("X-Request-ID"))
	}
	if p := w.do(ask{method: "GET", path: "/v1/nothing", header: headers("X-Request-ID", "mine")}).problem(t, 404, "NOT_FOUND"); p.ClientRequestID != "mine" {
		t.Errorf("got client_request_id %q, want mine", p.ClientRequestID)
	}
}

func TestMediaTypesAndSizesAreHeldBeforeReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settings := *w.settings.Load()
	settings.BodyBytes = 300
	w.settings.Store(&settings)
	big := `{"prompt": "` + strings.Repeat("x", 300) + `"}`
	cases := []struct {
		name   string
		header http.Header
		body   string
		status int
		code   string
	}{
		{"no type", http.Header{"Content-Type": nil}, askNumber, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"text", headers("Content-Type", "text/plain"), askNumber, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"charset", headers("Content-Type", "application/json; charset=latin1"), askNumber, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"encoding", headers("Content-Encoding", "gzip"), askNumber, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"type before size", headers("Content-Type", "text/plain"), big, 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"size", nil, big, 413, "PAYLOAD_TOO_LARGE"},
		{"utf-8", headers("Content-Type", "application/json;charset=UTF-8", "Content-Encoding", "identity"), askNumber, 200, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a := w.do(ask{method: "POST", path: "/v1/analyze", body: c.body, header: c.header})
			if c.status != 200 {
				a.problem(t, c.status, c.code)
			} else if a.status != 200 {
				t.Errorf("got %d, want 200: %s", a.status, a.body)
			}
		})
	}
	t.Run("size of a chunked body", func(t *testing.T) {
		w.do(ask{method: "POST", path: "/v1/analyze", reader: struct{ *strings.Reader }{strings.NewReader(big)}}).problem(t, 413, "PAYLOAD_TOO_LARGE")
	})
}

func TestAcceptIsHeldToWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for accept, status := range map[string]int{
		"application/json": 200, "*/*": 200, "application/*;q=0.1": 200, "text/html, */*;q=0.5": 200, "text/event-stream, application/json": 200, "": 200,
		"text/html": 406, "application/json;q=0, */*": 200, "application/json;q=0": 406, "application/problem+json": 406, "image/*": 406,
	} {
		a := w.do(ask{method: "POST", path: "/v1/analyze", body: askNumber, header: headers("Accept", accept)})
		if a.status != status {
			t.Errorf("Accept %q: got %d, want %d: %s", accept, a.status, status, a.body)
		}
	}
	w.do(ask{method: "GET", path: "/v1/me", header: headers("Accept", "text/html")}).problem(t, 406, "NOT_ACCEPTABLE")
	if a := w.do(ask{method: "GET", path: "/v1/metrics", header: headers("Accept", "application/openmetrics-text")}); a.status != 200 {
		t.Errorf("metrics: got %d, want 200", a.status)
	}
}
