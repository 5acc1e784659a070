package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/usage"
)

const (
	chat      = "/v1/chat/completions"
	responses = "/v1/responses"

	personSchema = `{"type":"object","properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0},"tags":{"type":"array","items":{"type":"string"}}},` +
		`"required":["name","age","tags"],"additionalProperties":false}`
	person = `{"name":"Ada","age":36,"tags":["a","b"]}`
)

// completion is what tests read of a chat completion.
type completion struct {
	ID, Object, Model string
	Choices           []struct {
		FinishReason string `json:"finish_reason"`
		Message      struct {
			Role, Content string
			ToolCalls     []struct {
				ID, Type string
				Function struct{ Name, Arguments string }
			} `json:"tool_calls"`
			FunctionCall *struct{ Name, Arguments string } `json:"function_call"`
		}
	}
	Usage *struct {
		PromptTokens, CompletionTokens, TotalTokens int
	}
	Promptd *struct {
		RequestID  string `json:"request_id"`
		Provider   string `json:"provider_used"`
		Status     string `json:"validation_status"`
		Cached     bool
		Validation *struct{ Reasks int }
		Attempts   []json.RawMessage
	}
}

// refusal is an error in OpenAI's form.
type refusal struct {
	Error struct {
		Message, Type, Code string
		Param               *string
		Promptd             struct {
			RequestID  string `json:"request_id"`
			Validation *json.RawMessage
			Attempts   []json.RawMessage
			Errors     []struct{ Pointer, Rule string }
		}
	}
}

// refused reads an answer as an error of that status and code.
func (a answer) refused(tb testing.TB, status int, code, param string) refusal {
	tb.Helper()
	var r refusal
	a.into(tb, status, &r)
	got := ""
	if r.Error.Param != nil {
		got = *r.Error.Param
	}
	if r.Error.Code != code || got != param || r.Error.Message == "" || r.Error.Type == "" || r.Error.Promptd.RequestID == "" {
		tb.Errorf("got %s, want code %q and param %q with a message, a type and our request_id", a.body, code, param)
	}
	return r
}

func withFormat(schema, more string) string {
	return `{"model":"auto","messages":[{"role":"system","content":"You read."},{"role":"user","content":"Ada is 36."}],` +
		`"response_format":{"type":"json_schema","json_schema":{"name":"person","schema":` + schema + `}}` + more + `}`
}

func TestChatWithASchemaIsValidated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: `{"name":"","age":-1,"tags":[]}`}, providertest.Reply{Text: "```json\n" + person + "\n```"})
	var got completion
	w.post(chat, withFormat(personSchema, "")).into(t, http.StatusOK, &got)
	c := got.Choices[0]
	if c.Message.Content != person || c.FinishReason != "stop" || got.Object != "chat.completion" || got.Promptd.Status != "passed" || got.Promptd.Validation.Reasks != 1 {
		t.Errorf("got %+v, want the valid answer after one re-ask", got)
	}
	var again completion
	w.post(chat, withFormat(personSchema, "")).into(t, http.StatusOK, &again)
	if !again.Promptd.Cached || again.Usage == nil {
		t.Errorf("got %+v, want the kept answer with a usage of nothing", again)
	}
	for _, sent := range w.service.Exchanges() {
		if strings.Contains(string(sent.Request.Body), "DATA-") {
			t.Errorf("got a fence in %s: a conversation is passed as it is meant", sent.Request.Body)
		}
	}
}

func TestWhatCantBeMadeValidIsARefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.service.Queue(providertest.Reply{Text: `{"name":"","age":-1,"tags":[]}`})
	}
	got := w.post(chat, withFormat(personSchema, `,"promptd":{"max_attempts":2}`)).refused(t, http.StatusUnprocessableEntity, "validation_failed", "")
	if got.Error.Promptd.Validation == nil || len(got.Error.Promptd.Attempts) != 2 {
		t.Errorf("got %+v, want the report and both attempts", got)
	}
}

