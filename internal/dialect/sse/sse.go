// Package sse reads server-sent events byte for byte, for every dialect that streams.
//
// It follows the event stream format of the HTML standard, with what model services really send: lines that end in LF, CRLF or CR, a byte order mark,
// comments as keep-alives, several data lines in an event. It is bounded: one event of more than [MaxEvent] bytes ends the reading with
// [ErrTooLarge]. It does not know what an event's data mean.
//
// The main type is [Reader]. An event that the input ends within is never given as a whole one: Next answers [io.ErrUnexpectedEOF] and Pending has
// what there was of its data, so that a dialect can accept a closing mark whose last line break was lost.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// MaxEvent is the largest size of one event, and of one line, in bytes.
const MaxEvent = 4 << 20

// maxStray bounds what is kept of lines that are no field.
const maxStray = 16 << 10

// maxIdle is how often a source may give nothing in a row.
const maxIdle = 100

// ErrTooLarge is the answer to an event that exceeds MaxEvent.
var ErrTooLarge = errors.New("server-sent event is larger than 4 MiB")

// Event is one event. Its bytes are valid until the next call of Next.
type Event struct {
	// Name is the event's type; empty means "message".
	Name string
	// Data are the data lines, joined by line feeds.
	Data []byte
}

// Reader reads events from a stream. It never reads further than it needs to, and closes nothing.
type Reader struct {
	src  io.Reader
	buf  []byte // read and not yet taken
	from int    // the first byte of buf that is not yet taken
	seen int    // the bytes behind from that hold no line end
	err  error  // the source's error; io.EOF is its end

	data    []byte
	stray   []byte
	hasData bool
	name    string
	started bool
	idle    int  // reads in a row that gave nothing
	afterCR bool // the last line ended in CR: a LF that follows belongs to it
}

// NewReader gives a reader of the stream.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Next gives the next event that has data. At the stream's end it answers io.EOF, within an event io.ErrUnexpectedEOF, and the source's own error
// where that failed.
func (r *Reader) Next() (Event, error) {
	r.reset()
	for {
		line, err := r.line()
		if err != nil {
			return Event{}, r.end(err, line)
		}
		if len(line) > 0 {
			if err := r.field(line); err != nil {
				return Event{}, err
			}
			continue
		}
		if r.hasData {
			return Event{Name: r.name, Data: r.data}, nil
		}
		r.reset()
	}
}

// Pending gives the data of the event that the input ended within.
func (r *Reader) Pending() []byte { return r.data }

// Stray gives the lines that are no field of an event stream, with their line ends, as far as the first 16 KiB: services and gateways break a stream off
// with an error in plain JSON.
func (r *Reader) Stray() []byte { return r.stray }

func (r *Reader) reset() {
	r.data, r.hasData, r.name = r.data[:0], false, ""
}

// end tells a clean end from a cut one. The unfinished last line counts for Pending alone.
func (r *Reader) end(err error, rest []byte) error {
	if len(rest) > 0 {
		if fault := r.field(rest); fault != nil {
			return fault
		}
	}
	if errors.Is(err, io.EOF) && (r.hasData || r.name != "" || len(rest) > 0) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// field takes one line that is not empty.
func (r *Reader) field(line []byte) error {
	name, value, _ := bytes.Cut(line, []byte{':'})
	value = bytes.TrimPrefix(value, []byte{' '})
	switch string(name) {
	case "data":
		if len(r.data)+len(value) >= MaxEvent {
			return ErrTooLarge
		}
		if r.hasData {
			r.data = append(r.data, '\n')
		}
		r.data = append(r.data, value...)
		r.hasData = true
	case "event":
		r.name = string(value)
	case "", "id", "retry": // Comments have an empty name, and the others do not matter here.
	default:
		if len(r.stray)+len(line) < maxStray {
			r.stray = append(append(r.stray, line...), '\n')
		}
	}
	return nil
}

// line gives the next line without its end. With an error it gives what there was of an unfinished line.
func (r *Reader) line() ([]byte, error) {
	for {
		rest := r.buf[r.from:]
		if r.afterCR && len(rest) > 0 {
			r.afterCR = false
			if rest[0] == '\n' {
				r.from++
				continue
			}
		}
		if i := lineEnd(rest[r.seen:]); i >= 0 {
			i += r.seen
			r.afterCR = rest[i] == '\r'
			r.from += i + 1
			r.seen = 0
			return r.mark(rest[:i]), nil
		}
		r.seen = len(rest)
		if len(rest) >= MaxEvent {
			return nil, ErrTooLarge
		}
		if r.err != nil {
			r.from, r.seen = len(r.buf), 0
			return r.mark(rest), r.err
		}
		r.fill()
	}
}

// mark takes the byte order mark off the stream's first line.
func (r *Reader) mark(line []byte) []byte {
	if r.started {
		return line
	}
	r.started = true
	return bytes.TrimPrefix(line, []byte("\xEF\xBB\xBF"))
}

func lineEnd(b []byte) int {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return bytes.IndexByte(b, '\r')
	}
	if j := bytes.IndexByte(b[:i], '\r'); j >= 0 {
		return j
	}
	return i
}

// fill reads once more from the source.
func (r *Reader) fill() {
	const step = 4096
	if r.from > 0 {
		n := copy(r.buf, r.buf[r.from:])
		r.buf, r.from = r.buf[:n], 0
	}
	if cap(r.buf)-len(r.buf) < step {
		grown := make([]byte, len(r.buf), 2*cap(r.buf)+step)
		copy(grown, r.buf)
		r.buf = grown
	}
	n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
	if n < 0 || n > cap(r.buf)-len(r.buf) {
		r.err = errors.New("server-sent events: the source counts wrongly")
		return
	}
	r.buf, r.err = r.buf[:len(r.buf)+n], err
	if n > 0 {
		r.idle = 0
	} else if r.idle++; r.idle > maxIdle && r.err == nil {
		r.err = io.ErrNoProgress
	}
}
