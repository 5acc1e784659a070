package sdk_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"google.golang.org/genai"

	"github.com/promptd/promptd/internal/dialect"
)

// generate reads Gemini's generateContent with google.golang.org/genai.
func generate(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	client, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		Backend: genai.BackendGeminiAPI, APIKey: "none", HTTPClient: http.DefaultClient, HTTPOptions: genai.HTTPOptions{BaseURL: base},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{}
	if !streamed {
		whole, err := client.Models.GenerateContent(t.Context(), "m", genai.Text("hello"), nil)
		if err != nil {
			return generateError(t, err)
		}
		r.chunk(t, whole)
		return r
	}
	for chunk, err := range client.Models.GenerateContentStream(t.Context(), "m", genai.Text("hello"), nil) {
		if err != nil {
			return generateError(t, err)
		}
		r.chunk(t, chunk)
	}
	return r
}

func (r *reading) chunk(t *testing.T, c *genai.GenerateContentResponse) {
	t.Helper()
	if c.ModelVersion != "" {
		r.model = c.ModelVersion
	}
	if u := c.UsageMetadata; u != nil {
		r.usage = dialect.Usage{
			Input: int(u.PromptTokenCount + u.ToolUsePromptTokenCount), CachedInput: int(u.CachedContentTokenCount),
			Output: int(u.CandidatesTokenCount + u.ThoughtsTokenCount), Reasoning: int(u.ThoughtsTokenCount), Known: true,
		}
	}
	if c.PromptFeedback != nil && r.stop == "" {
		r.stop = string(c.PromptFeedback.BlockReason)
	}
	for _, candidate := range c.Candidates {
		if candidate.FinishReason != "" {
			r.stop = string(candidate.FinishReason)
		}
		if candidate.LogprobsResult != nil {
			r.logprobs += len(candidate.LogprobsResult.ChosenCandidates)
		}
		if candidate.Content == nil {
			continue
		}
		for _, part := range candidate.Content.Parts {
			switch {
			case part.FunctionCall != nil && !r.called:
				arguments, err := json.Marshal(part.FunctionCall.Args)
				if err != nil {
					t.Fatal(err)
				}
				r.called, r.arguments = true, string(arguments)
			case !part.Thought && !r.called:
				r.prose += part.Text
			}
		}
	}
}

func generateError(t *testing.T, err error) *reading {
	t.Helper()
	var answered genai.APIError
	if !errors.As(err, &answered) {
		t.Fatalf("the client can't read it: %T %v", err, err)
	}
	r := &reading{failed: true, status: answered.Code}
	if answered.Status != "" {
		r.codes = []string{answered.Status}
	}
	for _, detail := range answered.Details {
		if reason, ok := detail["reason"].(string); ok {
			r.codes = append(r.codes, reason)
		}
	}
	return r
}

// generateFrame makes events as the service sends them: CRLF, and no end mark.
func generateFrame(payloads [][]byte) []byte {
	var b bytes.Buffer
	for _, p := range payloads {
		b.WriteString("data: ")
		if err := json.Compact(&b, p); err != nil {
			b.Write(p)
		}
		b.WriteString("\r\n\r\n")
	}
	return b.Bytes()
}