func TestAForcedFunctionIsASchema(t *testing.T) {
	t.Parallel()
	tool := `{"type":"function","function":{"name":"person","description":"Takes a person.","parameters":` + personSchema + `}}`
	other := `{"type":"function","function":{"name":"other"}}`
	for name, body := range map[string]string{
		"by name":       `"tools":[` + other + `,` + tool + `],"tool_choice":{"type":"function","function":{"name":"person"}}`,
		"required":      `"tools":[` + tool + `],"tool_choice":"required"`,
		"allowed tools": `"tools":[` + other + `,` + tool + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"person"}}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.service.Queue(providertest.Reply{Text: person})
			var got completion
			w.post(chat, `{"model":"small","messages":[{"role":"user","content":"Ada"}],`+body+`}`).into(t, http.StatusOK, &got)
			m := got.Choices[0].Message
			if len(m.ToolCalls) != 1 || m.ToolCalls[0].Function.Name != "person" || m.ToolCalls[0].Function.Arguments != person || got.Choices[0].FinishReason != "tool_calls" {
				t.Errorf("got %+v, want a call of person", got)
			}
			if sent := string(w.service.Exchanges()[0].Request.Body); !strings.Contains(sent, "Takes a person.") {
				t.Errorf("got %s, want the function's description in it", sent)
			}
		})
	}
	t.Run("the older spelling", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.service.Queue(providertest.Reply{Text: person})
		var got completion
		w.post(chat, `{"model":"small","messages":[{"role":"user","content":"Ada"}],"functions":[{"name":"person","parameters":`+personSchema+`}],"function_call":{"name":"person"}}`).
			into(t, http.StatusOK, &got)
		if f := got.Choices[0].Message.FunctionCall; f == nil || f.Arguments != person {
			t.Errorf("got %+v, want a function_call", got)
		}
	})
}

// chunks gives the data of a stream's events, and demands its end.
func chunks(tb testing.TB, body string) (list []string) {
	tb.Helper()
	for _, e := range events(tb, body) {
		list = append(list, e.data)
	}
	return list
}

func TestStreamedTextIsTheValidatedJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Queue(providertest.Reply{Text: person})
	a := w.post(chat, withFormat(personSchema, `,"stream":true,"stream_options":{"include_usage":true}`))
	list := chunks(t, a.body)
	if len(list) < 5 || list[len(list)-1] != "[DONE]" {
		t.Fatalf("got %d events: %s", len(list), a.body)
	}
	text, finish, model, usages := "", "", "", 0
	for _, data := range list[:len(list)-1] {
		var c struct {
			Model   string
			Choices []struct {
				Delta        struct{ Content string }
				FinishReason string `json:"finish_reason"`
			}
			Usage *struct{}
		}
		if err := json.Unmarshal([]byte(data), &c); err != nil {
			t.Fatalf("%v in %s", err, data)
		}
		model = c.Model
		for _, choice := range c.Choices {
			text += choice.Delta.Content
			finish += choice.FinishReason
		}
		if c.Usage != nil {
			usages++
		}
	}
	if text != person || finish != "stop" || usages != 1 || model != "small" {
		t.Errorf("got the text %s, the end %q of %s and %d usages, want %s, stop of the model that answered, and one", text, finish, model, usages, person)
	}
}

