package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// arrays reads tuples and items.
func (n *normalizer) arrays(t *typ, g gathered) {
	long := 0
	for _, p := range g.all {
		first, _, _ := p.Items()
		long = max(long, len(first))
	}
	at := func(i int) (list []schema.Place, spoken bool) {
		for _, p := range g.all {
			first, rest, ok := p.Items()
			switch {
			case i < len(first):
				list = append(list, first[i])
			case ok:
				list = append(list, rest)
			}
		}
		return list, len(list) > 0
	}
	for i := range long {
		places, _ := at(i)
		item := n.typeOf(places...)
		if item.never {
			t.ends = true
			return
		}
		t.tuple = append(t.tuple, item)
	}
	if places, spoken := at(long); spoken {
		t.rest = n.typeOf(places...)
		t.ends = t.rest.never
	} else if !g.unsure {
		for _, p := range g.all {
			if sub, ok := p.UnevaluatedItems(); ok && sub.Never() && long > 0 {
				t.ends = true
			}
		}
	}
	if t.ends {
		t.rest = nil
	}
}

// objects reads members.
func (n *normalizer) objects(t *typ, g gathered) {
	var names []string
	known := map[string]bool{}
	for _, p := range g.all {
		for name := range p.Properties() {
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	required := map[string]bool{}
	for _, p := range g.all {
		for name := range p.Required() {
			required[name] = true
			if !known[name] {
				known[name] = true
				names = append(names, name)
			}
		}
	}
	for _, name := range names {
		sub := n.typeOf(n.judges(g, name)...)
		if sub.never {
			if required[name] {
				*t = typ{id: t.id, places: t.places, never: true}
				return
			}
			continue
		}
		t.members = append(t.members, typMember{name: name, typ: sub, required: required[name]})
	}
	n.conditional(t, g, known)
	var names2 []schema.Place
	for _, p := range g.all {
		for pattern, sub := range p.Patterns() {
			judged := n.typeOf(sub)
			if !judged.never {
				t.patterns = append(t.patterns, typPattern{pattern, judged, sub, p})
			}
		}
		if sub, ok := p.Names(); ok && !sub.Raw().IsNull() && !idle("propertyNames", sub.Raw()) {
			names2 = append(names2, sub)
			t.left = append(t.left, Residue{p.Pointer(), "propertyNames", sub.Raw()})
		}
	}
	if len(names2) > 0 {
		t.names = n.typeOf(names2...)
	}
	n.beyond(t, g)
}

// judges gives the subschemas that judge a member.
func (n *normalizer) judges(g gathered, name string) (list []schema.Place) {
	for _, p := range g.all {
		for range p.Patterns() {
			n.places-- // Matching costs as much as a place.
		}
		if n.places < 0 {
			return nil
		}
		list = append(list, p.Member(name)...)
	}
	if len(list) == 0 && !g.unsure {
		for _, p := range g.all {
			if sub, ok := p.UnevaluatedMembers(); ok {
				list = append(list, sub)
			}
		}
	}
	return list
}

// beyond reads what is said of members that nothing names.
func (n *normalizer) beyond(t *typ, g gathered) {
	var places []schema.Place
	for _, p := range g.all {
		if sub, ok := p.Additional(); ok {
			places = append(places, sub)
			if sub.Never() {
				t.closed = true
				t.patterns = slices.DeleteFunc(t.patterns, func(k typPattern) bool { return !slices.Contains(patternsOf(p), k.pattern) })
			}
		}
	}
	if len(places) == 0 && !g.unsure {
		for _, p := range g.all {
			if sub, ok := p.UnevaluatedMembers(); ok {
				places = append(places, sub)
			}
		}
	}
	if t.closed || len(places) == 0 {
		return
	}
	t.further = n.typeOf(places...)
	if t.further.never {
		t.further, t.closed = nil, true
	}
}

func patternsOf(p schema.Place) (list []string) {
	for pattern := range p.Patterns() {
		list = append(list, pattern)
	}
	return list
}

// maxConditional bounds the walk through what may judge an object.
const maxConditional = 300

// conditional adds the members that only conditions and dropped alternatives name: without a place of their own they could not be given at all.
func (n *normalizer) conditional(t *typ, g gathered, known map[string]bool) {
	found := map[string][]schema.Place{}
	var names []string
	seen := map[schema.Place]bool{}
	var walk func(p schema.Place)
	walk = func(p schema.Place) {
		if seen[p] || len(seen) > maxConditional {
			return
		}
		seen[p] = true
		n.places--
		for name, sub := range p.Properties() {
			if known[name] {
				continue
			}
			if found[name] == nil {
				names = append(names, name)
			}
			found[name] = append(found[name], sub)
		}
		for name := range p.Required() {
			if !known[name] && found[name] == nil {
				names = append(names, name)
				found[name] = []schema.Place{}
			}
		}
		for _, c := range p.Conjuncts() {
			walk(c)
		}
		for _, c := range p.Choices() {
			for _, b := range c.Branches {
				walk(b)
			}
		}
		for _, c := range p.Conditionals() {
			walk(c)
		}
	}
	for _, p := range g.dropped {
		walk(p)
	}
	for _, name := range names {
		always := n.judges(g, name)
		if slices.ContainsFunc(always, schema.Place.Never) {
			continue
		}
		sub := n.eitherOf(found[name], always)
		if !sub.never {
			t.members = append(t.members, typMember{name: name, typ: sub, maybe: found[name]})
		}
	}
}

// eitherOf gives the type of values that one of the places allows, together with those that always judge.
func (n *normalizer) eitherOf(places, always []schema.Place) *typ {
	if len(places) < 2 {
		return n.typeOf(append(slices.Clone(always), places...)...)
	}
	if slices.ContainsFunc(places, func(p schema.Place) bool { k := p.Raw().Kind(); return k == value.KindBool || p.Raw().Len() == 0 }) {
		return n.typeOf(always...)
	}
	t := &typ{id: len(n.types), places: places[:1]}
	n.types["either "+itoa(t.id)] = t
	for _, p := range places {
		a := n.typeOf(append(slices.Clone(always), p)...)
		if !a.never && !slices.ContainsFunc(t.alts, func(b alternative) bool { return b.typ == a }) {
			t.alts = append(t.alts, alternative{a, p})
		}
	}
	switch len(t.alts) {
	case 0:
		t.never = true
	case 1:
		return t.alts[0].typ
	}
	return t
}
