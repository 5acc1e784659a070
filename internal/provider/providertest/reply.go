package providertest

import (
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/repair"
)

// Reply is what a request is answered with.
type Reply struct {
	// Text is the answer. In a stream it comes in tokens of about four bytes, or in the pieces of Chunks.
	Text   string
	Chunks []string
	// Refusal is said instead of an answer.
	Refusal string
	// Thought is what the model thinks before it answers, where the wire form has a place for that.
	Thought string
	// Stop is why the answer ends: "stop" by default, and "length" where the request's limit cut the answer. These words of chat completions, "tool_calls" and
	// "content_filter" too, are sent in the wire form's own words; any other is sent as it is.
	Stop string
	// Usage is what the answer costs; nil counts tokens of four bytes.
	Usage *Usage
	// NoUsage leaves usage out.
	NoUsage bool

	// Status is 200 by default. A reply with another status, or with a Body, has that body as it is and none of the above.
	Status int
	Header http.Header
	Body   string

	// Fault is what goes wrong with it; CutAt is after how many bytes of the body it does, for faults within one, and 0 leaves that to chance.
	Fault Fault
	CutAt int
	// Delay is the wait before the first byte, TokenDelay that between tokens, beside the server's own.
	Delay, TokenDelay time.Duration
	// Hold keeps the answer back until the channel is closed or the client is gone; HoldAfter lets that many bytes of the body out before,
	// and of a stream the whole of the event in which they end.
	Hold      <-chan struct{}
	HoldAfter int
}

// Usage counts tokens as chat completions do: CachedTokens and WrittenTokens, which are written to a cache, are part of PromptTokens, ReasoningTokens of
// CompletionTokens.
type Usage struct {
	PromptTokens, CompletionTokens, CachedTokens, WrittenTokens, ReasoningTokens int
}

// Exchange is the record of a request and of what became of it.
type Exchange struct {
	Request
	Class Class
	// Damage is the kind of a malformed answer.
	Damage repair.Kind
	Fault  Fault
	// Status is the status sent; 0 where none was.
	Status int
	// Text is the text of the whole answer, were it not for the fault.
	Text string
	// Left is set where the client went away before the answer was out.
	Left bool
}
