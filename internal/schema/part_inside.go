package schema

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// inside is what judges an object or array at a place, and so what it holds.
type inside struct {
	all    []*node // alternatives and conditions among them
	sure   []*node // those that judge in every answer that passes
	open   bool    // of several alternatives any may be the one
	hidden bool    // too much, or not known before the whole is
}

// inside gives what judges the container at the place.
func (p *Part) inside(array bool) *inside {
	at, kind := &p.members, value.KindObject
	if array {
		at, kind = &p.items, value.KindArray
	}
	if *at != nil {
		return *at
	}
	in := &inside{}
	*at = in
	for _, n := range p.all {
		in.gather(n, kindOf(kind))
	}
	var only []*node
	for _, n := range p.sure {
		only = in.certain(n, kindOf(kind), only)
	}
	for len(only) > 0 && !in.hidden {
		n := only[0]
		only = in.certain(n, kindOf(kind), only[1:])
	}
	// Of listed values the one that is meant is known at the end.
	in.hidden = in.hidden || slices.ContainsFunc(in.sure, func(n *node) bool { return n.enum != nil })
	return in
}

// gather adds what may judge the same value.
func (in *inside) gather(n *node, k kinds) {
	if in.hidden || slices.Contains(in.all, n) {
		return
	}
	if n.dynamic || len(in.all) >= maxPart {
		in.hidden = true
		return
	}
	in.all = append(in.all, n)
	for _, r := range n.refs {
		in.gather(r, k)
	}
	for _, c := range n.choices {
		for _, b := range c.branches {
			if !b.never && b.couldBe(k) {
				in.gather(b, k)
			}
		}
	}
	if !n.other {
		return
	}
	for _, list := range [][]keyword{n.every, n.of[value.KindObject]} {
		for _, k2 := range list {
			switch k2 := k2.(type) {
			case *ifKeyword:
				for _, sub := range []*node{k2.then, k2.otherwise} {
					if sub != nil {
						in.gather(sub, k)
					}
				}
			case *dependentKeyword:
				for i := range k2.list {
					if sub := k2.list[i].sub; sub != nil {
						in.gather(sub, k)
					}
				}
			}
		}
	}
}

// certain adds what judges the same value in any case. Of a choice with one alternative for the kind that one does; it is put behind the others, as
// coercion does (see aligner.container).
func (in *inside) certain(n *node, k kinds, only []*node) []*node {
	if in.hidden || slices.Contains(in.sure, n) {
		return only
	}
	if len(in.sure) >= maxPart {
		in.hidden = true
		return only
	}
	in.sure = append(in.sure, n)
	for _, r := range n.refs {
		only = in.certain(r, k, only)
	}
	for _, c := range n.choices {
		var viable []*node
		for _, b := range c.branches {
			if b.kinds&k != 0 && !b.never {
				viable = append(viable, b)
			}
		}
		if len(viable) == 1 {
			only = append(only, viable[0])
		} else {
			in.open = true
		}
	}
	return only
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
