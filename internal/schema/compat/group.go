package compat

import (
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// kinds are the kinds that are asked about one by one.
func kinds() []value.Kind {
	return []value.Kind{value.KindNull, value.KindBool, value.KindNumber, value.KindString, value.KindArray, value.KindObject}
}

// anyKind stands for a kind that is not fixed.
const anyKind = value.Kind(255)

// group is what is known of a value: the subschemas that allow it, those that refuse it, its kind where it is fixed, and members that it has or lacks.
// A group is never changed.
type group struct {
	places []schema.Place // With all that they refer to.
	nots   []schema.Place
	kind   value.Kind
	has    []string
	lacks  []string
}

func newGroup(places ...schema.Place) group {
	return group{kind: anyKind}.with(places...)
}

// with adds subschemas and what judges the same value with them in any case.
func (g group) with(places ...schema.Place) group {
	g.places = slices.Clip(g.places)
	seen := map[schema.Place]bool{}
	queue := slices.Clone(places)
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		if seen[p] || slices.Contains(g.places, p) {
			continue
		}
		seen[p] = true
		if !refers(p) { // So that a reference and its target are one group, and recursion comes back to it.
			g.places = append(g.places, p)
		}
		queue = append(queue, p.Conjuncts()...)
	}
	return g
}

// refers reports whether a place says nothing but what others say.
func refers(p schema.Place) bool {
	if len(p.Conjuncts()) == 0 || p.Unresolved() || p.Format() != "" {
		return false
	}
	if _, ok := p.Get("type"); ok {
		return false
	}
	for _, keyword := range plainKeywords() {
		if _, ok := p.Get(keyword); ok {
			return false
		}
	}
	for _, keyword := range schemaKeywords() {
		if _, ok := p.Get(keyword); ok && keyword != "$ref" && keyword != "allOf" {
			return false
		}
	}
	return true
}

// target follows a place that says nothing but what one other says.
func target(p schema.Place) schema.Place {
	const most = 20
	for range most {
		next := p.Conjuncts()
		if len(next) != 1 || !refers(p) {
			break
		}
		p = next[0]
	}
	return p
}

// without adds a subschema that refuses the value.
func (g group) without(p schema.Place) group {
	if !slices.Contains(g.nots, p) {
		g.nots = append(slices.Clip(g.nots), p)
	}
	return g
}

// of fixes the kind.
func (g group) of(k value.Kind) group {
	g.kind = k
	return g
}

// having adds a member that the value has.
func (g group) having(name string) group {
	if !slices.Contains(g.has, name) {
		g.has = append(slices.Clip(g.has), name)
	}
	return g
}

// lacking adds a member that the value does not have.
func (g group) lacking(name string) group {
	if !slices.Contains(g.lacks, name) {
		g.lacks = append(slices.Clip(g.lacks), name)
	}
	return g
}

// allows reports whether the types allow a kind.
func (g group) allows(k value.Kind) bool {
	if g.kind != anyKind && g.kind != k {
		return false
	}
	for _, p := range g.places {
		if allowed, _ := p.Allows(k); !allowed {
			return false
		}
	}
	return true
}

// integers reports whether numbers are without a fraction, and whether they are written so too.
func (g group) integers() (whole, strict bool) {
	for _, p := range g.places {
		if _, only := p.Allows(value.KindNumber); only {
			whole = true
			strict = strict || p.StrictIntegers()
		}
	}
	return whole, strict
}

// refuses reports whether a value is not in the group.
func (p *prover) refuses(g group, v value.Value) bool {
	if g.kind != anyKind && g.kind != v.Kind() {
		return true
	}
	for _, name := range g.has {
		if _, ok := v.Get(name); !ok {
			return true
		}
	}
	for _, name := range g.lacks {
		if _, ok := v.Get(name); ok {
			return true
		}
	}
	for _, one := range g.places {
		if one.Refuses(p.ctx, v) {
			return true
		}
	}
	for _, one := range g.nots {
		if one.Accepts(p.ctx, v) && !extractive(one, map[schema.Place]bool{}) { // With a text it may not accept it.
			return true
		}
	}
	return false
}

