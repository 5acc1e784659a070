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
	} else {
		n.unevaluatedItems(t, g)
	}
	if t.ends {
		t.rest = nil
	}
}

// unevaluatedItems reads what is said of items that nothing else judges. Where conditions or contains may judge them, nothing is known of them.
func (n *normalizer) unevaluatedItems(t *typ, g gathered) {
	unsure := g.unsure
	var places []schema.Place
	for _, p := range g.all {
		if _, ok := p.Get("contains"); ok {
			unsure = true
		}
		if sub, ok := p.UnevaluatedItems(); ok {
			places = append(places, sub)
		}
	}
	least, _ := t.bound("minItems")
	switch {
	case len(places) > 0 && !unsure:
		t.rest = n.typeOf(places...)
		t.ends = t.rest.never
	case len(places) > 0 || unsure || least > len(t.tuple): // There may be others, or must be.
		t.rest = n.anything()
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
			if required[name] { // No object will do.
				t.kinds &^= kindsOf("object")
				t.never = t.kinds == 0
				t.members = nil
				return
			}
			continue
		}
		t.members = append(t.members, typMember{name: name, typ: sub, required: required[name]})
	}
	n.conditional(t, g, known)
	n.demanded(t, g, known)
	var naming []schema.Place
	for _, p := range g.all {
		for pattern, sub := range p.Patterns() {
			judged := n.typeOf(sub)
			if !judged.never {
				t.patterns = append(t.patterns, typPattern{pattern, judged, sub, p})
			}
		}
		if sub, ok := p.Names(); ok && !sub.Raw().IsNull() && !idle("propertyNames", sub.Raw()) {
			naming = append(naming, sub)
			t.left = append(t.left, Residue{p.Pointer(), "propertyNames", sub.Raw()})
		}
	}
	if len(naming) > 0 {
		t.names = n.typeOf(naming...)
		t.names.implied = false // Names are texts.
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
				if !t.closed { // Of several that close, one will do: the others are judged.
					t.patterns = slices.DeleteFunc(t.patterns, func(k typPattern) bool { return k.holder != p })
				}
				t.closed = true
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
	t.further = n.typeOf(places...) // It may be there already, for members that must be and have no names.
	if t.further.never {
		t.further, t.closed = nil, true
	}
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

// demanded adds members that only demands name: what depends on a member, or on which others do, and what a condition asks for.
func (n *normalizer) demanded(t *typ, g gathered, known map[string]bool) {
	for _, m := range t.members {
		known[m.name] = true
	}
	least, counted := t.bound("minProperties")
	open := counted && least > len(t.members)
	add := func(name string) {
		if known[name] || len(t.members) > maxConditional {
			return
		}
		known[name] = true
		if always := n.judges(g, name); !slices.ContainsFunc(always, schema.Place.Never) {
			t.members = append(t.members, typMember{name: name, typ: n.typeOf(always...)})
		}
	}
	for _, p := range g.all {
		for name := range p.Demanded() {
			add(name)
		}
	}
	if open { // There must be more members than have names.
		t.further = n.anything()
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
