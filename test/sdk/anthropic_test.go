package sdk_test

import (
	"errors"
	"testing"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"github.com/promptd/promptd/internal/dialect"
)

// message reads Anthropic's Messages with anthropic-sdk-go.
func message(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	client := anthropic.NewClient(option.WithoutEnvironmentDefaults(), option.WithBaseURL(base), option.WithAPIKey("none"), option.WithMaxRetries(0))
	asked := anthropic.MessageNewParams{
		Model: "m", MaxTokens: 9, Messages: []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("hello"))},
	}
	if !streamed {
		whole, err := client.Messages.New(t.Context(), asked)
		if err != nil {
			return messageError(t, err)
		}
		return messageReading(whole, false)
	}
	stream := client.Messages.NewStreaming(t.Context(), asked)
	defer stream.Close() //nolint:errcheck // It was read.
	var whole anthropic.Message
	for stream.Next() {
		if err := whole.Accumulate(stream.Current()); err != nil {
			t.Fatalf("the client can't read it: %v", err)
		}
	}
	if err := stream.Err(); err != nil {
		return messageError(t, err)
	}
	return messageReading(&whole, true)
}

// messageReading reads a whole message. What a stream says behind its first call is no part of the answer.
func messageReading(m *anthropic.Message, streamed bool) *reading {
	u := m.Usage
	r := &reading{
		stop: string(m.StopReason), model: m.Model, refusal: m.StopDetails.Explanation,
		usage: dialect.Usage{
			Input:       int(u.InputTokens + u.CacheReadInputTokens + u.CacheCreationInputTokens),
			CachedInput: int(u.CacheReadInputTokens), CacheWrite: int(u.CacheCreationInputTokens),
			LongCacheWrite: int(u.CacheCreation.Ephemeral1hInputTokens),
			Output:         int(u.OutputTokens), Reasoning: int(u.OutputTokensDetails.ThinkingTokens), Known: true,
		},
	}
	for i := range m.Content {
		switch b := &m.Content[i]; b.Type {
		case "text":
			if !streamed || !r.called {
				r.prose += b.Text
			}
		case "tool_use":
			if !r.called {
				r.called, r.arguments = true, string(b.Input)
			}
		}
	}
	return r
}

func messageError(t *testing.T, err error) *reading {
	t.Helper()
	var answered *anthropic.Error
	if !errors.As(err, &answered) {
		t.Fatalf("the client can't read it: %T %v", err, err)
	}
	r := &reading{failed: true, status: answered.StatusCode}
	if kind := string(answered.Type()); kind != "" {
		r.codes = []string{kind}
	}
	return r
}
