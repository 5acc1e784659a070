package schema

import (
	"fmt"
	"math"

	"github.com/promptd/promptd/internal/value"
)

// fill turns a subschema's text into keywords.
func (c *compiler) fill(n *node) {
	switch n.raw.Kind() {
	case value.KindBool:
		n.never = !n.raw.Truth()
		return
	case value.KindObject:
	default:
		c.problem(n.resource.doc, n.pointer, "schema_type", fmt.Sprintf("a schema is an object or a boolean, not %s", article(n.raw.Kind())), "Write an object such as {\"type\": \"object\"}.")
		return
	}
	b := &builder{c: c, n: n, d: n.resource.draft}
	if ref, ok := n.raw.Get("$ref"); ok {
		b.ref(ref)
		if !b.d.atLeast(Draft201909) {
			for name := range n.raw.Members() {
				if info, known := keywordOf(name); known && info.in(b.d) && isJudging(name) {
					b.advise(name, "ignored_sibling", name+" beside $ref is ignored by draft "+b.d.String())
				}
			}
			b.own() // These drafts know nothing of them: passing them over would loosen the schema.
			return
		}
	}
	voc := n.resource.vocabulary
	if voc.validation {
		b.general()
		b.numbers()
		b.strings()
	}
	if voc.applicator {
		b.logic()
	}
	b.objects(voc)
	b.arrays(voc)
	b.references()
	b.formats(voc)
	if voc.unevaluated && b.d.atLeast(Draft201909) {
		b.unevaluated()
	}
	b.own()
	b.unknown()
}

// builder makes the keywords of one node.
type builder struct {
	c *compiler
	n *node
	d Draft
}

func (b *builder) at(keyword string) string { return value.AppendPointer(b.n.pointer, keyword) }

func (b *builder) bad(keyword, rule, message, hint string) {
	b.c.problem(b.n.resource.doc, b.at(keyword), rule, message, hint)
}

func (b *builder) advise(keyword, rule, message string) {
	if b.n.resource.doc.main {
		b.c.advise(b.at(keyword), rule, message)
	}
}

// get gives a keyword's value where the keyword exists in the draft.
func (b *builder) get(keyword string) (value.Value, bool) {
	v, ok := b.n.raw.Get(keyword)
	if !ok {
		return v, false
	}
	info, known := keywordOf(keyword)
	return v, known && info.in(b.d)
}

// own adds promptd's own keywords, which exist in every draft and vocabulary. Rules come last: they see values that the others allow.
func (b *builder) own() {
	b.extractive()
	b.rules()
}

// unknown advises of keywords that judge nothing.
func (b *builder) unknown() {
	if !b.n.resource.doc.main {
		return
	}
	for name := range b.n.raw.Members() {
		info, known := keywordOf(name)
		switch {
		case !known && name != keywordRules && name != keywordExtractive && !(name == "id" || name == "$id"):
			b.advise(name, "unknown_keyword", fmt.Sprintf("%q is no keyword of JSON Schema and judges nothing", cut(name, 60)))
		case known && !info.in(b.d) && isJudging(name):
			b.advise(name, "other_draft", fmt.Sprintf("%s is no keyword of draft %s and judges nothing", name, b.d))
		}
	}
}

func isJudging(name string) bool {
	switch name {
	case "title", "description", "default", "examples", "$comment", "readOnly", "writeOnly", "deprecated", "definitions", "$defs",
		"contentMediaType", "contentEncoding", "contentSchema", "$schema", "$id", "id", "$anchor", "$vocabulary", "$ref",
		"$dynamicAnchor", "$recursiveAnchor":
		return false
	default:
		return true
	}
}

func (b *builder) ref(ref value.Value) {
	if ref.Kind() != value.KindString {
		b.bad("$ref", "keyword_type", "$ref is a string", "Write it as a URI reference such as \"#/$defs/name\".")
		return
	}
	if r, pointer, ok := b.c.target(b.n, "$ref", ref.Text()); ok {
		target := b.c.node(r.doc, pointer)
		b.n.refs = append(b.n.refs, target)
		b.n.inPlace = append(b.n.inPlace, target)
		b.n.every = append(b.n.every, &refKeyword{target})
	}
}

