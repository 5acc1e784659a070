package lint

import "github.com/promptd/promptd/internal/schema"

// visit is one place of the caller's schema, with what judges the same value.
type visit struct {
	schema.Place
	group *group
	// entry is set for the place at which the walk came to the value: not for parts of allOf, alternatives and targets of references.
	entry bool
	// property is set where the place describes a property.
	property bool
}

// group is what may judge one value: the place at which the walk came to it, and all that judges in place from there.
type group struct {
	entry   schema.Place
	members []schema.Place // nil until they are asked for
	large   bool           // there are more; then everything counts as said
	names   map[string]bool
}

// maxGroup bounds the places that are looked at for one value: one part may stand in thousands of places.
const maxGroup = 256

// places gives the group's members.
func (g *group) places() []schema.Place {
	if g.members == nil {
		seen := map[schema.Place]bool{g.entry: true}
		g.members = []schema.Place{g.entry}
		for i := 0; i < len(g.members); i++ {
			for _, next := range inPlace(g.members[i]) {
				if len(g.members) == maxGroup {
					g.large = true
					return g.members
				}
				if !seen[next] {
					seen[next] = true
					g.members = append(g.members, next)
				}
			}
		}
	}
	return g.members
}

// has reports whether a member of the group has one of the keywords.
func (g *group) has(keywords ...string) bool {
	for _, p := range g.places() {
		for _, k := range keywords {
			if _, ok := p.Get(k); ok {
				return true
			}
		}
	}
	return g.large
}

// describes reports whether some member of the group says what a property is like.
func (g *group) describes(name string) bool {
	if g.names == nil {
		g.names = map[string]bool{}
		for _, p := range g.places() {
			for property := range p.Properties() {
				g.names[property] = true
			}
		}
	}
	if g.names[name] || g.large {
		return true
	}
	for _, p := range g.places() {
		if further, ok := p.Additional(); ok && !further.Never() {
			return true
		}
		for range p.Patterns() {
			if len(p.Member(name)) > 0 && !p.Member(name)[0].Never() {
				return true
			}
			break
		}
	}
	return false
}

// inPlace gives what judges the same value as a place.
func inPlace(p schema.Place) []schema.Place {
	next := p.Conjuncts()
	for _, c := range p.Choices() {
		next = append(next, c.Branches...)
	}
	return append(next, p.Conditionals()...)
}

// walked is the outcome of a walk.
type walked struct {
	schema *schema.Schema
	visits []*visit
	depth  map[schema.Place]int
}

// walk visits every place that can judge a part of a value, once, breadth first. What stands under not, if and contains is left out: there a schema says
// what values are told apart by, not what they should be like.
func walk(s *schema.Schema) *walked {
	w := &walked{schema: s}
	seen := map[schema.Place]bool{}
	add := func(p schema.Place, g *group, property bool) {
		if seen[p] {
			return
		}
		seen[p] = true
		v := &visit{Place: p, group: g, entry: g == nil, property: property}
		if g == nil {
			v.group = &group{entry: p}
		}
		w.visits = append(w.visits, v)
	}
	add(s.Root(), nil, false)
	for i := 0; i < len(w.visits); i++ {
		v := w.visits[i]
		for _, p := range inPlace(v.Place) {
			add(p, v.group, false)
		}
		below(v.Place, func(p schema.Place, property bool) { add(p, nil, property) })
	}
	return w
}

// below walks the places that judge members and items.
func below(p schema.Place, yield func(sub schema.Place, property bool)) {
	for _, sub := range p.Properties() {
		yield(sub, true)
	}
	for _, sub := range p.Patterns() {
		yield(sub, false)
	}
	for _, get := range [...]func() (schema.Place, bool){p.Additional, p.UnevaluatedMembers, p.UnevaluatedItems} {
		if sub, ok := get(); ok {
			yield(sub, false)
		}
	}
	first, rest, ok := p.Items()
	for _, sub := range first {
		yield(sub, false)
	}
	if ok {
		yield(rest, false)
	}
}

// nesting gives how many objects stand within one another from a place on; what leads back to itself adds nothing.
func (w *walked) nesting(p schema.Place) int {
	if w.depth == nil {
		w.depth = map[schema.Place]int{}
	}
	if n, ok := w.depth[p]; ok {
		return n
	}
	w.depth[p] = 0
	deepest := 0
	for _, next := range inPlace(p) {
		deepest = max(deepest, w.nesting(next))
	}
	inner := 0
	isObject := false
	below(p, func(sub schema.Place, property bool) {
		isObject = isObject || property
		inner = max(inner, w.nesting(sub))
	})
	if isObject {
		inner++
	}
	w.depth[p] = max(deepest, inner)
	return w.depth[p]
}
