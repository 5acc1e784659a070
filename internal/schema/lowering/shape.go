package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// kinds is a set of JSON kinds; an integer is a number.
type kinds uint8

const everyKind = kinds(1<<value.KindNull | 1<<value.KindBool | 1<<value.KindNumber | 1<<value.KindString | 1<<value.KindArray | 1<<value.KindObject)

func kindsOf(names ...string) kinds {
	var k kinds
	for _, name := range names {
		switch name {
		case "null":
			k |= 1 << value.KindNull
		case "boolean":
			k |= 1 << value.KindBool
		case "number", "integer":
			k |= 1 << value.KindNumber
		case "string":
			k |= 1 << value.KindString
		case "array":
			k |= 1 << value.KindArray
		case "object":
			k |= 1 << value.KindObject
		}
	}
	return k
}

func (k kinds) has(kind value.Kind) bool { return k&(1<<kind) != 0 }

// names lists the kinds as type names; whole numbers are integers.
func (k kinds) names(whole bool) (names []string) {
	for _, name := range [...]string{"object", "array", "string", "number", "boolean", "null"} {
		if k&kindsOf(name) != 0 {
			if name == "number" && whole {
				name = "integer"
			}
			names = append(names, name)
		}
	}
	return names
}

// concernedBy reports whether a keyword with that role asserts anything on some of the kinds.
func (k kinds) concernedBy(r role) bool {
	return slices.ContainsFunc(k.names(false), r.appliesTo)
}

// shape is what can be told of a place's values, in the provider's form, from their outside. It decides which alternative an answer is.
type shape struct {
	kinds   kinds
	values  []value.Value // of listed ones; nil is any
	members []shapeMember // of objects
	open    bool          // objects have others too
	alts    []*low        // of a link or union, in place of the above
}

type shapeMember struct {
	name     string
	required bool
	low      *low
	travel   travel
}

// shaped gives a low's shape.
func (l *low) shaped() *shape {
	if l.shape != nil {
		return l.shape
	}
	s := &shape{}
	l.shape = s
	switch l.form {
	case scalarForm:
		s.kinds = kindsOf(l.kinds...)
	case listForm:
		s.values = l.values
		if l.labels {
			s.values = nil
			for _, text := range l.node.(*labelNode).labels { //nolint:forcetypeassert // Labels have no other codec.
				s.values = append(s.values, value.String(text))
			}
		}
		for _, v := range s.values {
			s.kinds |= 1 << v.Kind()
		}
	case textForm:
		s.kinds = kindsOf("string")
	case freeForm:
		s.kinds, s.open = everyKind, true
	case arrayForm:
		s.kinds = kindsOf("array")
	case objectForm:
		s.kinds, s.open = kindsOf("object"), l.open != closedMembers
		for i := range l.props {
			p := &l.props[i]
			s.members = append(s.members, shapeMember{p.sent, !p.optional, p.low, p.travel})
		}
	case linkForm:
		s.alts = []*low{l.target}
	case unionForm:
		if l.tagged == nil {
			s.alts = l.alts
			break
		}
		for i, tag := range l.tagged {
			s.alts = append(s.alts, &low{form: objectForm, props: []prop{{sent: tag, low: l.alts[i]}}})
		}
	}
	return s
}

// freeze makes every shape of a graph, so that raising, which goes on in many goroutines, finds them made.
func freeze(l *low, seen map[*low]bool) {
	if seen[l] {
		return
	}
	seen[l] = true
	for _, a := range l.shaped().alts {
		freeze(a, seen)
	}
	for _, c := range l.children() {
		freeze(c, seen)
	}
}

// branches resolves links and nested unions. What is met again adds nothing.
func (s *shape) branches() []*shape { return s.collect(nil, map[*shape]bool{}) }

func (s *shape) collect(out []*shape, seen map[*shape]bool) []*shape {
	if s.alts == nil {
		return append(out, s)
	}
	if seen[s] {
		return out
	}
	seen[s] = true
	for _, a := range s.alts {
		out = a.shaped().collect(out, seen)
	}
	return out
}

// comparison compares shapes within a budget of steps; beyond it nothing counts as disjoint, which is the careful answer. Alternatives that are
// compared pair by pair, and are alternatives themselves, would else cost without bound.
type comparison struct{ steps int }

