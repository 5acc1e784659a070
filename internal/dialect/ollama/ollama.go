// Package ollama is the dialect of Ollama's own API: POST {base}/api/chat.
//
// The server has a face of chat completions too, under /v1, which package openai speaks. Its own API says more: a JSON Schema as the format, the size
// of the context, which is small by default, and whether a prompt that is too long may be cut. Answers are one JSON object, or a stream of them, one a
// line. Errors are a text, which package openai classifies.
//
// The main type is [Dialect]. encode.go writes the request, chunk.go reads one JSON object with package scan, decode.go reads whole answers, stream.go
// streams, and fail.go errors.
package ollama

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is Ollama's wire format.
type Dialect struct {
	chat openai.Dialect
}

// New gives the dialect.
func New() Dialect { return Dialect{chat: openai.New()} }

// Name is "ollama".
func (Dialect) Name() string { return "ollama" }

// Profile is a grammar that the server makes of the schema, then JSON mode, as far as the capability allows.
func (Dialect) Profile(c dialect.Capability) lowering.Profile {
	p := c.Lowering("ollama")
	if c.Small {
		p = p.Tight()
	}
	return p
}

var _ dialect.Dialect = Dialect{}
