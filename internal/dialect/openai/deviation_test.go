package openai_test

import (
	"encoding/json"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestDeviationsChangeWhatTheyName turns every deviation on by its name, and shows the members of the request with it and without it.
func TestDeviationsChangeWhatTheyName(t *testing.T) {
	t.Parallel()
	hot, schema := 2.0, value.Object(value.Member{Name: "type", Value: value.String("object")})
	strict := dialect.Output{Mode: lowering.Strict, Name: "result", Schema: schema}
	plain := dialect.Call{Model: "m", MaxTokens: 9, Temperature: &hot, Stream: true, Output: strict}
	thinks := plain
	thinks.Capability.Reasoning = true
	prompted := plain
	prompted.Output = dialect.Output{Mode: lowering.Prompt}
	type change struct {
		call          dialect.Call
		member        string
		without, with string // as JSON; empty stands for no such member
	}
	schemaText := func(strict string) string {
		return `{"type":"json_schema","json_schema":{"name":"result","strict":` + strict + `,"schema":{"type":"object"}}}`
	}
	changes := map[string][]change{
		"max_tokens":            {{thinks, "max_tokens", "", "9"}, {thinks, "max_completion_tokens", "9", ""}, {plain, "max_tokens", "9", "9"}},
		"max_completion_tokens": {{plain, "max_completion_tokens", "", "9"}, {plain, "max_tokens", "9", ""}, {thinks, "max_completion_tokens", "9", "9"}},
		"no_stream_options":     {{plain, "stream_options", `{"include_usage":true}`, ""}},
		"no_strict":             {{plain, "response_format", schemaText("true"), schemaText("false")}},
		"require_parameters":    {{plain, "provider", "", `{"require_parameters":true}`}, {prompted, "provider", "", ""}},
		"no_store":              {{plain, "store", "", "false"}},
		"temperature_below_2":   {{plain, "temperature", "2", "1.99"}},
	}
	for _, name := range dialect.DeviationNames() {
		if len(changes[name]) == 0 {
			t.Errorf("deviation %s has no test", name)
		}
		for _, c := range changes[name] {
			if got := member(t, c.call, c.member); got != c.without {
				t.Errorf("without %s: %s is %s, want %s", name, c.member, got, c.without)
			}
			if !c.call.Capability.Deviations.Set(name) {
				t.Fatalf("there is no deviation %s", name)
			}
			if got := member(t, c.call, c.member); got != c.with {
				t.Errorf("with %s: %s is %s, want %s", name, c.member, got, c.with)
			}
		}
	}
	if new(dialect.Deviations).Set("colour") {
		t.Error("there is a deviation colour")
	}
}

func member(t *testing.T, c dialect.Call, name string) string {
	t.Helper()
	r, err := openai.New().Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &members); err != nil {
		t.Fatalf("%v: %s", err, r.Body)
	}
	return string(members[name])
}
