package schema

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// inside is what judges an object or array at a place, and so what it holds.
type inside struct {
	kind  kinds
	holds value.Value // so far
	far   bool        // a value that is none of those listed stays so

	all    []*node // alternatives and conditions among them
	sure   []*node // those that judge in every answer that passes
	own    int     // of those: before alternatives that are left alone
	open   bool    // of several alternatives any may be the one
	hidden bool    // too much, or not known before the whole is
}

// inside gives what judges the container at the place.
func (p *Part) inside(array bool) *inside {
	if p.within != nil {
		return p.within
	}
	in := &inside{kind: anyObject, far: p.judge.mode != Lenient, holds: p.holds}
	if array {
		in.kind = anyArray
	}
	p.within = in
	for _, n := range p.all {
		in.gather(n)
	}
	var only []*node
	for _, n := range p.sure {
		only = in.certain(n, only)
	}
	for in.own = len(in.sure); len(only) > 0 && !in.hidden; {
		n := only[0]
		only = in.certain(n, only[1:])
	}
	return in
}

// gather adds what may judge the same value.
func (in *inside) gather(n *node) {
	if in.hidden || slices.Contains(in.all, n) {
		return
	}
	// Of listed containers the one that is meant is known at the end.
	listed := slices.ContainsFunc(n.enum, func(v value.Value) bool { return kindOf(v.Kind()) == in.kind })
	if n.dynamic || listed || len(in.all) >= maxPart {
		in.hidden = true
		return
	}
	in.all = append(in.all, n)
	for _, r := range n.refs {
		in.gather(r)
	}
	for _, c := range n.choices {
		for _, b := range c.branches {
			if !b.never && b.couldBe(in.kind) && !in.ruledOut(b, 0) {
				in.gather(b)
			}
		}
	}
	if n.other {
		in.conditions(n)
	}
}

// conditions adds what judges the same value where something else holds.
func (in *inside) conditions(n *node) {
	for _, list := range [][]keyword{n.every, n.of[value.KindObject]} {
		for _, k := range list {
			switch k := k.(type) {
			case *ifKeyword:
				if k.then != nil && !in.ruledOut(k.cond, 0) {
					in.gather(k.then)
				}
				if k.otherwise != nil {
					in.gather(k.otherwise)
				}
			case *dependentKeyword:
				for i := range k.list {
					if sub := k.list[i].sub; sub != nil {
						in.gather(sub)
					}
				}
			}
		}
	}
}

// certain adds what judges the same value in any case. Of a choice with one alternative left that one does; it is put behind the others, as coercion
// does (see aligner.container).
func (in *inside) certain(n *node, only []*node) []*node {
	if in.hidden || slices.Contains(in.sure, n) {
		return only
	}
	if len(in.sure) >= maxPart {
		in.hidden = true
		return only
	}
	in.sure = append(in.sure, n)
	for _, r := range n.refs {
		only = in.certain(r, only)
	}
	for _, c := range n.choices {
		var viable []*node
		for _, b := range c.branches {
			if b.kinds&in.kind != 0 && !b.never && !in.ruledOut(b, 0) {
				viable = append(viable, b)
			}
		}
		switch len(viable) {
		case 0:
			in.hidden = true // Nothing that is to come can make it pass.
		case 1:
			only = append(only, viable[0])
		default:
			in.open = true
		}
	}
	return only
}

// ruledOut reports whether a member that is complete has none of the values that the node lists for it, and none that coercion would take for one.
func (in *inside) ruledOut(n *node, depth int) bool {
	const deep = 8
	if !in.far || depth > deep {
		return false
	}
	if n.object != nil {
		for name, v := range in.holds.Members() {
			if at := n.object.find(name, 0); at >= 0 && n.object.properties[at].sub != nil && n.object.properties[at].sub.farFrom(v, 0) {
				return true
			}
		}
	}
	return slices.ContainsFunc(n.refs, func(r *node) bool { return in.ruledOut(r, depth+1) })
}

// farFrom reports whether the node lists scalars and the scalar is none of them, in any spelling.
func (n *node) farFrom(v value.Value, depth int) bool {
	const deep = 8
	if v.IsNull() || v.Kind() >= value.KindArray || depth > deep {
		return false
	}
	near := func(e value.Value) bool {
		text := spelling(e)
		if e.Kind() >= value.KindArray || value.Equal(e, v) || folded(text) == folded(spelling(v)) {
			return true
		}
		// Numbers and dates have many spellings.
		return v.Kind() == value.KindString && strings.ContainsAny(v.Text(), "0123456789") && text != "" && strings.ContainsAny(text[:1], "0123456789-")
	}
	if n.enum != nil && n.format == "" && !slices.ContainsFunc(n.enum, near) {
		return true
	}
	return slices.ContainsFunc(n.refs, func(r *node) bool { return r.farFrom(v, depth+1) })
}

// spelling is a scalar as a model may write it inside a text.
func spelling(v value.Value) string {
	if v.Kind() == value.KindString {
		return v.Text()
	}
	return v.String()
}

// couldBe reports whether the node's own type, and that of what it refers to, leaves one of the kinds.
func (n *node) couldBe(k kinds) bool {
	if n.kinds&k == 0 {
		return false
	}
	for _, r := range n.refs {
		if r.kinds&k == 0 {
			return false
		}
	}
	return true
}
