package providertest

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/value"
)

// What real services took is taken here as well: the requests that were recorded with an answer are right in every form.
func TestRecordedRequestsAreTaken(t *testing.T) {
	t.Parallel()
	for wire, folder := range map[Wire]string{
		OpenAI: "openai", Responses: "openai-responses", Anthropic: "anthropic", Gemini: "gemini", Bedrock: "bedrock", LlamaCpp: "llamacpp", Ollama: "ollama",
	} {
		t.Run(string(wire), func(t *testing.T) {
			t.Parallel()
			var c checks
			taken, path := 0, map[Wire]string{
				OpenAI: "/chat/completions", Responses: "/responses", Anthropic: "/messages", Gemini: "enerateContent", Bedrock: "/converse", LlamaCpp: "/chat/completions",
				Ollama: "/api/chat",
			}[wire]
			for _, f := range dialecttest.Fixtures(t, folder) {
				if f.Status != 200 || len(f.Request) == 0 || !strings.Contains(f.URL, path) {
					continue
				}
				body, err := value.Decode(f.Request, value.Limits{})
				if err != nil || body.Kind() != value.KindObject {
					t.Logf("%s: its request was not recorded: %v", f.File, err)
					continue
				}
				taken++
				if wrong := c.check(wire, body); wrong != "" {
					t.Errorf("%s was taken, and is refused here: %s", f.File, wrong)
				}
			}
			t.Logf("%d requests", taken)
		})
	}
}
