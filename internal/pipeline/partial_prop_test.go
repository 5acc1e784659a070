package pipeline

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// TestNothingIsTakenBackOverGeneratedSchemas draws a schema together with instances that it allows, and checks the law in every form.
func TestNothingIsTakenBackOverGeneratedSchemas(t *testing.T) {
	t.Parallel()
	names, profiles := lawProfiles()
	var all tally
	rapid.Check(t, func(r *rapid.T) {
		g := &drawer{t: r}
		root := g.object(0)
		if g.below(4, "root") == 3 {
			root = g.draw(0)
		}
		raw := root.schema
		if g.node.schema.Kind() == value.KindObject {
			raw = raw.With("$defs", value.Object(value.Member{Name: "node", Value: g.node.schema}))
		}
		s, err := schema.Compile(raw, schema.Options{})
		if err != nil {
			r.Fatalf("%v: %s", err, raw)
		}
		var valid []value.Value
		for range 3 {
			x := root.instance(0)
			if v, _ := s.Accept(t.Context(), x); v.OK() {
				valid = append(valid, x)
			}
		}
		mode := []schema.Mode{schema.Safe, schema.Safe, schema.Off, schema.Lenient}[g.below(4, "mode")]
		seed := rapid.Uint64().Draw(r, "seed")
		for _, name := range names {
			l := law{reader: newReader(s, profiles[name], mode), rng: rand.New(rand.NewPCG(1, seed)), every: 60}
			l.fail = func(format string, args ...any) {
				r.Errorf(name+" "+mode.String()+": "+format+"\nschema %s", append(shorten(args), raw.String())...)
			}
			for _, x := range valid {
				l.valid(t.Context(), x)
			}
			all.add(l.tally)
		}
	})
	t.Log(all.String())
	if all.severalEarly*2 < all.several {
		t.Errorf("of %d instances with two fields or more only %d show something before the end; want half", all.several, all.severalEarly)
	}
}

// drawn is a schema with a way to draw what it allows, as a rule.
type drawn struct {
	schema   value.Value
	instance func(depth int) value.Value
}

// drawer draws schemas of every construct that lowering gives another shape, and that judges in parts.
type drawer struct {
	t    *rapid.T
	node drawn // the definition that may refer to itself
}

func (g *drawer) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(g.t, what) }

