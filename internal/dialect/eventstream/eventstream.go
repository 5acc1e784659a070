// Package eventstream reads AWS's binary event streams, for the dialect that streams in them.
//
// A message is its total length, the length of its headers, a checksum of both, the headers, a payload and a checksum of everything before it. Both checksums
// are held to, and lengths are bounded before anything is kept: a message of more than [MaxMessage] bytes ends the reading with [ErrTooLarge], and bytes
// that are no message with [ErrMalformed]. It does not know what a payload means.
//
// The main type is [Reader]. A message that the input ends within is never given as a whole one: Next answers io.ErrUnexpectedEOF.
package eventstream

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// MaxMessage is the largest size of one message in bytes.
const MaxMessage = 4 << 20

// A message has a prelude of two lengths and their checksum, and a checksum at its end.
const (
	prelude = 12
	trailer = 4
)

// maxIdle is how often a source may give nothing in a row.
const maxIdle = 100

// Faults of the bytes themselves; the source's own errors are passed on.
var (
	ErrTooLarge  = errors.New("event stream message is larger than 4 MiB")
	ErrMalformed = errors.New("event stream message is malformed: lengths, checksum or headers are wrong")
)

// Message is one message. Payload is valid until the next call of Next.
type Message struct {
	// Type is the header :message-type: event, exception, or error for what the service did not model.
	Type string
	// Name is the header :event-type, :exception-type or :error-code, whichever the type has.
	Name string
	// Text is the header :error-message.
	Text    string
	Payload []byte
}

// Reader reads messages from a stream. It never reads further than it needs to, and closes nothing.
type Reader struct {
	src io.Reader
	buf []byte
	err error // what ended the reading
}

// NewReader gives a reader of the stream.
func NewReader(src io.Reader) *Reader { return &Reader{src: src} }

// Next gives the next message. At the stream's end it answers io.EOF, within a message io.ErrUnexpectedEOF. After an error it answers the same again: where
// the next message would begin is not known.
func (r *Reader) Next() (Message, error) {
	if r.err != nil {
		return Message{}, r.err
	}
	var m Message
	if r.err = r.message(&m); r.err != nil {
		return Message{}, r.err
	}
	return m, nil
}

func (r *Reader) message(m *Message) error {
	r.buf = r.buf[:0]
	if err := r.read(prelude); err != nil {
		return err
	}
	total, headers := binary.BigEndian.Uint32(r.buf), binary.BigEndian.Uint32(r.buf[4:])
	switch {
	case crc32.ChecksumIEEE(r.buf[:8]) != binary.BigEndian.Uint32(r.buf[8:]):
		return ErrMalformed
	case total > MaxMessage:
		return ErrTooLarge
	case total < prelude+trailer || headers > total-prelude-trailer:
		return ErrMalformed
	}
	if err := r.read(int(total)); err != nil {
		return err
	}
	end := total - trailer
	if crc32.ChecksumIEEE(r.buf[:end]) != binary.BigEndian.Uint32(r.buf[end:]) {
		return ErrMalformed
	}
	m.Payload = r.buf[prelude+headers : end]
	return m.headers(r.buf[prelude : prelude+headers])
}

// read fills the buffer up to a size.
func (r *Reader) read(size int) error {
	from := len(r.buf)
	if cap(r.buf) < size {
		grown := make([]byte, from, max(size, min(2*cap(r.buf), MaxMessage), 1024))
		copy(grown, r.buf)
		r.buf = grown
	}
	r.buf = r.buf[:size]
	for idle := 0; from < size; {
		n, err := r.src.Read(r.buf[from:])
		if n < 0 || n > size-from {
			return errors.New("event stream: the source counts wrongly")
		}
		from += n
		switch {
		case n > 0:
			idle = 0
		case err == nil:
			if idle++; idle > maxIdle {
				return io.ErrNoProgress
			}
		}
		switch {
		case err == nil || from == size:
		case errors.Is(err, io.EOF) && from > 0:
			return io.ErrUnexpectedEOF
		default:
			return err
		}
	}
	return nil
}

// headers reads the headers of interest and steps over the others.
func (m *Message) headers(b []byte) error {
	for len(b) > 0 {
		name, rest, ok := chunk(b[1:], int(b[0]))
		if !ok || len(rest) == 0 {
			return ErrMalformed
		}
		kind := rest[0]
		size, ok := sizeOf(kind, rest[1:])
		if !ok {
			return ErrMalformed
		}
		v, rest, ok := chunk(rest[1:], size)
		if !ok {
			return ErrMalformed
		}
		b = rest
		if kind != kindText {
			continue
		}
		switch text := v[2:]; string(name) {
		case ":message-type":
			m.Type = string(text)
		case ":event-type", ":exception-type", ":error-code":
			m.Name = string(text)
		case ":error-message":
			m.Text = string(text)
		}
	}
	return nil
}

func chunk(b []byte, n int) (head, rest []byte, ok bool) {
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// kindText is the kind of a header that is a text; the others are booleans, numbers, bytes, a time and a UUID.
const kindText = 7

// sizeOf is the size of a header's value, the two bytes of its length included where it has one.
func sizeOf(kind byte, b []byte) (int, bool) {
	sizes := [...]int{0, 0, 1, 2, 4, 8, -1, -1, 8, 16}
	switch {
	case int(kind) >= len(sizes):
		return 0, false
	case sizes[kind] >= 0:
		return sizes[kind], true
	case len(b) < 2:
		return 0, false
	default:
		return 2 + int(binary.BigEndian.Uint16(b)), true
	}
}
