package responses

import (
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Codes of our own for answers that are none.
const (
	codeMalformed = "malformed_answer"
	codeCut       = "truncated_answer"
	codeNoOutput  = "no_output"
)

// Decode reads a whole answer.
func (Dialect) Decode(h dialect.Response) (dialect.Reply, error) {
	s := scan.New(h.Body)
	var r response
	message := readWhole(&s, &r)
	s.End()
	fail := func(outcome dialect.Outcome, code string) (dialect.Reply, error) {
		return dialect.Reply{}, &dialect.Error{Outcome: outcome, Status: http.StatusOK, Code: code, Usage: r.usage}
	}
	switch fault := s.Fault(); {
	case r.failure.Known():
		return dialect.Reply{}, r.failure.Error(h.Header, r.usage)
	case fault == scan.Unfinished:
		return fail(dialect.Connection, codeCut)
	case fault == scan.Malformed:
		return fail(dialect.Unknown, codeMalformed)
	case r.status == "" && !r.output && message != "":
		return dialect.Reply{}, openai.NewFailure("", message, "").Error(h.Header, r.usage)
	case r.status == "" && !r.output:
		return fail(dialect.Unknown, codeNoOutput)
	}
	reply := r.reply()
	reply.RequestID = dialect.RequestID(h.Header, r.id)
	if r.args != "" {
		reply.Text = r.args // What is said beside a call is about the answer.
	}
	return reply, nil
}

// readWhole reads an answer in one piece, and the message of a gateway that sends one instead.
func readWhole(s *scan.Scanner, r *response) (message string) {
	if !s.Object() {
		s.Skip()
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return message
		}
		switch string(name) {
		case "message", "detail":
			message = stringText(s)
		default:
			r.member(name, s)
		}
	}
}

// reply is what the response says, but for the text of a call.
func (r *response) reply() dialect.Reply {
	reply := dialect.Reply{Text: r.text, Refusal: r.refusal, NativeStop: r.status, Usage: r.usage, Logprobs: r.logprobs, Model: r.model}
	reply.Stop = r.stop()
	if r.status == "incomplete" && r.reason != "" {
		reply.NativeStop = r.reason
	}
	return reply
}

// stop maps the status. Only a status that is known to mean it is complete.
func (r *response) stop() dialect.Stop {
	switch r.status {
	case "completed", "complete":
		switch {
		case r.refusal != "":
			return dialect.StopRefused
		case r.call:
			return dialect.StopTool
		default:
			return dialect.StopComplete
		}
	case "incomplete":
		switch r.reason {
		case "max_output_tokens", "max_messages":
			return dialect.StopTruncated
		case "content_filter":
			return dialect.StopFiltered
		case "steered":
			return dialect.StopPaused
		}
		return dialect.StopError
	case "queued", "in_progress":
		return dialect.StopPaused
	default:
		return dialect.StopError
	}
}
