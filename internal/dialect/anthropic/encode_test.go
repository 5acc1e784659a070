package anthropic_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

func say(role dialect.Role, parts ...dialect.Part) dialect.Message {
	return dialect.Message{Role: role, Parts: parts}
}

func words(s string) dialect.Part { return dialect.Part{Text: s} }

func picture(s string) dialect.Part { return dialect.Part{Image: s} }

func TestEncodeLeavesOutWhatTheServiceRefuses(t *testing.T) {
	t.Parallel()
	hi, hot := say(dialect.User, words("hi")), 0.5
	schema, err := value.DecodeString(`{"type":"object"}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call dialect.Call
		want string
	}{
		"no room said": {
			dialect.Call{Model: "m", Messages: []dialect.Message{hi}},
			`{"model":"m","max_tokens":4096,"messages":[{"role":"user","content":"hi"}]}`,
		},
		"the model's room": {
			dialect.Call{Model: "m", Messages: []dialect.Message{hi}, Capability: dialect.Capability{MaxOutput: 64000}},
			`{"model":"m","max_tokens":64000,"messages":[{"role":"user","content":"hi"}]}`,
		},
		"the caller's room": {
			dialect.Call{Model: "m", Messages: []dialect.Message{hi}, MaxTokens: 7, Capability: dialect.Capability{MaxOutput: 64000}},
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":"hi"}]}`,
		},
		"several system messages": {
			dialect.Call{Model: "m", MaxTokens: 7, Messages: []dialect.Message{
				say(dialect.System, words("a"), words("b")), hi, say(dialect.System, words(" \n")), say(dialect.System, words("c")),
			}},
			`{"model":"m","max_tokens":7,"system":[{"type":"text","text":"ab"},{"type":"text","text":"c"}],"messages":[{"role":"user","content":"hi"}]}`,
		},
		"blank messages": {
			dialect.Call{Model: "m", MaxTokens: 7, Messages: []dialect.Message{say(dialect.System), say(dialect.User, words("  ")), say(dialect.Assistant), hi}},
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":"hi"}]}`,
		},
		"blank parts beside an image": {
			dialect.Call{Model: "m", MaxTokens: 7, Messages: []dialect.Message{
				say(dialect.User, words(""), picture("https://example.org/a.png"), words("\t"), words("a")),
			}},
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":[` +
				`{"type":"image","source":{"type":"url","url":"https://example.org/a.png"}},{"type":"text","text":"a"}]}]}`,
		},
		"an image with parameters": {
			dialect.Call{Model: "m", MaxTokens: 7, Messages: []dialect.Message{say(dialect.User, picture("DATA:image/PNG;name=a;BASE64,eA=="))}},
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"eA=="}}]}]}`,
		},
		"a tool for a model that thinks": {
			dialect.Call{
				Model: "m", MaxTokens: 7, Temperature: &hot, Messages: []dialect.Message{hi}, Capability: dialect.Capability{Reasoning: true},
				Output: dialect.Output{Mode: lowering.Tool, Schema: schema},
			},
			`{"model":"m","max_tokens":7,"messages":[{"role":"user","content":"hi"}],` +
				`"tools":[{"name":"result","description":"Gives the answer.","input_schema":{"type":"object"}}],` +
				`"tool_choice":{"type":"auto","disable_parallel_tool_use":true}}`,
		},
	} {
		got, err := anthropic.New().Encode(c.call)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(c.want, string(got.Body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestEncodeRefusesWhatTheFormatHasNoWordFor(t *testing.T) {
	t.Parallel()
	for name, messages := range map[string][]dialect.Message{
		"nothing":               nil,
		"a system alone":        {say(dialect.System, words("SECRET"))},
		"blanks alone":          {say(dialect.User, words(" "))},
		"an image of a system":  {say(dialect.System, picture("https://example.org/SECRET.png")), say(dialect.User, words("hi"))},
		"an assistant's image":  {say(dialect.User, words("hi")), say(dialect.Assistant, picture("https://example.org/SECRET.png"))},
		"data without base64":   {say(dialect.User, picture("data:image/svg+xml,SECRET"))},
		"data without a type":   {say(dialect.User, picture("data:;base64,SECRET"))},
		"data without data":     {say(dialect.User, picture("data:image/png;base64,"))},
		"data without a comma":  {say(dialect.User, picture("data:image/png;base64"))},
		"base64 before its end": {say(dialect.User, picture("data:image/png;base64;a=b,SECRET"))},
	} {
		got, err := anthropic.New().Encode(dialect.Call{Model: "m", Messages: messages})
		if err == nil {
			t.Errorf("%s: Encode accepts it: %s", name, got.Body)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error repeats it: %v", name, err)
		}
	}
}

func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	event := `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"` + strings.Repeat("x", 1<<20) + `"}}` + "\n\n"
	begun := `data: {"type":"message_start","message":{"id":"msg_1","content":[]}}` + "\n\n"
	var last error
	read := 0
	for delta, err := range anthropic.New().Stream(strings.NewReader(begun + strings.Repeat(event, 40))) {
		read += len(delta.Text)
		last = err
	}
	if last == nil || !strings.Contains(last.Error(), "answer_too_large") || read > 32<<20 {
		t.Errorf("after %d bytes the stream ends in %v", read, last)
	}
}
