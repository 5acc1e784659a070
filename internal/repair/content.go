package repair

import (
	"strings"
	"unicode/utf8"
)

// content gives the text between two places of a string with its escapes resolved.
func (p *parser) content(from, to int) string {
	to = min(to, len(p.text))
	raw := p.text[from:to]
	p.controls(raw, from)
	if p.dirty && !utf8.ValidString(raw) {
		p.note(KindBadUTF8, from+badByte(raw))
		return strings.ToValidUTF8(p.unescaped(raw, from, to), "\uFFFD")
	}
	return p.unescaped(raw, from, to)
}

// unescaped resolves the escapes of the text between the two places.
func (p *parser) unescaped(raw string, from, to int) string {
	i := strings.IndexByte(raw, '\\')
	if i < 0 {
		return raw
	}
	buf := append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		if raw[i] != '\\' {
			next := strings.IndexByte(raw[i:], '\\')
			if next < 0 {
				next = len(raw) - i
			}
			buf = append(buf, raw[i:i+next]...)
			i += next
			continue
		}
		out, n, kind := unescape(buf, raw[i:])
		switch {
		case kind == KindClosed && to == len(p.text):
			p.closed()
		case kind == KindClosed:
			out = append(out, raw[i:]...)
			p.note(KindBadEscape, from+i)
		case kind != "":
			p.note(kind, from+i)
		}
		buf = out
		i += n
	}
	return string(buf)
}

// controls notes the first control character.
func (p *parser) controls(raw string, from int) {
	for i := 0; i < len(raw); i++ {
		if raw[i] < 0x20 {
			p.note(KindControlCharacter, from+i)
			return
		}
	}
}

func badByte(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return 0
}

// unescape resolves the escape at the beginning of s. The kind says what was wrong with it; KindClosed is an escape that the end of the
// text cut, which is left out.
func unescape(buf []byte, s string) (out []byte, size int, kind Kind) {
	if len(s) < 2 {
		return buf, len(s), KindClosed
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return append(buf, c), 2, ""
	case 'b':
		return append(buf, '\b'), 2, ""
	case 'f':
		return append(buf, '\f'), 2, ""
	case 'n':
		return append(buf, '\n'), 2, ""
	case 'r':
		return append(buf, '\r'), 2, ""
	case 't':
		return append(buf, '\t'), 2, ""
	case 'u':
		return unescapeUnicode(buf, s)
	case 'x':
		if r, n := hex(s[2:], 2); n == 2 {
			return utf8.AppendRune(buf, r), 4, KindBadEscape
		}
	case '\'', '`', '\n':
		return append(buf, c), 2, KindBadEscape
	case '\r':
		return append(buf, '\n'), 2 + boolInt(strings.HasPrefix(s[2:], "\n")), KindBadEscape
	default:
		if c >= utf8.RuneSelf {
			return buf, 1, KindBadEscape // The backslash alone goes: no escape has such a letter.
		}
	}
	// A path, a regular expression or a formula: the backslash was meant.
	return append(buf, '\\'), 1, KindBadEscape
}

func unescapeUnicode(buf []byte, s string) (out []byte, size int, kind Kind) {
	r, n := hex(s[2:], 4)
	if n < 4 {
		if 2+n == len(s) {
			return buf, len(s), KindClosed
		}
		return append(buf, '\\'), 1, KindBadEscape
	}
	if r < 0xD800 || r > 0xDFFF {
		return utf8.AppendRune(buf, r), 6, ""
	}
	if r <= 0xDBFF && strings.HasPrefix(s[6:], `\u`) {
		if low, n := hex(s[8:], 4); n == 4 && low >= 0xDC00 && low <= 0xDFFF {
			return utf8.AppendRune(buf, 0x10000+(r-0xD800)<<10+(low-0xDC00)), 12, ""
		}
	}
	return utf8.AppendRune(buf, utf8.RuneError), 6, KindSurrogate
}

// hex reads up to limit hexadecimal digits.
func hex(s string, limit int) (r rune, n int) {
	for n < limit && n < len(s) {
		c := s[n]
		switch {
		case digit(c):
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return r, n
		}
		n++
	}
	return r, n
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
