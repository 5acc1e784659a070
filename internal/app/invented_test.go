package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider/providertest"
)

// TestAServiceThatNobodyKnowsNeedsNoCode uses a service that is in no catalogue by configuration alone: address, header of the key, profile, deviations, limits
// and price.
func TestAServiceThatNobodyKnowsNeedsNoCode(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Seed: 1, Text: `{"n":7}`, Models: []string{"acme-think"}})
	s := newSetting(t, `
providers:
  - name: acme
    dialect: openai
    base_url: "`+service.URL()+`/v1"
    api_key: env:ACME_KEY
    auth: {type: header, header: x-acme-key}
    headers: {x-acme-project: blue}
    profile: openai:groq
    deviations: [max_tokens, no_stream_options, no_store, no_strict]
    models:
      - name: acme-think
        modes: [strict, json]
        reasoning: true
        max_output_tokens: 512
        price: {input: 2, output: 8, cache_write: 2.5, reasoning: 9}
`)
	s.environ = []string{"ACME_KEY=secret-of-acme"}
	r := s.start(t)
	a := r.must(t, 200, "POST", r.URL()+"/v1/analyze", r.secret, question)
	var got struct {
		Data     json.RawMessage
		Status   string      `json:"validation_status"`
		Provider string      `json:"provider_used"`
		Model    string      `json:"model_used"`
		Cost     json.Number `json:"cost_usd"`
		Usage    struct {
			Input  int64 `json:"input_tokens"`
			Output int64 `json:"output_tokens"`
		}
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if string(got.Data) != `{"n":7}` || got.Status != "passed" || got.Provider != "acme" || got.Model != "acme-think" {
		t.Errorf("answer %s", a.body)
	}
	const micro = 1_000_000
	if cost, err := got.Cost.Float64(); err != nil || got.Usage.Input == 0 || int64(cost*micro+0.5) != 2*got.Usage.Input+8*got.Usage.Output {
		t.Errorf("the cost of %d and %d tokens is %s (%v)", got.Usage.Input, got.Usage.Output, got.Cost, err)
	}
	asked := service.Exchanges()
	if len(asked) != 1 {
		t.Fatalf("%d calls: %s", len(asked), a.body)
	}
	if h := asked[0].Header; h.Get("X-Acme-Key") != "secret-of-acme" || h.Get("X-Acme-Project") != "blue" || h.Get("Authorization") != "" {
		t.Errorf("headers %v", h)
	}
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(asked[0].Body, &sent); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"model": `"acme-think"`, "max_tokens": "512", "max_completion_tokens": "", "temperature": "", "store": "false", "stream_options": ""} {
		if string(sent[name]) != want {
			t.Errorf("%s is %s, want %s", name, sent[name], want)
		}
	}
	if !strings.Contains(string(sent["response_format"]), `"strict":false`) {
		t.Errorf("response_format is %s", sent["response_format"])
	}
	// Some services refuse JSON mode where the word is not in the prompt.
	if !strings.Contains(asked[0].Messages[0].Text, "JSON") {
		t.Errorf("the instructions do not say JSON: %s", asked[0].Messages[0].Text)
	}
}

func TestAProfileThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"profile: openai:acme":      "providers[0].profile: dialect openai has no profile \"openai:acme\"; it must be openai, openai:azure,",
		"profile: bedrock:claude":   "providers[0].profile: dialect openai has no profile",
		"deviations: [no_strictly]": "did you mean no_strict?",
	} {
		s := newSetting(t, "providers: [{name: acme, dialect: openai, base_url: 'https://acme.example/v1', models: [{name: m}], "+given+"}]")
		if _, err := s.load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", given, err, want)
		}
	}
}