// maxCompared is the budget for one schema, some tens of milliseconds.
const maxCompared = 300_000

// disjoint reports whether surely no value fits both.
func (c *comparison) disjoint(a, b *shape) bool {
	if c.steps < 0 {
		return false
	}
	xs, ys := a.branches(), b.branches()
	if c.steps -= len(xs) + len(ys); c.steps < 0 {
		return false
	}
	for _, x := range xs {
		for _, y := range ys {
			if !c.apart(x, y) {
				return false
			}
		}
	}
	return true
}

func (c *comparison) apart(s, o *shape) bool {
	if c.steps -= 1 + len(s.values)*len(o.values) + len(s.members)*len(o.members)/8; c.steps < 0 {
		return false
	}
	common := s.kinds & o.kinds
	if common == 0 {
		return true
	}
	if s.values != nil && o.values != nil {
		for _, v := range s.values {
			for _, w := range o.values {
				if value.Equal(v, w) {
					return false
				}
			}
		}
		return true
	}
	return common == kindsOf("object") && s.values == nil && o.values == nil && (s.needsMore(o) || o.needsMore(s) || c.tagged(s, o))
}

// needsMore reports whether a required member of s is unknown to o.
func (s *shape) needsMore(o *shape) bool {
	if o.open {
		return false
	}
	for _, m := range s.members {
		if m.required && o.member(m.name) == nil {
			return true
		}
	}
	return false
}

// tagged reports whether both require a member whose scalar values have nothing in common.
func (c *comparison) tagged(s, o *shape) bool {
	for _, m := range s.members {
		other := o.member(m.name)
		if !m.required || other == nil || !other.required || m.travel != unwrapped || other.travel != unwrapped {
			continue
		}
		a, b := m.low.shaped(), other.low.shaped()
		if a.allKinds()&b.allKinds() == 0 || a.scalar() && b.scalar() && c.disjoint(a, b) {
			return true
		}
	}
	return false
}

func (s *shape) allKinds() (k kinds) {
	for _, b := range s.branches() {
		k |= b.kinds
	}
	return k
}

// scalar reports whether a shape is settled without looking into containers.
func (s *shape) scalar() bool {
	for _, b := range s.branches() {
		if b.kinds&kindsOf("object", "array") != 0 {
			return false
		}
	}
	return true
}

func (s *shape) member(name string) *shapeMember {
	for i := range s.members {
		if s.members[i].name == name {
			return &s.members[i]
		}
	}
	return nil
}

// fits reports whether a value has the shape, as far as shapes are told apart.
func (s *shape) fits(v value.Value) bool {
	for _, b := range s.branches() {
		if b.fitsAlone(v) {
			return true
		}
	}
	return false
}

// fitsOutside is fits that looks no deeper: of containers it sees the kind.
func (s *shape) fitsOutside(v value.Value) bool {
	container := v.Kind() == value.KindObject || v.Kind() == value.KindArray
	for _, b := range s.branches() {
		if b.kinds.has(v.Kind()) && (container || b.fitsAlone(v)) {
			return true
		}
	}
	return false
}

func (s *shape) fitsAlone(v value.Value) bool {
	if !s.mayBecomeAlone(v) {
		return false
	}
	if v.Kind() != value.KindObject || s.values != nil {
		return true
	}
	for _, m := range s.members {
		if _, ok := v.Get(m.name); m.required && !ok {
			return false
		}
	}
	return true
}

// mayBecome reports whether the beginning of a value may grow into one of the shape.
func (s *shape) mayBecome(v value.Value) bool {
	for _, b := range s.branches() {
		if b.mayBecomeAlone(v) {
			return true
		}
	}
	return false
}

func (s *shape) mayBecomeAlone(v value.Value) bool {
	if !s.kinds.has(v.Kind()) {
		return false
	}
	if s.values != nil && v.Kind() != value.KindObject && v.Kind() != value.KindArray {
		return slices.ContainsFunc(s.values, func(w value.Value) bool { return value.Equal(v, w) })
	}
	if v.Kind() != value.KindObject || s.values != nil {
		return true
	}
	for name, item := range v.Members() {
		m := s.member(name)
		switch {
		case m == nil && !s.open:
			return false
		case m == nil || m.travel == wrapped || m.travel == nullable && item.IsNull():
		case !m.low.shaped().fitsOutside(item):
			return false
		}
	}
	return true
}
