package dropin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

func defaults() prompt.Defaults { return prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4} }

const (
	hi    = `"model":"m","messages":[{"role":"user","content":"Hi"}]`
	pixel = `data:image/png;base64,AAAA`
)

func TestFormsOfAnAnswer(t *testing.T) {
	t.Parallel()
	function := `{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}`
	other := `{"type":"function","function":{"name":"g"}}`
	for _, c := range []struct {
		name, body string
		form       dropin.Form
		schema     string
	}{
		{"nothing", `{` + hi + `}`, dropin.Free, ""},
		{"text", `{` + hi + `,"response_format":{"type":"text"}}`, dropin.Free, ""},
		{"any object", `{` + hi + `,"response_format":{"type":"json_object"}}`, dropin.Content, `{"type":"object"}`},
		{"a schema", `{` + hi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","strict":true,"schema":{"type":"array"}}}}`, dropin.Content, `{"type":"array","description":"d"}`},
		{"its own description", `{` + hi + `,"response_format":{"type":"json_schema","json_schema":{"description":"d","schema":{"description":"own"}}}}`, dropin.Content, `{"description":"own"}`},
		{"no schema in it", `{` + hi + `,"response_format":{"type":"json_schema","json_schema":{"name":"n"}}}`, dropin.Content, `{}`},
		{"tools at will", `{` + hi + `,"tools":[` + function + `]}`, dropin.Free, ""},
		{"tools auto", `{` + hi + `,"tools":[` + function + `],"tool_choice":"auto"}`, dropin.Free, ""},
		{"required, one", `{` + hi + `,"tools":[` + function + `],"tool_choice":"required"}`, dropin.Tool, `{"type":"object","description":"d"}`},
		{"required, two", `{` + hi + `,"tools":[` + function + `,` + other + `],"tool_choice":"required"}`, dropin.Free, ""},
		{"by name", `{` + hi + `,"tools":[` + function + `,` + other + `],"tool_choice":{"type":"function","function":{"name":"g"}}}`, dropin.Tool, `{"type":"object","properties":{}}`},
		{"by name at the top", `{` + hi + `,"tools":[` + function + `],"tool_choice":{"type":"function","name":"f"}}`, dropin.Tool, `{"type":"object","description":"d"}`},
		{"custom tool", `{` + hi + `,"tools":[{"type":"custom","custom":{"name":"f"}}],"tool_choice":"required"}`, dropin.Free, ""},
		{"custom tool by name", `{` + hi + `,"tools":[{"type":"custom","custom":{"name":"f"}}],"tool_choice":{"type":"custom","custom":{"name":"f"}}}`, dropin.Free, ""},
		{"odd choices", `{` + hi + `,"tools":[` + function + `],"tool_choice":7}`, dropin.Free, ""},
		{"odd tools", `{` + hi + `,"tools":7,"tool_choice":"required"}`, dropin.Free, ""},
		{"odd tool", `{` + hi + `,"tools":[7],"tool_choice":"required"}`, dropin.Free, ""},
		{"schema beside tools that are off", `{` + hi + `,"tools":[` + function + `],"tool_choice":"none","response_format":{"type":"json_object"}}`, dropin.Content, `{"type":"object"}`},
		{"legacy", `{` + hi + `,"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"}}`, dropin.Function, `{"type":"object"}`},
		{"legacy auto", `{` + hi + `,"functions":[{"name":"f"}],"function_call":"auto"}`, dropin.Free, ""},
		{"nulls", `{` + hi + `,"tools":null,"tool_choice":null,"response_format":null,"stream":null,"n":null,"promptd":null}`, dropin.Free, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q, err := dropin.Read(dialect.Chat, []byte(c.body), defaults())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if q.Prompt.HasSchema {
				got = q.Prompt.Schema.String()
			}
			if q.Form != c.form || got != c.schema {
				t.Errorf("got the form %d with %s, want %d with %s", q.Form, got, c.form, c.schema)
			}
		})
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	said := func(role string, texts ...string) prompt.Message {
		m := prompt.Message{Role: role}
		for _, text := range texts {
			m.Parts = append(m.Parts, prompt.Part{Text: text})
		}
		return m
	}
	want := []prompt.Message{
		said("system", "S"), said("system", "D"),
		{Role: "user", Parts: []prompt.Part{{Text: "U"}, {Image: pixel, Detail: "low"}}},
		said("assistant", `{"a":1}`), said("assistant", "A", "\n\nCall of g:\n{}"), said("user", "Result of the call:\nR"), said("user", "Result of g:\nR2"),
	}
	chat := `{"model":"m","tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","messages":[{"role":"system","content":"S"},
		{"role":"developer","content":[{"type":"text","text":"D"}],"name":"x"},
		{"role":"user","content":[{"type":"text","text":"U"},{"type":"image_url","image_url":{"url":"` + pixel + `","detail":"low"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}],"refusal":null,"annotations":[]},
		{"role":"assistant","content":"A","tool_calls":[{"id":"2","type":"function","function":{"name":"g","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"2","content":"R"},{"role":"function","name":"g","content":"R2"},{"role":"assistant","content":""}]}`
	q, err := dropin.Read(dialect.Chat, []byte(chat), defaults())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, q.Prompt.Messages); d != "" {
		t.Errorf("chat (-want +got):\n%s", d)
	}
	if got := q.Texts(); got != "U" {
		t.Errorf("got the user's texts %q", got)
	}
	responses := `{"model":"m","instructions":"S","tools":[{"type":"function","name":"f"}],"tool_choice":"required","input":[{"role":"developer","content":"D"},
		{"type":"message","role":"user","content":[{"type":"input_text","text":"U"},{"type":"input_image","image_url":"` + pixel + `","detail":"low"}]},
		{"type":"reasoning","id":"r","summary":[]},{"type":"function_call","name":"f","arguments":"{\"a\":1}","call_id":"1"},
		{"role":"assistant","content":[{"type":"output_text","text":"A"}]},{"type":"function_call","name":"g","arguments":"{}","call_id":"2"},
		{"type":"function_call_output","call_id":"2","output":"R"}]}`
	q, err = dropin.Read(dialect.Responses, []byte(responses), defaults())
	if err != nil {
		t.Fatal(err)
	}
	wanted := []prompt.Message{want[0], want[1], want[2], want[3], said("assistant", "A"), said("assistant", "Call of g:\n{}"), want[5]}
	if d := cmp.Diff(wanted, q.Prompt.Messages); d != "" {
		t.Errorf("responses (-want +got):\n%s", d)
	}
}

