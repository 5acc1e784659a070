// Package instance makes up values that are valid under a JSON Schema, and values that almost are. It is for tests and for the scripted provider.
//
// It is not a validator and never says what is valid: it aims at values that satisfy the schema and lets a judge, where one is given, refuse what
// missed. The main function is [Make]; [Spoil] turns a valid value into an invalid one. The same seed gives the same value.
//
// How it works: a place of the value is described by the list of all schemas that apply to it, with references followed, allOf flattened and one
// branch of anyOf and oneOf chosen by chance. From the list follow the possible types, and from the keywords of the chosen type a value. A choice that
// leads nowhere fails the whole try, and the next try chooses anew. Depth and size are bounded, so that recursive schemas end.
package instance

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// ErrNone says that no value was found; there may be none.
var ErrNone = errors.New("found no value that is valid under the schema")

// Judge says whether a value is valid.
type Judge func(value.Value) bool

const (
	tries    = 60
	mostDeep = 24   // levels of a value
	deep     = 4    // from here on only what must be there
	mostAll  = 2000 // values in one try
	mostRefs = 64   // references followed for one place
)

// Make gives a value that is valid under the schema, as far as the judge says; without a judge the first that comes out.
func Make(schema value.Value, rng *rand.Rand, judge Judge) (value.Value, error) {
	for try := range tries {
		m := maker{root: schema, rng: rng, left: mostAll}
		// Most schemas want nothing but what is required; a sparse value is the better guess once the rich ones were refused.
		m.optional = 0.7
		if try >= tries/2 {
			m.optional = 0.1
		}
		v, ok := m.place([]value.Value{schema}, "", 0)
		if ok && (judge == nil || judge(v)) {
			return v, nil
		}
	}
	return value.Null(), ErrNone
}

// maker makes one value.
type maker struct {
	root     value.Value
	rng      *rand.Rand
	left     int // how many values may still be made
	optional float64
}

// place makes the value of one place, at which all the schemas apply. name is the member's name, which gives texts a hint.
func (m *maker) place(schemas []value.Value, name string, depth int) (value.Value, bool) {
	m.left--
	if depth > mostDeep || m.left < 0 {
		return value.Null(), false
	}
	all, ok := m.expand(schemas, depth)
	if !ok {
		return value.Null(), false
	}
	if v, ok, fixed := m.listed(all); fixed {
		return v, ok
	}
	kinds := typesOf(all)
	if len(kinds) == 0 {
		return value.Null(), false
	}
	switch kind := m.kind(kinds, all, depth); kind {
	case "object":
		return m.object(all, depth)
	case "array":
		return m.array(all, depth)
	case "string":
		return m.text(all, name)
	case "integer", "number":
		return m.number(all, kind == "integer")
	case "boolean":
		return value.Bool(m.rng.IntN(2) == 0), true
	default:
		return value.Null(), true
	}
}

// expand gives the schemas that apply to a place without those that say nothing of their own: references are followed and branches chosen.
func (m *maker) expand(schemas []value.Value, depth int) ([]value.Value, bool) {
	todo := slices.Clone(schemas)
	var all []value.Value
	for steps := 0; len(todo) > 0; steps++ {
		s := todo[0]
		todo = todo[1:]
		if s.Kind() == value.KindBool {
			if !s.Truth() {
				return nil, false
			}
			continue
		}
		if s.Kind() != value.KindObject || steps > mostRefs {
			return nil, s.Kind() == value.KindObject && steps <= mostRefs
		}
		for _, keyword := range [...]string{"$ref", "$dynamicRef", "$recursiveRef"} {
			if ref, ok := s.Get(keyword); ok {
				if target, ok := m.resolve(ref.Text()); ok {
					todo = append(todo, target)
				}
			}
		}
		if list, ok := s.Get("allOf"); ok {
			for _, item := range list.Items() {
				todo = append(todo, item)
			}
		}
		for _, keyword := range [...]string{"anyOf", "oneOf"} {
			if list, ok := s.Get(keyword); ok && list.Len() > 0 {
				todo = append(todo, m.branch(list, depth))
			}
		}
		todo = append(todo, m.condition(s)...)
		all = append(all, s)
	}
	return all, true
}

// branch chooses one of several schemas; deep down one that ends.
func (m *maker) branch(list value.Value, depth int) value.Value {
	if depth >= deep {
		for _, s := range list.Items() {
			if ends(s) {
				return s
			}
		}
	}
	return list.At(m.rng.IntN(list.Len()))
}

// ends reports whether a schema is plainly one of a scalar.
func ends(s value.Value) bool {
	for _, keyword := range [...]string{"const", "enum"} {
		if _, ok := s.Get(keyword); ok {
			return true
		}
	}
	kind, _ := s.Get("type")
	switch kind.Text() {
	case "null", "boolean", "string", "number", "integer":
		return true
	}
	return false
}

