// Package responses is the dialect openai-responses: POST {base}/responses, of OpenAI, Azure, and the services that copy it.
//
// The same services speak chat completions, so failures are classified by package openai, which this dialect uses for all that is the same. What
// differs is the envelope: an answer is a list of items, of which messages and calls of the forced tool count, and reasoning, preambles and the
// service's own tools do not; a stream is typed events that end in one with the whole response.
//
// The main type is [Dialect]. encode.go writes the request, item.go reads items and events with package scan, decode.go reads whole answers, and
// stream.go follows server-sent events.
package responses

import (
	"slices"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is the responses wire format.
type Dialect struct {
	chat openai.Dialect
}

// New gives the dialect.
func New() Dialect { return Dialect{chat: openai.New()} }

// Name is "openai-responses".
func (Dialect) Name() string { return "openai-responses" }

// Profile is that of chat completions: the same models hold the same schemas. Engines behind a service take grammars there alone.
func (d Dialect) Profile(c dialect.Capability) lowering.Profile {
	p := d.chat.Profile(c)
	if slices.Contains(p.Modes(), lowering.Grammar) {
		p = p.Without(lowering.Grammar)
	}
	return p
}

// Fail classifies an answer whose status is not 200.
func (d Dialect) Fail(r dialect.Response) *dialect.Error { return d.chat.Fail(r) }

var _ dialect.Dialect = Dialect{}

// Carries says that responses are relayed as they are.
func (Dialect) Carries(f dialect.Format) (string, bool) { return Path, f == dialect.Responses }

var _ dialect.Carrier = Dialect{}
