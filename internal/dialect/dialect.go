// Package dialect says what a wire format is: a codec between promptd's [Call] and [Reply] and the bytes of one kind of model service.
//
// A dialect has no network, no clock and no state: bytes in, bytes out. Package provider carries the bytes; each dialect lies in a folder of its
// own and is listed once in package app. The main interface is [Dialect]; dialecttest holds every implementation to one suite. What services
// of one dialect do differently is data in the [Capability] and the provider's configuration, never a branch on a name.
package dialect

import (
	"io"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Dialect is one wire format. Implementations are stateless and safe for concurrent use; none of the methods panics on any bytes.
type Dialect interface {
	// Name is the dialect's name in the configuration, such as "openai".
	Name() string
	// Profile says what structured output a model with that capability accepts.
	Profile(Capability) lowering.Profile
	// Encode makes the request of a call: method, path below the base URL, headers (without credentials) and body. It fails only for a call
	// that the dialect cannot express.
	Encode(Call) (Request, error)
	// Decode reads a whole answer with status 200. An error inside it is a *Error; refusal and truncation are values of the Reply.
	Decode(Response) (Reply, error)
	// Stream reads a streamed answer and yields its text as it comes. The last Delta, and it alone, has the Reply, which holds the whole text.
	// A stream that ends early, and an error inside it, yields a *Error and ends. Reading stops when the consumer does.
	Stream(io.Reader) iter.Seq2[Delta, error]
	// Fail classifies an answer whose status is not 200.
	Fail(Response) *Error
}

// Families is a dialect of models that differ by family in what structured output they take.
type Families interface {
	Dialect
	// ProfileOf names the profile that fits the model, by its name; empty is the dialect's own.
	ProfileOf(model string) string
}

// Capability is what is known of a model; the zero value assumes the least.
type Capability struct {
	// Modes are the structured output modes that may be used; empty means all that the dialect has.
	Modes []lowering.Mode
	// Profile names a profile of the dialect that fits the model better than the dialect's own, such as gemini:openapi.
	Profile string
	// Reasoning models take max_completion_tokens and refuse temperature and log-probabilities.
	Reasoning bool
	// Logprobs are given when asked for.
	Logprobs bool
	// Deviations are what else the service does differently from its dialect.
	Deviations Deviations
	// Vision models take image parts.
	Vision bool
	// MaxOutput is the model's limit of output tokens; 0 is unknown.
	MaxOutput int
	// Context is the model's window in tokens; 0 is unknown.
	Context int
	// LLGuidance is set for servers of llama.cpp that are known to understand grammars beginning with %llguidance; others abort on one.
	LLGuidance bool
	// Small models get the short meta-prompt.
	Small bool
}

// Lowering gives the profile for a model: the one that its capability names if that is the dialect's, else the dialect's own, with the allowed modes alone.
func (c Capability) Lowering(dialect string) lowering.Profile {
	p, _ := lowering.Named(dialect)
	if strings.HasPrefix(c.Profile, dialect+":") {
		if named, ok := lowering.Named(c.Profile); ok {
			p = named
		}
	}
	return p.Only(c.Modes...)
}

// Role tells who speaks in a message.
type Role uint8

// The roles.
const (
	System Role = iota
	User
	Assistant
)

// Part is a piece of a message: text or an image.
type Part struct {
	Text string
	// Image is a data: or https: URL; empty where the part is text.
	Image string
	// Detail is low or high where the caller says how closely to look at the image. Where a dialect has no word for it, it is left out.
	Detail string
}

// Message is one turn of the conversation.
type Message struct {
	Role  Role
	Parts []Part
}

// Output says what form the answer shall have.
type Output struct {
	// Mode is the structured output mode to use.
	Mode lowering.Mode
	// Name is the schema's name for the service: letters, digits, _ and -, 1 to 64 characters.
	Name string
	// Schema is the lowered schema with its generation caps; null for modes that send none.
	Schema value.Value
}

// Call is one call to a model, in no wire format.
type Call struct {
	Model       string
	Messages    []Message
	Output      Output
	Temperature *float64 // nil leaves it to the service
	MaxTokens   int      // 0 leaves it to the service
	Logprobs    bool
	Stream      bool
	Capability  Capability
}

// Request is an encoded call.
type Request struct {
	Method string
	// Path is added to the provider's base URL.
	Path   string
	Header http.Header
	Body   []byte
}

// Response is an answer as it came.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Stop says why the model stopped.
type Stop uint8

// The reasons. An unknown native reason is StopError, never StopComplete.
const (
	StopError Stop = iota
	StopComplete
	StopTool
	StopTruncated
	StopRefused
	StopFiltered
	StopPaused
)

// Usage counts tokens as the service reports them; Known is false where it reported none.
type Usage struct {
	Input       int // all input tokens, cached ones included
	CachedInput int
	CacheWrite  int
	// LongCacheWrite is the part of CacheWrite that the service keeps for an hour, where it tells that and asks more for it.
	LongCacheWrite int
	Output         int // all output tokens, reasoning included
	Reasoning      int
	Known          bool
}

// Token is a generated token with its log-probability.
type Token struct {
	Text    string
	Logprob float64
}

// Reply is a model's answer in no wire format.
type Reply struct {
	// Text is the answer, or a forced tool's arguments; no reasoning.
	Text string
	// Refusal is what the model said instead of an answer.
	Refusal    string
	Stop       Stop
	NativeStop string
	Usage      Usage
	Logprobs   []Token
	Model      string
	RequestID  string
}

// Delta is a piece of a streamed answer.
type Delta struct {
	Text string
	// Reply is set in the last delta alone.
	Reply *Reply
}

// Outcome is what became of an attempt; routing.md has the table.
type Outcome uint8

// The outcomes.
const (
	Unknown Outcome = iota
	OK
	Truncated
	Refused
	Filtered
	Paused
	Invalid
	RateLimited
	OverloadedProvider
	Quota
	Timeout
	Connection
	Auth
	BadRequest
	TooLarge
	SchemaRejected
	ContextExceeded
	Cancelled
)

// String gives the outcome's name on the wire.
func (o Outcome) String() string {
	names := [...]string{
		"unknown", "ok", "truncated", "refused", "filtered", "paused", "invalid", "rate_limited", "overloaded", "quota", "timeout", "connection",
		"auth", "bad_request", "too_large", "schema_rejected", "context_exceeded", "cancelled",
	}
	if int(o) < len(names) {
		return names[o]
	}
	return names[0]
}

// Error is an answer that is none: the service's own error, in a status, in the body of a 200 or in a stream.
type Error struct {
	Outcome Outcome
	// Status is the HTTP status; 0 where there was no answer.
	Status int
	// Wait is the time the service asks to wait; 0 where it said nothing.
	Wait time.Duration
	// Code is the service's own error code or type, cut to 100 characters. Its message is left out: services echo prompts in it.
	Code string
	// Usage is what the failed call still cost, where it was said.
	Usage Usage
	// Cause is the transport's error, if any.
	Cause error
}

// Error says outcome, status and the service's code.
func (e *Error) Error() string {
	s := "provider: " + e.Outcome.String()
	if e.Status != 0 {
		s += " (status " + strconv.Itoa(e.Status) + ")"
	}
	if e.Code != "" {
		s += ": " + e.Code
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Unwrap gives the transport's error.
func (e *Error) Unwrap() error { return e.Cause }
