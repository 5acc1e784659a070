package cli

import (
	"testing"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
)

func TestOffersSayWhatModelsCanDoAndCost(t *testing.T) {
	t.Parallel()
	loaded, err := config.Load(config.Options{File: "promptd.yaml", Adapters: app.Adapters(), ReadFile: func(string) ([]byte, error) {
		return []byte(`
providers:
  - name: openai
    api_key: k
    models: [{name: gpt-5.4}, {name: of-their-own, modes: [json], context_window: 999}]
  - {name: anthropic, api_key: k}
  - {name: acme, dialect: openai, base_url: "https://acme.example/v1", models: [{name: m, max_output_tokens: 1000, price: {input: 1, output: 2}}]}
`), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	var f findings
	f.offers(&loaded.Config)
	want := []finding{
		{Area: "model openai/gpt-5.4", Is: fine, Text: "strict, json; images; reasoning; 1,050,000 tokens, of them 128,000 of output; " +
			"$2.5 in, $0.25 from the cache, $15 out for a million tokens; above 272,000 tokens of input $5 in, $0.5 from the cache, $22.5 out"},
		{Area: "model openai/of-their-own", Is: note, Text: "json; 999 tokens; the price is not known", Advice: "Set its price in the configuration: until then its calls have no cost."},
		{Area: "model anthropic/claude-haiku-4-5", Is: fine, Text: "strict, tool; images; 200,000 tokens, of them 64,000 of output; " +
			"$1 in, $0.1 from the cache, $1.25 into it, $5 out for a million tokens"},
		{Area: "model acme/m", Is: fine, Text: "modes not known; 1,000 tokens of output; $1 in, $2 out for a million tokens"},
	}
	if len(f) != len(want) {
		t.Fatalf("%d findings, want %d", len(f), len(want))
	}
	for i, one := range f {
		if one != want[i] {
			t.Errorf("got  %+v\nwant %+v", one, want[i])
		}
	}
}
