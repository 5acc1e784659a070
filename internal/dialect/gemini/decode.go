package gemini

import (
	"net/http"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Codes of our own for answers that are none.
const (
	codeMalformed    = "malformed_answer"
	codeCut          = "truncated_answer"
	codeNoCandidates = "no_candidates"
)

// Decode reads a whole answer.
func (Dialect) Decode(r dialect.Response) (dialect.Reply, error) {
	var f call
	c := read(r.Body, &f)
	failed := func(o dialect.Outcome, code string) (dialect.Reply, error) {
		return dialect.Reply{}, &dialect.Error{Outcome: o, Status: http.StatusOK, Code: code, Usage: c.usage}
	}
	switch {
	case c.failure != nil:
		return dialect.Reply{}, c.failure.error(http.StatusOK, r.Header, c.usage)
	case c.fault == scan.Unfinished:
		return failed(dialect.Connection, codeCut)
	case c.fault == scan.Malformed:
		return failed(dialect.Unknown, codeMalformed)
	case c.candidates == 0 && c.blocked == "":
		return failed(dialect.Unknown, codeNoCandidates)
	}
	text := c.text
	if len(c.args) > 0 {
		text = c.args // What is said beside a call is about the answer. A stream has given it away by then, and repair takes it off.
	}
	reply := dialect.Reply{Text: string(text), Usage: c.usage, Logprobs: c.logprobs, Model: c.model, RequestID: dialect.RequestID(r.Header, c.id)}
	reply.NativeStop, reply.Stop = stop(c.stop, c.blocked, c.called)
	return reply, nil
}

// stop maps a native reason. Only the reason that is known to mean it is complete; a prompt that was blocked has no candidate and no other reason.
func stop(native, blocked string, called bool) (string, dialect.Stop) {
	switch native {
	case "":
		if blocked != "" {
			return blocked, dialect.StopFiltered
		}
	case "STOP":
		if called {
			return native, dialect.StopTool
		}
		return native, dialect.StopComplete
	case "MAX_TOKENS", "CONTINUATION":
		return native, dialect.StopTruncated
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE", "ESCALATION":
		return native, dialect.StopFiltered
	}
	if strings.HasPrefix(native, "IMAGE_") {
		return native, dialect.StopFiltered
	}
	return native, dialect.StopError
}
