package app

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// TestWhatAServiceRefusedIsNotSentToIt holds requests against refusals of the services themselves: the catalogue's facts keep out what they name.
func TestWhatAServiceRefusedIsNotSentToIt(t *testing.T) {
	t.Parallel()
	shape, err := value.DecodeString(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := schema.Compile(shape, schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		fixture, service, model string
		// words are the refusal's, refused is what must not be in a request and would be in one without the catalogue's facts.
		words, refused string
	}{
		{"mistral/error_422-extra_forbidden.json", "mistral", "mistral-large-latest", "max_completion_tokens", `"max_completion_tokens"`},
		{"mistral/error_422-extra_forbidden.json", "mistral", "mistral-large-latest", "Extra inputs are not permitted", `"stream_options"`},
		{"openai/error_400-unsupported_parameter.json", "openai", "of-tomorrow", "max_tokens", `"max_tokens"`},
		{"deepseek/error_400-json_schema_unavailable.json", "deepseek", "deepseek-v4-flash", "This response_format type is unavailable now", `"json_schema"`},
	} {
		raw, err := os.ReadFile(sharedtest.Dir(t, "fixtures", tc.fixture))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(raw), tc.words) {
			t.Errorf("%s does not say %s", tc.fixture, tc.words)
		}
		loaded, err := config.Load(config.Options{File: "promptd.yaml", Adapters: Adapters(), ReadFile: func(string) ([]byte, error) {
			return []byte("providers: [{name: " + tc.service + ", api_key: k, models: [{name: " + tc.model + ", max_output_tokens: 100}]}]"), nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		account := accountOf(&loaded.Config.Providers[0])
		able := account.Models[0].Capability
		var bare dialect.Capability
		// A model that thinks is given max_completion_tokens, any other max_tokens, where nothing is known of the service.
		able.Reasoning = tc.service == "mistral"
		bare.Reasoning = able.Reasoning
		for _, one := range []struct {
			able dialect.Capability
			want bool
		}{{able, false}, {bare, true}} {
			low := lowering.Lower(compiled, account.Dialect.Profile(one.able))
			r, err := account.Dialect.Encode(dialect.Call{
				Model: tc.model, Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "As JSON."}}}}, MaxTokens: 100, Stream: true,
				Output: dialect.Output{Mode: low.Mode, Name: "result", Schema: low.Capped()}, Capability: one.able,
			})
			if err != nil {
				t.Fatal(err)
			}
			if !json.Valid(r.Body) || strings.Contains(string(r.Body), tc.refused) != one.want {
				t.Errorf("%s, facts known: %t: %s is in the request: %t\n%s", tc.service, !one.want, tc.refused, !one.want, r.Body)
			}
		}
	}
}
