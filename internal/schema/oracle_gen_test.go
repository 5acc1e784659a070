package schema

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/value"
)

// drawn draws schemas of every keyword and values that they speak of.
type drawn struct {
	r     *rand.Rand
	draft Draft
}

func (d *drawn) pick(texts ...string) string { return texts[d.r.IntN(len(texts))] }

// schema writes a schema; keywords stand beside each other as they come.
func (d *drawn) schema(depth int) string {
	if depth > 3 || d.r.IntN(12) == 0 {
		if d.draft == Draft4 {
			return d.pick(`{}`, `{"not":{}}`, `{"type":"string"}`)
		}
		return d.pick(`true`, `false`, `{}`, `{"type":"string"}`)
	}
	sub := func() string { return d.schema(depth + 1) }
	list := func() string {
		items := []string{sub()}
		for range d.r.IntN(3) {
			items = append(items, sub())
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	named := func() string { return fmt.Sprintf(`{"a":%s,"b":%s}`, sub(), sub()) }
	keywords := map[string]func() string{
		"type": func() string {
			return d.pick(`"object"`, `"array"`, `"string"`, `"number"`, `"integer"`, `["null","boolean"]`, `["object","array","number"]`)
		},
		"enum":                 func() string { return d.pick(`[1,"a",null]`, `[[],{}]`, `[{"a":1.0}]`, `[true]`) },
		"minimum":              func() string { return d.pick(`0`, `-1.5`, `1e2`) },
		"maximum":              func() string { return d.pick(`10`, `1e300`) },
		"multipleOf":           func() string { return d.pick(`2`, `0.01`, `1.5`) },
		"minLength":            func() string { return d.pick(`1`, `2.0`) },
		"maxLength":            func() string { return d.pick(`1`, `3`) },
		"pattern":              func() string { return d.pick(`"^a"`, `"b$"`, `"[a-z]{2}"`) },
		"minItems":             func() string { return `1` },
		"maxItems":             func() string { return `2` },
		"uniqueItems":          func() string { return `true` },
		"minProperties":        func() string { return `1` },
		"maxProperties":        func() string { return `2` },
		"required":             func() string { return d.pick(`["a"]`, `["a","c"]`) },
		"properties":           named,
		"patternProperties":    func() string { return fmt.Sprintf(`{"^a":%s,"c|d":%s}`, sub(), sub()) },
		"additionalProperties": sub,
		"allOf":                list,
		"anyOf":                list,
		"oneOf":                list,
		"not":                  sub,
		"items":                sub,
	}
	if d.draft.atLeast(Draft6) {
		keywords["const"] = func() string { return d.pick(`1`, `1.0`, `{"a":[1]}`, `null`) }
		keywords["contains"], keywords["propertyNames"] = sub, sub
		keywords["exclusiveMinimum"] = func() string { return `1` }
	}
	if d.draft.atLeast(Draft7) {
		keywords["if"], keywords["then"], keywords["else"] = sub, sub, sub
	}
	if d.draft.atLeast(Draft201909) {
		keywords["dependentRequired"] = func() string { return `{"a":["b"]}` }
		keywords["dependentSchemas"] = func() string { return fmt.Sprintf(`{"a":%s}`, sub()) }
		keywords["unevaluatedProperties"], keywords["unevaluatedItems"] = sub, sub
		keywords["minContains"], keywords["maxContains"] = func() string { return d.pick(`0`, `2`) }, func() string { return `1` }
	} else {
		keywords["dependencies"] = func() string { return fmt.Sprintf(`{"a":["b"],"c":%s}`, sub()) }
	}
	if d.draft == Draft202012 {
		keywords["prefixItems"] = list
	} else {
		keywords["additionalItems"] = sub
		if d.r.IntN(3) == 0 {
			keywords["items"] = list
		}
	}
	if depth > 0 && d.r.IntN(8) == 0 {
		return `{"$ref":"#/` + d.container() + `/` + d.pick("x", "y") + `"}`
	}
	names := make([]string, 0, len(keywords))
	for name := range keywords {
		names = append(names, name)
	}
	// Maps have no order: sorted, the same seed draws the same schema.
	slices.Sort(names)
	var members []string
	for range 1 + d.r.IntN(4) {
		i := d.r.IntN(len(names))
		members = append(members, fmt.Sprintf("%q:%s", names[i], keywords[names[i]]()))
		names = append(names[:i], names[i+1:]...)
	}
	if depth == 0 {
		members = append(members, fmt.Sprintf(`%q:{"x":%s,"y":%s}`, d.container(), d.schema(2), d.schema(2)))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (d *drawn) container() string {
	if d.draft.atLeast(Draft201909) {
		return "$defs"
	}
	return "definitions"
}

// value writes a value that such schemas speak of.
func (d *drawn) value(depth int) string {
	if depth < 3 && d.r.IntN(2) == 0 {
		if d.r.IntN(2) == 0 {
			var items []string
			for range d.r.IntN(4) {
				items = append(items, d.value(depth+1))
			}
			return "[" + strings.Join(items, ",") + "]"
		}
		var members []string
		for _, name := range []string{"a", "b", "c", "ad"} {
			if d.r.IntN(2) == 0 {
				members = append(members, fmt.Sprintf("%q:%s", name, d.value(depth+1)))
			}
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	return d.pick(`null`, `true`, `false`, `0`, `1`, `1.0`, `2`, `-2`, `0.015`, `1e2`, `100000000000000000001`, `""`, `"a"`, `"ab"`, `"cab"`, `"ä"`, `[]`, `{}`)
}

func TestLibraryAgreesOverGeneratedPairs(t *testing.T) {
	t.Parallel()
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	for name, draft := range suiteDrafts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &drawn{r: rand.New(rand.NewPCG(11, uint64(draft))), draft: draft}
			judged, valid := 0, 0
			for range rounds {
				raw := decode(t, d.schema(0))
				var instances []value.Value
				for range 6 {
					instances = append(instances, decode(t, d.value(0)))
				}
				judged += compare(t, name, raw, Options{Draft: draft}, instances)
				if s, err := Compile(raw, Options{Draft: draft}); err == nil {
					for _, x := range instances {
						if v, _ := s.Accept(t.Context(), x); v.OK() {
							valid++
						}
					}
				}
			}
			t.Logf("%s: %d pairs judged by both, %d valid", name, judged, valid)
			if judged < rounds || valid*20 < judged {
				t.Errorf("%d pairs were judged, %d of them valid: that says little", judged, valid)
			}
		})
	}
}
