package main

import (
	"strings"
	"testing"
)

const services = "id,price_key\nacme,acme_ai\ntogether,together_ai\nperplexity,perplexity\nbedrock,bedrock_converse\nvertex-ai,vertex_ai\n"

func TestBuild(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, list, want string }{
		{
			"facts and prices",
			`"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","max_input_tokens":10,"max_output_tokens":"5","supports_vision":true,"supports_pdf_input":false,
			"input_cost_per_token":1.5e-07,"output_cost_per_token":6e-07,"cache_read_input_token_cost":7.5e-08,"output_cost_per_reasoning_token":6e-07}`,
			"[acme]\nm\t10\t5\tvD\ti0.15 c0.075 o0.6\n",
		},
		{"0 is unknown", `"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","input_cost_per_token":0,"output_cost_per_token":1e-6}`, "[acme]\nm\n"},
		{"half a price is none", `"acme_ai/m": {"litellm_provider":"acme_ai","mode":"responses","output_cost_per_token":1e-6}`, "[acme]\nm\n"},
		{
			"a fee besides makes the price unknown",
			`"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"input_cost_per_request":0.01},
			"perplexity/s": {"litellm_provider":"perplexity","mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":1e-6,"search_context_cost_per_query":{}}`,
			"[acme]\nm\n\n[perplexity]\ns\n",
		},
		{
			"noise of binary fractions is rounded away", `"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","input_cost_per_token":2.0000000000000002e-07,"output_cost_per_token":1e-6}`,
			"[acme]\nm\t\t\t\ti0.2 o1\n",
		},
		{
			"steps and batches",
			`"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","input_cost_per_token":1e-6,"output_cost_per_token":2e-6,"input_cost_per_token_above_272k_tokens":4e-6,
			"input_cost_per_token_above_128k_tokens":3e-6,"output_cost_per_token_above_128k_tokens":5e-6,"input_cost_per_token_batches":5e-7,"output_cost_per_token_batches":1e-6,
			"input_cost_per_token_above_128k_tokens_batches":2e-6,"input_cost_per_token_priority":9e-6,"input_cost_per_token_above_128k_tokens_priority":9e-6}`,
			"[acme]\nm\t\t\t\ti1 o2 >128000 i3 o5 >272000 i4 b i0.5 o1 b>128000 i2\n",
		},
		{
			"ranges",
			`"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","tiered_pricing":[{"range":[256000.0,1e6],"input_cost_per_token":3e-6,"output_cost_per_token":4e-6},
			{"range":[0,256000.0],"input_cost_per_token":1e-6,"output_cost_per_token":2e-6}]}`,
			"[acme]\nm\t\t\t\ti1 o2 >256000 i3 o4\n",
		},
		{
			"of two spellings the qualified one counts",
			`"m": {"litellm_provider":"acme_ai","mode":"chat","max_input_tokens":1}, "acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","max_input_tokens":2}`,
			"[acme]\nm\t2\n",
		},
		{
			"what is no model of a service",
			`"acme_ai/e": {"litellm_provider":"acme_ai","mode":"embedding"}, "x": {"litellm_provider":"nobody","mode":"chat"},
			"together-ai-8b": {"litellm_provider":"together_ai","mode":"chat"}, "bedrock/us-east-1/m": {"litellm_provider":"bedrock","mode":"chat"}`,
			"",
		},
		{
			"Converse before the older interface, and families of Vertex",
			`"bedrock/m": {"litellm_provider":"bedrock","mode":"chat","max_input_tokens":1}, "m": {"litellm_provider":"bedrock_converse","mode":"chat","max_input_tokens":2},
			"vertex_ai/v": {"litellm_provider":"vertex_ai-language-models","mode":"chat","max_input_tokens":3}`,
			"[bedrock]\nm\t2\n\n[vertex-ai]\nv\t3\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := build([]byte("{"+tc.list+"}"), []byte(services))
			if err != nil {
				t.Fatal(err)
			}
			if text := strings.TrimPrefix(strings.TrimPrefix(string(got), header), "\n"); text != tc.want {
				t.Errorf("got\n%swant\n%s", text, tc.want)
			}
		})
	}
}

func TestBuildRefusesWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	for name, in := range map[string][2]string{
		"list":    {"[", services},
		"entry":   {`{"a": 1}`, services},
		"column":  {"{}", "id,name\n"},
		"range":   {`{"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","tiered_pricing":[{}]}}`, services},
		"ranges":  {`{"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","tiered_pricing":[{"range":[5]}]}}`, services},
		"pricing": {`{"acme_ai/m": {"litellm_provider":"acme_ai","mode":"chat","tiered_pricing":7}}`, services},
	} {
		if _, _, err := build([]byte(in[0]), []byte(in[1])); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
