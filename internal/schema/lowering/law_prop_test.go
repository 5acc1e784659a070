package lowering_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestLawsHoldOverGeneratedSchemas draws a schema together with instances that it allows.
func TestLawsHoldOverGeneratedSchemas(t *testing.T) {
	t.Parallel()
	list := profiles()
	pairs, schemas := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		g := &drawer{t: r}
		raw := g.document()
		var instances []value.Value
		for range 4 {
			instances = append(instances, g.instance(raw, 0))
		}
		schemas++
		seed := rapid.Uint64().Draw(r, "seed")
		for _, name := range lowering.Names() {
			p := list[name]
			fail := func(format string, args ...any) { r.Errorf(format, shorten(args)...) }
			pairs += checkLaws(t, name, p, raw, instances, fail).instances
			checkTotality(rand.New(rand.NewPCG(1, seed)), name, p, raw, instances, fail)
		}
	})
	t.Logf("%d schemas drawn; the laws hold for %d pairs of a valid instance and a profile", schemas, pairs)
}

// The instances that the drawer makes must be valid most of the time, or the laws are checked on nothing.
func TestGeneratedInstancesAreMostlyValid(t *testing.T) {
	t.Parallel()
	judged, valid, strict := 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		g := &drawer{t: r}
		raw := g.document()
		x := g.instance(raw, 0)
		p, _ := lowering.Named("openai")
		o := checkLaws(t, "openai", p, raw, []value.Value{x}, func(string, ...any) {})
		judged++
		valid += o.instances
		strict += o.enforced
	})
	t.Logf("%d schemas drawn, %d instances valid, %d schemas sent in strict mode", judged, valid, strict)
	if valid*2 < judged || strict*10 < judged {
		t.Errorf("%d of %d instances are valid, %d schemas are sent in strict mode; want at least half and a tenth", valid, judged, strict)
	}
}

// drawer draws schemas of every construct that lowering has a rule for.
type drawer struct {
	t    *rapid.T
	defs []value.Member
	root value.Value
}

func (g *drawer) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(g.t, what) }

func object(members ...any) value.Value {
	list := make([]value.Member, 0, len(members)/2)
	for i := 0; i < len(members); i += 2 {
		v, ok := members[i+1].(value.Value)
		if !ok {
			v = value.String(members[i+1].(string)) //nolint:forcetypeassert // A member is a value or a text.
		}
		list = append(list, value.Member{Name: members[i].(string), Value: v}) //nolint:forcetypeassert // A name.
	}
	return value.Object(list...)
}

// document draws a root with definitions that may refer to themselves.
func (g *drawer) document() value.Value {
	names := []string{"node", "a b", "money"}[:g.below(4, "definitions")]
	for _, name := range names {
		g.defs = append(g.defs, value.Member{Name: name})
	}
	for i := range names {
		g.defs[i].Value = object("type", "object", "properties", object("v", g.schema(2), "next", g.schema(2)), "required", value.Array(value.String("v")),
			"additionalProperties", value.Bool(false))
	}
	root := g.schema(0)
	if root.Kind() != value.KindObject {
		root = value.Object()
	}
	if len(g.defs) > 0 {
		root = root.With("$defs", value.Object(g.defs...))
	}
	g.root = root
	return root
}

