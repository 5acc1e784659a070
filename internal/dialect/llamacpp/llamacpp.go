// Package llamacpp is the dialect of llama.cpp's own HTTP server.
//
// The server speaks chat completions, so answers, streams and failures are read by package openai, which this dialect composes. What differs is the
// request: output is held to a schema by a grammar, and the address of a server is bare, so that the path begins with /v1. It is not for other servers
// that run the same models: those speak openai or their own dialect.
//
// The main type is [Dialect]. A schema travels in one of two forms. Where the capability says LLGuidance, it is a grammar that llguidance compiles,
// which holds bounds of numbers and counts of members too. A server built without llguidance aborts on such a grammar, process and all, so by default
// the schema goes as response_format, which each server's own converter takes. In either form what the engine cannot compile is answered with a 400 or,
// worse, with unconstrained text: the lowering leaves it out, and every answer is validated.
package llamacpp

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Path is the path of chat completions below a server's address.
const Path = "/v1" + openai.Path

// Dialect is llama.cpp's wire format.
type Dialect struct {
	chat openai.Dialect
}

// New gives the dialect.
func New() Dialect { return Dialect{chat: openai.New()} }

// Name is "llamacpp".
func (Dialect) Name() string { return "llamacpp" }

// Profile is a grammar, of the whole schema where llguidance compiles it, then JSON mode, as far as the capability allows.
func (Dialect) Profile(c dialect.Capability) lowering.Profile {
	p := lowering.LlamaCppConverter()
	if c.LLGuidance {
		p = lowering.LlamaCpp()
	}
	p = p.Only(c.Modes...)
	if c.Small {
		p = p.Tight()
	}
	return p
}

// Encode makes the request of a call.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	switch c.Output.Mode {
	case lowering.Grammar:
		if c.Output.Schema.Kind() != value.KindObject {
			return dialect.Request{}, errors.New("llamacpp: mode grammar needs a schema that is an object")
		}
	case lowering.JSON, lowering.Prompt, "":
	default:
		return dialect.Request{}, fmt.Errorf("llamacpp: there is no mode %s", c.Output.Mode)
	}
	body, err := openai.Body(c, func(dst []byte, o dialect.Output) []byte {
		dst = appendOutput(dst, o, c.Capability.LLGuidance)
		if c.Capability.Small {
			// 2026-11, measured on SmolLM2-135M under a grammar: without it lists run on to any bound; 1.05 ends them, 1.1 and more change names.
			dst = append(dst, `,"repeat_penalty":1.05`...)
		}
		if c.Logprobs && c.Capability.Logprobs && !c.Capability.Reasoning {
			// 2026-11: without a number the server computes and sends 20 alternatives for each token.
			dst = append(dst, `,"top_logprobs":1`...)
		}
		return dst
	})
	if err != nil {
		return dialect.Request{}, err
	}
	r := openai.Post(body, c.Stream)
	r.Path = Path
	return r, nil
}

// grammarOf begins a grammar that is one JSON Schema.
const grammarOf = "%llguidance {}\nstart: %json "

// compact is llguidance's own keyword for JSON without white space. A small model runs away into line breaks where the grammar lets it, and every
// space is a token to pay for. 2026-11-26: measured on SmolLM2-135M.
func compact(schema value.Value) value.Value {
	return schema.With("x-guidance", value.Object(value.Member{Name: "whitespace_flexible", Value: value.Bool(false)}))
}

// appendOutput writes the grammar or response_format.
func appendOutput(dst []byte, o dialect.Output, llguidance bool) []byte {
	switch {
	case o.Mode == lowering.Grammar && llguidance:
		dst = append(dst, `,"grammar":`...)
		return value.AppendQuoted(dst, string(compact(o.Schema).Append([]byte(grammarOf))))
	case o.Mode == lowering.Grammar:
		dst = append(dst, `,"response_format":{"type":"json_schema","json_schema":{"schema":`...)
		return append(o.Schema.Append(dst), `}}`...)
	case o.Mode == lowering.JSON:
		return append(dst, `,"response_format":{"type":"json_object"}`...)
	default:
		return dst
	}
}

// Decode reads a whole answer.
func (d Dialect) Decode(r dialect.Response) (dialect.Reply, error) { return d.chat.Decode(r) }

// Stream reads a streamed answer.
func (d Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] { return d.chat.Stream(src) }

// Fail classifies an answer whose status is not 200.
func (d Dialect) Fail(r dialect.Response) *dialect.Error { return d.chat.Fail(r) }

var _ dialect.Dialect = Dialect{}

// Carries says that chat completions are relayed as they are.
func (Dialect) Carries(f dialect.Format) (string, bool) { return Path, f == dialect.Chat }

var _ dialect.Carrier = Dialect{}
