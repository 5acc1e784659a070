package repair

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// xml reads an answer in elements. An element that holds elements is an object, one whose name stands several times an array, and one that
// holds text a string: elements do not say types, so a number, a boolean or null is read only where the schema wants one and no text.
type xml struct {
	p     *parser
	depth int
}

// element is one element: its attributes and the elements in it, or its text.
type element struct {
	name  string
	start int
	text  string
	from  int // where the text stands
	inner []element
	leaf  bool
}

// elements reads an answer in XML. ok is false where the text is none; the parser is then as it was.
func (p *parser) elements() (result Result, ok bool) {
	if !p.hints.XML || p.nested > 0 {
		return Result{}, false
	}
	whole, repairs, at := p.text, len(p.repairs), p.at
	body, to, fenced, open := p.body("xml", "html", "")
	defer func() {
		p.text = whole
		if !ok {
			p.at, p.repairs, p.unfinished, p.err = at, p.repairs[:repairs], false, nil
		}
	}()
	if p.text = p.text[:to]; fenced {
		p.note(KindFence, body)
	}
	x := xml{p: p}
	p.at = body
	first := x.next()
	if first < 0 {
		return Result{}, false
	}
	if strings.TrimSpace(p.text[body:first]) != "" {
		p.note(KindProse, body)
	}
	p.note(KindXML, first)
	p.at = first
	v, good := x.answer(x.content(""))
	if !good || p.err != nil || !accepts(p.hints.Schema, v.Kind()) || !resembles(v, p.hints.Schema) {
		return Result{}, false
	}
	if open {
		p.closed()
	}
	p.repairs = sortRepairs(p.repairs)
	return Result{Value: v, Repairs: p.repairs, Unfinished: p.unfinished}, true
}

// answer gives the value of the elements at the top. One alone around the rest is the value's wrapping, unless the schema knows its name. A
// single element with nothing but text in it is no answer in XML.
func (x *xml) answer(top []element) (value.Value, bool) {
	shape := x.p.hints.Schema
	switch {
	case len(top) == 0 || len(top) == 1 && top[0].leaf && !named(shape, top[0].name):
		return value.Value{}, false
	case named(shape, top[0].name):
		return x.object(top, shape), true
	case len(top) == 1:
		return x.value(&top[0], shape), true
	case allSame(top) && accepts(shape, value.KindArray):
		return x.array(top, shape), true
	}
	return x.object(top, shape), true
}

func named(shape Shape, name string) bool {
	if shape == nil {
		return false
	}
	_, ok := shape.Property(name)
	return ok
}

// listed reports whether the schema wants an array and neither an object nor a text.
func listed(shape Shape) bool {
	return shape != nil && shape.Accepts(value.KindArray) && !shape.Accepts(value.KindObject) && !shape.Accepts(value.KindString)
}

func allSame(found []element) bool {
	for i := range found {
		if found[i].name != found[0].name {
			return false
		}
	}
	return len(found) > 0
}

// value gives the value of an element.
func (x *xml) value(e *element, shape Shape) value.Value {
	switch {
	case e.leaf:
		return x.leaf(e.text, e.from, shape)
	case listed(shape) && allSame(e.inner):
		return x.array(e.inner, shape).Located(e.start)
	default:
		return x.object(e.inner, shape).Located(e.start)
	}
}

func (x *xml) array(found []element, shape Shape) value.Value {
	items := make([]value.Value, len(found))
	for i := range found {
		items[i] = x.value(&found[i], item(shape, i))
	}
	return value.Array(items...)
}

