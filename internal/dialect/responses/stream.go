package responses

import (
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/scan"
	"github.com/promptd/promptd/internal/dialect/sse"
)

// maxText bounds the text of one streamed answer in bytes.
const maxText = 32 << 20

// done is the data of an event that some gateways end with. It is no end of an answer: that is the event with the whole response.
const done = "[DONE]"

// Stream reads a streamed answer.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		events := sse.NewReader(src)
		a := answer{aside: none, call: none}
		for {
			next, err := events.Next()
			data := next.Data
			if err != nil {
				if data = events.Pending(); !errors.Is(err, io.ErrUnexpectedEOF) || !ends(data) {
					yield(dialect.Delta{}, a.lost(err))
					return
				}
			}
			if string(data) == done {
				continue
			}
			e, fault := readEvent(data)
			if fault != scan.None {
				yield(dialect.Delta{}, a.fault(dialect.Unknown, codeMalformed))
				return
			}
			delta, failed := a.add(&e)
			if failed != nil {
				yield(dialect.Delta{}, failed)
				return
			}
			if (delta.Text != "" || delta.Reply != nil) && !yield(delta, nil) || delta.Reply != nil {
				return
			}
		}
	}
}

// ends reports whether data that the stream ended within are the last event in full: its empty line alone was lost.
func ends(data []byte) bool {
	e, fault := readEvent(data)
	return fault == scan.None && e.last()
}

// event is one event of a stream.
type event struct {
	kind     string
	index    int // of the item in the output
	delta    string
	args     string // all arguments of a call, where it ends
	logprobs []dialect.Token
	item     item
	response response
	failure  openai.Failure
}

// last reports whether an event ends the answer.
func (e *event) last() bool {
	switch e.kind {
	case "response.completed", "response.incomplete", "response.failed", "response.cancelled":
		return true
	default:
		return false
	}
}

// readEvent reads an event's data. Its type is a member; the name beside the data is left out by some.
func readEvent(data []byte) (event, scan.Fault) {
	e := event{index: none}
	s := scan.New(data)
	code, message, param := "", "", ""
	if !s.Object() {
		s.Skip()
	} else {
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "type":
				e.kind = s.Text()
			case "output_index":
				e.index = s.Int()
			case "delta":
				e.delta = stringText(&s)
			case "arguments":
				e.args = readArguments(&s)
			case "logprobs":
				e.logprobs = readTokens(&s, nil)
			case "item":
				e.item = readItem(&s)
			case "response":
				readResponse(&s, &e.response)
			case "error":
				e.failure = openai.ReadFailure(&s)
			case "code":
				code = s.Text()
			case "message":
				message = stringText(&s)
			case "param":
				param = stringText(&s)
			}
		}
	}
	s.End()
	if e.kind == "error" && !e.failure.Known() {
		e.failure = openai.NewFailure(code, message, param)
	}
	return e, s.Fault()
}

// none is the index of no item.
const none = -1

// answer is a streamed answer as far as it has come.
type answer struct {
	text     []byte
	refusal  string
	logprobs []dialect.Token
	aside    int  // the item that is no answer
	call     int  // the first call: only its arguments are an answer, and calls beside it are dropped
	called   bool // there is a call
	argued   bool // arguments have come
	said     bool // text has come
}

// add takes one event and gives what it adds.
func (a *answer) add(e *event) (dialect.Delta, error) {
	if e.failure.Known() {
		return dialect.Delta{}, e.failure.Error(nil, e.response.usage)
	}
	text := ""
	switch e.kind {
	case "response.output_item.added":
		if e.item.kind == "message" && e.item.aside() {
			a.aside = e.index
		}
		a.begin(e)
	case "response.output_text.delta":
		if a.aside == none || e.index != a.aside {
			text = e.delta
			a.said = a.said || text != ""
			a.logprobs = append(a.logprobs, e.logprobs...)
		}
	case "response.refusal.delta":
		a.refusal += e.delta
	case "response.function_call_arguments.delta":
		if a.ours(e.index) {
			text = e.delta
			a.argued = a.argued || text != ""
		}
	case "response.function_call_arguments.done":
		// LM Studio sends a call's arguments here alone.
		if a.ours(e.index) && !a.argued {
			text, a.argued = e.args, e.args != ""
		}
	}
	if e.last() {
		return a.end(&e.response, e.kind)
	}
	a.text = append(a.text, text...)
	if len(a.text) > maxText {
		return dialect.Delta{}, a.fault(dialect.Unknown, dialect.CodeTooLarge)
	}
	return dialect.Delta{Text: text}, nil
}

// begin notes the first call.
func (a *answer) begin(e *event) {
	if e.item.kind == "function_call" && !a.called {
		a.called, a.call = true, e.index
	}
}

// ours reports whether a fragment of arguments belongs to the first call. Without an index there is one call alone.
func (a *answer) ours(index int) bool {
	if !a.called {
		a.called, a.call = true, index
	}
	return index == a.call
}

// end gives the last delta: the response is there in full, so that what was not sent in pieces comes with it.
func (a *answer) end(r *response, kind string) (dialect.Delta, error) {
	if r.failure.Known() {
		return dialect.Delta{}, r.failure.Error(nil, r.usage)
	}
	if r.status == "" && !r.output && len(a.text) == 0 && a.refusal == "" {
		return dialect.Delta{}, a.fault(dialect.Unknown, codeNoOutput)
	}
	if r.status == "" {
		r.status = kind[len("response."):]
	}
	rest := ""
	if !a.said {
		rest = r.text
		a.logprobs = r.logprobs
	}
	if !a.argued {
		rest += r.args
	}
	if len(a.text)+len(rest) > maxText {
		return dialect.Delta{}, a.fault(dialect.Unknown, dialect.CodeTooLarge)
	}
	r.call = r.call || a.called
	if r.refusal == "" {
		r.refusal = a.refusal
	}
	reply := r.reply()
	reply.Text, reply.Logprobs, reply.RequestID = string(append(a.text, rest...)), a.logprobs, r.id
	return dialect.Delta{Text: rest, Reply: &reply}, nil
}

func (a *answer) fault(outcome dialect.Outcome, code string) error {
	return &dialect.Error{Outcome: outcome, Status: http.StatusOK, Code: code}
}

// lost is the error of a stream that broke off.
func (a *answer) lost(err error) error {
	return dialect.Lost(err, dialect.Usage{}, sse.ErrTooLarge)
}
