package openai

import (
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Codes of our own for answers that are none.
const (
	codeMalformed = "malformed_answer"
	codeCut       = "truncated_answer"
	codeNoChoices = "no_choices"
)

// Decode reads a whole answer.
func (Dialect) Decode(r dialect.Response) (dialect.Reply, error) {
	var tool toolCall
	c := read(r.Body, &tool)
	if c.failure != nil {
		return dialect.Reply{}, c.failure.error(http.StatusOK, r.Header, &c)
	}
	switch {
	case c.fault == scan.Unfinished:
		return dialect.Reply{}, &dialect.Error{Outcome: dialect.Connection, Status: http.StatusOK, Code: codeCut, Usage: c.usage}
	case c.fault == scan.Malformed:
		return dialect.Reply{}, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed, Usage: c.usage}
	case c.choices == 0:
		return dialect.Reply{}, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeNoChoices, Usage: c.usage}
	}
	text := c.text
	if c.args != "" {
		text = c.args // What is said beside a call is about the answer. A stream has given it away by then, and repair takes it off.
	}
	reply := dialect.Reply{
		Text: text, Refusal: c.refusal, NativeStop: c.stop, Usage: c.usage, Logprobs: c.logprobs, Model: c.model,
		Stop: stop(c.stop, c.refusal != "", c.tool), RequestID: dialect.RequestID(r.Header, c.id),
	}
	return reply, nil
}

// stop maps a native reason. Only reasons that are known to mean it are complete.
func stop(native string, refused, tool bool) dialect.Stop {
	switch native {
	case "stop", "eos":
		if refused {
			return dialect.StopRefused
		}
		if tool { // a forced tool ends with "stop" at OpenAI
			return dialect.StopTool
		}
		return dialect.StopComplete
	case "tool_calls", "function_call":
		return dialect.StopTool
	case "length", "model_length":
		return dialect.StopTruncated
	case "content_filter":
		return dialect.StopFiltered
	default:
		return dialect.StopError
	}
}
