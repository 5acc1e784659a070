// Package gemini is the dialect of Google's generateContent, at the Gemini API and at Vertex.
//
// It encodes a call to POST {base}/models/{model}:generateContent, or :streamGenerateContent as server-sent events, decodes the answer whole or streamed,
// and classifies failures. The two services differ in address and credential alone, which are the provider's configuration: the Gemini API takes the key
// in the header x-goog-api-key, Vertex a bearer token and a base URL that ends in /publishers/google. It is not for Google's OpenAI face, which speaks
// package openai's dialect, nor for the Interactions API. It does no network and keeps no state.
//
// The main type is [Dialect]. encode.go writes the request by hand into one buffer, chunk.go reads with package scan what a whole answer and an event of
// a stream have in common, stream.go follows the events, whose end no mark tells, fail.go has the table of errors.
package gemini

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// name is the dialect's name; openAPI is the profile of models that take responseSchema alone.
const (
	name    = "gemini"
	openAPI = "gemini:openapi"
)

// Dialect is the wire format of generateContent.
type Dialect struct{}

// New gives the dialect.
func New() Dialect { return Dialect{} }

// Name is "gemini".
func (Dialect) Name() string { return name }

// Profile is what responseJsonSchema takes, or responseSchema where the capability names that, and what lies below it.
func (Dialect) Profile(c dialect.Capability) lowering.Profile { return c.Lowering(name) }

var _ dialect.Dialect = Dialect{}