// object gives an object of elements. Those of one name are an array; so is one alone where the schema wants one.
func (x *xml) object(found []element, shape Shape) value.Value {
	places := make(map[string]int, len(found))
	groups := make([][]element, 0, len(found))
	for _, e := range found {
		i, seen := places[e.name]
		if !seen {
			i = len(groups)
			places[e.name] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	members := make([]value.Member, len(groups))
	for i, group := range groups {
		s := property(shape, group[0].name)
		members[i] = value.Member{Name: group[0].name}
		switch alone := &group[0]; {
		case len(group) > 1:
			members[i].Value = x.array(group, s)
		case !listed(s):
			members[i].Value = x.value(alone, s)
		case alone.leaf && strings.TrimSpace(alone.text) == "":
			members[i].Value = value.Array()
		case !alone.leaf && allSame(alone.inner) && !named(item(s, 0), alone.inner[0].name):
			members[i].Value = x.array(alone.inner, s) // The element holds the items.
		default:
			members[i].Value = x.array(group, s)
		}
	}
	return value.Object(members...)
}

// next gives the place of the next opening tag at or behind the cursor; -1 where there is none.
func (x *xml) next() int {
	p := x.p
	for at := p.at; ; at++ {
		i := strings.IndexByte(p.text[at:], '<')
		if i < 0 {
			return -1
		}
		at += i
		if c := p.peek(at + 1); c == '?' || c == '!' || letter(c) && c < utf8.RuneSelf || c == '_' {
			return at
		}
	}
}

// skipMarkup moves behind declarations and comments and white space.
func (x *xml) skipMarkup(at int) int {
	p := x.p
	for at < len(p.text) {
		switch {
		case p.has(at, "<?"):
			at = p.behind(at, "?>")
		case p.has(at, "<!--"):
			at = p.behind(at, "-->")
		case p.has(at, "<!") && !p.has(at, "<![CDATA["):
			at = p.behind(at, ">")
		case p.text[at] == ' ' || p.text[at] == '\n' || p.text[at] == '\r' || p.text[at] == '\t':
			at++
		default:
			return at
		}
	}
	return at
}

// tagAt gives the name in the opening tag at the place, and what stands behind the name; empty where there is no tag.
func (x *xml) tagAt(at int) (name string, behind int, ok bool) {
	p := x.p
	if p.peek(at) != '<' {
		return "", at, false
	}
	i := at + 1
	for i < len(p.text) && i-at < lookLimit && (nameByte(p.text[i]) || p.text[i] == ':') {
		i++
	}
	return p.text[min(at+1, len(p.text)):i], i, i > at+1 && (letter(p.text[at+1]) || p.text[at+1] == '_')
}

// content reads elements up to the end tag of that name, or where the name is empty up to the end of the text.
func (x *xml) content(name string) []element {
	p := x.p
	var found []element
	for p.err == nil {
		p.at = x.skipMarkup(p.at)
		if p.end() {
			if name != "" {
				p.closed()
			}
			return found
		}
		if p.has(p.at, "</") {
			if end := x.space(p.at + len("</") + len(name)); name != "" && p.has(p.at+2, name) && p.peek(end) == '>' {
				p.at = end + 1
				return found
			}
			if name != "" {
				p.note(KindUnbalanced, p.at)
				return found // It may end an element around this one, whose reader takes it.
			}
			p.note(KindUnbalanced, p.at)
			p.at = p.behind(p.at, ">")
			continue
		}
		start := p.at
		tag, behind, ok := x.tagAt(start)
		if !ok {
			p.note(KindGarbage, start)
			next := strings.IndexByte(p.text[start+1:], '<')
			if p.at = start + 1 + next; next < 0 {
				p.at = len(p.text)
			}
			continue
		}
		p.at = behind
		e := x.element(tag)
		e.name, e.start = p.valid(tag, start), start
		found = append(found, e)
	}
	return found
}

// element reads an element behind its tag's name.
func (x *xml) element(name string) element {
	p := x.p
	if x.depth++; x.depth > maxDepth {
		p.fail(value.RuleDepth, "the text nests deeper than 512 levels")
	}
	defer func() { x.depth-- }()
	if !p.take() {
		return element{}
	}
	attributes, empty := x.attributes()
	if empty {
		return element{inner: attributes, leaf: len(attributes) == 0, from: p.at}
	}
	text, from, ok := x.leafText(name)
	if !ok {
		return element{inner: append(attributes, x.content(name)...)}
	}
	if len(attributes) > 0 && strings.TrimSpace(text) == "" {
		return element{inner: attributes}
	}
	return element{text: text, from: from, leaf: true}
}

// attributes reads up to the end of the tag; empty says that the element ends with it.
func (x *xml) attributes() (found []element, empty bool) {
	p := x.p
	for p.err == nil {
		for !p.end() && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\r' || p.text[p.at] == '\t') {
			p.at++
		}
		if p.end() {
			p.closed()
			return found, true
		}
		switch c := p.text[p.at]; {
		case c == '>':
			p.at++
			return found, false
		case c == '/' && p.peek(p.at+1) == '>':
			p.at += 2
			return found, true
		case c == '<':
			p.note(KindUnbalanced, p.at)
			return found, false
		}
		start := p.at
		for !p.end() && (nameByte(p.text[p.at]) || p.text[p.at] == ':') {
			p.at++
		}
		name := p.text[start:p.at]
		mark := p.peek(p.at + 1)
		if p.peek(p.at) != '=' || mark != '"' && mark != '\'' {
			p.note(KindGarbage, start)
			if p.at++; p.at > len(p.text) {
				p.at = len(p.text)
			}
			continue
		}
		from := p.at + 2
		i := strings.IndexByte(p.text[from:], mark)
		if i < 0 {
			p.at = len(p.text)
			p.closed()
			return found, true
		}
		p.at = from + i + 1
		if name != "" && !strings.HasPrefix(name, "xmlns") && p.take() {
			found = append(found, element{name: p.valid(name, start), start: start, text: p.text[from : from+i], from: from, leaf: true})
		}
	}
	return found, true
}

// leafText gives the text of an element that holds no element, and moves behind its end tag.
func (x *xml) leafText(name string) (text string, from int, ok bool) {
	p := x.p
	from = p.at
	if at := x.space(p.at); p.has(at, "<![CDATA[") {
		begin := at + len("<![CDATA[")
		end := p.behind(begin, "]]>")
		if behind := x.space(end); p.has(behind, "</"+name) {
			p.at = p.behind(behind, ">")
			return p.text[begin : end-len("]]>")], begin, true
		}
	}
	i := strings.IndexByte(p.text[p.at:], '<')
	if i < 0 {
		p.at = len(p.text)
		p.closed()
		return p.text[from:], from, true
	}
	if end := p.at + i; p.has(end, "</"+name) {
		p.at = p.behind(end, ">")
		if p.text[p.at-1] != '>' {
			p.closed()
		}
		return p.text[from:end], from, true
	} else if x.space(p.at) < end && !letter(p.peek(end+1)) { // A sign that nobody escaped.
		closer := strings.Index(p.text[p.at:min(len(p.text), p.at+maxImplicitKey)], "</"+name+">")
		if closer >= 0 {
			p.at += closer + len(name) + 3
			return p.text[from : p.at-len(name)-3], from, true
		}
	}
	return "", from, false
}

func (x *xml) space(at int) int {
	p := x.p
	for at < len(p.text) && (p.text[at] == ' ' || p.text[at] == '\n' || p.text[at] == '\r' || p.text[at] == '\t') {
		at++
	}
	return at
}

// leaf gives the value of a text.
func (x *xml) leaf(text string, from int, shape Shape) value.Value {
	p := x.p
	trimmed := strings.TrimSpace(unentity(p.valid(text, from)))
	if shape == nil || shape.Accepts(value.KindString) {
		return value.String(trimmed).Located(from)
	}
	if trimmed == "" {
		switch {
		case shape.Accepts(value.KindNull):
			return value.Null().Located(from)
		case shape.Accepts(value.KindArray):
			return value.Array().Located(from)
		case shape.Accepts(value.KindObject):
			return value.Object().Located(from)
		}
	}
	if v, _, ok := p.classify(trimmed, shape, false); ok {
		return v.Located(from)
	}
	return value.String(trimmed).Located(from)
}

// unentity resolves the entities of XML.
func unentity(text string) string {
	if !strings.Contains(text, "&") {
		return text
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(text, '&')
		if i < 0 {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:i])
		text = text[i:]
		const longest = 10
		end := strings.IndexByte(text[:min(len(text), longest)], ';')
		r, ok := entity(text[1:max(end, 1)])
		if !ok {
			out.WriteByte('&')
			text = text[1:]
			continue
		}
		out.WriteRune(r)
		text = text[end+1:]
	}
}

func entity(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, ok := strings.CutPrefix(name, "#")
	if !ok {
		return 0, false
	}
	base := 10
	if rest, isHex := strings.CutPrefix(digits, "x"); isHex {
		digits, base = rest, 16
	}
	n, err := strconv.ParseUint(digits, base, 21)
	if err != nil || !utf8.ValidRune(rune(n)) {
		return 0, false
	}
	return rune(n), true
}
