// Package bedrock is the dialect of Amazon Bedrock's Converse, one format for the models of many makers.
//
// It encodes a call to POST {base}/model/{model}/converse or converse-stream, decodes the answer whole or as an event stream in AWS's binary framing, and
// classifies failures. A model is named by its id, an inference profile or an ARN. Structured output is outputConfig.textFormat, whose schema is a text
// and not an object; else a tool, forced where the model's family lets itself be forced. There is no JSON mode, and there are no log-probabilities.
// Requests are signed, or carry a bearer key; both are added by the caller, as in every dialect.
//
// The main type is [Dialect]. encode.go writes the request by hand into one buffer, image.go its images, family.go has what differs between makers,
// message.go reads a whole answer with package scan, event.go one event of a stream, stream.go follows the events, fail.go has the table of errors. It
// does no network and keeps no state.
package bedrock

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// Dialect is the Converse wire format.
type Dialect struct{}

// New gives the dialect.
func New() Dialect { return Dialect{} }

// Name is "bedrock".
func (Dialect) Name() string { return "bedrock" }

// Profile is Converse's structured output and what lies below it, as far as the capability allows.
func (Dialect) Profile(c dialect.Capability) lowering.Profile {
	return c.Lowering("bedrock")
}

var (
	_ dialect.Dialect  = Dialect{}
	_ dialect.Families = Dialect{}
)
