package lowering

import (
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// llama.cpp's own converter turns a schema into a grammar with rules of its own (reference schema-subsets, section 2.6): it refuses boolean subschemas
// and what it does not recognise, sees only a choice or a reference and nothing beside it, takes objects with properties for closed, tuples for fixed,
// and drops patterns that are not simple. What it would refuse or read more narrowly than it is meant is put in another form here, or left out.

// convertible makes of a stripped node what the converter reads right. s is the caller's schema there.
func (o *opener) convertible(s, n value.Value, at string) value.Value {
	c := converting{opener: o, s: s, n: n, at: at}
	switch {
	case c.has("$ref"):
		c.keep("$ref")
	case c.has("anyOf"):
		c.choice()
	case c.has("enum") || c.has("const"):
		c.keep("type", "enum", "const")
	default:
		c.object()
		c.array()
		c.scalar()
	}
	if c.has("allOf") {
		c.merged()
	}
	if !slices.ContainsFunc([]string{"type", "$ref", "enum", "const", "anyOf", "allOf", "properties", "additionalProperties", "items", "prefixItems"}, c.has) {
		c.keep() // Nothing that it recognises: any value.
	}
	return c.n
}

// converting is one node on its way.
type converting struct {
	*opener
	s, n value.Value
	at   string
}

func (c *converting) has(name string) bool {
	_, ok := c.n.Get(name)
	return ok
}

// drop leaves a keyword to judgement.
func (c *converting) drop(names ...string) {
	for _, name := range names {
		item, ok := c.n.Get(name)
		if !ok {
			continue
		}
		if own, ok := c.s.Get(name); ok {
			item = own
		}
		c.residue = append(c.residue, Residue{Pointer: c.at, Keyword: name, Value: item})
		c.n = c.n.Without(name)
	}
}

// keep drops every other keyword.
func (c *converting) keep(names ...string) {
	var others []string
	for name := range c.n.Members() {
		if !slices.Contains(names, name) {
			others = append(others, name)
		}
	}
	c.drop(others...)
}

// choice keeps either the alternatives or what stands beside them: the converter would not see the latter.
func (c *converting) choice() {
	structured := slices.ContainsFunc([]string{"properties", "items", "prefixItems", "enum", "const"}, c.has)
	if branches, _ := c.n.Get("anyOf"); structured || branches.Len() == 0 {
		c.drop("anyOf")
		c.n = c.convertible(c.s, c.n, c.at)
		return
	}
	c.keep("anyOf")
}

// object gives every required member a place, and opens what is only closed by what was left out.
func (c *converting) object() {
	_, patterned := c.s.Get("patternProperties")
	if patterned && c.has("additionalProperties") {
		c.drop("additionalProperties") // Members that a pattern names are none of these.
	}
	properties, listed := c.n.Get("properties")
	further, spoken := c.n.Get("additionalProperties")
	for _, name := range requiredNames(c.n) {
		if _, ok := properties.Get(name); ok || !c.onlyType("object") && !listed {
			continue
		}
		item := value.Object()
		if further.Kind() == value.KindObject {
			item = further
		}
		properties = value.Object(append(membersOf(properties), value.Member{Name: name, Value: item})...)
	}
	if properties.Len() > 0 {
		if c.n = c.n.With("properties", properties); !listed && !spoken {
			c.n = c.n.With("additionalProperties", value.Bool(true))
		}
		switch {
		case patterned:
			c.n = c.n.With("additionalProperties", value.Bool(true))
		case !spoken && listed:
			c.narrowed = append(c.narrowed, c.at)
		}
		return
	}
	c.n = c.n.Without("properties")
	if !c.onlyType("object") && (patterned || further.Kind() == value.KindBool && further.Truth()) {
		c.n = c.n.Without("additionalProperties")
	}
	if c.has("required") {
		c.drop("required")
	}
}

func (c *converting) onlyType(name string) bool {
	kinds, ok := typesOf(c.n)
	return ok && len(kinds) == 1 && kinds[0] == name
}

func membersOf(object value.Value) []value.Member {
	list := make([]value.Member, 0, object.Len()+1)
	for name, item := range object.Members() {
		list = append(list, value.Member{Name: name, Value: item})
	}
	return list
}

// array keeps a tuple where its length is fixed: the converter gives it no other.
func (c *converting) array() {
	first, tuple := c.n.Get("prefixItems")
	if !tuple {
		if items, ok := c.s.Get("items"); ok && items.Kind() == value.KindBool && !items.Truth() {
			c.drop("items")
		}
		return
	}
	rest, _ := c.s.Get("items")
	if rest.Kind() == value.KindArray {
		rest, _ = c.s.Get("additionalItems")
	}
	closed := rest.Kind() == value.KindBool && !rest.Truth()
	if least, most := c.count("minItems"), c.count("maxItems"); least == first.Len() && (closed || most == first.Len()) && first.Len() > 0 {
		c.n = c.n.Without("items").Without("minItems").Without("maxItems")
		return
	}
	c.drop("prefixItems", "items")
}

// count gives a bound, -1 where there is none.
func (c *converting) count(name string) int {
	if bound, ok := c.n.Get(name); ok {
		if n, ok := bound.Decimal().Int64(); ok {
			return int(n)
		}
	}
	return -1
}

// scalar keeps the bounds of integers, and either a pattern or the bounds of a length.
func (c *converting) scalar() {
	if kinds, ok := typesOf(c.n); !ok || slices.Contains(kinds, "number") || !slices.Contains(kinds, "integer") {
		c.drop("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
	}
	for _, name := range [...]string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		if bound, ok := c.n.Get(name); ok {
			if _, whole := bound.Decimal().Int64(); !whole {
				c.drop(name)
			}
		}
	}
	pattern, ok := c.n.Get("pattern")
	if !ok {
		return
	}
	simple, ok := simplePattern(pattern.Text())
	if !ok {
		c.drop("pattern")
		return
	}
	c.n = c.n.With("pattern", value.String(simple))
	c.drop("minLength", "maxLength", "format")
}

// merged keeps allOf where its parts are objects with properties and nothing stands beside it: these alone are put together.
func (c *converting) merged() {
	parts, _ := c.n.Get("allOf")
	if c.n.Len() == 1 && parts.Len() == 1 {
		c.n = parts.At(0)
		return
	}
	beside := slices.ContainsFunc([]string{"properties", "items", "prefixItems", "additionalProperties", "required"}, c.has)
	plain := !beside && (c.n.Len() == 1 || c.onlyType("object"))
	for _, part := range parts.Items() {
		_, listed := part.Get("properties")
		for name := range part.Members() {
			plain = plain && listed && slices.Contains([]string{"type", "properties", "required"}, name)
		}
		plain = plain && listed
	}
	if !plain || parts.Len() == 0 {
		c.drop("allOf")
		return
	}
	c.n = value.Object(value.Member{Name: "allOf", Value: parts})
}

// distributed gives alternatives the type that stands beside them: the converter would not see it there.
func distributed(s value.Value) value.Value {
	kind, ok := s.Get("type")
	if !ok || hasAny(s, "properties", "items", "prefixItems", "enum", "const", "$ref", "allOf") {
		return s
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		branches, ok := s.Get(name)
		if !ok {
			continue
		}
		items := make([]value.Value, 0, branches.Len())
		for _, b := range branches.Items() {
			if b.Kind() == value.KindObject && b.Len() > 0 && !hasAny(b, "type", "$ref", "anyOf", "oneOf", "allOf", "enum", "const") {
				b = b.With("type", kind)
			}
			items = append(items, b)
		}
		return s.With(name, value.Array(items...)).Without("type")
	}
	return s
}

// simplePattern gives a pattern as the converter reads it: anchored at both ends, of literals, classes, groups, alternatives and counts. Classes by
// letter are spelled out where that is exact. What could stand for a quotation mark or a backslash is not simple: it would end the JSON string.
func simplePattern(pattern string) (string, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl&^syntax.UnicodeGroups)
	if err != nil || re.Op != syntax.OpConcat || !plainTree(re, true, true) ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText || strings.Contains(pattern, "[]") || strings.Contains(pattern, "[^") {
		return "", false
	}
	var b strings.Builder
	class := false
	for i := 0; i < len(pattern); i++ {
		switch ch := pattern[i]; {
		case ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '.' && !class:
			return "", false
		case ch == '\\' && i+1 < len(pattern):
			i++
			spelled, ok := escaped(pattern[i], class)
			if !ok {
				return "", false
			}
			b.WriteString(spelled)
			continue
		case ch == '[':
			class = true
		case ch == ']':
			class = false
		case ch == '(' && !class && strings.HasPrefix(pattern[i:], "(?"):
			if !strings.HasPrefix(pattern[i:], "(?:") {
				return "", false
			}
			i += len("?:")
			b.WriteByte('(')
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String(), true
}

// escaped spells out an escape.
func escaped(ch byte, class bool) (string, bool) {
	switch {
	case ch == 'd' && class:
		return "0-9", true
	case ch == 'd':
		return "[0-9]", true
	case ch == 'w' && class:
		return "A-Za-z0-9_", true
	case ch == 'w':
		return "[A-Za-z0-9_]", true
	case ch >= '0' && ch <= '9' || ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '\\' || ch == '"':
		return "", false
	case class && strings.IndexByte("^-[]", ch) >= 0:
		return "", false // Grammars have no such escape in a class.
	case !class && strings.IndexByte("^$.[]()|{}*+?", ch) >= 0:
		return "\\" + string(ch), true
	default:
		return string(ch), true
	}
}
