package sdk_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/respjson"

	"github.com/promptd/promptd/internal/dialect"
)

func openaiClient(base string) openai.Client {
	return openai.NewClient(option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
}

// chat reads chat completions with openai-go.
func chat(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	client, asked := openaiClient(base), openai.ChatCompletionNewParams{Model: "m", Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("hello")}}
	if streamed {
		return chatStream(t, client, asked)
	}
	whole, err := client.Chat.Completions.New(t.Context(), asked)
	if err != nil {
		return openaiError(t, err)
	}
	r := &reading{model: whole.Model, usage: chatUsage(whole.Usage)}
	if len(whole.Choices) == 0 {
		return r
	}
	c := whole.Choices[0]
	r.prose, r.refusal, r.stop, r.logprobs = c.Message.Content, c.Message.Refusal, c.FinishReason, len(c.Logprobs.Content)
	if len(c.Message.ToolCalls) > 0 {
		r.called, r.arguments = true, c.Message.ToolCalls[0].Function.Arguments
	}
	return r
}

func chatStream(t *testing.T, client openai.Client, asked openai.ChatCompletionNewParams) *reading {
	t.Helper()
	stream := client.Chat.Completions.NewStreaming(t.Context(), asked)
	defer stream.Close() //nolint:errcheck // It was read.
	r, first := &reading{}, ""
	for stream.Next() {
		chunk := stream.Current()
		if chunk.Model != "" {
			r.model = chunk.Model
		}
		if chunk.JSON.Usage.Valid() {
			r.usage = chatUsage(chunk.Usage)
		} else if groq := chunk.JSON.ExtraFields["x_groq"]; !r.usage.Known && groq.Raw() != "" {
			// Groq's own place for usage, from before stream_options.
			var extra struct{ Usage *openai.CompletionUsage }
			if json.Unmarshal([]byte(groq.Raw()), &extra) == nil && extra.Usage != nil {
				r.usage = chatUsage(*extra.Usage)
			}
		}
		for i := range chunk.Choices {
			if c := &chunk.Choices[i]; c.Index == 0 {
				first = r.delta(c, first)
			}
		}
	}
	if err := stream.Err(); err != nil {
		return openaiError(t, err)
	}
	return r
}

// delta adds a chunk. first is the mark of the first call: its index, and where a service counts wrongly its id.
func (r *reading) delta(c *openai.ChatCompletionChunkChoice, first string) string {
	if c.FinishReason != "" {
		r.stop = c.FinishReason
	}
	r.logprobs += len(c.Logprobs.Content)
	r.refusal += c.Delta.Refusal
	if r.called {
		r.arguments += c.Delta.Content
	} else {
		r.prose += c.Delta.Content
	}
	for _, call := range c.Delta.ToolCalls {
		mark := call.JSON.Index.Raw()
		if mark == "" || mark == "null" {
			mark = call.ID
		}
		if !r.called {
			r.called, first = true, mark
		}
		if mark == first || mark == "" {
			r.arguments += call.Function.Arguments
		}
	}
	return first
}

// chatUsage counts as the client does, and adds what services of this format tell in members of their own.
func chatUsage(u openai.CompletionUsage) dialect.Usage {
	if !u.JSON.PromptTokens.Valid() && !u.JSON.CompletionTokens.Valid() {
		return dialect.Usage{}
	}
	prompt := u.PromptTokensDetails
	read := dialect.Usage{
		Input: int(u.PromptTokens), Output: int(u.CompletionTokens), Reasoning: int(u.CompletionTokensDetails.ReasoningTokens), Known: true,
		// DeepSeek, Mistral, hosts of open models: a member beside the details.
		CachedInput: most(int(prompt.CachedTokens), u.JSON.ExtraFields, "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens"),
		CacheWrite:  most(most(0, prompt.JSON.ExtraFields, "cache_write_tokens"), u.JSON.ExtraFields, "cache_creation_input_tokens"),
	}
	read.CacheWrite = max(read.CacheWrite, int(prompt.CacheWriteTokens))
	read.Reasoning = most(read.Reasoning, u.JSON.ExtraFields, "reasoning_tokens") // Perplexity
	switch beside := int(u.TotalTokens) - read.Input - read.Output; {
	case beside > 0 && read.Reasoning == 0: // Gemini: thoughts are in the total alone.
		read.Output, read.Reasoning = read.Output+beside, beside
	case beside > 0 && beside == read.Reasoning: // xAI: thoughts are beside the completion.
		read.Output += beside
	case read.Reasoning > read.Output: // Vercel's gateway: thoughts are in neither.
		read.Output += read.Reasoning
	}
	return read
}

// most is the greatest of a count and those under the names.
func most(n int, fields map[string]respjson.Field, names ...string) int {
	for _, name := range names {
		var m int
		if json.Unmarshal([]byte(fields[name].Raw()), &m) == nil {
			n = max(n, m)
		}
	}
	return n
}

func openaiError(t *testing.T, err error) *reading {
	t.Helper()
	r := &reading{failed: true}
	var answered *openai.Error
	if errors.As(err, &answered) {
		r.status = answered.StatusCode
		for _, code := range [...]string{answered.Code, answered.Type} {
			if code != "" && code != strconv.Itoa(answered.StatusCode) { // OpenRouter's code is the status, again.
				r.codes = append(r.codes, code)
			}
		}
		return r
	}
	// An error inside a stream: the client gives the event's error as text.
	_, event, ok := strings.Cut(err.Error(), "error while streaming: ")
	if !ok {
		t.Fatalf("the client can't read it: %v", err)
	}
	var e struct {
		Code, Type any
	}
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatalf("%v: %s", err, event)
	}
	r.status = 200
	for _, code := range [...]any{e.Code, e.Type} {
		if text, ok := code.(string); ok && text != "" {
			r.codes = append(r.codes, text)
		}
	}
	return r
}
