package schema

import (
	"context"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

// AcceptPart reports whether a complete field is valid as far as the subschemas for its place say. Alternatives must all allow it, for nobody
// knows yet which one the whole will fit; it is false where the schema leaves the place in doubt. What judges the whole (not, required,
// counts) is left to Accept.
func (s *Schema) AcceptPart(ctx context.Context, pointer string, v value.Value) bool {
	set, ok := s.at(pointer)
	if !ok {
		return false
	}
	t := s.trial(ctx, judgeSteps)
	defer s.release(t)
	for _, n := range set {
		if !t.run(n, v, nil) || t.stopped {
			return false
		}
	}
	return true
}

// AcceptKind reports whether an array or object may stand at a place, whatever it will hold: a field of it is worth showing only then. Each subschema for the
// place must allow the kind, of alternatives at least one; it is false where the schema leaves the place in doubt.
func (s *Schema) AcceptKind(pointer string, k value.Kind) bool {
	set, ok := s.at(pointer)
	if !ok {
		return false
	}
	want := anyObject
	if k == value.KindArray {
		want = anyArray
	}
	for _, n := range set {
		if n.never || !n.couldBe(want) {
			return false
		}
		for _, c := range n.choices {
			if !slices.ContainsFunc(c.branches, func(b *node) bool { return !b.never && b.couldBe(want) }) {
				return false
			}
		}
	}
	return true
}

// at gives the subschemas that judge a place.
func (s *Schema) at(pointer string) ([]*node, bool) {
	tokens, ok := value.Tokens(pointer)
	if !ok {
		return nil, false
	}
	set := []*node{s.root}
	for _, token := range tokens {
		if set, ok = descend(set, token); !ok {
			return nil, false
		}
	}
	return set, true
}

// maxPart bounds the subschemas that are looked at for one place.
const maxPart = 1000

// descend gives the subschemas that judge the member or item of the token, of a container that all nodes of the set judge.
func descend(set []*node, token string) ([]*node, bool) {
	index, err := strconv.Atoi(token)
	isIndex := err == nil && index >= 0 && strconv.Itoa(index) == token
	w := walker{seen: map[*node]bool{}, containers: anyObject}
	if isIndex {
		w.containers |= anyArray
	}
	for _, n := range set {
		w.add(n)
	}
	if w.doubt || len(w.seen) > maxPart {
		return nil, false
	}
	var next []*node
	for _, n := range w.list {
		if isIndex && n.kinds&anyArray != 0 && n.array != nil {
			next = n.array.children(next, index)
		}
		known := false
		if n.kinds&anyObject != 0 && n.object != nil {
			before := len(next)
			next = n.object.children(next, token)
			known = len(next) > before
		}
		for _, k := range n.last {
			if u, ok := k.(*unevaluatedKeyword); ok && !known && !(u.kind == value.KindArray && !isIndex) {
				next = append(next, u.sub) // Nobody knows yet whether another part judged it.
			}
		}
	}
	return next, true
}

// walker gathers the subschemas that may judge the same value.
type walker struct {
	seen       map[*node]bool
	list       []*node
	containers kinds
	doubt      bool
}

func (w *walker) add(n *node) {
	if w.seen[n] || w.doubt {
		return
	}
	w.seen[n] = true
	if n.dynamic || len(w.seen) > maxPart {
		w.doubt = true
		return
	}
	w.list = append(w.list, n)
	for _, r := range n.refs {
		w.add(r)
	}
	for _, c := range n.choices {
		for _, b := range c.branches {
			if !b.never && b.couldBe(w.containers) {
				w.add(b)
			}
		}
	}
	if !n.other {
		return
	}
	for _, list := range [][]keyword{n.every, n.of[value.KindObject]} {
		for _, k := range list {
			switch k := k.(type) {
			case *ifKeyword:
				for _, sub := range []*node{k.then, k.otherwise} {
					if sub != nil {
						w.add(sub)
					}
				}
			case *dependentKeyword:
				for i := range k.list {
					if sub := k.list[i].sub; sub != nil {
						w.add(sub)
					}
				}
			}
		}
	}
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

// children adds the subschemas of a member.
func (k *objectKeyword) children(next []*node, name string) []*node {
	known := false
	if at := k.find(name, 0); at >= 0 && k.properties[at].sub != nil {
		known = true
		next = append(next, k.properties[at].sub)
	}
	for i := range k.patterns {
		if k.patterns[i].pattern.matchString(name) {
			known = true
			next = append(next, k.patterns[i].sub)
		}
	}
	if !known && k.additional != nil {
		next = append(next, k.additional)
	}
	return next
}

// children adds the subschema of an item.
func (k *arrayKeyword) children(next []*node, index int) []*node {
	switch {
	case index < len(k.prefix):
		return append(next, k.prefix[index])
	case k.rest != nil:
		return append(next, k.rest)
	default:
		return next
	}
}

// matchString matches outside a trial, with a budget of its own.
func (p pattern) matchString(s string) bool {
	t := trial{steps: explainSteps, ctx: context.Background()}
	return t.matches(p, s) && !t.stopped
}
