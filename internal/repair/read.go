package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// value reads the value that begins at the cursor, which stands behind white space and before the end. ok is false where no value begins
// there; the cursor is then where it was.
func (p *parser) value(where place, shape Shape) (v value.Value, ok bool) {
	if !p.take() {
		return value.Value{}, false
	}
	start := p.at
	switch c := p.text[p.at]; c {
	case '{':
		v = p.object(shape)
	case '[':
		v = p.array('[', shape)
	case '(':
		if where != atRoot && !p.tupleAt(p.at) {
			return p.bare(where, shape)
		}
		v = p.array('(', shape)
	case ',', '}', ']', ')', ':', ';':
		return value.Value{}, false
	default:
		if class, _ := p.quoteAt(p.at); class != noQuote {
			v = p.stringValue(where, shape)
			break
		}
		if where != atRoot && p.fence(p.at) > p.at {
			return p.fencedValue(where, shape)
		}
		return p.bare(where, shape)
	}
	return v.Located(start), p.err == nil
}

// stringValue reads a string with the parts that a plus joins to it.
func (p *parser) stringValue(where place, shape Shape) value.Value {
	start := p.at
	text := p.quoted(where)
	var joined strings.Builder
	for p.err == nil {
		k := p.gap(p.at)
		if p.peek(k) != '+' {
			break
		}
		k = p.gap(k + 1)
		if class, _ := p.quoteAt(k); class == noQuote {
			break
		}
		p.note(KindConcatenation, p.at)
		p.at = k
		if joined.Len() == 0 {
			joined.WriteString(text)
		}
		joined.WriteString(p.quoted(where))
	}
	if joined.Len() > 0 {
		text = joined.String()
	}
	v := value.String(text)
	if shape != nil && p.nested < maxNested && unwanted(v, shape) {
		n := nester{level: p.nested, budget: p}
		if inner, ok := n.open(text, shape, start); ok {
			p.repairs = append(p.repairs, n.repairs...)
			p.unfinished = p.unfinished || n.unfinished
			return inner
		}
	}
	return v
}

// fence gives the place behind a code fence's mark and language at k; k itself where there is none.
func (p *parser) fence(k int) int {
	mark := "```"
	if !p.has(k, mark) {
		if mark = "~~~"; !p.has(k, mark) {
			return k
		}
	}
	k += len(mark)
	for p.peek(k) == mark[0] {
		k++
	}
	from := k
	for k < len(p.text) && (letter(p.text[k]) || digit(p.text[k]) || p.text[k] == '+' || p.text[k] == '-' || p.text[k] == '_') && p.text[k] < 0x80 {
		k++
	}
	switch c := p.peek(k); c {
	case '\n', '\r', ' ', '\t', '{', '[', '"', 0:
		return k
	}
	return from
}

// fencedValue reads a value that stands in a fence inside another value.
func (p *parser) fencedValue(where place, shape Shape) (value.Value, bool) {
	p.note(KindFence, p.at)
	p.at = p.fence(p.at)
	p.skip()
	if p.end() || p.fence(p.at) > p.at {
		return value.Value{}, false
	}
	v, ok := p.value(where, shape)
	if k := p.gap(p.at); ok && p.has(k, "```") {
		p.at = k + 3
	}
	return v, ok
}

// tupleAt tells a tuple from a text that begins with a parenthesis, such as a telephone number.
func (p *parser) tupleAt(k int) bool {
	first := p.gap(k + 1)
	c := p.peek(first)
	class, _ := p.quoteAt(first)
	if class == noQuote && c != '{' && c != '[' && c != '(' && c != ')' && c != '-' && !digit(c) && literalAt(p.text[min(first, len(p.text)):]) == "" {
		return false
	}
	for i := k; i < min(len(p.text), k+lookLimit); i++ {
		switch p.text[i] {
		case '"', '\'', '\n', '(', '{', '[':
			if i > k {
				return true
			}
		case ')':
			switch m := p.gap(i + 1); p.peek(m) {
			case ',', '}', ']', ')', 0, '\n':
				return true
			}
			return false
		}
	}
	return true
}