func TestResponsesWithASchema(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"model":"scripted/small","instructions":"You read.","input":[{"role":"user","content":[{"type":"input_text","text":"Ada is 36."}]}],"text":{"format":{"type":"json_schema","name":"person","schema":` + personSchema + `,"strict":true}}`
	w.service.Queue(providertest.Reply{Text: person}, providertest.Reply{Text: person})
	var got struct {
		Status string
		Output []struct {
			Type    string
			Content []struct{ Type, Text string }
		}
		Promptd struct {
			Status string `json:"validation_status"`
		}
	}
	w.post(responses, body+`}`).into(t, http.StatusOK, &got)
	if got.Status != "completed" || got.Output[0].Content[0].Text != person || got.Promptd.Status != "passed" {
		t.Errorf("got %+v, want the validated text", got)
	}
	a := w.post(responses, body+`,"stream":true,"promptd":{"bypass_cache":true}}`)
	var kinds []string
	text := ""
	for _, e := range events(t, a.body) {
		var d struct {
			Type, Delta string
			Sequence    int `json:"sequence_number"`
		}
		if err := json.Unmarshal([]byte(e.data), &d); err != nil || d.Type != e.name || d.Sequence != len(kinds) {
			t.Errorf("got the event %+v: %v", e, err)
		}
		kinds = append(kinds, d.Type)
		text += d.Delta
	}
	if text != person || kinds[0] != "response.created" || kinds[len(kinds)-1] != "response.completed" {
		t.Errorf("got %q in %v", text, kinds)
	}
}

func TestWithoutASchemaTheBytesAreRelayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"messages": [{"role":"user","content":"Hi"}], "n": 2, "top_k": 7, "logprobs": true, "model":"scripted/small"}`
	answered := `{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"Ho"},"finish_reason":"stop"},{"index":1}],"usage":{"prompt_tokens":3,"completion_tokens":2},"odd": 1.0}`
	w.service.Queue(providertest.Reply{Body: answered}, providertest.Reply{Body: answered})
	a := w.post(chat, body)
	if a.status != http.StatusOK || a.body != answered {
		t.Errorf("got %d %s, want the service's bytes", a.status, a.body)
	}
	if got := a.header.Get("X-Promptd-Provider") + "/" + a.header.Get("X-Promptd-Model"); got != "scripted/small" {
		t.Errorf("got the headers of %q, want scripted/small", got)
	}
	if got, want := string(w.service.Exchanges()[0].Request.Body), strings.Replace(body, "scripted/small", "small", 1); got != want {
		t.Errorf("the service got %s, want %s", got, want)
	}
	var explained completion
	w.post(chat, strings.Replace(body, `"n"`, `"promptd":{},"n"`, 1)).into(t, http.StatusOK, &explained)
	if explained.Promptd == nil || explained.Promptd.Provider != "scripted" || explained.Choices[0].Message.Content != "Ho" {
		t.Errorf("got %+v, want ours beside theirs", explained)
	}
	if sent := string(w.service.Exchanges()[1].Request.Body); strings.Contains(sent, "promptd") {
		t.Errorf("the service got %s, with our member in it", sent)
	}
	w.recorded(t, a.header.Get("X-Request-ID"), func(r usage.Record) bool {
		return r.Status == 200 && r.Prompt == "Hi" && r.Answer == "Ho" && r.Tokens.Input == 3 && r.Tokens.Output == 2 && r.Cost.Known
	})
}

// recorded waits for a request in the history and holds it to what is wanted.
func (w *world) recorded(t *testing.T, id string, want func(usage.Record) bool) {
	t.Helper()
	if err := w.history.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := w.db.History().Request(t.Context(), key.AllTeams(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !want(r) {
		t.Errorf("the history has %+v", r)
	}
}

func TestStreamsAreRelayedAsTheyCome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	w.service.Queue(providertest.Reply{Text: "one two three four five", Hold: hold, HoldAfter: 400})
	res, err := w.send(ask{method: "POST", path: chat, body: `{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true}`})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	buf := make([]byte, 64<<10)
	n, err := res.Body.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "data: ") {
		t.Fatalf("got %q, %v before the service went on", buf[:n], err)
	}
	close(hold)
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	rest := string(raw)
	if !strings.HasSuffix(rest, "data: [DONE]\n\n") {
		t.Errorf("got the end %q", rest)
	}
}

