package lowering

import "github.com/promptd/promptd/internal/value"

// shape is what can be told of a place's values from their outside. It decides which branch of a union a value belongs to, in the caller's shape as
// in the provider's: required members are the same in both.
type shape struct {
	kinds   kinds
	values  []value.Value // of enum or const; nil is any
	members []shapeMember // of objects, which have no others
	target  *definition   // of a reference
	anyOf   []*shape
}

type shapeMember struct {
	name     string
	required bool
	shape    *shape
}

// kinds is a set of JSON kinds; an integer is a number.
type kinds uint8

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

// branches resolves references and nested unions. A reference that is met again adds nothing.
func (s *shape) branches() []*shape { return s.collect(nil, map[*definition]bool{}) }

func (s *shape) collect(out []*shape, seen map[*definition]bool) []*shape {
	switch {
	case s == nil:
		return out
	case s.target != nil:
		if seen[s.target] {
			return out
		}
		seen[s.target] = true
		return s.target.shape.collect(out, seen)
	case s.anyOf != nil:
		for _, b := range s.anyOf {
			out = b.collect(out, seen)
		}
		return out
	default:
		return append(out, s)
	}
}

// comparison compares shapes within a budget of steps; beyond it nothing counts as disjoint, which is the careful answer. Alternatives that are
// compared pair by pair, and are alternatives themselves, would else cost without bound.
type comparison struct{ steps int }

// maxCompared is the budget for one schema, some tenths of a second.
const maxCompared = 2_000_000

// disjoint reports whether surely no value fits both.
func (c *comparison) disjoint(a, b *shape) bool {
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
	if c.steps -= 1 + len(s.values)*len(o.values) + len(s.members)*len(o.members); c.steps < 0 {
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
		if other := o.member(m.name); m.required && other != nil && other.required && m.shape.scalar() && other.shape.scalar() {
			if c.disjoint(m.shape, other.shape) {
				return true
			}
		}
	}
	return false
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

func (s *shape) fitsAlone(v value.Value) bool {
	if !s.kinds.has(v.Kind()) {
		return false
	}
	if s.values != nil {
		for _, w := range s.values {
			if value.Equal(v, w) {
				return true
			}
		}
		return false
	}
	if v.Kind() != value.KindObject {
		return true
	}
	for name := range v.Members() {
		if s.member(name) == nil {
			return false
		}
	}
	for _, m := range s.members {
		if !m.required {
			continue
		}
		item, ok := v.Get(m.name)
		if !ok || m.shape.scalar() && !m.shape.fits(item) {
			return false
		}
	}
	return true
}

// union is the codec of alternatives: that of the first one that the value fits. Where none fits nothing is translated.
type union struct {
	shapes []*shape
	nodes  []node
}

func (u *union) translate(d direction, v value.Value) (value.Value, bool, error) {
	for i, s := range u.shapes {
		if s.fits(v) {
			return translate(u.nodes[i], d, v)
		}
	}
	return v, false, nil
}

func (u *union) plain(seen map[node]bool) bool {
	for _, n := range u.nodes {
		if !plain(n, seen) {
			return false
		}
	}
	return true
}

// ambiguous reports whether a value could be translated by the wrong alternative. It is asked when all definitions are done.
func (u *union) ambiguous(c *comparison) bool {
	if u.plain(map[node]bool{}) {
		return false
	}
	for i, a := range u.shapes {
		for _, b := range u.shapes[:i] {
			if !c.disjoint(a, b) {
				return true
			}
		}
	}
	return false
}
