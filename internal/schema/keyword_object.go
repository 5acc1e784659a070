package schema

import (
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// objectKeyword holds every keyword that judges an object by its members: one walk serves them all.
type objectKeyword struct {
	n          *node
	properties []property // those named by properties, then names that are only required
	named      int
	index      map[string]int
	patterns   []patternProperty
	additional *node
	names      *node
	required   int
	min, max   int
}

type property struct {
	name     string
	sub      *node // nil where the name is only required
	required bool
}

type patternProperty struct {
	pattern pattern
	sub     *node
}

func (k *objectKeyword) require(names []string) {
	at := make(map[string]int, len(k.properties))
	for i := range k.properties {
		at[k.properties[i].name] = i
	}
	for _, name := range names {
		i, ok := at[name]
		if !ok {
			i = len(k.properties)
			k.properties = append(k.properties, property{name: name})
		}
		k.properties[i].required = true
		k.required++
	}
}

// prepare builds the index of names where looking them up by comparison would be slow.
func (k *objectKeyword) prepare() {
	const few = 6
	if len(k.properties) > few {
		k.index = make(map[string]int, len(k.properties))
		for i := range k.properties {
			k.index[k.properties[i].name] = i
		}
	}
}

// find gives the place of a name. Answers mostly keep the schema's order, so the name behind the last one found is tried first.
func (k *objectKeyword) find(name string, hint int) int {
	if hint < len(k.properties) && k.properties[hint].name == name {
		return hint
	}
	if k.index != nil {
		if i, ok := k.index[name]; ok {
			return i
		}
		return -1
	}
	for i := range k.properties {
		if k.properties[i].name == name {
			return i
		}
	}
	return -1
}

func (k *objectKeyword) judge(t *trial, v value.Value, m marks) bool {
	ok := k.sizes(t, v)
	if !ok && t.report == nil {
		return false
	}
	met, hint := 0, 0
	for i := range v.Len() {
		if !t.spend(1) {
			return false
		}
		name := v.NameAt(i)
		known := false
		if at := k.find(name, hint); at >= 0 {
			hint = at + 1
			p := &k.properties[at]
			if p.required {
				met++
			}
			if p.sub != nil {
				known = true
				if item := v.At(i); p.sub.quiet&kindOf(item.Kind()) == 0 {
					ok = t.member(p.sub, name, item) && ok
				}
			}
		}
		if known || len(k.patterns) > 0 || k.additional != nil {
			ok = k.rest(t, v, i, known, m) && ok
		}
		if k.names != nil {
			ok = k.name(t, name) && ok
		}
		if !ok && t.report == nil {
			return false
		}
	}
	if met < k.required {
		k.missing(t, v)
		return false
	}
	return ok
}

// rest judges a member by patternProperties and additionalProperties and marks it where something knows it.
func (k *objectKeyword) rest(t *trial, v value.Value, i int, known bool, m marks) bool {
	ok := true
	name := v.NameAt(i)
	for j := range k.patterns {
		if t.matches(k.patterns[j].pattern, name) {
			known = true
			ok = t.member(k.patterns[j].sub, name, v.At(i)) && ok
		}
	}
	if !known && k.additional != nil {
		known = true
		if k.additional.never {
			t.push(name, -1)
			ok = t.failUnexpected(k.n, "additionalProperties", name, v.At(i))
			t.pop()
		} else {
			ok = t.member(k.additional, name, v.At(i)) && ok
		}
	}
	if known {
		m.set(i)
	}
	return ok
}

func (k *objectKeyword) name(t *trial, name string) bool {
	if t.holds(k.names, value.String(name), nil) {
		return true
	}
	if t.wants() {
		t.push(name, -1)
		t.fail(k.n, "propertyNames", value.String(name), failure{
			expected: brief(k.names.raw, maxExpected), message: fmt.Sprintf("the member name %s is not allowed", quote(name)), hint: "Rename the member as propertyNames demands.",
		})
		t.pop()
	}
	return false
}

func (k *objectKeyword) sizes(t *trial, v value.Value) bool {
	ok := true
	if v.Len() < k.min {
		ok = t.failCount(k.n, "minProperties", v, k.min, "members")
	}
	if k.max >= 0 && v.Len() > k.max {
		ok = t.failCount(k.n, "maxProperties", v, k.max, "members")
	}
	return ok
}

func (k *objectKeyword) missing(t *trial, v value.Value) {
	if t.report == nil {
		return
	}
	for i := range k.properties {
		p := &k.properties[i]
		if !p.required {
			continue
		}
		if !t.spend(1 + v.Len()>>1) {
			return
		}
		if _, there := v.Get(p.name); there || !t.wants() {
			continue
		}
		expected := "present"
		if p.sub != nil {
			expected = p.sub.summary()
		}
		t.fail(k.n, "required", v, failure{
			expected: expected, actual: "missing", message: fmt.Sprintf("the member %s is required and missing", quote(p.name)),
			hint: fmt.Sprintf("Add the member %s.", quote(p.name)),
		})
	}
}

// summary says in one line what a schema wants.
func (n *node) summary() string {
	switch {
	case n.never:
		return "nothing"
	case len(n.enum) == 1:
		return brief(n.enum[0], 120)
	case len(n.enum) > 1:
		return cut("one of "+briefList(n.enum, 200), 200)
	case n.kinds&everyKind != everyKind:
		return n.typeNames()
	case len(n.refs) > 0:
		return n.refs[0].shallow()
	default:
		return "any value"
	}
}

// shallow is summary without following references any further.
func (n *node) shallow() string {
	if len(n.enum) == 0 && n.kinds&everyKind == everyKind {
		return "any value"
	}
	return n.summary()
}

func (n *node) typeNames() string {
	var names []string
	for _, k := range []struct {
		kind kinds
		name string
	}{{anyObject, "object"}, {anyArray, "array"}, {anyString, "string"}, {anyNumber, "number"}, {anyInteger, "integer"}, {anyBool, "boolean"}, {anyNull, "null"}} {
		if n.kinds&k.kind != 0 && !(k.kind == anyInteger && n.kinds&anyNumber != 0) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, " or ")
}
