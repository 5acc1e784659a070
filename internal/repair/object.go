package repair

import (
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// object is the state of one object being read.
type object struct {
	p       *parser
	shape   Shape
	base    int            // where its members begin on the stack
	index   map[string]int // the places of names, once there are many
	loose   []value.Value  // what stood where a member should: names without values, items of a set
	extra   int            // braces that opened without a meaning
	fresh   bool           // nothing was read since the beginning or the last comma
	comma   int            // where the last comma stood; -1 where none did
	started bool           // something was read
}

func (p *parser) object(shape Shape) value.Value {
	if !p.push('{') {
		return value.Value{}
	}
	o := object{p: p, shape: shape, base: len(p.stack), fresh: true, comma: -1}
	for p.err == nil && o.step() {
	}
	p.pop()
	if len(p.stack) == o.base && len(o.loose) > 0 && !p.unfinished && (shape == nil || shape.Accepts(value.KindArray)) {
		p.note(KindTuple, p.at)
		return value.Array(o.loose...)
	}
	if len(o.loose) > 0 {
		p.note(KindGarbage, p.at)
	}
	return value.Object(p.members(o.base)...)
}

// step reads what comes next; it reports false at the end of the object.
func (o *object) step() bool {
	p := o.p
	p.skip()
	if p.end() {
		p.closed()
		return false
	}
	switch c := p.text[p.at]; c {
	case '}':
		return o.brace()
	case ']', ')':
		bracket := byte('[')
		if c == ')' {
			bracket = '('
		}
		p.note(KindUnbalanced, p.at)
		if !p.within(bracket) {
			p.at++
			return c == ')'
		}
		return false
	case ',':
		if o.fresh {
			p.note(KindExtraComma, p.at)
		}
		o.comma, o.fresh = p.at, true
		p.at++
		return true
	case ';', ':':
		p.note(KindGarbage, p.at)
		p.at++
		return true
	case '{':
		p.note(KindUnbalanced, p.at)
		if p.parent() == '[' && o.started {
			return false
		}
		o.extra++
		p.at++
		return true
	case '[':
		return o.stray()
	case '.', 0xE2:
		if n := p.ellipsis(p.at); n > 0 {
			p.note(KindEllipsis, p.at)
			p.at += n
			return true
		}
	case '`', '~':
		if to := p.fence(p.at); to > p.at {
			return o.fence(to)
		}
	}
	return o.member()
}

// brace reads the closing brace.
func (o *object) brace() bool {
	p := o.p
	if o.fresh && o.comma >= 0 {
		p.note(KindTrailingComma, o.comma)
	}
	p.at++
	if o.extra > 0 {
		o.extra--
		o.fresh, o.comma = false, -1
		return true
	}
	if len(p.frames) == 1 && len(p.stack) > o.base {
		// An object that was closed too early: a member follows behind its comma.
		if k := p.gap(p.at); p.peek(k) == ',' {
			m := p.gap(k + 1)
			if class, _ := p.quoteAt(m); class != noQuote && p.keyAt(m) {
				p.note(KindUnbalanced, p.at-1)
				p.at = k
				o.fresh = false
				return true
			}
		}
	}
	return false
}

// fence handles a code fence's mark between members: the end of the fence around the value ends the value too.
func (o *object) fence(to int) bool {
	p := o.p
	if p.fenced {
		p.closed()
		return false
	}
	p.note(KindFence, p.at)
	if !o.started && p.peek(p.gap(to)) == '{' {
		to = p.gap(to) + 1
		o.extra++
	}
	p.at = to
	return true
}

// stray reads an array that stands where a member should: what belongs to an array before it, or nothing.
func (o *object) stray() bool {
	p := o.p
	p.note(KindUnbalanced, p.at)
	v, ok := p.value(atItem, nil)
	if last := len(p.stack) - 1; ok && last >= o.base && p.stack[last].Value.Kind() == value.KindArray {
		items := make([]value.Value, 0, p.stack[last].Value.Len()+v.Len())
		for _, item := range p.stack[last].Value.Items() {
			items = append(items, item)
		}
		for _, item := range v.Items() {
			items = append(items, item)
		}
		if p.nodes += len(items); p.nodes > maxNodes {
			p.take()
		}
		p.stack[last].Value = value.Array(items...)
	}
	o.fresh = false
	return true
}

// member reads a name and its value.
func (o *object) member() bool {
	p := o.p
	if o.started && !o.fresh {
		p.note(KindMissingComma, p.at)
	}
	start := p.at
	name, token, ok := o.name()
	o.started, o.fresh = true, false
	if !ok {
		return true
	}
	p.skip()
	if p.end() {
		p.closed()
		return false
	}
	switch c := p.text[p.at]; {
	case c == ':':
		p.at++
	case c == '=':
		p.note(KindMissingColon, p.at)
		p.at++
		if p.peek(p.at) == '>' {
			p.at++
		}
	case c == ',' || c == '}' || c == ']' || c == ')' || c == ';':
		o.lone(token, start)
		return true
	case p.fence(p.at) > p.at && p.fenced:
		return true
	default:
		p.note(KindMissingColon, p.at)
	}
	p.skip()
	for p.peek(p.at) == ':' {
		p.note(KindGarbage, p.at)
		p.at++
		p.skip()
	}
	if p.end() {
		p.closed()
		return false
	}
	shape := property(o.shape, name)
	v, ok := p.value(atMember, shape)
	switch {
	case ok:
		o.put(name, v, start)
	case p.err == nil:
		if p.end() {
			p.closed()
			return false
		}
		p.note(KindMissingValue, p.at) // Null would be a value that nobody wrote.
	}
	return true
}

// lone handles a name without colon and value: an item of a set, or words that belong nowhere.
func (o *object) lone(token value.Value, start int) {
	if len(o.p.stack) == o.base && len(o.loose) < lookLimit {
		o.loose = append(o.loose, token)
		return
	}
	o.p.note(KindGarbage, start)
}

// put adds a member; of two with one name the later one counts, in the place of the first.
func (o *object) put(name string, v value.Value, offset int) {
	p := o.p
	if i := o.find(name); i >= 0 {
		p.note(KindDuplicateKey, offset)
		p.stack[o.base+i].Value = v
		return
	}
	if o.index != nil {
		o.index[name] = len(p.stack) - o.base
	}
	p.stack = append(p.stack, value.Member{Name: name, Value: v})
}

func (o *object) find(name string) int {
	const few = 16
	members := o.p.stack[o.base:]
	if o.index == nil && len(members) < few {
		for i := range members {
			if members[i].Name == name {
				return i
			}
		}
		return -1
	}
	if o.index == nil {
		o.index = make(map[string]int, 4*few)
		for i := range members {
			o.index[members[i].Name] = i
		}
	}
	if i, ok := o.index[name]; ok {
		return i
	}
	return -1
}

// name reads a member's name. token is the same as a value, for the items of a set; ok is false where the words were no name.
func (o *object) name() (name string, token value.Value, ok bool) {
	p := o.p
	start := p.at
	if class, _ := p.quoteAt(p.at); class != noQuote {
		name = p.quoted(atKey)
		return name, value.String(name).Located(start), true
	}
	i := p.at
	for i < len(p.text) {
		c := p.text[i]
		if c == ':' || c == ',' || c == '}' || c == '{' || c == '[' || c == ']' || c == '=' || c == '\n' || c == ';' {
			break
		}
		if class, n := p.quoteAt(i); class != noQuote && i > p.at && (class != singleQuote || !letter(p.peek(i+1))) {
			return o.nameBeforeQuote(i, n)
		}
		i++
	}
	p.steps += i - start
	name = strings.TrimRight(p.content(start, i), " \t\r")
	if i == start {
		p.note(KindGarbage, p.at)
		p.at++
		return "", value.Value{}, false
	}
	p.at = i
	if p.text[i-1] != ':' && i < len(p.text) && p.text[i] == '\n' {
		if c := p.peek(p.gap(i)); c != ':' && c != ',' && c != '}' && c != ']' && c != 0 {
			p.note(KindGarbage, start)
			return "", value.Value{}, false
		}
	}
	if v, _, isToken := p.classify(name, nil, false); isToken {
		token = v.Located(start)
	} else {
		token = value.String(name).Located(start)
	}
	if p.peek(p.gap(i)) == ':' {
		p.note(KindUnquoted, start)
	}
	return name, token, true
}

// nameBeforeQuote decides about words that a quotation mark follows: a name that lost its first mark, words before the real name, or a
// name whose colon is missing.
func (o *object) nameBeforeQuote(i, n int) (string, value.Value, bool) {
	p := o.p
	start := p.at
	name := strings.TrimRight(p.content(start, i), " \t\r")
	switch {
	case p.peek(p.gap(i+n)) == ':':
		p.note(KindMissingQuote, start)
		p.at = i + n
	case p.keyAt(i):
		p.note(KindGarbage, start)
		p.at = i
		return "", value.Value{}, false
	case p.strayAt(atMember, i+n):
		p.note(KindGarbage, start)
		p.at = i + n
		return "", value.Value{}, false
	default:
		p.note(KindUnquoted, start)
		p.at = i
	}
	return name, value.String(name).Located(start), true
}

// ellipsis gives the size of the dots at k that stand for something left out.
func (p *parser) ellipsis(k int) int {
	n := 0
	if p.has(k, "…") {
		n = len("…")
	} else {
		for p.peek(k+n) == '.' {
			n++
		}
		if n < 3 {
			return 0
		}
	}
	switch p.peek(p.gap(k + n)) {
	case ',', ']', '}', ')', 0:
		return n
	}
	return 0
}
