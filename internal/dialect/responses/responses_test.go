package responses_test

import (
	"bytes"
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/responses"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	dialecttest.Run(t, dialecttest.Suite{
		Dialect: responses.New(),
		Fixtures: []string{
			"openai-responses", "azure-openai-responses", "bedrock-mantle-responses", "deepseek-responses", "open-responses-lmstudio", "openrouter",
		},
		Reference: dialecttest.Responses,
		Frame:     dialecttest.ResponsesStream,
		// Bedrock names an event behind its data, OpenRouter has an end mark behind the event that ends the answer.
		Spare: func(line []byte) bool {
			return bytes.HasPrefix(line, []byte("event:")) || string(line) == "data: [DONE]"
		},
		Document: dialecttest.Document{Path: "data/openai-openapi/openapi.yaml", Schema: "CreateResponse"},
	})
}

func FuzzDecode(f *testing.F) { dialecttest.FuzzDecode(f, responses.New()) }
func FuzzStream(f *testing.F) { dialecttest.FuzzStream(f, responses.New()) }
func FuzzFail(f *testing.F)   { dialecttest.FuzzFail(f, responses.New()) }
