package lowering

import (
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// The members of pairs (rule R2) and of the tree of any value.
const (
	pairKey     = "key"
	pairValue   = "value"
	treeMembers = "members"
	// furtherName is the member that holds the pairs of an open object, made unique among its properties.
	furtherName = "additional"
	restName    = "rest"
)

// object makes a low of an object.
func (f *fitter) object(l *low) {
	t := l.typ
	if f.dictionaries {
		f.openObject(l)
		return
	}
	pairs, kept := f.pairs(l)
	if pairs != nil && len(t.members) == 0 {
		// A dictionary: an array of pairs.
		*l = low{typ: t, level: l.level, said: l.said, left: l.left, form: arrayForm, items: pairs, note: "object as an array of its members", node: &pairsNode{value: pairs.props[1].low}}
		f.assertAs(l, "minProperties", "minItems")
		f.assertAs(l, "maxProperties", "maxItems")
		return
	}
	l.form = objectForm
	f.assert(l, "object")
	f.members(l)
	n := &objectNode{}
	if pairs != nil {
		name := f.fresh(l, furtherName)
		array := &low{typ: t, level: l.level, form: arrayForm, items: pairs, note: "further members of the object"}
		f.order = append(f.order, array)
		l.props = append(l.props, prop{sent: name, low: array, required: true})
		n.further, n.value = name, pairs.props[1].low
	}
	n.narrows, n.patterns = !kept, namesOf(t.patterns)
	l.node = n
}

// pairs gives the pair of a name and a value for members that nothing names; it is nil where there are none. kept is false where members that nobody
// speaks of cannot be given.
func (f *fitter) pairs(l *low) (pair *low, kept bool) {
	t := l.typ
	var alts []*low
	var tests []func(value.Value) bool
	add := func(x *low, test func(value.Value) bool) {
		if !slices.Contains(alts, x) {
			alts, tests = append(alts, x), append(tests, test)
		}
	}
	for _, k := range t.patterns {
		add(f.below(l, k.typ), accepts(k.place))
	}
	silent := false
	always := func(value.Value) bool { return true }
	switch {
	case t.closed:
	case t.further != nil:
		add(f.below(l, t.further), acceptsAll(t.further.places))
	case len(t.members) == 0:
		add(f.fit(f.norm.anything(), f.unroll), always)
	default: // Closed, but for what patterns name.
		f.narrow(t, Narrowing{Keyword: "additionalProperties"})
		silent = true
	}
	if len(alts) == 0 {
		return nil, !silent
	}
	item := alts[0]
	if len(alts) > 1 {
		item = &low{typ: t, level: l.level, alts: alts, tests: tests}
		f.order = append(f.order, item)
		f.union(item)
	}
	key, patterned := &low{form: scalarForm, kinds: []string{"string"}}, false
	if t.names != nil {
		if named := f.fit(t.names, f.unroll); named.form == scalarForm && slices.Equal(named.kinds, key.kinds) || named.form == listForm && named.node == nil {
			key = named
			if len(named.left) == 0 && len(t.members) == 0 {
				l.left = slices.DeleteFunc(l.left, func(r Residue) bool { return r.Keyword == "propertyNames" })
			}
		}
	} else if len(t.patterns) == 1 && t.closed && slices.Contains(f.keywords, "pattern") && plainPattern(t.patterns[0].pattern) {
		key.asserts = []value.Member{{Name: "pattern", Value: value.String(t.patterns[0].pattern)}}
		patterned = true
	}
	if len(t.patterns) > 0 && !patterned {
		l.left = append(l.left, Residue{Pointer: t.places[0].Pointer(), Keyword: "patternProperties", Value: patternsValue(t.patterns)})
		if t.closed {
			l.left = append(l.left, Residue{Pointer: t.places[0].Pointer(), Keyword: "additionalProperties", Value: value.Bool(false)})
		}
	}
	pair = &low{form: objectForm, props: []prop{{name: pairKey, sent: pairKey, low: key, required: true}, {name: pairValue, sent: pairValue, low: item, required: true}}}
	f.order = append(f.order, pair)
	return pair, !silent
}

// namesOf gives what patterns name, for members that travel as pairs.
func namesOf(patterns []typPattern) (list []patterned) {
	for _, p := range patterns {
		list = append(list, patterned{pattern: p.pattern, names: p.names})
	}
	return list
}

func patternsValue(patterns []typPattern) value.Value {
	var names []value.Member
	for _, p := range patterns {
		if !slices.ContainsFunc(names, func(m value.Member) bool { return m.Name == p.pattern }) {
			names = append(names, value.Member{Name: p.pattern, Value: p.place.Raw()})
		}
	}
	return value.Object(names...)
}

// assertAs sends a count of members as one of pairs.
func (f *fitter) assertAs(l *low, from, to string) {
	for _, a := range l.typ.asserts {
		if a.keyword != from {
			continue
		}
		m, kept, exact := f.assertion(&typ{asserts: []assertion{{keyword: to, value: a.value}}}, assertion{keyword: to, value: a.value}, []string{"array"})
		if kept {
			l.asserts = append(l.asserts, m)
		}
		if !exact {
			l.left = append(l.left, a.origin)
		}
	}
}

// members fits the named members (rules R1 and R14). How an optional one travels is decided when the graph is complete.
func (f *fitter) members(l *low) {
	taken := names{}
	for _, m := range l.typ.members {
		taken[m.name] = 1
	}
	for _, m := range l.typ.members {
		if !m.required && m.typ.refuses() {
			continue
		}
		p := prop{name: m.name, sent: m.name, low: f.below(l, m.typ), required: m.required}
		if len(m.maybe) > 0 {
			p.meant = acceptsAny(m.maybe)
			f.narrow(l.typ, Narrowing{Keyword: "properties"})
		}
		if f.plainNames && !safeName(m.name) {
			p.sent = alias(m.name, taken)
			p.note = "Stands for the member " + strconv.Quote(m.name)
		}
		l.props = append(l.props, p)
	}
}

// safeName reports whether a name is one that every dialect's tools take: [A-Za-z0-9_.-]{1,64}.
func safeName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	return strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) }) < 0
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' || r == '.'
}

// names are those that are taken, each with the last number that was put behind it to make another of it.
type names map[string]int

// alias gives a safe name for one that is not, unique among those taken, and takes it.
func alias(name string, taken names) string {
	const longest = 48
	simple := strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '_'
	}, name)
	if simple = simple[:min(len(simple), longest)]; simple == "" {
		simple = "p"
	}
	n := taken[simple]
	if n == 0 {
		taken[simple] = 1
		return simple
	}
	unique := ""
	for unique == "" || taken[unique] > 0 {
		n++
		unique = simple + "_" + strconv.Itoa(n)
	}
	taken[simple], taken[unique] = n, 1
	return unique
}

// fresh gives a name that no member of a low has.
func (f *fitter) fresh(l *low, name string) string {
	taken := names{}
	for _, p := range l.props {
		taken[p.sent] = 1
	}
	return alias(name, taken)
}
