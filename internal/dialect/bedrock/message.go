package bedrock

import (
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Codes of our own for answers that are none.
const (
	codeMalformed = "malformed_answer"
	codeCut       = "truncated_answer"
	codeNoAnswer  = "no_content"
)

// message is a whole answer.
type message struct {
	stop    string
	answer  bool // there is content, if only an empty list of it, or a reason to stop
	text    string
	tool    bool
	args    string // arguments of the first tool call
	usage   usage
	model   string
	failure failure
}

// block is one block of an answer's content, or what begins or goes on with one.
type block struct {
	text  string
	tool  bool
	input string // a tool call's arguments: their JSON text in a whole answer, a piece of it in a stream
}

// Decode reads a whole answer.
func (Dialect) Decode(r dialect.Response) (dialect.Reply, error) {
	var m message
	fault := m.read(r.Body)
	failed := dialect.Error{Status: http.StatusOK, Usage: m.usage.total()}
	switch {
	case !m.answer && m.failure.said():
		return dialect.Reply{}, m.failure.error(http.StatusOK, r.Header, m.usage.total())
	case fault == scan.Unfinished:
		failed.Outcome, failed.Code = dialect.Connection, codeCut
		return dialect.Reply{}, &failed
	case fault == scan.Malformed:
		failed.Code = codeMalformed
		return dialect.Reply{}, &failed
	case !m.answer:
		failed.Code = codeNoAnswer
		return dialect.Reply{}, &failed
	}
	text := m.text
	if m.tool {
		text = m.args // What is said beside a call is about the answer. A stream has given it away by then, and repair takes it off.
	}
	return dialect.Reply{
		Text: text, Refusal: refusal(m.stop, text), Stop: meaning(m.stop, m.tool), NativeStop: m.stop, Usage: m.usage.total(), Model: m.model,
		RequestID: dialect.RequestID(r.Header, ""),
	}, nil
}

// read takes one JSON text. Unknown members are stepped over; members of an unexpected kind read as nothing.
func (m *message) read(body []byte) scan.Fault {
	s := scan.New(body)
	if s.Object() {
		m.members(&s)
	} else {
		s.Skip()
	}
	s.End()
	return s.Fault()
}

func (m *message) members(s *scan.Scanner) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "output":
			m.output(s)
		case "stopReason":
			if s.Kind() == '"' {
				m.stop = s.Text()
				m.answer = m.answer || m.stop != ""
			}
		case "usage":
			m.usage.read(s)
		case "trace":
			m.model = routed(s)
		default:
			m.failure.read(s, string(name))
		}
	}
}

// output steps down to output.message.content.
func (m *message) output(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "message":
			m.output(s)
		case "content":
			m.content(s)
		}
	}
}

func (m *message) content(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	m.answer = true
	for s.Item() {
		b := readBlock(s)
		switch {
		case b.tool && !m.tool:
			m.tool, m.args = true, b.input
		case !b.tool:
			m.text += b.text
		}
	}
}

// readBlock reads a block; reasoningContent and what else there may be is not an answer.
func readBlock(s *scan.Scanner) (b block) {
	if !s.Object() {
		return b
	}
	for {
		name, more := s.Member()
		if !more {
			return b
		}
		switch string(name) {
		case "text":
			if s.Kind() == '"' {
				b.text = s.Text()
			}
		case "toolUse":
			if s.Kind() == '{' {
				b.tool = true
				b.input = readInput(s)
			}
		}
	}
}

func readInput(s *scan.Scanner) (input string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		switch {
		case !more:
			return input
		case string(name) != "input":
		case s.Kind() == '"':
			input = s.Text()
		default:
			input = string(s.Raw())
		}
	}
}

// routed reads the model that a prompt router took; nothing else in an answer names its model.
func routed(s *scan.Scanner) (model string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return model
		}
		switch string(name) {
		case "promptRouter":
			model = routed(s)
		case "invokedModelId":
			model = s.Text()
		}
	}
}

// refusal is what a guardrail said instead of an answer. It stands in the text too: a stream has given it away before it is known for what it is.
func refusal(stop, text string) string {
	if stop != "guardrail_intervened" {
		return ""
	}
	return text
}

// meaning maps the native reason. Only reasons that are known to mean it are complete.
func meaning(stop string, tool bool) dialect.Stop {
	switch stop {
	case "end_turn", "stop_sequence":
		if tool {
			return dialect.StopTool
		}
		return dialect.StopComplete
	case "tool_use":
		return dialect.StopTool
	case "max_tokens", "model_context_window_exceeded":
		return dialect.StopTruncated
	case "guardrail_intervened", "content_filtered":
		return dialect.StopFiltered
	default: // malformed_model_output and malformed_tool_use too
		return dialect.StopError
	}
}
