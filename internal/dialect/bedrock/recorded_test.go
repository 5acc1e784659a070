package bedrock_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/bedrock"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

type recordedText []struct {
	Text *string `json:"text"`
}

// recorded is a request as the vendor's own client sent it. What promptd never sends is kept raw, to be told from what it sends.
type recorded struct {
	System   recordedText `json:"system"`
	Messages []struct {
		Role    string       `json:"role"`
		Content recordedText `json:"content"`
	} `json:"messages"`
	Inference struct {
		MaxTokens   int             `json:"maxTokens"`
		Temperature *float64        `json:"temperature"`
		TopP        json.RawMessage `json:"topP"`
		Stop        json.RawMessage `json:"stopSequences"`
	} `json:"inferenceConfig"`
	Output struct {
		Text struct {
			Structure struct {
				Schema struct {
					Name        string `json:"name"`
					Description string `json:"description"`
					Schema      string `json:"schema"`
				} `json:"jsonSchema"`
			} `json:"structure"`
		} `json:"textFormat"`
		Effort string `json:"effort"`
	} `json:"outputConfig"`
	Tools struct {
		Tools []struct {
			Spec struct {
				Name   string `json:"name"`
				Schema struct {
					JSON json.RawMessage `json:"json"`
				} `json:"inputSchema"`
			} `json:"toolSpec"`
		} `json:"tools"`
		Choice map[string]json.RawMessage `json:"toolChoice"`
	} `json:"toolConfig"`
	Additional json.RawMessage `json:"additionalModelRequestFields"`
	Metadata   json.RawMessage `json:"requestMetadata"`
	Tier       json.RawMessage `json:"serviceTier"`
}

// call is the call that the request says; ok is false where it has something that promptd does not send: tool results, caches, documents, tools to choose.
func (r *recorded) call(t *testing.T, model string, stream bool) (c dialect.Call, ok bool) {
	t.Helper()
	forced := len(r.Tools.Tools) == 1 && r.Tools.Choice["tool"] != nil
	if len(r.Tools.Tools) > 0 && !forced || r.Output.Effort != "" || r.Inference.TopP != nil || r.Inference.Stop != nil || r.Additional != nil ||
		r.Metadata != nil || r.Tier != nil {
		return c, false
	}
	c = dialect.Call{Model: model, Stream: stream, MaxTokens: r.Inference.MaxTokens, Temperature: r.Inference.Temperature}
	say := func(role dialect.Role, texts recordedText) bool {
		m := dialect.Message{Role: role}
		for _, p := range texts {
			if p.Text == nil {
				return false
			}
			m.Parts = append(m.Parts, dialect.Part{Text: *p.Text})
		}
		c.Messages = append(c.Messages, m)
		return true
	}
	if !say(dialect.System, r.System) {
		return c, false
	}
	for _, m := range r.Messages {
		if !say(map[string]dialect.Role{"user": dialect.User, "assistant": dialect.Assistant}[m.Role], m.Content) {
			return c, false
		}
	}
	schema := r.Output.Text.Structure.Schema
	var err error
	switch {
	case forced:
		c.Output = dialect.Output{Mode: lowering.Tool, Name: r.Tools.Tools[0].Spec.Name}
		c.Output.Schema, err = value.Decode(r.Tools.Tools[0].Spec.Schema.JSON, value.Limits{})
	case schema.Schema != "":
		c.Output = dialect.Output{Mode: lowering.Strict, Name: schema.Name}
		c.Output.Schema, err = value.DecodeString(schema.Schema, value.Limits{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return c, true
}

// members reads a body, with the spellings of one thing made alike: empty members, the white space in the schema's text, what a strict tool and a description
// add.
func members(t *testing.T, body []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	if list, ok := m["system"].([]any); ok && len(list) == 0 {
		delete(m, "system")
	}
	if config, ok := m["inferenceConfig"].(map[string]any); ok && len(config) == 0 {
		delete(m, "inferenceConfig")
	}
	object := func(from any, names ...string) map[string]any {
		for _, name := range names {
			inner, _ := from.(map[string]any)
			from = inner[name]
		}
		found, _ := from.(map[string]any)
		return found
	}
	if s := object(m, "outputConfig", "textFormat", "structure", "jsonSchema"); s != nil {
		delete(s, "description")
		text, ok := s["schema"].(string)
		var compact bytes.Buffer
		if !ok || json.Compact(&compact, []byte(text)) != nil {
			t.Fatalf("the schema is no text of JSON: %v", s["schema"])
		}
		s["schema"] = compact.String()
	}
	tools, _ := object(m, "toolConfig")["tools"].([]any)
	for _, tool := range tools {
		delete(object(tool, "toolSpec"), "description")
		delete(object(tool, "toolSpec"), "strict")
	}
	return m
}

// TestRequestsAreThoseOfTheVendorsClients encodes what recorded requests ask for, and compares member by member, and the path too.
func TestRequestsAreThoseOfTheVendorsClients(t *testing.T) {
	t.Parallel()
	compared, other := 0, 0
	for _, f := range dialecttest.Fixtures(t, "bedrock") {
		var r recorded
		if f.Request == nil {
			continue
		}
		if f.File == "bedrock/sync-max_tokens-3.json" { // Its body was recorded as a text and is cut.
			other++
			continue
		}
		if err := json.Unmarshal(f.Request, &r); err != nil {
			t.Fatalf("%s: %v", f.File, err)
		}
		address, err := url.Parse(f.URL)
		if err != nil {
			t.Fatal(err)
		}
		path := address.EscapedPath()
		segments := strings.Split(path, "/")
		model, err := url.PathUnescape(segments[2])
		if err != nil {
			t.Fatal(err)
		}
		c, ok := r.call(t, model, segments[3] == "converse-stream")
		if !ok {
			other++
			continue
		}
		got, err := bedrock.New().Encode(c)
		if err != nil {
			t.Errorf("%s: %v", f.File, err)
			continue
		}
		compared++
		if got.Path != path {
			t.Errorf("%s: the path is %s, want %s", f.File, got.Path, path)
		}
		if diff := cmp.Diff(members(t, f.Request), members(t, got.Body)); diff != "" {
			t.Errorf("%s (-recorded +encoded):\n%s", f.File, diff)
		}
	}
	t.Logf("%d requests are alike; %d have what promptd does not send", compared, other)
	if compared < 12 {
		t.Errorf("only %d requests were compared", compared)
	}
}