// finite gives the values of a group where they are few and known.
func (p *prover) finite(g group) (list []value.Value, ok bool) {
	switch g.kind {
	case value.KindNull:
		list = []value.Value{value.Null()}
	case value.KindBool:
		list = []value.Value{value.Bool(true), value.Bool(false)}
	default:
		if list, ok = listed(g); ok {
			_, strict := g.integers()
			list = spelled(list, strict)
			break
		}
		if g.kind == value.KindNumber {
			list, ok = smallRange(g)
		}
		if !ok {
			return nil, false
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(v value.Value) bool { p.steps++; return p.refuses(g, v) }), true
}

// listed gives the values of the shortest enum or const.
func listed(g group) (list []value.Value, ok bool) {
	for _, one := range g.places {
		if c, there := one.Get("const"); there {
			return []value.Value{c}, true
		}
		if enum, there := one.Get("enum"); there && (!ok || enum.Len() < len(list)) {
			list, ok = nil, true
			for _, v := range enum.Items() {
				list = append(list, v)
			}
		}
	}
	return list, ok
}

// required gives the names that a value of the group has, if it is an object.
func (g group) required() []string {
	names := slices.Clone(g.has)
	for _, p := range g.places {
		for name := range p.Required() {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for i := 0; i < len(names); i++ {
		for _, p := range g.places {
			for _, d := range p.Dependents() {
				if d.Name != names[i] {
					continue
				}
				for _, name := range d.Required {
					if !slices.Contains(names, name) {
						names = append(names, name)
					}
				}
			}
		}
	}
	return names
}

// member gives what is known of a member.
func (g group) member(name string) group {
	var list []schema.Place
	for _, p := range g.places {
		list = append(list, p.Member(name)...)
	}
	return newGroup(list...)
}

// item gives what is known of an item; index is at least the number of first items for all the others.
func (g group) item(index int) group {
	var list []schema.Place
	for _, p := range g.places {
		if one, ok := itemAt(p, index); ok {
			list = append(list, one)
		}
	}
	return newGroup(list...)
}

// itemAt gives what a place says of the item of an index.
func itemAt(p schema.Place, index int) (schema.Place, bool) {
	first, rest, ok := p.Items()
	if index < len(first) {
		return first[index], true
	}
	return rest, ok
}

// firsts gives how many items are spoken of by their place.
func (g group) firsts() (n int) {
	for _, p := range g.places {
		first, _, _ := p.Items()
		n = max(n, len(first))
	}
	return n
}

// named walks the names that the group speaks of, in the schema's order.
func (g group) named() []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, p := range g.places {
		for name := range p.Properties() {
			add(name)
		}
		for name := range p.Required() {
			add(name)
		}
	}
	return names
}

// patterns gives the regular expressions of member names that the group speaks of.
func (g group) patterns() []string {
	var list []string
	for _, p := range g.places {
		for text := range p.Patterns() {
			if !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// unnamed gives what is known of a member whose name no properties has and that matches just these patterns.
func (g group) unnamed(matching []string) group {
	var list []schema.Place
	for _, p := range g.places {
		list = append(list, unnamedOf(p, matching)...)
	}
	return newGroup(list...)
}

func unnamedOf(p schema.Place, matching []string) (list []schema.Place) {
	for text, sub := range p.Patterns() {
		if slices.Contains(matching, text) {
			list = append(list, sub)
		}
	}
	if further, ok := p.Additional(); ok && len(list) == 0 {
		list = append(list, further)
	}
	return list
}

// key names a group within one comparison.
func (p *prover) key(g group) string {
	b := []byte{byte(g.kind)}
	var ids []int
	for _, list := range [][]schema.Place{g.places, g.nots} {
		ids = ids[:0]
		for _, one := range list {
			ids = append(ids, p.id(one))
		}
		slices.Sort(ids)
		for _, n := range ids {
			b = strconv.AppendInt(append(b, ' '), int64(n), 10)
		}
		b = append(b, '|')
	}
	for _, names := range [][]string{g.has, g.lacks} {
		for _, name := range slices.Sorted(slices.Values(names)) {
			b = strconv.AppendQuote(b, name)
		}
		b = append(b, '|')
	}
	return string(b)
}

// id numbers places.
func (p *prover) id(one schema.Place) int {
	n, ok := p.ids[one]
	if !ok {
		n = len(p.ids)
		p.ids[one] = n
	}
	return n
}
