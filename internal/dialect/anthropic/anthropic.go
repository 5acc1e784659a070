// Package anthropic is the dialect of Anthropic's Messages API, for Claude and for services that copy its format.
//
// It encodes a call to POST {base}/v1/messages, decodes the answer whole or streamed, and classifies failures. The base URL is the bare address, as the
// vendor's own clients take it. Structured output is output_config.format where the schema was lowered to Claude's subset, else a forced tool, which
// guides and is not enforced; there is no JSON mode. There are no log-probabilities. The same format behind Google's and Amazon's own addresses
// (rawPredict, InvokeModel) is read alike, but not sent: their models are reached through the dialects of those clouds.
//
// The main type is [Dialect]. encode.go writes the request by hand into one buffer, image.go its images, message.go reads a message with package scan,
// event.go one event of a stream, stream.go follows the events, fail.go has the table of errors. It does no network and keeps no state.
package anthropic

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is the Messages wire format.
type Dialect struct{}

// New gives the dialect.
func New() Dialect { return Dialect{} }

// Name is "anthropic".
func (Dialect) Name() string { return "anthropic" }

// Profile is Claude's structured output and what lies below it, as far as the capability allows.
func (Dialect) Profile(c dialect.Capability) lowering.Profile {
	return c.Lowering("anthropic")
}

var _ dialect.Dialect = Dialect{}
