package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// candidate is one value found in the text.
type candidate struct {
	v          value.Value
	start, end int
	repairs    []Repair
	unfinished bool
	fenced     bool
	prose      bool // prose stands between it and the candidate before it
	rank       int
}

// root looks through the whole text for values.
type root struct {
	p        *parser
	from     int // where the answer begins: behind the byte order mark and the reasoning
	found    []candidate
	prose    bool // prose was seen since the beginning, the last fence or the last candidate
	anyProse bool
	proseAt  int
}

// read finds the values in the text and gives the one that is meant.
func (p *parser) read() (Result, error) {
	if strings.HasPrefix(p.text, "\ufeff") {
		p.note(KindByteOrderMark, 0)
		p.at = len("\ufeff")
	}
	if result, ok := p.blockYAML(); ok {
		return result, nil
	}
	if result, ok := p.elements(); ok {
		return result, nil
	}
	if result, ok, err := p.stringified(); ok {
		return result, err
	}
	r := root{p: p, from: p.at}
	for p.err == nil && !p.end() {
		r.step()
	}
	if p.err != nil {
		return Result{}, p.err
	}
	return r.choose()
}

func (r *root) step() {
	p := r.p
	if size, plain := spaceAt(p.text, p.at); size > 0 {
		if !plain && !r.prose {
			p.note(KindWhiteSpace, p.at)
		}
		p.at += size
		p.steps++
		return
	}
	switch c := p.text[p.at]; c {
	case '{', '[':
		if r.plausible() {
			r.candidate()
			return
		}
	case '`', '~':
		if to := p.fence(p.at); to > p.at {
			r.fence(to)
			return
		}
	case '<':
		if r.tag() {
			return
		}
	}
	if r.prose || !r.opening() {
		r.skipProse()
	}
}

// opening handles what may stand where no prose does: comments, scalars, calls, tuples and stray marks. It reports false for prose.
func (r *root) opening() bool {
	p := r.p
	if end := p.comment(p.at); end > p.at {
		p.note(KindComment, p.at)
		p.at = end
		return true
	}
	switch c := p.text[p.at]; c {
	case ',', ';', '}', ']', ')':
		if len(r.found) == 0 && c != ',' && c != ';' {
			return false
		}
		switch c {
		case ',':
			p.note(KindExtraComma, p.at)
		case ';':
			p.note(KindGarbage, p.at)
		default:
			p.note(KindUnbalanced, p.at)
		}
		p.at++
		return true
	case '(':
		if p.tupleAt(p.at) {
			r.candidate()
			return true
		}
		return false
	}
	return r.scalar()
}

// skipProse moves to the next place where a value, a fence or a tag may begin.
func (r *root) skipProse() {
	p := r.p
	if !r.anyProse {
		r.proseAt = p.at
	}
	r.prose, r.anyProse = true, true
	i := strings.IndexAny(p.text[p.at+1:], "{[`~<")
	if i < 0 {
		i = len(p.text) - p.at - 1
	}
	p.steps += i + 1
	p.at += i + 1
}

// fence handles a code fence's mark around a value.
func (r *root) fence(to int) {
	p := r.p
	p.note(KindFence, p.at)
	if p.fenced = !p.fenced; p.fenced {
		r.prose = false
		p.at = to
		return
	}
	mark := p.text[p.at]
	for p.peek(p.at) == mark {
		p.at++
	}
}

// tag steps over a block of reasoning. A closing tag without its opening ends a reasoning whose beginning the prompt held.
func (r *root) tag() bool {
	p := r.p
	rest := p.text[p.at:]
	for _, name := range reasoningTags() {
		switch {
		case strings.HasPrefix(rest, "<"+name+">"):
			p.note(KindReasoning, p.at)
			p.at = p.behind(p.at, "</"+name+">")
		case strings.HasPrefix(rest, "</"+name+">"):
			p.note(KindReasoning, p.at)
			p.at += len(name) + 3
		default:
			continue
		}
		r.from, r.found, r.prose, r.anyProse = p.at, nil, false, false
		p.fenced, p.unfinished = false, false
		return true
	}
	return false
}

// reasoningTags gives the names of the tags in which models think.
func reasoningTags() []string {
	return []string{"think", "thinking", "thought", "reasoning", "reflection", "scratchpad"}
}

// plausible reports whether the bracket at the cursor begins a value and not a word in brackets. Where no prose was seen it always does.
func (r *root) plausible() bool {
	p := r.p
	if !r.prose {
		return true
	}
	m := p.gap(p.at + 1)
	if m >= len(p.text) {
		return p.at == 0 || p.text[p.at-1] == '\n' || p.text[p.at-1] == ':'
	}
	c := p.text[m]
	class, n := p.quoteAt(m)
	if p.text[p.at] == '{' {
		switch {
		case c == '}', c == '{':
			return true
		case class == noQuote:
			return p.bareKeyAt(m)
		}
		return p.keyAt(m) || p.nextQuote(m+n, class) < 0
	}
	switch {
	case class == doubleQuote, class == smartDouble, c == '{', c == '[', c == ']', digit(c), c == '-':
		return true
	case class == singleQuote:
		return !letter(p.peek(p.at - 1))
	}
	return literalAt(p.text[m:]) != "" && p.scalarAt(m)
}