func (g *drawer) schema(depth int) value.Value {
	kinds := 28
	if depth >= 3 {
		kinds = 7
	}
	switch g.below(kinds, "kind") {
	case 0:
		return g.text()
	case 1:
		return object("type", "integer", "minimum", value.Int(int64(g.below(5, "minimum"))), "description", "A count")
	case 2:
		return object("type", "number", "maximum", value.Int(int64(100+g.below(5, "maximum"))), "default", value.Int(1))
	case 3:
		return object("type", []string{"boolean", "null"}[g.below(2, "scalar")])
	case 4:
		return object("enum", value.Array([]value.Value{value.String("a"), value.Null(), value.Int(1), value.String("ä")}[:1+g.below(4, "enum")]...))
	case 5:
		return object("type", value.Array(value.String("string"), value.String("null")))
	case 6:
		if len(g.defs) > 0 {
			return object("$ref", "#/$defs/"+[]string{"node", "a%20b", "money"}[g.below(len(g.defs), "definition")])
		}
		return object("const", value.String("c"))
	case 7, 8, 9:
		return g.object(depth)
	case 10:
		return object("type", "array", "items", g.schema(depth+1), "uniqueItems", value.Bool(g.below(4, "unique") == 0))
	case 11:
		return object("type", "array", "prefixItems", value.Array(g.schema(depth+1), g.schema(depth+1)), "items", value.Bool(false), "minItems", value.Int(int64(g.below(3, "least"))))
	case 12:
		return object([]string{"anyOf", "oneOf"}[g.below(2, "choice")], value.Array(g.schema(depth+1), g.schema(depth+1)))
	case 13:
		return object("allOf", value.Array(g.schema(depth+1)), "description", "One")
	case 14:
		return object("type", "object", "additionalProperties", g.schema(depth+1))
	case 15:
		return object("type", value.Array(value.String("object"), value.String("array"), value.String("string")), "properties", object("p", g.schema(depth+1)),
			"additionalProperties", value.Bool(false), "items", g.schema(depth+1))
	case 17: // Alternatives beside members.
		s := g.object(depth)
		first, second := object("required", value.Array(value.String("a"))), object("properties", object("b", g.schema(depth+1)), "required", value.Array(value.String("b")))
		return s.With([]string{"anyOf", "oneOf"}[g.below(2, "choice")], value.Array(first, second)).With("additionalProperties", value.Bool(true))
	case 18:
		return object("allOf", value.Array(g.object(depth+1), g.object(depth+1)), "type", "object")
	case 19:
		s := g.object(depth)
		return s.With("if", object("required", value.Array(value.String("a")))).With("then", object("properties", object("extra", g.schema(depth+1)), "required", value.Array(value.String("extra")))).
			With("else", object("required", value.Array(value.String("b"))))
	case 20:
		return object("enum", value.Array([]value.Value{object("x", value.Int(1)), value.Array(value.Int(1)), value.String("{\"x\":1}"), value.String(""), value.Bool(true), read(g.t, "1.50")}[g.below(5, "from"):]...))
	case 21: // A tuple with others behind it.
		s := object("type", "array", "prefixItems", value.Array(g.schema(depth+1), g.schema(depth+1)), "minItems", value.Int(int64(g.below(4, "least"))))
		if g.below(3, "rest") > 0 {
			s = s.With("items", g.schema(depth+1))
		}
		return s
	case 22:
		return object("type", "object", "additionalProperties", g.schema(depth+1), "propertyNames", object("pattern", "^z"), "minProperties", value.Int(1))
	case 23:
		return object("type", "object", "properties", object("a", g.schema(depth+1)), "patternProperties", object("^x", g.schema(depth+1), "^y", g.schema(depth+1)),
			"additionalProperties", []value.Value{g.schema(depth + 1), value.Bool(false), value.Bool(true)}[g.below(3, "further")])
	case 24: // Nothing says the kind.
		return []value.Value{object("properties", object("a", g.schema(depth+1))), object("items", g.schema(depth+1)), object("minimum", value.Int(1)), object("maxLength", value.Int(5))}[g.below(4, "about")]
	case 25:
		return object("type", []string{"object", "array"}[g.below(2, "bare")])
	case 26:
		if len(g.defs) > 0 {
			return object("allOf", value.Array(object("$ref", "#/$defs/node"), g.object(depth+1)))
		}
		return object("not", object("type", "string"))
	case 27:
		return object("anyOf", value.Array(g.schema(depth+1), object("type", "array", "items", g.schema(depth+1)), object("type", "null"), g.object(depth+1)), "description", "Several")
	default:
		return []value.Value{value.Object(), value.Bool(true), object("type", "object", "patternProperties", object("^x", g.schema(depth+1)), "additionalProperties", value.Bool(false))}[g.below(3, "odd")]
	}
}

func (g *drawer) text() value.Value {
	s := object("type", "string")
	switch g.below(5, "text") {
	case 0:
		return s.With("pattern", value.String([]string{"^[a-z]+$", `^\d{2}$`, "b|c", "(?=a)a"}[g.below(4, "pattern")]))
	case 1:
		return s.With("format", value.String([]string{"date", "uri", "iban"}[g.below(3, "format")]))
	case 2:
		return s.With("maxLength", value.Int(9)).With("minLength", value.Int(1))
	default:
		return s
	}
}

func (g *drawer) object(depth int) value.Value {
	properties, required := value.Object(), value.Array()
	names := []string{"a", "b", "value", "result", "a/b~c", "key", "additional", "größe, die in keinem Namen eines Werkzeugs stehen darf, so lang ist sie", "members"}
	for _, name := range names[:g.below(len(names)+1, "properties")] {
		properties = properties.With(name, g.schema(depth+1))
		if g.below(2, "required") == 0 {
			required = value.Array(append(itemsOf(required), value.String(name))...)
		}
	}
	s := object("type", "object", "properties", properties, "required", required)
	switch g.below(4, "further") {
	case 0:
		return s
	case 1:
		return s.With("additionalProperties", g.schema(depth+1))
	default:
		return s.With("additionalProperties", value.Bool(false))
	}
}

