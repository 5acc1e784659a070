// Package scan reads the few members that a dialect needs out of a JSON text and steps over the rest, without building it.
//
// It is for the envelopes of model services: their answers are read on the hot path, most of their members are of no interest, and a member that is
// not as documented must not lose the answer. Reading is therefore tolerant where package value is strict: an unexpected kind reads as nothing,
// repeated names are allowed, broken UTF-8 becomes U+FFFD. It is not for JSON that a model wrote or a caller sent.
//
// The main type is [Scanner]. Containers are walked by Object or Array and then Member or Item; whatever a loop's body does not read is stepped over.
// A text that is no JSON ends every loop and is told by Fault.
package scan

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Fault says what is wrong with a text.
type Fault uint8

// The faults: none, a text that ends too early, and one that is no JSON.
const (
	None Fault = iota
	Unfinished
	Malformed
)

// maxDepth bounds nesting; envelopes have about ten levels, and a tool's schema that is echoed may have more.
const maxDepth = 1000

// Scanner walks over one JSON text. The zero Scanner reads an empty text; it is not safe for concurrent use.
type Scanner struct {
	src   []byte
	at    int
	fault Fault
	// fresh is set between a container's opening bracket and its first element.
	fresh bool
	// unread is the place of an element that the caller has not touched yet; -1 is none.
	unread int
}

// New gives a scanner at the beginning of the text, which must not change while it is read.
func New(src []byte) Scanner { return Scanner{src: src, unread: -1} }

// Fault says whether the text was JSON as far as it was read.
func (s *Scanner) Fault() Fault { return s.fault }

// End reports whether nothing but white space follows, and counts anything else as a fault.
func (s *Scanner) End() bool {
	s.settle()
	s.space()
	if s.fault == None && s.at < len(s.src) {
		s.fault = Malformed
	}
	return s.fault == None
}

// Object steps into the object that follows and reports whether one does.
func (s *Scanner) Object() bool { return s.enter('{') }

// Array steps into the array that follows and reports whether one does.
func (s *Scanner) Array() bool { return s.enter('[') }

func (s *Scanner) enter(bracket byte) bool {
	if s.peek() != bracket {
		return false
	}
	s.at++
	s.fresh, s.unread = true, -1
	return true
}

// Member steps to the next member of the innermost object and gives its name; more is false behind the last one. The name is valid until the next
// call.
func (s *Scanner) Member() (name []byte, more bool) {
	if !s.step('}') {
		return nil, false
	}
	if s.src[s.at] != '"' {
		s.fail()
		return nil, false
	}
	raw, escaped, ok := s.raw()
	if !ok {
		return nil, false
	}
	if escaped {
		raw = unescape(nil, raw)
	}
	s.space()
	if s.at >= len(s.src) || s.src[s.at] != ':' {
		s.fail()
		return nil, false
	}
	s.at++
	s.space()
	s.unread = s.at
	return raw, true
}

// Item steps to the next item of the innermost array; it is false behind the last one.
func (s *Scanner) Item() bool {
	if !s.step(']') {
		return false
	}
	s.unread = s.at
	return true
}

// step goes behind what was read of a container, over the comma, to the next element.
func (s *Scanner) step(closing byte) bool {
	s.settle()
	s.space()
	if s.fault != None || s.at >= len(s.src) {
		s.fail()
		return false
	}
	if s.src[s.at] == closing {
		s.at++
		s.fresh = false
		return false
	}
	if !s.fresh {
		if s.src[s.at] != ',' {
			s.fail()
			return false
		}
		s.at++
		s.space()
		if s.at >= len(s.src) {
			s.fail()
			return false
		}
	}
	s.fresh = false
	return true
}

// settle steps over an element that the caller left unread.
func (s *Scanner) settle() {
	if s.unread == s.at {
		s.Skip()
	}
	s.unread = -1
}

// Null steps over null and reports whether it was there.
func (s *Scanner) Null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.Skip()
	return true
}