// candidate reads the value at the cursor.
func (r *root) candidate() {
	p := r.p
	start, before, unfinished := p.at, len(p.repairs), p.unfinished
	p.unfinished = false
	v, ok := p.value(atRoot, r.shape())
	if !ok {
		if p.at == start {
			p.at++
		}
		p.unfinished = p.unfinished || unfinished
		return
	}
	r.add(v, start, before)
	p.unfinished = unfinished
}

// add keeps a value that was read, with the repairs noted since then.
func (r *root) add(v value.Value, start, before int) {
	p := r.p
	if len(r.found) >= maxRepairs && rank(v) == 0 && !p.unfinished {
		p.repairs = p.repairs[:before] // A million empty brackets are no answer, and need not be remembered.
		return
	}
	c := candidate{v: v, start: start, end: p.at, unfinished: p.unfinished, fenced: p.fenced, prose: r.prose, rank: rank(v)}
	c.repairs = append(c.repairs, p.repairs[before:]...)
	p.repairs = p.repairs[:before]
	r.found = append(r.found, c)
	r.prose = false
}

// shape gives what the schema expects of the value at the cursor: where it wants an array, an object may be one of its items.
func (r *root) shape() Shape {
	s := r.p.hints.Schema
	if s != nil && r.p.text[r.p.at] == '{' && !s.Accepts(value.KindObject) && s.Accepts(value.KindArray) {
		return s.Item(0)
	}
	return s
}

// scalar reads a string, a number, a literal or a call that stands alone. It reports false where it is the beginning of prose.
func (r *root) scalar() bool {
	p := r.p
	start, before := p.at, len(p.repairs)
	unfinished := p.unfinished
	p.unfinished = false
	v, ok := r.alone()
	if ok {
		r.add(v, start, before)
		p.unfinished = unfinished
		return true
	}
	p.at, p.repairs, p.unfinished = start, p.repairs[:before], unfinished
	return false
}

func (r *root) alone() (value.Value, bool) {
	p := r.p
	start := p.at
	schema := p.hints.Schema
	if class, n := p.quoteAt(p.at); class != noQuote {
		if p.nextQuote(p.at+n, class) < 0 && strings.ContainsAny(p.text[p.at:], "{[") {
			if schema != nil && !schema.Accepts(value.KindString) || class != doubleQuote {
				return value.Value{}, false
			}
		}
		v := p.stringValue(atRoot, nil).Located(start)
		if p.peek(p.gap(p.at)) == ':' && accepts(schema, value.KindObject) {
			p.at = start
			return p.braceless(schema).Located(start), true
		}
		return v, p.take() && r.standsAlone()
	}
	if v, ok := p.call(atRoot, schema); ok {
		return v.Located(start), r.standsAlone()
	}
	to := p.token(start)
	v, kind, ok := p.classify(p.text[start:to], schema, to == len(p.text))
	if !ok || !p.tokenEnds(atRoot, to) || !p.take() {
		return value.Value{}, false
	}
	if schema != nil && (kind == KindLiteral && schema.Accepts(value.KindString) ||
		p.peek(to) == ',' && digit(p.peek(to+1)) && !schema.Accepts(value.KindArray)) {
		return value.Value{}, false // The word is the text that is wanted, or 12,111 one number.
	}
	if kind != "" {
		p.note(kind, start)
	}
	p.at = to
	return v.Located(start), true
}

// standsAlone reports whether what follows the value at the cursor may stand between two values.
func (r *root) standsAlone() bool {
	p := r.p
	m := p.gap(p.at)
	if m >= len(p.text) || strings.Contains(p.text[p.at:m], "\n") {
		return true
	}
	switch p.text[m] {
	case ',', ';', '}', ']', ')', '{', '[':
		return true
	}
	return p.fence(m) > m
}

// braceless reads an object whose first brace is missing.
func (p *parser) braceless(shape Shape) value.Value {
	p.note(KindUnbalanced, p.at)
	p.at--
	return p.object(shape)
}

// stringified reads a text whose quotation marks are all escaped, as if it had been cut out of a JSON string.
func (p *parser) stringified() (Result, bool, error) {
	p.skip()
	first := p.at
	if c := p.peek(first); c == '{' || c == '[' {
		first = p.gap(first + 1)
	}
	if !p.has(first, `\"`) || p.nested >= maxNested {
		return Result{}, false, nil
	}
	var buf []byte
	rest := p.text[p.at:]
	for i := 0; i < len(rest); {
		if rest[i] != '\\' {
			buf = append(buf, rest[i])
			i++
			continue
		}
		out, n, _ := unescape(buf, rest[i:])
		buf = out
		i += n
	}
	sub := newParser(string(buf), p.hints)
	sub.nested = p.nested + 1
	result, err := sub.read()
	if err != nil {
		return Result{}, true, err
	}
	repairs := append(p.repairs, Repair{KindNestedJSON, p.at})
	for _, r := range result.Repairs {
		repairs = append(repairs, Repair{r.Kind, p.at})
	}
	result.Repairs = sortRepairs(repairs)
	result.Value = unlocated(result.Value).Located(p.at)
	result.Unfinished = result.Unfinished || endsInside(sub.text)
	return result, true, nil
}
