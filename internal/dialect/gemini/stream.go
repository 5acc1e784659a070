package gemini

import (
	"bytes"
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

// Stream reads a streamed answer. No mark ends it: it is whole where it ends behind an event that says why the model stopped. Reading goes on behind that
// one, for older models name a reason in every event.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		events := sse.NewReader(src)
		var a answer
		for {
			event, err := events.Next()
			if err != nil {
				a.finish(events, err, yield)
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
	reply   dialect.Reply
	text    []byte
	call    call
	events  int
	begun   bool // a candidate has come
	called  bool
	blocked string
}

// add takes one event's data and gives the text that it adds.
func (a *answer) add(data []byte) (string, error) {
	c := read(data, &a.call)
	r := &a.reply
	if c.usage.Known { // Counts grow from event to event: the last are those of the answer.
		r.Usage = c.usage
	}
	if c.failure != nil {
		return "", c.failure.error(http.StatusOK, nil, r.Usage)
	}
	if c.fault != scan.None {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: codeMalformed, Usage: r.Usage}
	}
	a.events++
	a.begun, a.called = a.begun || c.candidates > 0, a.called || c.called
	r.Model, r.RequestID = or(c.model, r.Model), or(r.RequestID, c.id)
	r.NativeStop, a.blocked = or(c.stop, r.NativeStop), or(a.blocked, c.blocked)
	r.Logprobs = append(r.Logprobs, c.logprobs...)
	if a.text = append(a.text, c.text...); len(a.text) > maxText {
		return "", &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK, Code: dialect.CodeTooLarge, Usage: r.Usage}
	}
	return string(c.text), nil
}

// ended reports whether it was said why the answer ends.
func (a *answer) ended() bool { return a.reply.NativeStop != "" || a.blocked != "" }

// finish tells a whole answer from one that was cut, and gives the last delta or the error.
func (a *answer) finish(events *sse.Reader, err error, yield func(dialect.Delta, error) bool) {
	pending := events.Pending()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && len(pending) > 0:
		// The line break behind the last event may be lost. If its text is whole and says that it is the last, nothing else is.
		var f call
		if c := read(pending, &f); c.fault != scan.None || c.stop == "" && c.blocked == "" && c.failure == nil {
			yield(dialect.Delta{}, a.lost(events, err))
			return
		}
		text, fault := a.add(pending)
		if fault != nil {
			yield(dialect.Delta{}, fault)
			return
		}
		if text != "" && !yield(dialect.Delta{Text: text}, nil) {
			return
		}
	case !a.ended() || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		yield(dialect.Delta{}, a.lost(events, err))
		return
	}
	a.reply.Text = string(a.text)
	a.reply.NativeStop, a.reply.Stop = stop(a.reply.NativeStop, a.blocked, a.called)
	yield(dialect.Delta{Reply: &a.reply}, nil)
}

// lost is the error of a stream that broke off.
func (a *answer) lost(events *sse.Reader, err error) error {
	if fault := unframed(events.Stray(), a.reply.Usage); fault != nil {
		return fault
	}
	e := dialect.Lost(err, a.reply.Usage, sse.ErrTooLarge)
	if errors.Is(err, io.EOF) && a.events > 0 && !a.begun {
		e.Outcome, e.Code, e.Cause = dialect.Unknown, codeNoCandidates, nil
	}
	return e
}

// unframed is the error that stands in a stream without the framing of an event: Google's servers break a stream off with one.
func unframed(stray []byte, u dialect.Usage) error {
	stray = bytes.TrimSpace(stray)
	if len(stray) == 0 || stray[0] != '{' && stray[0] != '[' {
		return nil
	}
	var f call
	if c := read(stray, &f); c.fault == scan.None && c.failure != nil {
		return c.failure.error(http.StatusOK, nil, u)
	}
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
