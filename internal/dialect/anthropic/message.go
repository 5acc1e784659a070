package anthropic

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

// message is a whole answer, or the one that begins a stream.
type message struct {
	id, model string
	stop      stopped
	answer    bool // there is content, if only an empty list of it, or a reason to stop
	text      string
	tool      bool
	args      string // arguments of the first tool call
	usage     usage
	failure   *failure
}

// stopped is why an answer ended, and what was said of a refusal.
type stopped struct {
	reason  string
	refusal string
}

// block is one block of an answer's content.
type block struct {
	kind, text string
	input      string // JSON text of a tool call's arguments
	model      string // the model that goes on, in a block of kind fallback
}

// Decode reads a whole answer.
func (Dialect) Decode(r dialect.Response) (dialect.Reply, error) {
	var m message
	fault := m.read(r.Body)
	if m.failure != nil {
		return dialect.Reply{}, m.failure.error(http.StatusOK, r.Header, m.usage.total())
	}
	failed := dialect.Error{Status: http.StatusOK, Usage: m.usage.total()}
	switch {
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
		Text: text, Refusal: m.stop.refused(), Stop: m.stop.meaning(m.tool), NativeStop: m.stop.reason, Usage: m.usage.total(), Model: m.model,
		RequestID: dialect.RequestID(r.Header, m.id),
	}, nil
}

// read takes one JSON text. Unknown members are stepped over; members of an unexpected kind read as nothing.
func (m *message) read(body []byte) scan.Fault {
	s := scan.New(body)
	m.object(&s)
	s.End()
	return s.Fault()
}

func (m *message) object(s *scan.Scanner) {
	if !s.Object() {
		s.Skip()
		return
	}
	kind, flat := "", ""
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "type":
			kind = s.Text()
		case "id":
			m.id = s.Text()
		case "model":
			m.model = s.Text()
		case "content":
			m.content(s)
		case "usage":
			m.usage.read(s)
		case "error":
			m.failure = readFailure(s)
		case "message": // gateways
			if s.Kind() == '"' {
				flat = s.Text()
			}
		default:
			m.stop.read(s, string(name))
		}
	}
	m.answer = m.answer || m.stop.reason != ""
	if m.failure == nil && (kind == "error" || !m.answer && flat != "") {
		m.failure = &failure{message: cut(flat)}
	}
}

func (m *message) content(s *scan.Scanner) {
	if s.Kind() == '"' { // Nobody documents it, and the sense is plain.
		m.answer, m.text = true, s.Text()
		return
	}
	if !s.Array() {
		return
	}
	m.answer = true
	for s.Item() {
		b := readBlock(s)
		switch {
		case b.kind == "text":
			m.text += b.text
		case b.kind == "tool_use" && !m.tool:
			m.tool, m.args = true, b.input
		}
	}
}

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
		case "type":
			b.kind = s.Text()
		case "text":
			if s.Kind() == '"' {
				b.text = s.Text()
			}
		case "input":
			b.input = string(s.Raw())
		case "to":
			b.model = readModel(s)
		}
	}
}

func readModel(s *scan.Scanner) (model string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return model
		}
		if string(name) == "model" {
			model = s.Text()
		}
	}
}

// read takes the members that are about the end; null leaves what is known.
func (e *stopped) read(s *scan.Scanner, name string) {
	switch name {
	case "stop_reason":
		if s.Kind() == '"' {
			e.reason = s.Text()
		}
	case "stop_details":
		if !s.Object() {
			return
		}
		category := ""
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "category":
				category = s.Text()
			case "explanation":
				e.refusal = s.Text()
			}
		}
		if e.refusal == "" {
			e.refusal = category
		}
	}
}

// refused is what was said instead of an answer.
func (e stopped) refused() string {
	if e.reason != "refusal" {
		return ""
	}
	return e.refusal
}

// meaning maps the native reason. Only reasons that are known to mean it are complete.
func (e stopped) meaning(tool bool) dialect.Stop {
	switch e.reason {
	case "end_turn", "stop_sequence":
		if tool {
			return dialect.StopTool
		}
		return dialect.StopComplete
	case "tool_use":
		return dialect.StopTool
	case "max_tokens", "model_context_window_exceeded":
		return dialect.StopTruncated
	case "refusal":
		return dialect.StopRefused
	case "pause_turn":
		return dialect.StopPaused
	default:
		return dialect.StopError
	}
}
