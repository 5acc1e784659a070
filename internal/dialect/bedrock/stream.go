package bedrock

import (
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/eventstream"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// maxText bounds the text of one streamed answer in bytes.
const maxText = 32 << 20

// Stream reads a streamed answer. It ends when both the reason to stop and the metadata with the usage have come, in either order; a stream that lacks one
// was cut, whatever came before.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		messages := eventstream.NewReader(src)
		var a answer
		for !a.stopped || !a.counted {
			m, err := messages.Next()
			if err != nil {
				yield(dialect.Delta{}, a.lost(err))
				return
			}
			text, fault := a.add(&m)
			if fault != nil {
				yield(dialect.Delta{}, fault)
				return
			}
			if text != "" && !yield(dialect.Delta{Text: text}, nil) {
				return
			}
		}
		yield(a.end())
	}
}

// answer is a streamed answer as far as it has come.
type answer struct {
	text  []byte
	usage usage
	stop  string
	model string
	tool  toolCall

	begun, stopped, counted bool // content has come; the reason to stop; the metadata
}

// toolCall is the first tool call of a stream: only its arguments are an answer, and calls beside it are dropped.
type toolCall struct {
	known bool
	index int
	given bool // some of its arguments have come
}

// add takes one message and gives the text that it adds.
func (a *answer) add(m *eventstream.Message) (string, error) {
	var e event
	e.read(m.Payload, &a.usage)
	switch m.Type {
	case "event":
	case "exception", "error":
		f := e.failure
		if f.kind = m.Name; f.message == "" {
			f.message = cut(m.Text)
		}
		return "", f.error(http.StatusOK, nil, a.usage.total())
	default:
		return "", a.fault(codeMalformed)
	}
	if e.fault != scan.None {
		return "", a.fault(codeMalformed)
	}
	text := ""
	switch m.Name {
	case "contentBlockStart", "contentBlockDelta":
		a.begun = true
		text = a.block(&e)
	case "contentBlockStop":
		if t := &a.tool; t.known && !t.given && e.index == t.index {
			t.given, text = true, "{}" // A call without arguments has no delta, or empty ones.
		}
	case "messageStop":
		a.stopped, a.stop = true, e.stop
	case "metadata":
		a.counted, a.model = true, e.model
	}
	if a.text = append(a.text, text...); len(a.text) > maxText {
		return "", a.fault(dialect.CodeTooLarge)
	}
	return text, nil
}

// block begins a block or goes on with one. Only calls are begun in so many words; of a text the first delta is the beginning.
func (a *answer) block(e *event) string {
	t := &a.tool
	switch b := &e.block; {
	case b.tool && !t.known:
		*t = toolCall{known: true, index: e.index, given: b.input != ""}
		return b.input
	case b.tool && e.index == t.index:
		t.given = t.given || b.input != ""
		return b.input
	case b.tool || t.known:
		return ""
	default:
		return b.text
	}
}

func (a *answer) fault(code string) error {
	return &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: code, Usage: a.usage.total()}
}

// lost is the error of a stream that broke off.
func (a *answer) lost(err error) error {
	e := dialect.Lost(err, a.usage.total(), eventstream.ErrTooLarge)
	if errors.Is(err, eventstream.ErrMalformed) {
		e.Outcome, e.Code = dialect.Unknown, codeMalformed
	}
	return e
}

// end gives the last delta.
func (a *answer) end() (dialect.Delta, error) {
	if !a.begun && a.stop == "" {
		return dialect.Delta{}, a.fault(codeNoAnswer)
	}
	text := string(a.text)
	return dialect.Delta{Reply: &dialect.Reply{
		Text: text, Refusal: refusal(a.stop, text), Stop: meaning(a.stop, a.tool.known), NativeStop: a.stop, Usage: a.usage.total(), Model: a.model,
	}}, nil
}