// Kind gives the first byte of what follows, '0' for any number, 0 for the end or no JSON.
func (s *Scanner) Kind() byte {
	c := s.peek()
	if c == '-' || c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

// True reads a boolean; anything else is stepped over and false.
func (s *Scanner) True() bool {
	yes := s.peek() == 't'
	s.Skip()
	return yes
}

// Int reads a whole number; anything else is stepped over and 0. Numbers beyond an int32 are cut to it: they count tokens.
func (s *Scanner) Int() int {
	f := s.Float()
	switch {
	case !(f >= math.MinInt32): // NaN too
		return 0
	case f > math.MaxInt32:
		return math.MaxInt32
	default:
		return int(f)
	}
}

// Float reads a number; anything else is stepped over and 0.
func (s *Scanner) Float() float64 {
	if s.Kind() != '0' {
		s.Skip()
		return 0
	}
	start := s.at
	s.Skip()
	if n, ok := small(s.src[start:s.at]); ok {
		return float64(n)
	}
	f, err := strconv.ParseFloat(string(s.src[start:s.at]), 64)
	if err != nil {
		return 0
	}
	return f
}

// small reads a short run of digits, the usual count of tokens, without a copy.
func small(digits []byte) (int, bool) {
	if len(digits) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// Text reads a string; a number gives its text, anything else is stepped over and empty.
func (s *Scanner) Text() string {
	if s.Kind() == '0' {
		start := s.at
		s.Skip()
		return string(s.src[start:s.at])
	}
	raw, escaped, ok := s.content()
	if !ok || len(raw) == 0 {
		return ""
	}
	if !escaped {
		return valid(string(raw))
	}
	out := unescape(make([]byte, 0, len(raw)), raw)
	return valid(string(out))
}

// AppendText is Text for strings alone, at the end of dst.
func (s *Scanner) AppendText(dst []byte) []byte {
	raw, escaped, ok := s.content()
	if !ok || len(raw) == 0 {
		return dst
	}
	before := len(dst)
	if escaped {
		dst = unescape(dst, raw)
	} else {
		dst = append(dst, raw...)
	}
	if !utf8.Valid(dst[before:]) {
		dst = append(dst[:before], bytes.ToValidUTF8(dst[before:], []byte("\uFFFD"))...)
	}
	return dst
}

// Raw gives the bytes of whatever follows.
func (s *Scanner) Raw() []byte {
	s.space()
	start := s.at
	s.Skip()
	if s.fault != None {
		return nil
	}
	return s.src[start:s.at]
}

func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// content gives the bytes between the quotes of the string that follows; anything else is stepped over.
func (s *Scanner) content() (raw []byte, escaped, ok bool) {
	if s.peek() != '"' {
		s.Skip()
		return nil, false, false
	}
	return s.raw()
}

// raw reads the string that begins at the place and gives what is between its quotes.
func (s *Scanner) raw() (raw []byte, escaped, ok bool) {
	start := s.at + 1
	for i := start; i < len(s.src); i++ {
		switch s.src[i] {
		case '"':
			s.at = i + 1
			return s.src[start:i], escaped, true
		case '\\':
			escaped = true
			i++
		}
	}
	s.at = len(s.src)
	s.fail()
	return nil, false, false
}

// Skip steps over whatever follows. What it steps over is checked for brackets and strings alone.
func (s *Scanner) Skip() {
	s.unread = -1
	var open []byte
	var few [64]byte
	open = few[:0]
	for s.fault == None {
		s.space()
		if s.at >= len(s.src) {
			s.fail()
			return
		}
		switch c := s.src[s.at]; c {
		case '{', '[':
			if len(open) >= maxDepth {
				s.fault = Malformed
				return
			}
			open = append(open, c+2) // both closing brackets stand two behind their opening ones
			s.at++
			continue
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				s.fault = Malformed
				return
			}
			open = open[:len(open)-1]
			s.at++
		case ',', ':':
			if len(open) == 0 {
				s.fault = Malformed
				return
			}
			s.at++
			continue
		case '"':
			s.raw()
		default:
			s.word()
		}
		if len(open) == 0 {
			return
		}
	}
}

// word steps over a number, true, false or null.
func (s *Scanner) word() {
	start := s.at
	for s.at < len(s.src) && wordByte(s.src[s.at]) {
		s.at++
	}
	if s.at == start {
		s.fault = Malformed
		return
	}
	switch w := s.src[start:s.at]; w[0] {
	case 't':
		s.literal(w, "true")
	case 'f':
		s.literal(w, "false")
	case 'n':
		s.literal(w, "null")
	default:
		if w[0] != '-' && (w[0] < '0' || w[0] > '9') {
			s.fault = Malformed
		}
	}
}

func (s *Scanner) literal(word []byte, want string) {
	switch {
	case string(word) == want:
	case s.at == len(s.src) && strings.HasPrefix(want, string(word)):
		s.fault = Unfinished
	default:
		s.fault = Malformed
	}
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

func (s *Scanner) peek() byte {
	s.space()
	if s.fault != None || s.at >= len(s.src) {
		return 0
	}
	return s.src[s.at]
}

func (s *Scanner) space() {
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case ' ', '\t', '\n', '\r':
			if s.unread == s.at {
				s.unread++
			}
			s.at++
		default:
			return
		}
	}
}

func (s *Scanner) fail() {
	if s.fault != None {
		return
	}
	s.fault = Malformed
	if s.at >= len(s.src) {
		s.fault = Unfinished
	}
}

// unescape appends a string's contents with its escapes resolved. Escapes that JSON does not have stay as they are, half surrogates become U+FFFD.
func unescape(dst, raw []byte) []byte {
	for len(raw) > 0 {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		raw = raw[i:]
		if len(raw) < 2 {
			return append(dst, raw...)
		}
		n := 2
		switch raw[1] {
		case '"', '\\', '/':
			dst = append(dst, raw[1])
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			dst, n = unicodeEscape(dst, raw)
		default:
			dst = append(dst, raw[:2]...)
		}
		raw = raw[n:]
	}
	return dst
}

// unicodeEscape resolves the \u escape at the beginning and gives how many bytes it took.
func unicodeEscape(dst, raw []byte) (out []byte, n int) {
	r, ok := hex4(raw)
	if !ok {
		return append(dst, raw[:2]...), 2
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(dst, r), 6
	}
	if len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if low, ok := hex4(raw[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return utf8.AppendRune(dst, pair), 12
			}
		}
	}
	return utf8.AppendRune(dst, utf8.RuneError), 6
}

func hex4(raw []byte) (rune, bool) {
	if len(raw) < 6 {
		return 0, false
	}
	var r rune
	for _, c := range raw[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
