package anthropic

import (
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
	"github.com/promptd/promptd/internal/dialect/sse"
)

// maxText bounds the text of one streamed answer in bytes.
const maxText = 32 << 20

// Stream reads a streamed answer. It ends with the event message_stop; a stream without it was cut, whatever came before.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		events := sse.NewReader(src)
		var a answer
		for {
			came, err := events.Next()
			if errors.Is(err, io.ErrUnexpectedEOF) {
				came.Data = events.Pending() // The last line break may be lost.
			} else if err != nil {
				yield(dialect.Delta{}, a.lost(err))
				return
			}
			var e event
			e.read(came.Name, came.Data, &a.usage)
			if err != nil && (e.fault != scan.None || e.kind != "message_stop" && e.failure == nil) {
				yield(dialect.Delta{}, a.lost(err))
				return
			}
			if e.kind == "message_stop" && e.fault == scan.None {
				yield(a.end())
				return
			}
			text, fault := a.add(&e)
			if fault != nil {
				yield(dialect.Delta{}, fault)
				return
			}
			if text != "" && !yield(dialect.Delta{Text: text}, nil) {
				return
			}
		}
	}
}

// answer is a streamed answer as far as it has come.
type answer struct {
	reply dialect.Reply
	text  []byte
	usage usage
	stop  stopped
	begun bool // the message has begun
	tool  toolCall
}

// toolCall is the first tool call of a stream: only its arguments are an answer, and calls beside it are dropped, those of the service's own tools
// too.
type toolCall struct {
	known bool
	index int
	given bool   // some of its arguments have come
	input string // its arguments where they come with its beginning
}

// add takes one event and gives the text that it adds.
func (a *answer) add(e *event) (string, error) {
	if e.failure != nil {
		return "", e.failure.error(http.StatusOK, nil, a.usage.total())
	}
	if e.fault != scan.None {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed, Usage: a.usage.total()}
	}
	text := ""
	switch e.kind {
	case "message_start": // Gateways send it twice.
		a.begun = true
		a.reply.Model, a.reply.RequestID = e.message.model, e.message.id
		a.ends(e.message.stop)
	case "content_block_start":
		text = a.start(e)
	case "content_block_delta":
		text = a.delta(e)
	case "content_block_stop":
		if t := &a.tool; t.known && !t.given && e.index == t.index {
			t.given, text = true, t.input
		}
	case "message_delta":
		a.ends(e.stop)
	}
	if a.text = append(a.text, text...); len(a.text) > maxText {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: dialect.CodeTooLarge, Usage: a.usage.total()}
	}
	return text, nil
}

// start begins a block.
func (a *answer) start(e *event) string {
	switch e.block.kind {
	case "text":
		if !a.tool.known {
			return e.block.text
		}
	case "tool_use":
		if !a.tool.known {
			a.tool = toolCall{known: true, index: e.index, input: e.block.input}
		}
	case "fallback":
		if e.block.model != "" {
			a.reply.Model = e.block.model
		}
	}
	return ""
}

// delta goes on with a block. Thinking and its signature are not an answer.
func (a *answer) delta(e *event) string {
	t := &a.tool
	switch {
	case e.delta.kind == "text_delta" && !t.known:
		return e.delta.text
	case e.delta.kind == "input_json_delta" && t.known && e.index == t.index:
		t.given = t.given || e.delta.args != ""
		return e.delta.args
	default:
		return ""
	}
}

func (a *answer) ends(s stopped) {
	if s.reason != "" {
		a.stop = s
	}
}

// lost is the error of a stream that broke off.
func (a *answer) lost(err error) error {
	return dialect.Lost(err, a.usage.total(), sse.ErrTooLarge)
}

// end gives the last delta.
func (a *answer) end() (dialect.Delta, error) {
	if !a.begun {
		return dialect.Delta{}, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeNoAnswer, Usage: a.usage.total()}
	}
	r := &a.reply
	r.Text, r.Usage = string(a.text), a.usage.total()
	r.Refusal, r.NativeStop, r.Stop = a.stop.refused(), a.stop.reason, a.stop.meaning(a.tool.known)
	return dialect.Delta{Reply: r}, nil
}
