package providertest

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/dialect/dialecttest"
	"github.com/promptd/promptd/internal/dialect/eventstream"
	"github.com/promptd/promptd/internal/value"
)

// What is sent is spelt as real services spell it: each member of each answer and event stands in one that was recorded. Dialects step over what they do not know, so
// that a slip here would go unnoticed elsewhere. Of Ollama's own API there is no recording.
func TestAnswersAreSpeltAsRecordedOnes(t *testing.T) {
	t.Parallel()
	for wire, row := range map[Wire]struct {
		wire    wire
		folders []string
		// unseen are members that no recording has, from the services' documents.
		unseen []string
	}{
		OpenAI: {
			openAI{},
			[]string{"openai", "azure-openai", "deepseek", "llamacpp", "openrouter"},
			[]string{".choices[].logprobs.content[].top_logprobs[].logprob", ".choices[].logprobs.content[].top_logprobs[].token"},
		},
		Responses: {responses{}, []string{"openai-responses", "azure-openai-responses"}, unseenResponses()},
		Anthropic: {anthropic{}, []string{"anthropic"}, []string{
			".content[].signature", ".content[].thinking", ".content_block.signature", ".content_block.thinking", ".delta.signature", ".delta.thinking",
			".message.usage.output_tokens_details", ".message.usage.output_tokens_details.thinking_tokens", ".usage.output_tokens_details",
			".usage.output_tokens_details.thinking_tokens",
		}},
		Gemini: {gemini{}, []string{"gemini", "vertex"}, []string{".candidates[].content.parts[].thought", ".error.details[].reason"}},
		Bedrock: {bedrock{}, []string{"bedrock"}, []string{
			".metadata.usage.cacheReadInputTokens", ".metadata.usage.cacheWriteInputTokens", ".serviceUnavailableException", ".serviceUnavailableException.message",
		}},
	} {
		t.Run(string(wire), func(t *testing.T) {
			t.Parallel()
			recorded := map[string]bool{}
			for _, folder := range row.folders {
				for _, f := range dialecttest.Fixtures(t, folder) {
					for _, v := range recordedValues(wire, &f) {
						shape(v, "", recorded)
					}
				}
			}
			for _, name := range row.unseen {
				recorded[name] = true
			}
			sent := map[string]bool{}
			for _, r := range scriptedAnswers(row.wire) {
				for _, v := range r {
					shape(v, "", sent)
				}
			}
			for _, path := range slices.Sorted(maps.Keys(sent)) {
				if !recorded[path] {
					t.Errorf("no recorded answer has %s", path)
				}
			}
			t.Logf("%d members of %d", len(sent), len(recorded))
		})
	}
}

// unseenResponses are thoughts in short, refusals of an item, and log-probabilities of streams.
func unseenResponses() []string {
	list := []string{".item.content[].refusal", ".summary_index"}
	for _, place := range [...]string{".item.", ".response.output[]."} {
		list = append(list, place+"summary[].text", place+"summary[].type")
	}
	for _, place := range [...]string{".", ".output[].content[].", ".response.output[].content[]."} {
		for _, member := range [...]string{"logprob", "token", "top_logprobs", "top_logprobs[].logprob", "top_logprobs[].token"} {
			list = append(list, place+"logprobs[]."+member)
		}
	}
	return list
}

// scriptedAnswers are answers of every kind, whole and streamed, and errors, each as its values.
func scriptedAnswers(w wire) [][]value.Value {
	var all [][]value.Value
	server := &Server{settings: Settings{RetryAfter: 1}}
	usage := &Usage{PromptTokens: 9, CachedTokens: 3, WrittenTokens: 1, CompletionTokens: 5, ReasoningTokens: 2}
	for _, form := range [...]string{"", formTool} {
		for _, reply := range [...]Reply{
			{Text: `{"a":1}`, Thought: "Let me see.", Usage: usage}, {Refusal: "I'm sorry.", Usage: usage}, {Text: `{"a"`, Stop: stopLength}, {Stop: stopFiltered},
		} {
			r := Request{Form: form, Model: "m", Logprobs: true, includeUsage: true, topLogprobs: 1}
			m := server.message(&r, &reply, w.traits(), rand.New(rand.NewPCG(1, 2))) //nolint:gosec // Chance that repeats is the point.
			all = append(all, eventValues(w.whole(&m)), eventValues(bytes.Join(w.stream(&m), nil)))
		}
	}
	for _, fault := range Faults() {
		if fault != ContentBlocked {
			all = append(all, eventValues(bytes.Join(w.fail(failure{fault: fault}).pieces, nil)))
		}
	}
	return append(all, eventValues(w.inside(true)))
}

func recordedValues(wire Wire, f *dialecttest.Fixture) (list []value.Value) {
	if f.Form == "eventstream" || f.Form == "sse" {
		return eventValues(f.Body)
	}
	for _, raw := range append(f.Payloads, f.Body) {
		list = append(list, eventValues(raw)...)
	}
	return list
}

// eventValues takes an answer apart: the values of its events, or itself. Those of AWS's events are members of their name.
func eventValues(body []byte) (list []value.Value) {
	add := func(raw []byte) bool {
		v, err := value.Decode(raw, value.Limits{})
		if err == nil {
			list = append(list, v)
		}
		return err == nil
	}
	if add(body) {
		return list
	}
	for messages := eventstream.NewReader(bytes.NewReader(body)); ; {
		m, err := messages.Next()
		if err != nil {
			break
		}
		if v, err := value.Decode(m.Payload, value.Limits{}); err == nil {
			list = append(list, value.Object(value.Member{Name: m.Name, Value: v}))
		}
	}
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			add(bytes.TrimSpace(data))
		}
	}
	return list
}

// shape collects the paths of a value's members; texts and numbers that are data do not matter, names of tools' arguments neither.
func shape(v value.Value, at string, into map[string]bool) {
	if strings.HasSuffix(at, ".input") || strings.HasSuffix(at, ".args") {
		return
	}
	for _, item := range v.Items() {
		shape(item, at+"[]", into)
	}
	for name, member := range v.Members() {
		into[at+"."+name] = true
		shape(member, at+"."+name, into)
	}
}

// What the answers' headers are called was recorded as well, where it was.
func TestHeadersHaveCanonicalNames(t *testing.T) {
	t.Parallel()
	for _, w := range []wire{openAI{}, responses{}, anthropic{}, gemini{}, bedrock{}, llamaCpp{}, vLLM{}, ollama{}} {
		h := w.traits().header("id")
		for _, fault := range Faults() {
			for name, values := range w.fail(failure{fault: fault}).header {
				if h == nil {
					h = http.Header{}
				}
				h[name] = values
			}
		}
		for name := range h {
			if http.CanonicalHeaderKey(name) != name {
				t.Errorf("%s: a header is called %s", w.traits().name, name)
			}
		}
	}
}