// instance draws a value that a schema allows, as a rule.
func (g *drawer) instance(s value.Value, depth int) value.Value {
	if s.Kind() == value.KindBool || s.Len() == 0 || depth > 12 {
		return []value.Value{value.Null(), value.Int(3), object("z", value.Array(value.Null())), value.String("text")}[g.below(4, "anything")]
	}
	if ref, ok := s.Get("$ref"); ok {
		for _, d := range g.defs {
			if "#/$defs/"+d.Name == ref.Text() || d.Name == "a b" && ref.Text() == "#/$defs/a%20b" {
				return g.instance(d.Value, depth+1)
			}
		}
	}
	if list, ok := s.Get("enum"); ok {
		return list.At(g.below(list.Len(), "value"))
	}
	if one, ok := s.Get("const"); ok {
		return one
	}
	for _, name := range []string{"anyOf", "oneOf", "allOf"} {
		list, ok := s.Get(name)
		if !ok {
			continue
		}
		own := g.instance(s.Without(name), depth+1)
		if hasType := len(typeNames(s)) > 0; !hasType && name != "allOf" {
			return g.instance(list.At(g.below(list.Len(), "branch")), depth+1)
		}
		for _, part := range itemsOf(list) { // Together, as far as members go.
			if name != "allOf" && g.below(2, "this one") == 0 {
				continue
			}
			own = together(own, g.instance(part, depth+1))
		}
		return own
	}
	if then, ok := s.Get("then"); ok && g.below(2, "condition") == 0 {
		return together(g.instance(s.Without("then"), depth+1), g.instance(then, depth+1))
	}
	kinds := typeNames(s)
	if len(kinds) == 0 {
		for _, about := range []string{"properties", "items", "minimum"} {
			if _, ok := s.Get(about); ok && g.below(6, "as meant") > 0 {
				return g.instance(s.With("type", value.String(map[string]string{"properties": "object", "items": "array", "minimum": "number"}[about])), depth)
			}
		}
		return g.instance(value.Object(), depth)
	}
	switch kinds[g.below(len(kinds), "type")] {
	case "object":
		return g.objectOf(s, depth)
	case "array":
		return g.arrayOf(s, depth)
	case "string":
		return g.textOf(s)
	case "integer":
		return []value.Value{value.Int(7), read(g.t, "9007199254740993"), read(g.t, "5.0")}[g.below(3, "integer")]
	case "number":
		return []value.Value{value.Int(7), read(g.t, "1.50"), read(g.t, "-1e-7")}[g.below(3, "number")]
	case "boolean":
		return value.Bool(g.below(2, "boolean") == 0)
	default:
		return value.Null()
	}
}

func (g *drawer) textOf(s value.Value) value.Value {
	pattern, _ := s.Get("pattern")
	format, _ := s.Get("format")
	switch pattern.Text() + format.Text() {
	case `^\d{2}$`:
		return value.String("42")
	case "date":
		return value.String("2025-01-15")
	case "uri":
		return value.String("https://example.org/a")
	case "iban":
		return value.String("DE89370400440532013000")
	case "":
		return value.String([]string{"x", "null", "ä😀", `"}`}[g.below(4, "text")])
	default:
		return value.String("abc")
	}
}

func (g *drawer) arrayOf(s value.Value, depth int) value.Value {
	if first, ok := s.Get("prefixItems"); ok {
		least, _ := s.Get("minItems")
		n, _ := least.Decimal().Int64()
		var items []value.Value
		for i := range int(n) + g.below(max(1, first.Len()-int(n)+1), "more") {
			if i < first.Len() {
				items = append(items, g.instance(first.At(i), depth+1))
			}
		}
		for rest, ok := s.Get("items"); len(items) == first.Len() && (len(items) < int(n) || g.below(3, "another") == 0); {
			if !ok {
				rest = value.Object()
			}
			if rest.Kind() == value.KindBool {
				break
			}
			items = append(items, g.instance(rest, depth+1))
			if len(items) >= int(n) {
				break
			}
			first = value.Array(append(itemsOf(first), value.Null())...)
		}
		return value.Array(items...)
	}
	items, ok := s.Get("items")
	if !ok {
		items = value.Object()
	}
	list := []value.Value{}
	for range g.below(3, "items") {
		list = append(list, g.instance(items, depth+1))
	}
	return value.Array(list...)
}

func (g *drawer) objectOf(s value.Value, depth int) value.Value {
	out := value.Object()
	properties, _ := s.Get("properties")
	required, _ := s.Get("required")
	for name, sub := range properties.Members() {
		needed := false
		for _, r := range required.Items() {
			needed = needed || r.Text() == name
		}
		if needed || depth < 6 && g.below(2, "there") == 0 {
			out = out.With(name, g.instance(sub, depth+1))
		}
	}
	if further, ok := s.Get("additionalProperties"); ok && further.Kind() == value.KindObject {
		for i := range g.below(3, "further") {
			out = out.With(fmt.Sprintf("z%d", i), g.instance(further, depth+1))
		}
	}
	if patterns, ok := s.Get("patternProperties"); ok && g.below(2, "patterned") == 0 {
		for i, sub := range patterns.Members() {
			out = out.With(i[1:]+"1", g.instance(sub, depth+1))
		}
	}
	for _, name := range itemsOf(required) {
		if _, ok := out.Get(name.Text()); !ok {
			out = out.With(name.Text(), g.instance(value.Object(), depth+1))
		}
	}
	return out
}

// together puts the members of two objects together; anything else is the first one.
func together(a, b value.Value) value.Value {
	if a.Kind() != value.KindObject || b.Kind() != value.KindObject {
		return a
	}
	for name, item := range b.Members() {
		if _, ok := a.Get(name); !ok {
			a = a.With(name, item)
		}
	}
	return a
}