func (g *drawer) json(text string) value.Value {
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// one draws a schema that allows the listed values.
func (g *drawer) one(text string, instances ...string) drawn {
	return drawn{g.json(text), func(int) value.Value { return g.json(instances[g.below(len(instances), "instance")]) }}
}

func (g *drawer) draw(depth int) drawn {
	kinds := 18
	if depth >= 3 {
		kinds = 9
	}
	switch g.below(kinds, "kind") {
	case 0:
		return g.one(`{"type":"string"}`, `"x"`, `"null"`, `""`, `"{\"a\":"`, `"1"`, `"true"`)
	case 1:
		return g.one(`{"type":"integer","minimum":0}`, `7`, `9007199254740993`)
	case 2:
		return g.one(`{"type":"number"}`, `-1e-7`, `1.50`, `0`)
	case 3:
		return g.one(`{"type":["boolean","null"]}`, `true`, `null`, `false`)
	case 4:
		return g.one(`{"enum":["Red","green",1,null,"1",true]}`, `"Red"`, `1`, `null`, `"1"`, `true`)
	case 5:
		return g.one(`{"type":"string","format":"date"}`, `"2025-01-15"`)
	case 6:
		return g.one(`{"const":{"c":[1]}}`, `{"c":[1]}`)
	case 7:
		return g.one(`{}`, `null`, `[1,{"a":2}]`, `{"z":[null]}`, `"text"`, `3`, `{}`)
	case 8:
		return g.reference(depth)
	case 9:
		of := g.draw(depth + 1)
		return drawn{g.json(`{"type":"array"}`).With("items", of.schema), func(d int) value.Value {
			var items []value.Value
			for range g.below(4, "items") {
				items = append(items, of.instance(d+1))
			}
			return value.Array(items...)
		}}
	case 10:
		return g.tuple(depth)
	case 11:
		of := g.draw(depth + 1)
		return drawn{g.json(`{"type":"object"}`).With("additionalProperties", of.schema), func(d int) value.Value { return g.further(value.Object(), of, d) }}
	case 12:
		return g.choice(depth)
	case 13:
		return g.tagged(depth)
	default:
		return g.object(depth)
	}
}

// reference draws a list or tree that refers to itself.
func (g *drawer) reference(depth int) drawn {
	if g.node.schema.IsNull() {
		g.node = drawn{value.Object(), nil}
		label := g.draw(depth + 1)
		g.node = drawn{
			g.json(`{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}},"required":["v"],"additionalProperties":false}`),
			func(d int) value.Value {
				v := value.Object(value.Member{Name: "v", Value: label.instance(d + 1)})
				if d < 5 && g.below(2, "next") == 0 {
					v = v.With("next", g.node.instance(d+2))
				}
				return v
			},
		}
		properties, _ := g.node.schema.Get("properties")
		g.node.schema = g.node.schema.With("properties", properties.With("v", label.schema))
	}
	return drawn{g.json(`{"$ref":"#/$defs/node"}`), func(d int) value.Value {
		if g.node.instance == nil || d > 12 {
			return value.Null()
		}
		return g.node.instance(d)
	}}
}

func (g *drawer) tuple(depth int) drawn {
	first, second := g.draw(depth+1), g.draw(depth+1)
	least := g.below(3, "least")
	s := g.json(`{"type":"array"}`).With("prefixItems", value.Array(first.schema, second.schema)).With("minItems", value.Int(int64(least)))
	if g.below(2, "closed") == 0 {
		s = s.With("items", value.Bool(false))
	}
	return drawn{s, func(d int) value.Value {
		return value.Array([]value.Value{first.instance(d + 1), second.instance(d + 1)}[:least+g.below(3-least, "more")]...)
	}}
}

func (g *drawer) choice(depth int) drawn {
	a, b := g.draw(depth+1), g.draw(depth+1)
	return drawn{value.Object(value.Member{Name: []string{"anyOf", "oneOf"}[g.below(2, "choice")], Value: value.Array(a.schema, b.schema)}), func(d int) value.Value {
		return []drawn{a, b}[g.below(2, "branch")].instance(d)
	}}
}

// tagged draws objects that a listed member tells apart.
func (g *drawer) tagged(depth int) drawn {
	var branches []value.Value
	var parts []drawn
	tags := []string{`"a"`, `1`, `"B"`}[:2+g.below(2, "tags")]
	for _, tag := range tags {
		part := g.draw(depth + 1)
		parts = append(parts, part)
		s := g.json(`{"type":"object","required":["k"],"properties":{"k":{"const":` + tag + `}}}`)
		properties, _ := s.Get("properties")
		s = s.With("properties", properties.With("v", part.schema))
		if g.below(2, "closed") == 0 {
			s = s.With("additionalProperties", value.Bool(false))
		}
		branches = append(branches, s)
	}
	return drawn{value.Object(value.Member{Name: []string{"anyOf", "oneOf"}[g.below(2, "choice")], Value: value.Array(branches...)}), func(d int) value.Value {
		i := g.below(len(tags), "tag")
		k, v := value.Member{Name: "k", Value: g.json(tags[i])}, value.Member{Name: "v", Value: parts[i].instance(d + 1)}
		if g.below(2, "order") == 0 {
			return value.Object(v, k)
		}
		return value.Object(k, v)
	}}
}

func (g *drawer) object(depth int) drawn {
	names := []string{"a", "value", "result", "key", "0"}[:g.below(6, "properties")]
	parts := make([]drawn, len(names))
	properties := value.Object()
	var required []value.Value
	needed := map[int]bool{}
	for i, name := range names {
		parts[i] = g.draw(depth + 1)
		properties = properties.With(name, parts[i].schema)
		if g.below(2, "required") == 0 {
			required, needed[i] = append(required, value.String(name)), true
		}
	}
	s := g.json(`{"type":"object"}`).With("properties", properties).With("required", value.Array(required...))
	var others *drawn
	switch g.below(5, "further") {
	case 0:
		of := g.draw(depth + 1)
		others = &of
		s = s.With("additionalProperties", of.schema)
	case 1:
	case 2:
		s = value.Object(value.Member{Name: "allOf", Value: value.Array(s)}).With("unevaluatedProperties", value.Bool(false))
	default:
		s = s.With("additionalProperties", value.Bool(false))
	}
	return drawn{s, func(d int) value.Value {
		out := value.Object()
		for i, name := range names {
			if needed[i] || d < 6 && g.below(2, "there") == 0 {
				out = out.With(name, parts[i].instance(d+1))
			}
		}
		if others != nil {
			out = g.further(out, *others, d)
		}
		return out
	}}
}

// further adds members that nobody lists.
func (g *drawer) further(out value.Value, of drawn, depth int) value.Value {
	for i := range g.below(3, "further") {
		out = out.With("z"+strconv.Itoa(i), of.instance(depth+1))
	}
	return out
}
