package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// bareText reads a string without quotation marks and leaves the cursor on what ended it.
func (p *parser) bareText(where place) string {
	start, braces, squares, rounds := p.at, 0, 0, 0
	i := start
	defer func() { p.steps += i - start }()
	for i < len(p.text) {
		stop := false
		switch c := p.text[i]; c {
		case ',':
			stop = p.bareComma(where, i)
		case '}':
			if stop = braces == 0; !stop {
				braces--
			}
		case '{':
			braces++
		case ']':
			if stop = squares == 0 && (where == atItem || p.within('[') || p.atEnd(i+1)); !stop {
				squares = max(squares-1, 0)
			}
		case '[':
			squares++
		case '(':
			rounds++
		case ')':
			if stop = rounds == 0 && p.within('('); !stop {
				rounds = max(rounds-1, 0)
			}
		case '\n':
			stop = p.bareLine(where, i)
		case '/':
			stop = i > start && (p.text[i-1] == ' ' || p.text[i-1] == '\t' || p.text[i-1] == '\n') && p.comment(i) > i
		default:
			if c == '`' && p.has(i, "```") && i > start {
				stop = true
			} else if maybeQuote(c) {
				if class, n := p.quoteAt(i); class != noQuote && i > start {
					switch p.bareQuote(where, class, i, n) {
					case ends:
						p.at = i + n
						p.note(KindMissingQuote, i)
						return strings.TrimRight(p.content(start, i), " \t\r\n")
					case endsBefore:
						stop = true
					}
				}
			}
		}
		if stop {
			break
		}
		i++
	}
	p.at = i
	return strings.TrimRight(p.content(start, i), " \t\r\n")
}

func (p *parser) atEnd(k int) bool { return p.gap(k) >= len(p.text) }

// bareComma reports whether the comma at i ends a bare text.
func (p *parser) bareComma(where place, i int) bool {
	if where != atMember {
		return true
	}
	m := p.gap(i + 1)
	switch p.peek(m) {
	case 0, '}', ',':
		return true
	case '.':
		return p.has(m, "...")
	}
	return p.keyAt(m)
}

// bareLine reports whether the line break at i ends a bare text.
func (p *parser) bareLine(where place, i int) bool {
	if where == atItem {
		return true
	}
	m := p.gap(i + 1)
	switch p.peek(m) {
	case 0, '}':
		return true
	}
	return p.keyAt(m)
}

// bareQuote decides what a quotation mark inside a bare text is: the text's own end, the beginning of the next name, or part of it.
func (p *parser) bareQuote(where place, class quoteClass, i, n int) verdict {
	if class == singleQuote && letter(p.peek(i+1)) && letter(p.text[i-1]) {
		return inside
	}
	if p.strayAt(where, i+n) {
		return ends
	}
	if where == atMember && (p.text[i-1] == ' ' || p.text[i-1] == '\n') && p.keyAt(i) {
		return endsBefore
	}
	return inside
}

// call reads a value that stands in a call or a constructor: callback({…}) around the whole, NumberLong(2) anywhere.
func (p *parser) call(where place, shape Shape) (value.Value, bool) {
	start := p.at
	if p.has(p.at, "new ") {
		p.at = p.gap(p.at + 4)
	}
	i := p.at
	for i < len(p.text) && i < p.at+lookLimit && nameByte(p.text[i]) && p.text[i] < 0x80 {
		i++
	}
	name := p.text[p.at:i]
	k := p.gap(i)
	if name == "" || !letter(name[0]) && name[0] != '_' && name[0] != '$' || p.peek(k) != '(' || where != atRoot && (k > i || !constructor(name)) ||
		shape != nil && where != atRoot && only(shape, value.KindString) && !strings.ContainsAny(p.text[k:min(len(p.text), k+2)], `"'`) {
		p.at = start
		return value.Value{}, false
	}
	first := p.gap(k + 1)
	if class, _ := p.quoteAt(first); class == noQuote {
		if c := p.peek(first); c != '{' && c != '[' && c != '-' && !digit(c) && literalAt(p.text[min(first, len(p.text)):]) == "" {
			p.at = start
			return value.Value{}, false
		}
	}
	p.note(KindCall, start)
	p.at = k
	if !p.push('(') {
		return value.Value{}, false
	}
	p.skip()
	v, ok := p.value(atItem, shape)
	p.skip()
	switch {
	case p.end():
		p.closed()
	case p.peek(p.at) == ')':
		p.at++
	default:
		p.note(KindUnbalanced, p.at)
	}
	p.pop()
	return v, ok
}

// constructor knows the names that MongoDB's shell, its drivers and Python put around plain values.
func constructor(name string) bool {
	switch name {
	case "NumberLong", "NumberInt", "NumberDecimal", "ObjectId", "ISODate", "Date", "UUID", "Timestamp", "BinData", "Decimal128", "Decimal",
		"Long", "Int32", "Double", "Symbol", "set", "frozenset", "list", "tuple", "dict", "str", "int", "float", "String", "Number", "Boolean":
		return true
	}
	return false
}