func TestTranslationRefusesWhatGetsLost(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{` + hi + `}`: "", `{` + hi + `,"n":1,"top_p":1,"stop":null,"tools":[],"tool_choice":"auto","user":"u","seed":3}`: "",
		`{` + hi + `,"n":2}`:           "/n",
		`{` + hi + `,"tools":[{}]}`:    "/tools",
		`{` + hi + `,"logprobs":true}`: "/logprobs",
		`{` + hi + `,"top_k":1}`:       "/top_k",
		`{` + hi + `,"audio":{}}`:      "/audio",
		`{"model":"m","messages":[{"role":"user","content":[{"type":"input_audio"}]}]}`: "/messages/0/content/0/type",
		`{"model":"m","messages":7}`: "/messages",
	} {
		q, err := dropin.Read(dialect.Chat, []byte(body), defaults())
		if err != nil {
			t.Fatal(err)
		}
		call, err := q.Call()
		got := ""
		if err != nil {
			f := fault.Of(err)
			got = f.Entries[0].Pointer
			if f.Entries[0].Hint == "" && got != "/messages" {
				t.Errorf("%s: got no remedy in %+v", body, f.Entries[0])
			}
		}
		if got != want || got == "" && len(call.Messages) != 1 {
			t.Errorf("%s: got %q, %v, want %q", body, got, call.Messages, want)
		}
	}
}

func TestBodyIsRelayedAsItCame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{ "model" : "p\u002Fm" , "x":1.50,"messages":[]}`, `{ "model" : "real" , "x":1.50,"messages":[]}`},
		{`{"model":"real","messages":[]}`, `{"model":"real","messages":[]}`},
		{`{"messages":[{"model":"p/m"}],"model":"p/m"}`, `{"messages":[{"model":"p/m"}],"model":"real"}`},
		{`{"model":"real","promptd":null,"messages":[]}`, `{"model":"real","messages":[]}`},
		{`{"model":"p/m","promptd":{},"x":1.50,"s":"\u00e9"}`, `{"model":"real","x":1.50,"s":"é"}`},
	} {
		q, err := dropin.Read(dialect.Chat, []byte(c.body), defaults())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(q.Body("real")); got != c.want {
			t.Errorf("%s: got %s, want %s", c.body, got, c.want)
		}
	}
}

