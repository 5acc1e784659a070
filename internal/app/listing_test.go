package app

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestModelsSayWhatTheCatalogueKnows follows facts from the catalogue through the configuration to the API.
func TestModelsSayWhatTheCatalogueKnows(t *testing.T) {
	t.Parallel()
	s := newSetting(t, `
providers:
  - name: openai
    api_key: k
    models: [{name: gpt-5.4}, {name: gpt-4.1-mini}, {name: of-their-own}]
  - {name: claude, dialect: anthropic, base_url: "https://api.anthropic.com", api_key: k, models: [{name: claude-haiku-4-5}]}
  - {name: vllm, models: [{name: qwen, price: {input: 1, output: 2, cached_input: 0.5, cache_write: 1.5, reasoning: 3}}]}
`)
	r := s.start(t)
	a := r.must(t, 200, "GET", r.URL()+"/v1/models", r.secret, "")
	var list struct{ Data []map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatal(err)
	}
	got := map[string]map[string]json.RawMessage{}
	for _, m := range list.Data {
		got[string(m["id"])] = m
	}
	for id, want := range map[string]map[string]string{
		`"openai/gpt-5.4"`: {
			"capability": `{"modes":["strict","json"],"vision":true,"reasoning":true,"logprobs":false}`, "context_window": "1050000",
			"price": `{"input":2.5,"cached_input":0.25,"cache_write":2.5,"output":15,"reasoning":15,` +
				`"above":[{"tokens":272000,"input":5,"cached_input":0.5,"cache_write":5,"output":22.5,"reasoning":22.5}]}`,
		},
		`"openai/of-their-own"`: {"capability": `{"modes":["strict","json"],"vision":false,"reasoning":false,"logprobs":true}`, "context_window": "null", "price": "null"},
		`"claude/claude-haiku-4-5"`: {
			"capability": `{"modes":["strict","tool"],"vision":true,"reasoning":false,"logprobs":false}`, "max_output_tokens": "64000",
			"price": `{"input":1,"cached_input":0.1,"cache_write":1.25,"output":5,"reasoning":5,"above":[]}`,
		},
		`"vllm/qwen"`: {
			"capability": `{"modes":["grammar","json"],"vision":false,"reasoning":false,"logprobs":true}`,
			"price":      `{"input":1,"cached_input":0.5,"cache_write":1.5,"output":2,"reasoning":3,"above":[]}`,
		},
	} {
		for member, text := range want {
			if string(got[id][member]) != text {
				t.Errorf("%s: %s is %s, want %s", id, member, got[id][member], text)
			}
		}
	}
	a = r.must(t, 200, "GET", r.URL()+"/v1/providers", r.secret, "")
	if !strings.Contains(a.body, `"models":["gpt-5.4","gpt-4.1-mini","of-their-own"]`) || strings.Contains(a.body, "https:") {
		t.Errorf("providers: %s", a.body)
	}
}