// references adds $dynamicRef and $recursiveRef.
func (b *builder) references() {
	if ref, ok := b.get("$dynamicRef"); ok {
		if ref.Kind() != value.KindString {
			b.bad("$dynamicRef", "keyword_type", "$dynamicRef is a string", "")
			return
		}
		r, pointer, ok := b.c.target(b.n, "$dynamicRef", ref.Text())
		if !ok {
			return
		}
		k := &dynamicRefKeyword{target: b.c.node(r.doc, pointer)}
		// It is dynamic only where its first target is itself a dynamic anchor of the name in the fragment.
		for name, at := range b.c.places(r, pointer).dynamicAt {
			if at == pointer && hasFragment(ref.Text(), name) {
				k.anchor = name
			}
		}
		b.n.every = append(b.n.every, k)
		if k.anchor == "" {
			b.n.refs = append(b.n.refs, k.target)
			b.n.inPlace = append(b.n.inPlace, k.target)
			return
		}
		b.n.dynamic, b.c.scoped = true, true
	}
	if ref, ok := b.get("$recursiveRef"); ok {
		if ref.Text() != "#" {
			b.bad("$recursiveRef", "keyword_value", "$recursiveRef is always \"#\"", "Use $ref for other places.")
			return
		}
		r := b.n.resource
		k := &dynamicRefKeyword{target: b.c.node(r.doc, r.pointer), recursive: r.recurses}
		b.n.every = append(b.n.every, k)
		b.n.dynamic = true
		b.c.scoped = b.c.scoped || k.recursive
	}
}

func (b *builder) general() {
	b.types()
	if list, ok := b.get("enum"); ok {
		if list.Kind() != value.KindArray {
			b.bad("enum", "keyword_type", "enum is an array of values", "Write it as [\"a\", \"b\"].")
		} else {
			if list.Len() == 0 {
				b.advise("enum", "empty_enum", "an empty enum allows no value")
			}
			b.allowed("enum", list)
		}
	}
	if v, ok := b.get("const"); ok {
		b.allowed("const", value.Array(v))
	}
}

func (b *builder) allowed(keyword string, list value.Value) {
	k := &enumKeyword{n: b.n, keyword: keyword}
	for _, item := range list.Items() {
		k.values = append(k.values, item)
	}
	const few = 8
	if len(k.values) > few {
		k.strings = map[string]struct{}{}
		for _, item := range k.values {
			if item.Kind() == value.KindString {
				k.strings[item.Text()] = struct{}{}
			} else {
				k.others = append(k.others, item)
			}
		}
	}
	b.n.every = append(b.n.every, k)
	if b.n.enum == nil {
		b.n.enum = k.values
	}
}

func (b *builder) types() {
	v, ok := b.get("type")
	if !ok {
		return
	}
	list := v
	if v.Kind() != value.KindArray {
		list = value.Array(v)
	}
	if list.Len() == 0 {
		b.bad("type", "keyword_value", "type is an empty list, which allows no value", "Name at least one type.")
		return
	}
	b.n.kinds = 0
	for _, name := range list.Items() {
		k, ok := kindNamed(name)
		if !ok {
			b.bad("type", "unknown_type", fmt.Sprintf("type %s does not exist", cut(name.String(), 60)), "Use null, boolean, integer, number, string, array or object.")
			b.n.kinds = everyKind
			return
		}
		b.n.kinds |= k
	}
	b.n.strict = b.d == Draft4
}

func kindNamed(name value.Value) (kinds, bool) {
	if name.Kind() != value.KindString {
		return 0, false
	}
	switch name.Text() {
	case "null":
		return anyNull, true
	case "boolean":
		return anyBool, true
	case "integer":
		return anyInteger, true
	case "number":
		return anyNumber | anyInteger, true
	case "string":
		return anyString, true
	case "array":
		return anyArray, true
	case "object":
		return anyObject, true
	default:
		return 0, false
	}
}

// count reads a keyword whose value is a non-negative integer; absent is -1.
func (b *builder) count(keyword string) int {
	v, ok := b.get(keyword)
	if !ok {
		return -1
	}
	d := v.Decimal()
	if v.Kind() != value.KindNumber || !d.IsInteger() || d.Sign() < 0 {
		b.bad(keyword, "keyword_type", keyword+" is a whole number that is not negative", "")
		return -1
	}
	if i, ok := d.Int64(); ok {
		return int(i)
	}
	return math.MaxInt
}