func TestAnOutageMovesOnAndAFaultOfTheCallerDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ask := `{"model":"small","messages":[{"role":"user","content":"Hi"}]%s}`
	w.service.Queue(providertest.Reply{Status: 503, Body: `{"error":{"message":"no"}}`}, providertest.Reply{Text: "Ho"})
	var got completion
	w.post(chat, fmt.Sprintf(ask, "")).into(t, http.StatusOK, &got)
	if got.Choices[0].Message.Content != "Ho" || w.service.Requests() != 2 {
		t.Errorf("got %+v after %d calls, want the answer after the second", got, w.service.Requests())
	}
	// Behind the beginning of a stream nobody else can be asked any more.
	before := w.service.Requests()
	w.service.Queue(providertest.Reply{Fault: providertest.ErrorInside})
	a := w.post(chat, fmt.Sprintf(ask, `,"stream":true`))
	if !strings.Contains(a.body, `"error"`) || strings.Contains(a.body, "[DONE]") || w.service.Requests() != before+1 {
		t.Errorf("got %s after %d calls, want the error that came in the stream, and one call", a.body, w.service.Requests()-before)
	}
	said := `{"error":{"message":"Unknown parameter: 'foo'.","type":"invalid_request_error","param":"foo","code":"unknown_parameter"}}`
	w.service.Queue(providertest.Reply{Status: 400, Body: said})
	before = w.service.Requests()
	if a := w.post(chat, fmt.Sprintf(ask, `,"foo":1`)); a.status != 400 || a.body != said {
		t.Errorf("got %d %s, want the service's own words", a.status, a.body)
	}
	if w.service.Requests() != before+1 {
		t.Errorf("got %d calls, want one", w.service.Requests()-before)
	}
	w.service.Queue(providertest.Reply{Status: 401, Body: `{"error":{"message":"Incorrect API key provided: sk-secret","code":"invalid_api_key"}}`})
	bad := w.post(chat, fmt.Sprintf(ask, ""))
	bad.refused(t, http.StatusBadGateway, "llm_provider_error", "")
	if strings.Contains(bad.body, "secret") {
		t.Errorf("got %s: the account's own trouble is not the caller's", bad.body)
	}
}

func TestRefusalsAreWordedAsOpenAIDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	limited := w.newKey(key.Key{Name: "limited", Scopes: key.AllScopes, RateLimitPerHour: one(1)})
	weak := w.newKey(key.Key{Name: "weak", Scopes: key.Scopes(key.Usage)})
	chosen := w.newKey(key.Key{Name: "chosen", Scopes: key.AllScopes, Models: []string{"other/model"}})
	hello := `"messages":[{"role":"user","content":"Hi"}]`
	for _, path := range []string{chat, responses} {
		w.do(ask{method: "GET", path: path}).refused(t, 405, "method_not_allowed", "")
		w.do(ask{method: "POST", path: path, key: "-", body: `{}`}).refused(t, 401, "invalid_api_key", "")
		w.do(ask{method: "POST", path: path, key: weak, body: `{}`}).refused(t, 403, "forbidden", "")
		w.do(ask{method: "POST", path: path, body: `{"a":1,"a":2}`}).refused(t, 400, "invalid_value", "a")
		w.do(ask{method: "POST", path: path, body: `{}`}).refused(t, 400, "missing_required_parameter", "model")
		w.do(ask{method: "POST", path: path, body: `[]`}).refused(t, 400, "invalid_type", "")
		w.do(ask{method: "POST", path: path, body: strings.Repeat(" ", 2<<20)}).refused(t, 413, "payload_too_large", "")
		w.do(ask{method: "POST", path: path, body: `{"model":"nobody's"}`}).refused(t, 404, "model_not_found", "model")
		w.do(ask{method: "POST", path: path, key: chosen, body: `{"model":"small",` + hello + `}`}).refused(t, 403, "forbidden", "")
	}
	w.do(ask{method: "POST", path: chat, key: limited, body: `{}`})
	a := w.do(ask{method: "POST", path: chat, key: limited, body: `{}`})
	a.refused(t, 429, "rate_limit_exceeded", "")
	if a.header.Get("Retry-After") == "" || a.header.Get("RateLimit") == "" {
		t.Errorf("got %v, want Retry-After and RateLimit", a.header)
	}
	for body, want := range map[string][2]string{
		withFormat(personSchema, `,"top_p":0.5`):                                           {"unsupported_parameter", "top_p"},
		withFormat(personSchema, `,"n":100000`):                                            {"unsupported_parameter", "n"},
		withFormat(personSchema, `,"promptd":{"missing":"ask"}`):                           {"unsupported_parameter", "promptd.missing"},
		`{"model":"","messages":[{"role":"user","content":"Hi"}]}`:                         {"missing_required_parameter", "model"},
		withFormat(personSchema, `,"what":1`):                                              {"unknown_parameter", "what"},
		withFormat(personSchema, `,"max_tokens":"x"`):                                      {"invalid_type", "max_tokens"},
		withFormat(personSchema, `,"promptd":{"model":"x"}`):                               {"invalid_value", "promptd.model"},
		withFormat(personSchema, `,"promptd":{"retries":3}`):                               {"unknown_parameter", "promptd.retries"},
		withFormat(personSchema, `,"tools":[{"type":"function","function":{"name":"f"}}]`): {"unsupported_parameter", "tools"},
		withFormat(`{"type":"nothing"}`, ``):                                               {"invalid_schema", "response_format.json_schema.schema.type"},
		withFormat(`7`, ``):                                                                {"invalid_type", "response_format.json_schema.schema"},
		`{"model":"small",` + hello + `,"response_format":{"type":"yaml"}}`:                {"invalid_value", "response_format.type"},
		`{"model":"small","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}],"response_format":{"type":"json_object"}}`: {"invalid_value", "messages[0].content[0].image_url.url"},
		`{"model":"small","messages":[{"role":"robot","content":"x"}],"response_format":{"type":"json_object"}}`:                                                                   {"invalid_value", "messages[0].role"},
	} {
		w.post(chat, body).refused(t, 400, want[0], want[1])
	}
	if n := w.service.Requests(); n != 0 {
		t.Errorf("got %d calls to the service, want none", n)
	}
}

func one(n int) *int { return &n }

func TestACallerThatLeavesEndsTheCall(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"relayed":   `{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true}`,
		"validated": withFormat(personSchema, `,"stream":true`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			hold := make(chan struct{})
			t.Cleanup(func() { close(hold) })
			w.service.Queue(providertest.Reply{Text: person, Hold: hold, HoldAfter: 2500})
			ctx, cancel := context.WithCancel(t.Context())
			res, err := w.send(ask{method: "POST", path: chat, body: body, ctx: ctx})
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			buf := make([]byte, 100)
			if _, err := res.Body.Read(buf); err != nil {
				t.Fatal(err)
			}
			cancel()
			for end := time.Now().Add(5 * time.Second); w.service.InFlight() > 0; runtime.Gosched() {
				if time.Now().After(end) {
					t.Fatal("the service's call goes on")
				}
			}
		})
	}
}

func TestOneIdempotencyKeyGivesOneAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, body := range map[string]string{
		"whole":            withFormat(personSchema, ""),
		"streamed":         withFormat(personSchema, `,"stream":true`),
		"relayed":          `{"model":"small","messages":[{"role":"user","content":"Hi"}]}`,
		"relayed streamed": `{"model":"small","messages":[{"role":"user","content":"Hi"}],"stream":true}`,
	} {
		first, before := w.post(chat, body, "Idempotency-Key", "k-"+name[:5]+name[len(name)-5:]), w.service.Requests()
		second := w.post(chat, body, "Idempotency-Key", "k-"+name[:5]+name[len(name)-5:])
		if first.body != second.body || w.service.Requests() != before || second.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s: got %q, then %q after %d more calls", name, first.body, second.body, w.service.Requests()-before)
		}
	}
}
