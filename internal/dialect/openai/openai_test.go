package openai_test

import (
	"slices"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect: openai.New(),
		Fixtures: []string{
			"openai", "avian", "azure-openai", "bedrock-mantle", "cerebras", "crusoe", "deepseek", "gemini-openai-compat", "groq", "heroku", "huggingface", "mistral",
			"ollama", "openai-compatible", "openrouter", "perplexity", "vercel-gateway", "xai", "zai",
		},
		Reference: dialecttest.ChatCompletions,
		Frame:     dialecttest.EventStream,
		Document:  dialecttest.Document{Path: "data/openai-openapi/openapi.yaml", Schema: "CreateChatCompletionRequest"},
	})
}

// vllm is vLLM's form: its answers are held to the schema by a grammar.
type vllm struct{ openai.Dialect }

func (d vllm) Profile(c dialect.Capability) lowering.Profile {
	c.Profile = "openai:vllm"
	return d.Dialect.Profile(c)
}

func TestVLLM(t *testing.T) {
	t.Parallel()
	d := vllm{openai.New()}
	if modes := d.Profile(dialect.Capability{}).Modes(); !slices.Equal(modes, []lowering.Mode{lowering.Grammar, lowering.JSON, lowering.Prompt}) {
		t.Errorf("vLLM's modes are %v", modes)
	}
	dialecttest.Run(t, dialecttest.Suite{
		Dialect: d, Fixtures: []string{"crusoe", "openai-compatible"}, Reference: dialecttest.ChatCompletions, Frame: dialecttest.EventStream,
	})
}

func FuzzDecode(f *testing.F) {
	dialecttest.FuzzDecode(f, openai.New(), "openai", "groq", "openrouter", "mistral", "zai")
}

func FuzzStream(f *testing.F) {
	dialecttest.FuzzStream(f, openai.New(), "openai", "groq", "openrouter", "mistral", "zai")
}

func FuzzFail(f *testing.F) {
	dialecttest.FuzzFail(f, openai.New(), "openai", "groq", "openrouter", "mistral", "zai")
}
