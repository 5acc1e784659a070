package openai

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

// done is the data of the event that ends a stream. A stream without it was cut, whatever came before.
const done = "[DONE]"

// Stream reads a streamed answer.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		events := sse.NewReader(src)
		var a answer
		for {
			event, err := events.Next()
			if err != nil && !(errors.Is(err, io.ErrUnexpectedEOF) && string(events.Pending()) == done) {
				yield(dialect.Delta{}, a.lost(err))
				return
			}
			if err != nil || string(event.Data) == done {
				yield(a.end())
				return
			}
			text, fault := a.add(event.Data)
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
	tool  toolCall
	begun bool // a choice has come
	tools bool
}

// add takes one event's data and gives the text that it adds.
func (a *answer) add(data []byte) (string, error) {
	c := read(data, &a.tool)
	if c.usage.Known {
		a.reply.Usage = c.usage
	}
	c.usage = a.reply.Usage
	if c.failure != nil {
		return "", a.failed(&c)
	}
	if c.fault != scan.None {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed, Usage: a.reply.Usage}
	}
	r := &a.reply
	r.Model, r.RequestID, r.NativeStop = or(c.model, r.Model), or(r.RequestID, c.id), or(c.stop, r.NativeStop)
	r.Refusal += c.refusal
	r.Logprobs = append(r.Logprobs, c.logprobs...)
	a.begun = a.begun || c.choices > 0
	a.tools = a.tools || c.tool
	text := c.text + c.args
	if a.text = append(a.text, text...); len(a.text) > maxText {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: dialect.CodeTooLarge, Usage: r.Usage}
	}
	return text, nil
}

// failed is the error inside a stream. Behind an end for length it is that end: OpenRouter sends both.
func (a *answer) failed(c *chunk) error {
	e := c.failure.error(http.StatusOK, nil, c)
	if stop(a.reply.NativeStop, false, false) == dialect.StopTruncated {
		e.Outcome = dialect.Truncated
	}
	return e
}

// lost is the error of a stream that broke off.
func (a *answer) lost(err error) error {
	return dialect.Lost(err, a.reply.Usage, sse.ErrTooLarge)
}

// end gives the last delta.
func (a *answer) end() (dialect.Delta, error) {
	if !a.begun {
		return dialect.Delta{}, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeNoChoices, Usage: a.reply.Usage}
	}
	a.reply.Text = string(a.text)
	a.reply.Stop = stop(a.reply.NativeStop, a.reply.Refusal != "", a.tools)
	return dialect.Delta{Reply: &a.reply}, nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