// number reads a keyword whose value is a number.
func (b *builder) number(keyword string) (value.Value, bool) {
	v, ok := b.get(keyword)
	if !ok {
		return v, false
	}
	if v.Kind() != value.KindNumber {
		b.bad(keyword, "keyword_type", keyword+" is a number", "")
		return v, false
	}
	return v, true
}

func (b *builder) add(kind value.Kind, k keyword) { b.n.of[kind] = append(b.n.of[kind], k) }

func (b *builder) numbers() {
	k := &boundsKeyword{n: b.n}
	bound := func(keyword string, exclusive bool, low bool) {
		if v, ok := b.number(keyword); ok {
			k.limits = append(k.limits, limit{keyword: keyword, bound: v.Decimal(), text: v.Text(), exclusive: exclusive, low: low})
		}
	}
	switch {
	case b.d == Draft4:
		bound("minimum", b.exclusive4("exclusiveMinimum"), true)
		bound("maximum", b.exclusive4("exclusiveMaximum"), false)
	default:
		bound("minimum", false, true)
		bound("maximum", false, false)
		b.wasBoolean("exclusiveMinimum", "minimum")
		b.wasBoolean("exclusiveMaximum", "maximum")
		bound("exclusiveMinimum", true, true)
		bound("exclusiveMaximum", true, false)
	}
	if len(k.limits) > 0 {
		b.add(value.KindNumber, k)
	}
	if v, ok := b.number("multipleOf"); ok {
		if v.Decimal().Sign() <= 0 {
			b.bad("multipleOf", "keyword_value", "multipleOf is greater than 0", "")
			return
		}
		b.add(value.KindNumber, newMultiple(b.n, v))
	}
}

// wasBoolean says what is meant where draft 4's boolean form stands in a newer draft.
func (b *builder) wasBoolean(keyword, partner string) {
	if v, ok := b.get(keyword); ok && v.Kind() == value.KindBool {
		b.advise(keyword, "other_draft", fmt.Sprintf("a boolean %s is draft 4's form; draft %s wants the number in place of %s", keyword, b.d, partner))
	}
}

func (b *builder) exclusive4(keyword string) bool {
	v, ok := b.get(keyword)
	if ok && v.Kind() != value.KindBool {
		b.bad(keyword, "keyword_type", keyword+" is a boolean in draft 4", "Set $schema to a newer draft for the numeric form.")
	}
	return ok && v.Truth()
}

func (b *builder) strings() {
	if low, high := b.count("minLength"), b.count("maxLength"); low > 0 || high >= 0 {
		b.add(value.KindString, &lengthKeyword{n: b.n, min: low, max: high})
	}
	v, ok := b.get("pattern")
	if !ok {
		return
	}
	if p, ok := b.compilePattern("pattern", v); ok {
		b.n.pattern = p
		b.add(value.KindString, &patternKeyword{n: b.n, pattern: p})
	}
}

func (b *builder) compilePattern(keyword string, v value.Value) (pattern, bool) {
	if v.Kind() != value.KindString {
		b.bad(keyword, "keyword_type", keyword+" is a string", "")
		return pattern{}, false
	}
	text := v.Text()
	if p, ok := b.c.patterns[text]; ok {
		return p, true
	}
	if b.c.patternWork > maxPatternWork {
		b.bad(keyword, "pattern", "the regular expressions of the schema are too large together", "Use fewer and shorter ones, with smaller repeats.")
		return pattern{}, false
	}
	p, err := compilePattern(text)
	if err != nil {
		b.bad(keyword, "pattern", fmt.Sprintf("the regular expression %s is not valid: %v", cut(v.String(), 120), err), "Write it as ECMA-262 (JavaScript) has it.")
		return pattern{}, false
	}
	b.c.patternWork += p.work
	b.c.patterns[text] = p
	b.c.weight += p.weight()
	return p, true
}

func (b *builder) formats(voc vocabulary) {
	v, ok := b.get("format")
	if !ok {
		return
	}
	if v.Kind() != value.KindString {
		b.bad("format", "keyword_type", "format is a string", "")
		return
	}
	check, known := formatNamed(v.Text(), b.d)
	if !known {
		b.advise("format", "unknown_format", fmt.Sprintf("the format %q is not known and judges nothing", cut(v.Text(), 60)))
		return
	}
	if b.c.o.AnnotateFormat && !voc.assertsFormat {
		return
	}
	b.n.format = v.Text()
	b.add(value.KindString, &formatKeyword{n: b.n, name: v.Text(), check: check})
}
