package render

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// toonMarks are the first places of characters outside quotes, or -1.
type toonMarks struct{ colon, bracket, delimiter int }

// isHeader says that a line with these marks is the header of an array or table.
func (m toonMarks) isHeader() bool { return m.bracket >= 0 && m.bracket < m.colon }

// scanTOON finds the first colon, opening bracket and delimiter outside quotes; a delimiter of 0 is not looked for. A quote opens
// wherever it stands and without its end runs to the end of the line.
func scanTOON(s string, delimiter byte) toonMarks {
	m := toonMarks{-1, -1, -1}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			i = closingQuote(s, i)
		case c == ':' && m.colon < 0:
			m.colon = i
		case c == '[' && m.bracket < 0:
			m.bracket = i
		case delimiter != 0 && c == delimiter && m.delimiter < 0:
			m.delimiter = i
		}
	}
	return m
}

// closingQuote gives the place of the quote that closes the one at i, or the length of the text.
func closingQuote(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(s)
}

// splitTOON parts a text at the delimiters outside quotes and trims spaces off the parts.
func splitTOON(s string, delimiter byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			i = closingQuote(s, i)
		case delimiter:
			parts = append(parts, strings.Trim(s[start:i], " "))
			start = i + 1
		}
	}
	return append(parts, strings.Trim(s[start:], " "))
}

// toonKey reads a key token.
func toonKey(l toonLine, token string) (string, error) {
	token = strings.Trim(token, " ")
	if strings.HasPrefix(token, `"`) {
		return unquoteTOON(l, token)
	}
	return token, nil
}

// primitive reads a value token, trimmed of spaces.
func (r *toonReader) primitive(l toonLine, token string) (value.Value, error) {
	if err := r.count(l); err != nil {
		return value.Null(), err
	}
	switch {
	case strings.HasPrefix(token, `"`):
		s, err := unquoteTOON(l, token)
		return value.String(s), err
	case token == "true":
		return value.Bool(true), nil
	case token == "false":
		return value.Bool(false), nil
	case token == "null":
		return value.Null(), nil
	case isJSONNumber(token):
		n, err := value.Number(token)
		if err != nil {
			return value.Null(), &TOONError{l.number, "a number of too many digits or too large an exponent"}
		}
		return n, nil
	}
	return value.String(token), nil
}

// isJSONNumber holds JSON's grammar of numbers; everything else is a string.
func isJSONNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	if strings.HasPrefix(s, "0") && len(s) > 1 && isDigit(rune(s[1])) {
		return false
	}
	return s != "" && isDigit(rune(s[0])) && isNumberLike(s)
}

// unquoteTOON reads a quoted token, whose closing quote must be its last character.
func unquoteTOON(l toonLine, token string) (string, error) {
	end := closingQuote(token, 0)
	switch {
	case end >= len(token):
		return "", &TOONError{l.number, "a quoted string without its end"}
	case end != len(token)-1:
		return "", &TOONError{l.number, "characters behind a closing quote"}
	}
	body := token[1:end]
	if strings.IndexByte(body, '\\') < 0 {
		return body, nil
	}
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			out = append(out, body[i])
			continue
		}
		i++ // A backslash is never the last byte: it would have escaped the closing quote.
		switch body[i] {
		case '\\', '"':
			out = append(out, body[i])
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := hexRune(body[i+1:])
			if !ok {
				return "", &TOONError{l.number, `\u without four hexadecimal digits, or with half of a surrogate pair`}
			}
			out = utf8.AppendRune(out, r)
			i += 4
		default:
			return "", &TOONError{l.number, "an escape that TOON does not have"}
		}
	}
	return string(out), nil
}

