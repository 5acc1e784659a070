package responses_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
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

func FuzzDecode(f *testing.F) {
	dialecttest.FuzzDecode(f, responses.New(), "openai-responses", "open-responses-lmstudio")
}

func FuzzStream(f *testing.F) {
	dialecttest.FuzzStream(f, responses.New(), "openai-responses", "open-responses-lmstudio")
}

func FuzzFail(f *testing.F) {
	dialecttest.FuzzFail(f, responses.New(), "openai-responses", "open-responses-lmstudio")
}

// Text without end comes to an error within the bound, whatever each event is worth.
func TestAStreamOfTextIsBounded(t *testing.T) {
	t.Parallel()
	event := `data: {"type":"response.output_text.delta","output_index":0,"delta":"` + strings.Repeat("a", 1<<20) + `"}` + "\n\n"
	text := 0
	for delta, err := range responses.New().Stream(strings.NewReader(strings.Repeat(event, 40))) {
		text += len(delta.Text)
		var failed *dialect.Error
		if err != nil && (!errors.As(err, &failed) || failed.Code != "answer_too_large") {
			t.Errorf("after %d bytes: %v", text, err)
		}
	}
	if text != 32<<20 {
		t.Errorf("%d bytes of text were given", text)
	}
}

// A profile that is meant for chat completions offers no mode that this format lacks.
func TestEveryProfileIsExpressible(t *testing.T) {
	t.Parallel()
	names := 0
	for _, name := range lowering.Names() {
		if !strings.HasPrefix(name, "openai") {
			continue
		}
		names++
		for _, mode := range responses.New().Profile(dialect.Capability{Profile: name}).Modes() {
			call := dialect.Call{Model: "m", Output: dialect.Output{Mode: mode, Schema: value.Object()}}
			if _, err := responses.New().Encode(call); err != nil {
				t.Errorf("profile %s offers mode %s: %v", name, mode, err)
			}
		}
	}
	if names < 2 {
		t.Errorf("%d profiles were tried", names)
	}
	if got := responses.New().Profile(dialect.Capability{Modes: []lowering.Mode{lowering.JSON}}).Modes(); !slices.Equal(got, []lowering.Mode{lowering.JSON}) {
		t.Errorf("mode json alone is configured, and the modes are %v", got)
	}
}
