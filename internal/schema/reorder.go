package schema

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// Reorder puts the members of objects in the order of the schema's properties, then those that it does not name in their own order. Of
// alternatives the one that the value fits gives the order.
func (s *Schema) Reorder(v value.Value) value.Value {
	t := s.trial(context.Background(), explainSteps)
	defer s.release(t)
	var buffer [8]*node
	return t.reorder(append(buffer[:0], s.root), v)
}

func (t *trial) reorder(set []*node, v value.Value) value.Value {
	if v.Len() == 0 || len(set) == 0 || !t.spend(1) {
		return v
	}
	var buffer [12]*node
	list := buffer[:0]
	for _, n := range set {
		list = t.fitting(list, n, v)
	}
	if v.Kind() == value.KindArray {
		return t.reorderItems(list, v)
	}
	return t.reorderMembers(list, v)
}

// fitting gathers a node and what judges the same value with it.
func (t *trial) fitting(list []*node, n *node, v value.Value) []*node {
	if len(list) >= maxPart || !t.spend(1) {
		return list
	}
	if n.object != nil || n.array != nil {
		list = append(list, n)
	}
	for _, r := range n.refs {
		list = t.fitting(list, r, v)
	}
	for _, c := range n.choices {
		for _, b := range c.branches {
			if b.kinds&kindOf(v.Kind()) != 0 && (len(c.branches) == 1 || t.holds(b, v, nil)) {
				list = t.fitting(list, b, v)
				break
			}
		}
	}
	return list
}

func (t *trial) reorderItems(list []*node, v value.Value) value.Value {
	for i := range v.Len() {
		if v.At(i).Len() == 0 {
			continue
		}
		var buffer [8]*node
		next := buffer[:0]
		for _, n := range list {
			if n.array != nil {
				next = n.array.children(next, i)
			}
		}
		if item := t.reorder(next, v.At(i)); !same(item, v.At(i)) {
			v = v.WithAt(i, item)
		}
	}
	return v
}

// children adds the subschemas of a member, within the trial's budget.
func (t *trial) children(k *objectKeyword, next []*node, name string) []*node {
	if len(k.patterns) == 0 {
		return k.children(next, name)
	}
	known := false
	if at := k.find(name, 0); at >= 0 && k.properties[at].sub != nil {
		known = true
		next = append(next, k.properties[at].sub)
	}
	for i := range k.patterns {
		if t.stopped {
			return next
		}
		if t.matches(k.patterns[i].pattern, name) {
			known = true
			next = append(next, k.patterns[i].sub)
		}
	}
	if !known && k.additional != nil && !t.stopped {
		next = append(next, k.additional)
	}
	return next
}

func (t *trial) reorderMembers(list []*node, v value.Value) value.Value {
	for i := range v.Len() {
		if v.At(i).Len() == 0 {
			continue
		}
		var buffer [8]*node
		next := buffer[:0]
		for _, n := range list {
			if n.object != nil {
				next = t.children(n.object, next, v.NameAt(i))
			}
		}
		if item := t.reorder(next, v.At(i)); !same(item, v.At(i)) {
			v = v.WithAt(i, item)
		}
	}
	if !t.spend(len(list)*v.Len()) || inOrder(list, v) {
		return v
	}
	return ordered(list, v)
}

// rank gives a member's place in the order of the nodes' properties.
func rank(list []*node, name string) int {
	base := 0
	for _, n := range list {
		if n.object == nil {
			continue
		}
		if at := n.object.find(name, 0); at >= 0 && at < n.object.named {
			return base + at
		}
		base += n.object.named
	}
	return base
}

func inOrder(list []*node, v value.Value) bool {
	last := -1
	for i := range v.Len() {
		r := rank(list, v.NameAt(i))
		if r < last {
			return false
		}
		last = r
	}
	return true
}

func ordered(list []*node, v value.Value) value.Value {
	type ranked struct{ rank, at int }
	ranks := make([]ranked, v.Len())
	for i := range ranks {
		ranks[i] = ranked{rank(list, v.NameAt(i)), i}
	}
	slices.SortStableFunc(ranks, func(a, b ranked) int { return a.rank - b.rank })
	members := make([]value.Member, len(ranks))
	for i, r := range ranks {
		members[i] = value.Member{Name: v.NameAt(r.at), Value: v.At(r.at)}
	}
	object := value.Object(members...)
	if offset, ok := v.Offset(); ok {
		object = object.Located(offset)
	}
	return object
}

// same reports whether two containers are the very same one: what was not changed is shared.
func same(a, b value.Value) bool { return value.Identical(a, b) }