func TestACountedBodyAsksForTheUsageOfItsStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"model":"p/m", "stream":true ,"x":1.50,"s":"\u00e9"} `, `{"model":"real", "stream":true ,"x":1.50,"s":"\u00e9","stream_options":{"include_usage":true}} `},
		{`{"model":"p/m","stream":true,"stream_options":null}`, `{"model":"real","stream":true,"stream_options":{"include_usage":true}}`},
		{`{"model":"p/m","stream_options":{"include_obfuscation":false,"include_usage":false},"promptd":{},"x":1.50}`, `{"model":"real","stream_options":{"include_obfuscation":false,"include_usage":true},"x":1.50}`},
		{`{"model":"p/m","promptd":null}`, `{"model":"real","stream_options":{"include_usage":true}}`},
	} {
		q, err := dropin.Read(dialect.Chat, []byte(c.body), defaults())
		if err != nil {
			t.Fatal(err)
		}
		if got := string(q.CountedBody("real")); got != c.want {
			t.Errorf("%s: got %s, want %s", c.body, got, c.want)
		}
	}
}

// FuzzRead: no body makes reading panic, and whatever is relayed is JSON with the model's name and without our member.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{` + hi + `}`, `{` + hi + `,"promptd":{"max_attempts":3}}`, `{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"x"}]}]}`,
		`{` + hi + `,"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required"}`, `{"model":"\"","messages":[[],{},7]}`,
		`{` + hi + `,"response_format":{"type":"json_schema","json_schema":{"schema":{}}}}`, `{"model":"a\\","messages":[]}`, `[]`, `{`, ``, `null`,
		`{"model":"m","text":{"format":{"type":"json_schema","schema":7}}}`, `{"model":"m","tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"name":"f"}]},"tools":[{"name":"f"}]}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, chat bool) {
		format := dialect.Responses
		if chat {
			format = dialect.Chat
		}
		q, err := dropin.Read(format, raw, defaults())
		if err != nil {
			e := dropin.ErrorOf(format, "", fault.Of(err))
			if _, bad := value.Decode(e.Append(nil), value.Limits{}); bad != nil {
				t.Fatalf("the error of %q is not JSON: %v", raw, bad)
			}
			return
		}
		v, bad := value.Decode(q.Body("the model"), value.Limits{Depth: 200})
		model, _ := v.Get("model")
		_, ours := v.Get("promptd")
		if bad != nil || model.Text() != "the model" || ours {
			t.Fatalf("%q is relayed as %q: %v", raw, q.Body("the model"), bad)
		}
		counted, bad := value.Decode(q.CountedBody("the model"), value.Limits{Depth: 200})
		options, _ := counted.Get("stream_options")
		if usage, _ := options.Get("include_usage"); bad != nil || !usage.Truth() {
			t.Fatalf("%q is relayed as %q: %v", raw, q.CountedBody("the model"), bad)
		}
		_, _ = q.Call() //nolint:errcheck // Whatever it says, it does not panic.
		_ = q.Texts()
		for _, b := range [][]byte{q.Whole(&dropin.Reply{ID: "a-b", Model: "m", Text: string(raw), Usage: dialect.Usage{Known: true}})} {
			if _, bad := value.Decode(b, value.Limits{Depth: 200}); bad != nil && strings.ToValidUTF8(string(raw), "") == string(raw) {
				t.Fatalf("the answer to %q is not JSON: %v: %s", raw, bad, b)
			}
		}
	})
}