// condition chooses whether the condition of a schema shall hold. That it fails cannot be forced: the judge tells.
func (m *maker) condition(s value.Value) []value.Value {
	condition, ok := s.Get("if")
	if !ok {
		return nil
	}
	if then, ok := s.Get("then"); ok && m.rng.IntN(2) == 0 {
		return []value.Value{condition, then}
	}
	if otherwise, ok := s.Get("else"); ok {
		return []value.Value{otherwise}
	}
	return nil
}

// listed gives a value out of const or enum, where there is one.
func (m *maker) listed(all []value.Value) (v value.Value, ok, fixed bool) {
	var options []value.Value
	for _, s := range all {
		var here []value.Value
		if c, ok := s.Get("const"); ok {
			here = []value.Value{c}
		} else if list, ok := s.Get("enum"); ok {
			for _, item := range list.Items() {
				here = append(here, item)
			}
		} else {
			continue
		}
		if !fixed {
			options, fixed = here, true
			continue
		}
		options = slices.DeleteFunc(options, func(o value.Value) bool {
			return !slices.ContainsFunc(here, func(h value.Value) bool { return value.Equal(o, h) })
		})
	}
	if !fixed {
		return value.Null(), false, false
	}
	kinds := typesOf(all)
	options = slices.DeleteFunc(options, func(o value.Value) bool { return !slices.Contains(kinds, typeOf(o)) })
	if len(options) == 0 {
		return value.Null(), false, true
	}
	return options[m.rng.IntN(len(options))], true, true
}

func typeOf(v value.Value) string {
	if v.Kind() == value.KindNumber && v.Decimal().IsInteger() {
		return "integer"
	}
	return v.Kind().String()
}

// typesOf gives the types that all schemas allow; integer is in wherever number is.
func typesOf(all []value.Value) []string {
	kinds := []string{"object", "string", "integer", "number", "array", "boolean", "null"}
	for _, s := range all {
		t, ok := s.Get("type")
		if !ok {
			continue
		}
		allowed := map[string]bool{t.Text(): true}
		for _, item := range t.Items() {
			allowed[item.Text()] = true
		}
		if allowed["number"] {
			allowed["integer"] = true
		}
		kinds = slices.DeleteFunc(kinds, func(k string) bool { return !allowed[k] })
	}
	return kinds
}

// kind chooses a type: one that the keywords speak of, where the type itself is not said.
func (m *maker) kind(kinds []string, all []value.Value, depth int) string {
	if len(kinds) == 1 {
		return kinds[0]
	}
	if slices.Contains(kinds, "number") && !slices.Contains(kinds, "object") && len(kinds) == 2 {
		return kinds[m.rng.IntN(2)]
	}
	for kind, keywords := range hints() {
		if !slices.Contains(kinds, kind) {
			continue
		}
		for _, k := range keywords {
			if has(all, k) {
				// null is the other type of what may be left out; it must come up, but not as a rule.
				if slices.Contains(kinds, "null") && m.rng.IntN(5) == 0 {
					return "null"
				}
				return kind
			}
		}
	}
	if depth >= deep {
		kinds = slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == "object" || k == "array" })
		if len(kinds) == 0 {
			return "array"
		}
	}
	return kinds[m.rng.IntN(len(kinds))]
}

// hints names the keywords that show which type a schema without one has in mind. It is an ordered list, for the same seed gives the same value.
func hints() func(yield func(string, []string) bool) {
	return func(yield func(string, []string) bool) {
		_ = yield("object", []string{"properties", "required", "additionalProperties", "patternProperties", "minProperties"}) &&
			yield("array", []string{"items", "prefixItems", "minItems", "contains", "uniqueItems"}) &&
			yield("string", []string{"pattern", "format", "minLength", "maxLength"}) &&
			yield("number", []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
	}
}

func has(all []value.Value, keyword string) bool {
	for _, s := range all {
		if _, ok := s.Get(keyword); ok {
			return true
		}
	}
	return false
}

// bound gives the tightest bound that a counting keyword sets; fallback where none does.
func bound(all []value.Value, keyword string, fallback int, tighter func(a, b int) int) int {
	found, set := fallback, false
	for _, s := range all {
		b, ok := s.Get(keyword)
		if !ok || b.Kind() != value.KindNumber {
			continue
		}
		n64, exact := b.Decimal().Int64()
		n := int(min(max(n64, 0), 1<<20))
		if !exact {
			n = 1 << 20
		}
		if set {
			n = tighter(found, n)
		}
		found, set = n, true
	}
	return found
}

func larger(a, b int) int  { return max(a, b) }
func smaller(a, b int) int { return min(a, b) }
