package relay

import (
	"bytes"

	"github.com/promptd/promptd/internal/dialect/scan"
)

// A stream of chat completions ends with its count of tokens only where the request asks for it, and most programs do not. The relay always asks, for what a call took
// must be known to its budget and its history; a caller that did not ask must not get the event, whose empty list of choices takes programs by surprise.

// uncounted hands a stream on without the event that counts its tokens. What comes is held back until an event is whole.
type uncounted struct {
	sink func([]byte) error
	held []byte
	// open says that an event was too long to be held: the rest is handed on as it comes.
	open bool
}

// mostEvent bounds what is held of an event, in bytes. Counts have some hundred; images that models draw come in events of megabytes.
const mostEvent = 256 << 10

// write takes what came.
func (u *uncounted) write(b []byte) error {
	if u.open {
		return u.sink(b)
	}
	u.held = append(u.held, b...)
	var out []byte
	rest := u.held
	for {
		n := eventEnd(rest)
		if n == 0 {
			break
		}
		if !counts(rest[:n]) {
			out = append(out, rest[:n]...)
		}
		rest = rest[n:]
	}
	if len(rest) > mostEvent {
		out, rest, u.open = append(out, rest...), nil, true
	}
	u.held = append(u.held[:0], rest...)
	if len(out) == 0 {
		return nil
	}
	return u.sink(out)
}

// end hands on what a stream left unfinished.
func (u *uncounted) end() error {
	if len(u.held) == 0 {
		return nil
	}
	held := u.held
	u.held = nil
	return u.sink(held)
}

// eventEnd gives the length of the event that a text begins with, with the empty line behind it; 0 where it is not whole.
func eventEnd(b []byte) int {
	for i := 0; i < len(b); {
		n := bytes.IndexAny(b[i:], "\r\n")
		if n < 0 {
			return 0
		}
		i = newline(b, i+n)
		if i < len(b) && (b[i] == '\r' || b[i] == '\n') {
			return newline(b, i)
		}
	}
	return 0
}

// newline steps over the line end at i, which is \n, \r or \r\n.
func newline(b []byte, i int) int {
	if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
		return i + 2
	}
	return i + 1
}

// counts reports whether an event has a count of tokens and no choice.
func counts(event []byte) bool {
	data, ok := bytes.CutPrefix(bytes.TrimLeft(event, "\r\n"), []byte("data:"))
	if !ok || !bytes.Contains(data, []byte(`"usage"`)) {
		return false
	}
	s := scan.New(data)
	if !s.Object() {
		return false
	}
	empty, counted := false, false
	for {
		name, more := s.Member()
		if !more {
			return empty && counted && s.Fault() == scan.None
		}
		switch string(name) {
		case "choices":
			if s.Array() {
				for empty = true; s.Item(); {
					empty = false
				}
			}
		case "usage":
			counted = s.Kind() == '{'
		case "error":
			if !s.Null() {
				return false
			}
		}
	}
}