// hexRune reads four hexadecimal digits that number a character.
func hexRune(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range []byte(s[:4]) {
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
	return r, utf8.ValidRune(r)
}

// toonHeader is the header of an array or of a keyed table.
type toonHeader struct {
	name      string
	named     bool
	length    uint64 // The largest stands for all that are larger.
	keyed     bool
	delimiter byte
	fields    []toonField
	leaves    int
	// rest is what stands behind the colon, trimmed of spaces.
	rest string
}

// parseTOONHeader reads a line that scanTOON took for a header.
func parseTOONHeader(l toonLine) (toonHeader, error) {
	malformed := func(why string) (toonHeader, error) { return toonHeader{}, &TOONError{l.number, why} }
	h := toonHeader{delimiter: ','}
	bracket := scanTOON(l.text, 0).bracket
	if bracket > 0 {
		key := l.text[:bracket]
		if last := key[len(key)-1]; last == ' ' || last == '\t' {
			return malformed("space between a key and its bracket")
		}
		h.named = true
		var err error
		if h.name, err = toonKey(l, key); err != nil {
			return toonHeader{}, err
		}
	}
	s := l.text[bracket+1:]
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	if digits == "" || digits[0] == '0' && len(digits) > 1 {
		return malformed("a length that is not a whole number")
	}
	var err error
	if h.length, err = strconv.ParseUint(digits, 10, 64); err != nil {
		h.length = math.MaxUint64
	}
	s = s[len(digits):]
	if strings.HasPrefix(s, ":") {
		h.keyed, s = true, s[1:]
	}
	if s != "" && (s[0] == '\t' || s[0] == '|') {
		h.delimiter, s = s[0], s[1:]
	}
	if !strings.HasPrefix(s, "]") {
		return malformed("a malformed length")
	}
	s = s[1:]
	if strings.HasPrefix(s, "{") {
		p := toonFields{line: l, text: s, delimiter: h.delimiter}
		if h.fields, err = p.list(0); err != nil {
			return toonHeader{}, err
		}
		h.leaves, s = p.leaves, s[p.at:]
	}
	if !strings.HasPrefix(s, ":") {
		return malformed("no colon behind the header")
	}
	if h.keyed && h.fields == nil {
		return malformed("a keyed table without fields")
	}
	h.rest = strings.Trim(s[1:], " ")
	return h, nil
}

// toonFields reads a field list.
type toonFields struct {
	line      toonLine
	text      string
	at        int
	delimiter byte
	leaves    int
}

// list reads a list from its opening brace to behind its closing one.
func (p *toonFields) list(depth int) ([]toonField, error) {
	if depth > toonMaxDepth {
		return nil, &TOONError{p.line.number, "nested deeper than 512"}
	}
	p.at++
	var fields []toonField
	seen := make(map[string]struct{})
	for {
		f, err := p.entry(depth)
		if err != nil {
			return nil, err
		}
		if _, twice := seen[f.name]; twice {
			return nil, &TOONError{p.line.number, "a field stands twice"}
		}
		seen[f.name] = struct{}{}
		fields = append(fields, f)
		if p.at >= len(p.text) {
			return nil, &TOONError{p.line.number, "a list of fields without its end"}
		}
		end := p.text[p.at] == '}'
		p.at++
		if end {
			return fields, nil
		}
	}
}

// entry reads a field up to the delimiter or brace behind it.
func (p *toonFields) entry(depth int) (toonField, error) {
	start := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; c {
		case '"':
			p.at = min(closingQuote(p.text, p.at), len(p.text)-1)
		case '{':
			return p.group(start, depth)
		case '}', p.delimiter:
			name, err := p.name(p.text[start:p.at])
			p.leaves++
			return toonField{name: name}, err
		case ',', '\t', '|':
			return toonField{}, &TOONError{p.line.number, "a list of fields with another delimiter than its header's"}
		}
		p.at++
	}
	return toonField{}, &TOONError{p.line.number, "a list of fields without its end"}
}

// group reads the group of a field whose opening brace is next.
func (p *toonFields) group(start, depth int) (toonField, error) {
	token := p.text[start:p.at]
	if strings.HasSuffix(token, " ") || strings.HasSuffix(token, "\t") {
		return toonField{}, &TOONError{p.line.number, "space between a field and its group"}
	}
	name, err := p.name(token)
	if err != nil {
		return toonField{}, err
	}
	group, err := p.list(depth + 1)
	if err != nil {
		return toonField{}, err
	}
	p.at += len(p.text[p.at:]) - len(strings.TrimLeft(p.text[p.at:], " "))
	if p.at >= len(p.text) || p.text[p.at] != '}' && p.text[p.at] != p.delimiter {
		return toonField{}, &TOONError{p.line.number, "something behind the group of a field"}
	}
	return toonField{name: name, group: group}, nil
}

func (p *toonFields) name(token string) (string, error) {
	if strings.Trim(token, " ") == "" {
		return "", &TOONError{p.line.number, "a field without a name"}
	}
	return toonKey(p.line, token)
}
