package repair

import "github.com/promptd/promptd/internal/value"

// list is the state of one array or tuple being read.
type list struct {
	p       *parser
	bracket byte
	shape   Shape
	base    int
	fresh   bool
	comma   int
	commas  bool // a comma stood between or behind items
	implied int  // 1 + the place of an object whose braces are missing; 0 where there is none
	extra   int
}

// array reads an array, or a tuple where the bracket is a parenthesis. One item alone in parentheses is the item.
func (p *parser) array(bracket byte, shape Shape) value.Value {
	start := p.at
	if !p.push(bracket) {
		return value.Value{}
	}
	l := list{p: p, bracket: bracket, shape: shape, base: len(p.stack), fresh: true, comma: -1}
	for p.err == nil && l.step() {
	}
	p.pop()
	if bracket == '(' {
		p.note(KindTuple, start)
		if len(p.stack) == l.base+1 && !l.commas {
			v := p.stack[l.base].Value
			p.stack = p.stack[:l.base]
			return v
		}
	}
	if l.extra < 0 { // The bracket stood around a fence that holds the value.
		v := p.stack[l.base].Value
		p.stack = p.stack[:l.base]
		return v
	}
	return p.arrayOf(l.base)
}

// step reads what comes next; it reports false at the end of the array.
func (l *list) step() bool {
	p := l.p
	p.skip()
	if p.end() {
		p.closed()
		return false
	}
	switch c := p.text[p.at]; c {
	case ']', '}', ')':
		return l.end(c)
	case ',':
		if l.fresh {
			p.note(KindExtraComma, p.at)
		}
		l.comma, l.fresh, l.commas = p.at, true, true
		p.at++
		return true
	case ':':
		return l.pair()
	case ';':
		p.note(KindGarbage, p.at)
		p.at++
		return true
	case '.', 0xE2:
		if n := p.ellipsis(p.at); n > 0 {
			p.note(KindEllipsis, p.at)
			p.at += n
			l.fresh = false
			return true
		}
	case '`', '~':
		if to := p.fence(p.at); to > p.at {
			return l.fence(to)
		}
	}
	if !l.fresh {
		p.note(KindMissingComma, p.at)
	}
	l.fresh = false
	before := p.at
	v, ok := p.value(atItem, item(l.shape, len(p.stack)-l.base))
	if ok && p.end() && v.Kind() == value.KindString && v.Text() == "" && p.at == before+1 {
		return true // A quotation mark at the very end: nothing was written yet.
	}
	if ok {
		p.stack = append(p.stack, value.Member{Value: v})
	} else if p.err == nil {
		p.note(KindGarbage, before)
		if p.at == before {
			p.at++
		}
	}
	return true
}

// end reads a closing bracket, which may be of the wrong kind.
func (l *list) end(c byte) bool {
	p := l.p
	if l.fresh && l.comma >= 0 {
		p.note(KindTrailingComma, l.comma)
	}
	if c == closing(l.bracket) {
		p.at++
		return false
	}
	p.note(KindUnbalanced, p.at)
	opening := byte('{')
	switch c {
	case ']':
		opening = '['
	case ')':
		opening = '('
	}
	if !p.within(opening) {
		p.at++
	}
	return false
}

// pair reads the value of a name that stands in an array without an object around it.
func (l *list) pair() bool {
	p := l.p
	last := len(p.stack) - 1
	start := p.at
	p.at++
	p.skip()
	if last < l.base || p.stack[last].Value.Kind() != value.KindString {
		p.note(KindGarbage, start)
		return true
	}
	name := p.stack[last].Value.Text()
	if p.end() {
		p.closed()
		p.stack = p.stack[:last]
		return false
	}
	p.note(KindUnbalanced, start)
	v, ok := p.value(atItem, property(item(l.shape, last-l.base), name))
	if !ok {
		p.note(KindMissingValue, start)
	}
	if l.implied == last && l.implied > 0 {
		into := &p.stack[last-1].Value
		if p.nodes += into.Len(); p.nodes > maxNodes {
			p.take()
		}
		*into = into.With(name, v)
		p.stack = p.stack[:last]
		return true
	}
	p.stack[last].Value = value.Object(value.Member{Name: name, Value: v})
	l.implied = last + 1
	return true
}

// fence handles a code fence's mark between items: the end of the fence around the value ends the value too.
func (l *list) fence(to int) bool {
	p := l.p
	if p.fenced {
		p.closed()
		return false
	}
	p.note(KindFence, p.at)
	p.at = to
	if len(p.stack) > l.base {
		return true
	}
	p.skip()
	if p.end() {
		return true
	}
	v, ok := p.value(atItem, l.shape)
	if k := p.gap(p.at); ok && p.fence(k) > k {
		p.stack = append(p.stack, value.Member{Value: v})
		p.at = k + 3
		if m := p.gap(p.at); p.peek(m) == ']' {
			p.at = m + 1
			l.extra = -1
			return false
		}
		return true
	}
	if ok {
		p.stack = append(p.stack, value.Member{Value: v})
		l.fresh = false
	}
	return true
}
