// Package openai is the dialect of chat completions: OpenAI's own, and that of every service that copies it.
//
// It encodes a call to POST {base}/chat/completions, decodes the answer whole or streamed, and classifies failures. Services deviate in a hundred
// small ways; reading accepts all that are known (content as string, null or list, missing usage, numeric error codes, errors inside a 200, error
// bodies in HTML), so that a new service is an entry in the catalogue and not a dialect. It does no network and keeps no state.
//
// The main type is [Dialect]. encode.go writes the request by hand into one buffer, decode.go and chunk.go read with package scan, stream.go follows
// server-sent events, fail.go has the table of errors. Dialects that differ only in the request compose it (see package llamacpp) through
// [Body]; others of the same services take from it what is the same (see package responses and family.go).
package openai

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is the chat completions wire format.
type Dialect struct{}

// New gives the dialect.
func New() Dialect { return Dialect{} }

// Name is "openai".
func (Dialect) Name() string { return "openai" }

// Profile is the service's own where the capability names one, else OpenAI's strict subset and what lies below it, as far as the capability allows.
func (Dialect) Profile(c dialect.Capability) lowering.Profile { return c.Lowering("openai") }

var _ dialect.Dialect = Dialect{}

// Carries says that chat completions are relayed as they are.
func (Dialect) Carries(f dialect.Format) (string, bool) { return Path, f == dialect.Chat }

var _ dialect.Carrier = Dialect{}
