package ollama

import (
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Codes of our own for answers that are none.
const (
	codeMalformed = "malformed_answer"
	codeCut       = "truncated_answer"
	codeNoMessage = "no_message"
)

// Decode reads a whole answer.
func (Dialect) Decode(r dialect.Response) (dialect.Reply, error) {
	c := read(r.Body)
	fail := func(outcome dialect.Outcome, code string) (dialect.Reply, error) {
		return dialect.Reply{}, &dialect.Error{Outcome: outcome, Status: http.StatusOK, Code: code, Usage: c.usage}
	}
	switch {
	case c.failure.Known():
		return dialect.Reply{}, c.failed(r.Header, c.usage)
	case c.scan == scan.Unfinished:
		return fail(dialect.Connection, codeCut)
	case c.scan == scan.Malformed:
		return fail(dialect.Unknown, codeMalformed)
	case !c.message:
		return fail(dialect.Unknown, codeNoMessage)
	}
	return dialect.Reply{
		Text: c.text, Stop: c.stop(), NativeStop: c.reason, Usage: c.usage, Logprobs: c.logprobs, Model: c.model, RequestID: dialect.RequestID(r.Header, ""),
	}, nil
}

// stop maps the reason. load and unload are no answers, and an answer that is not done has no reason.
func (c *chunk) stop() dialect.Stop {
	switch {
	case !c.done:
		return dialect.StopError
	case c.reason == "stop":
		return dialect.StopComplete
	case c.reason == "length":
		return dialect.StopTruncated
	default:
		return dialect.StopError
	}
}