// bare reads a value without quotes: a number, a literal, a call around a value, or text.
func (p *parser) bare(where place, shape Shape) (value.Value, bool) {
	start := p.at
	if v, ok := p.call(where, shape); ok {
		return v.Located(start), p.err == nil
	}
	if p.prefixedString() {
		v := p.stringValue(where, shape)
		return v.Located(start), p.err == nil
	}
	to := p.token(start)
	if v, kind, ok := p.classify(p.text[start:to], shape, p.atEnd(to)); ok && p.tokenEnds(where, to) {
		if kind != "" {
			p.note(kind, start)
		}
		p.at = to
		p.strayQuote(where)
		return v.Located(start), true
	}
	text := p.bareText(where)
	if text == "" || p.end() && !hasWord(text) {
		if p.at == start {
			p.at++ // Something that begins no text, such as a stray sign, must not hold the parser up.
		}
		return value.Value{}, false
	}
	p.note(KindUnquoted, start)
	return value.String(text).Located(start), true
}

// prefixedString steps over the letter before a string literal of Python: r"…".
func (p *parser) prefixedString() bool {
	switch p.text[p.at] {
	case 'r', 'b', 'f', 'u', 'R', 'B', 'F', 'U':
		if c := p.peek(p.at + 1); c == '"' || c == '\'' {
			p.note(KindLiteral, p.at)
			p.at++
			return true
		}
	}
	return false
}

// token gives the end of the run of characters at k that no delimiter interrupts.
func (p *parser) token(k int) int {
	from := k
	for k < len(p.text) {
		switch c := p.text[k]; c {
		case ',', '{', '}', '[', ']', '(', ')', ':', ';', ' ', '\t', '\n', '\r', '"':
			p.steps += k - from
			return k
		case '/':
			if next := p.peek(k + 1); next == '/' || next == '*' {
				return k
			}
		case '`', 0xC2, 0xE1, 0xE2, 0xE3, 0xEF:
			if class, _ := p.quoteAt(k); class != noQuote || p.has(k, "```") {
				return k
			}
			if size, _ := spaceAt(p.text, k); size > 0 {
				return k
			}
		case '\'':
			if k > from && !letter(p.peek(k+1)) {
				return k
			}
		}
		k++
	}
	p.steps += k - from
	return k
}

// tokenEnds reports whether a number or literal that ends at k is a whole value there, and not the first word of a text.
func (p *parser) tokenEnds(where place, k int) bool {
	if k >= len(p.text) || p.budget <= 0 {
		return true
	}
	m := p.gap(k)
	if m >= len(p.text) {
		return true
	}
	switch c := p.text[m]; c {
	case ',', '}', ']', ')', ';':
		return true
	case '{', '[', '(':
		return where == atItem && m > k
	case '`', '~':
		if p.fence(m) > m {
			return true
		}
	}
	if where == atRoot {
		return strings.ContainsAny(p.text[k:m], "\r\n")
	}
	if class, n := p.quoteAt(m); class != noQuote {
		return m > k || p.strayAt(where, m+n)
	}
	if where == atItem {
		return m > k && (digit(p.text[m]) || p.text[m] == '-' || strings.Contains(p.text[k:m], "\n"))
	}
	return m > k && p.bareKeyAt(m)
}

// strayAt reports whether what stands at k may follow a whole value, so that the quotation mark before it is one too many.
func (p *parser) strayAt(where place, k int) bool {
	m := p.gap(k)
	switch p.peek(m) {
	case 0, '}', ']':
		return true
	case ',':
		return p.commaEnds(&scan{where: where}, m)
	}
	return false
}

// strayQuote steps over a quotation mark behind a value that had none before it.
func (p *parser) strayQuote(where place) {
	if class, n := p.quoteAt(p.at); class != noQuote && where != atRoot && p.strayAt(where, p.at+n) {
		p.note(KindMissingQuote, p.at)
		p.at += n
	}
}
