package openai_test

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/openai"
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

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, openai.New()) }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, openai.New()) }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, openai.New()) }
