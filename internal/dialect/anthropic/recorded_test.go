package anthropic_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// recorded is a request as the vendor's own clients sent it.
type recorded struct {
	Model     string          `json:"model"`
	MaxTokens int             `json:"max_tokens"`
	System    json.RawMessage `json:"system"`
	Messages  []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"messages"`
	Output struct {
		Effort string `json:"effort"`
		Format struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
	Tools []struct {
		Name   string          `json:"name"`
		Schema json.RawMessage `json:"input_schema"`
	} `json:"tools"`
	Choice struct {
		Type string `json:"type"`
	} `json:"tool_choice"`
	Stop   []string        `json:"stop_sequences"`
	Cache  json.RawMessage `json:"cache_control"`
	Stream bool            `json:"stream"`
}

// text reads a text, or a list of one text; what promptd never sends is not one.
func text(raw json.RawMessage) (string, bool) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, true
	}
	var blocks []map[string]any
	if json.Unmarshal(raw, &blocks) != nil || len(blocks) != 1 || blocks[0]["type"] != "text" || len(blocks[0]) != 2 {
		return "", false
	}
	s, ok := blocks[0]["text"].(string)
	return s, ok
}

// call is the call that the request says; ok is false where it has something that promptd does not send: tool results, caches, efforts, tools to choose.
func (r *recorded) call(t *testing.T) (c dialect.Call, ok bool) {
	t.Helper()
	forced := len(r.Tools) == 1 && r.Choice.Type == "tool"
	if r.Output.Effort != "" || r.Stop != nil || r.Cache != nil || len(r.Tools) > 0 && !forced {
		return c, false
	}
	c = dialect.Call{Model: r.Model, MaxTokens: r.MaxTokens, Stream: r.Stream}
	say := func(role dialect.Role, raw json.RawMessage) bool {
		s, ok := text(raw)
		c.Messages = append(c.Messages, dialect.Message{Role: role, Parts: []dialect.Part{{Text: s}}})
		return ok
	}
	if r.System != nil && !say(dialect.System, r.System) {
		return c, false
	}
	for _, m := range r.Messages {
		if !say(map[string]dialect.Role{"user": dialect.User, "assistant": dialect.Assistant}[m.Role], m.Content) {
			return c, false
		}
	}
	var err error
	switch {
	case forced:
		c.Output = dialect.Output{Mode: lowering.Tool, Name: r.Tools[0].Name}
		c.Output.Schema, err = value.Decode(r.Tools[0].Schema, value.Limits{})
	case r.Output.Format.Schema != nil:
		c.Output.Mode = lowering.Strict
		c.Output.Schema, err = value.Decode(r.Output.Format.Schema, value.Limits{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, true
}

// members reads a body, with the spellings of one thing made alike.
func members(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	delete(m, "anthropic_version") // The clouds take it in the body, and the model in the address.
	if m["stream"] == false {
		delete(m, "stream")
	}
	if m["model"] == nil {
		m["model"] = ""
	}
	plain := func(v any) any {
		if blocks, ok := v.([]any); ok && len(blocks) == 1 {
			if block, ok := blocks[0].(map[string]any); ok && block["type"] == "text" {
				return block["text"]
			}
		}
		return v
	}
	if m["system"] != nil {
		m["system"] = plain(m["system"])
	}
	messages, _ := m["messages"].([]any)
	for _, one := range messages {
		if message, ok := one.(map[string]any); ok {
			message["content"] = plain(message["content"])
		}
	}
	if choice, ok := m["tool_choice"].(map[string]any); ok {
		delete(choice, "disable_parallel_tool_use")
	}
	tools, _ := m["tools"].([]any)
	for _, one := range tools {
		if tool, ok := one.(map[string]any); ok {
			delete(tool, "description")
		}
	}
	return m
}

// TestRequestsAreThoseOfTheVendorsClients encodes what recorded requests ask for, and compares member by member.
func TestRequestsAreThoseOfTheVendorsClients(t *testing.T) {
	t.Parallel()
	compared, other := 0, 0
	for _, folder := range []string{"anthropic", "vertex-anthropic", "bedrock-invoke-anthropic"} {
		for _, f := range dialecttest.Fixtures(t, folder) {
			var r recorded
			if f.Request == nil {
				continue
			}
			if err := json.Unmarshal(f.Request, &r); err != nil {
				t.Fatalf("%s: %v", f.File, err)
			}
			c, ok := r.call(t)
			if !ok || len(r.Messages) == 0 {
				other++
				continue
			}
			got, err := anthropic.New().Encode(c)
			if err != nil {
				t.Errorf("%s: %v", f.File, err)
				continue
			}
			compared++
			if diff := cmp.Diff(members(t, f.Request), members(t, got.Body)); diff != "" {
				t.Errorf("%s (-recorded +encoded):\n%s", f.File, diff)
			}
		}
	}
	t.Logf("%d requests are alike; %d have what promptd does not send", compared, other)
	if compared < 20 {
		t.Errorf("only %d requests were compared", compared)
	}
}
