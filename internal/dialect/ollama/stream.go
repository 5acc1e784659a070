package ollama

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
	"net/http"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// Bounds of a streamed answer in bytes.
const (
	maxText = 32 << 20
	maxLine = 4 << 20
)

// errLine is the answer to a line that is longer than maxLine.
var errLine = errors.New("line of a stream is larger than 4 MiB")

// Stream reads a streamed answer: one JSON object a line, of which the last is done.
func (Dialect) Stream(src io.Reader) iter.Seq2[dialect.Delta, error] {
	return func(yield func(dialect.Delta, error) bool) {
		lines := bufio.NewReader(src)
		var a answer
		for {
			line, err := next(lines)
			c := read(line)
			if last := c.scan == scan.None && (c.done || c.failure.Known()); err != nil && !last { // The last line may lack its end.
				yield(dialect.Delta{}, a.lost(err))
				return
			}
			delta, fault := a.add(&c)
			if fault != nil {
				yield(dialect.Delta{}, fault)
				return
			}
			if (delta.Text != "" || delta.Reply != nil) && !yield(delta, nil) || delta.Reply != nil {
				return
			}
		}
	}
}

// next gives the next line that is not empty, and with an error what there was of one.
func next(src *bufio.Reader) ([]byte, error) {
	for {
		var line []byte
		for {
			piece, err := src.ReadSlice('\n')
			if len(line)+len(piece) > maxLine {
				return nil, errLine
			}
			line = append(line, piece...)
			if err == nil {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return line, err
			}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// answer is a streamed answer as far as it has come.
type answer struct {
	reply dialect.Reply
	text  []byte
	begun bool // a message has come
}

// add takes one line and gives what it adds.
func (a *answer) add(c *chunk) (dialect.Delta, error) {
	r := &a.reply
	if c.usage.Known {
		r.Usage = c.usage
	}
	if c.failure.Known() {
		return dialect.Delta{}, c.failed(nil, r.Usage)
	}
	if c.scan != scan.None {
		return dialect.Delta{}, a.fault(dialect.Unknown, codeMalformed)
	}
	a.begun = a.begun || c.message
	a.text = append(a.text, c.text...)
	r.Logprobs = append(r.Logprobs, c.logprobs...)
	if c.model != "" {
		r.Model = c.model
	}
	switch {
	case len(a.text) > maxText:
		return dialect.Delta{}, a.fault(dialect.Unknown, dialect.CodeTooLarge)
	case !c.done:
		return dialect.Delta{Text: c.text}, nil
	case !a.begun:
		return dialect.Delta{}, a.fault(dialect.Unknown, codeNoMessage)
	}
	r.Text, r.Stop, r.NativeStop = string(a.text), c.stop(), c.reason
	return dialect.Delta{Text: c.text, Reply: r}, nil
}

func (a *answer) fault(outcome dialect.Outcome, code string) error {
	return &dialect.Error{Outcome: outcome, Status: http.StatusOK, Code: code, Usage: a.reply.Usage}
}

// lost is the error of a stream that broke off.
func (a *answer) lost(err error) error {
	return dialect.Lost(err, a.reply.Usage, errLine)
}
