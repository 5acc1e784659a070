package sdk_test

import (
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/responses"

	"github.com/promptd/promptd/internal/dialect"
)

// respond reads OpenAI's responses with openai-go.
func respond(t *testing.T, base string, streamed bool) *reading {
	t.Helper()
	client := openaiClient(base)
	asked := responses.ResponseNewParams{Model: "m", Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("hello")}}
	if streamed {
		stream := client.Responses.NewStreaming(t.Context(), asked)
		defer stream.Close() //nolint:errcheck // It was read.
		s := responseStream{preambles: map[string]bool{}}
		for stream.Next() {
			event := stream.Current()
			s.event(&event)
		}
		if err := stream.Err(); err != nil {
			return openaiError(t, err)
		}
		return &s.reading
	}
	whole, err := client.Responses.New(t.Context(), asked)
	if err != nil {
		return openaiError(t, err)
	}
	r := &reading{}
	r.response(whole)
	if r.failed {
		return r
	}
	for i := range whole.Output {
		switch item := &whole.Output[i]; {
		case item.Type == "function_call" && !r.called:
			r.called, r.arguments = true, item.Arguments.OfString
		case item.Type == "message" && item.Phase != responses.ResponseOutputMessagePhaseCommentary:
			for _, part := range item.Content {
				r.prose += part.Text
				r.refusal += part.Refusal
				r.logprobs += len(part.Logprobs)
			}
		}
	}
	return r
}

// response takes what a whole response says beside its items.
func (r *reading) response(whole *responses.Response) {
	r.model, r.stop = whole.Model, string(whole.Status)
	if whole.Status == responses.ResponseStatusIncomplete {
		r.stop = whole.IncompleteDetails.Reason
	}
	if whole.Status == responses.ResponseStatusFailed {
		r.failed, r.status, r.codes = true, 200, []string{string(whole.Error.Code)}
	}
	if u := whole.Usage; whole.JSON.Usage.Valid() {
		r.usage = dialect.Usage{
			Input: int(u.InputTokens), CachedInput: int(u.InputTokensDetails.CachedTokens), CacheWrite: int(u.InputTokensDetails.CacheWriteTokens),
			Output: int(u.OutputTokens), Reasoning: int(u.OutputTokensDetails.ReasoningTokens), Known: true,
		}
	}
}

type responseStream struct {
	reading
	call      string          // the item of the first call
	pieces    bool            // whether its arguments came in pieces
	preambles map[string]bool // messages on the way to an answer
}

func (s *responseStream) event(e *responses.ResponseStreamEventUnion) {
	switch e.Type {
	case "response.output_item.added":
		if e.Item.Type == "function_call" && !s.called {
			s.called, s.call = true, e.Item.ID
		}
		s.preambles[e.Item.ID] = e.Item.Phase == responses.ResponseOutputMessagePhaseCommentary
	case "response.output_text.delta":
		if !s.preambles[e.ItemID] {
			s.prose += e.Delta
			s.logprobs += len(e.Logprobs.OfResponseTextDeltaEventLogprobs)
		}
	case "response.refusal.delta":
		s.refusal += e.Delta
	case "response.function_call_arguments.delta":
		if s.called && e.ItemID == s.call {
			s.arguments += e.Delta
			s.pieces = true
		}
	case "response.function_call_arguments.done":
		if s.called && e.ItemID == s.call && !s.pieces {
			s.arguments = e.Arguments
		}
	case "response.completed", "response.incomplete", "response.failed":
		s.response(&e.Response)
	case "error":
		s.failed, s.status, s.codes = true, 200, []string{e.Code}
	}
}
