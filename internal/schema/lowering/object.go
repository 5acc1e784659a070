package lowering

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/schema"
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
		*l = low{typ: t, level: l.level, said: l.said, left: l.left, form: arrayForm, items: pairs.low, note: "object as an array of its members", node: &pairsNode{value: pairs.low.props[1].low}}
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
		array := &low{typ: t, level: l.level, form: arrayForm, items: pairs.low, note: "further members of the object"}
		f.order = append(f.order, array)
		l.props = append(l.props, prop{sent: name, low: array, required: true})
		n.further, n.value = name, pairs.low.props[1].low
	}
	n.narrows = !kept
	l.node = n
}

// pairsOf is what an object's further members are lowered to.
type pairsOf struct{ low *low }

// pairs gives the pair of a name and a value for members that nothing names; it is nil where there are none. kept is false where members that nobody
// speaks of cannot be given.
func (f *fitter) pairs(l *low) (p *pairsOf, kept bool) {
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
	always := func(value.Value) bool { return true }
	switch {
	case t.closed:
	case t.further != nil:
		add(f.below(l, t.further), acceptsAll(t.further.places))
	case len(t.members) == 0:
		add(f.fit(f.norm.anything(), f.unroll), always)
	default:
		if !f.shut(l) {
			return nil, false
		}
	}
	if len(alts) == 0 {
		return nil, true
	}
	item := alts[0]
	if len(alts) > 1 {
		item = &low{typ: t, level: l.level, alts: alts, tests: tests}
		f.order = append(f.order, item)
		f.union(item)
	}
	key := &low{form: scalarForm, kinds: []string{"string"}}
	if t.names != nil {
		if named := f.fit(t.names, f.unroll); named.form == scalarForm && slices.Equal(named.kinds, key.kinds) || named.form == listForm && named.node == nil {
			key = named
			if len(named.left) == 0 {
				l.left = slices.DeleteFunc(l.left, func(r Residue) bool { return r.Keyword == "propertyNames" })
			}
		}
	} else if len(t.patterns) == 1 && t.closed && slices.Contains(f.keywords, "pattern") && plainPattern(t.patterns[0].pattern) {
		key.asserts = []value.Member{{Name: "pattern", Value: value.String(t.patterns[0].pattern)}}
	}
	if len(t.patterns) > 0 && len(key.asserts) == 0 {
		l.left = append(l.left, Residue{Pointer: t.places[0].Pointer(), Keyword: "patternProperties", Value: patternsValue(t.patterns)})
	}
	pair := &low{form: objectForm, props: []prop{{name: pairKey, sent: pairKey, low: key, required: true}, {name: pairValue, sent: pairValue, low: item, required: true}}}
	f.order = append(f.order, pair)
	return &pairsOf{pair}, true
}

// shut notes that an object which is silent about further members is closed.
func (f *fitter) shut(l *low) bool {
	f.narrow(l.typ, Narrowing{Keyword: "additionalProperties"})
	return false
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
	taken := map[string]bool{}
	for _, m := range l.typ.members {
		taken[m.name] = true
	}
	for _, m := range l.typ.members {
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

// alias gives a safe name for one that is not, unique among those taken.
func alias(name string, taken map[string]bool) string {
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
	unique := simple
	for n := 2; taken[unique]; n++ {
		unique = simple + "_" + strconv.Itoa(n)
	}
	taken[unique] = true
	return unique
}

// fresh gives a name that no member of a low has.
func (f *fitter) fresh(l *low, name string) string {
	taken := map[string]bool{}
	for _, p := range l.props {
		taken[p.sent] = true
	}
	return alias(name, taken)
}

// array makes a low of an array (rule R3 for tuples).
func (f *fitter) array(l *low) {
	t := l.typ
	if len(t.tuple) > 0 {
		f.tuple(l)
		return
	}
	l.form = arrayForm
	f.assert(l, "array")
	switch {
	case t.rest != nil:
		l.items = f.below(l, t.rest)
	default:
		l.items = f.fit(f.norm.anything(), f.unroll)
		if t.ends {
			l.left = append(l.left, Residue{t.places[0].Pointer(), "items", value.Bool(false)})
		}
	}
	l.node = &listNode{item: l.items}
}

// tuple makes a low of an array whose first items have types of their own.
func (f *fitter) tuple(l *low) {
	t := l.typ
	least, _ := t.bound("minItems")
	most, limited := t.bound("maxItems")
	exact := least == len(t.tuple) && (t.ends || limited && most == len(t.tuple))
	switch {
	case f.tuples == tupleNative, f.tuples == tupleBounded, f.tuples == tupleExact && exact:
		f.nativeTuple(l)
		return
	case f.tuples == tupleExact, f.tuples == tupleLoose:
		f.looseTuple(l)
		return
	}
	l.form = objectForm
	l.note = "array; the members are its items by position"
	for i, item := range t.tuple {
		name := strconv.Itoa(i)
		p := prop{name: name, sent: name, low: f.below(l, item), required: i < least}
		l.props = append(l.props, p)
	}
	var rest *low
	if !t.ends && !(limited && most <= len(t.tuple)) {
		if t.rest == nil {
			f.narrow(t, Narrowing{Keyword: "items"})
		} else {
			rest = &low{typ: t, level: l.level, form: arrayForm, items: f.below(l, t.rest), note: "the items behind these"}
			rest.node = &listNode{item: rest.items}
			f.order = append(f.order, rest)
			l.props = append(l.props, prop{name: restName, sent: restName, low: rest, required: true})
		}
	}
	for _, a := range t.asserts {
		if roleOf(a.keyword).appliesTo("array") && !(a.keyword == "minItems" && least <= len(t.tuple)) && !(a.keyword == "maxItems" && rest == nil && most >= len(t.tuple)) {
			l.left = append(l.left, a.origin)
		}
	}
	l.node = &tupleNode{rest: rest}
}

// nativeTuple sends a tuple as it is.
func (f *fitter) nativeTuple(l *low) {
	t := l.typ
	l.form = arrayForm
	f.assert(l, "array")
	for _, item := range t.tuple {
		l.first = append(l.first, f.below(l, item))
	}
	if f.tuples == tupleExact { // The engine takes it for fixed; bounds beside it are errors or noise.
		l.asserts = slices.DeleteFunc(l.asserts, func(m value.Member) bool { return m.Name == "minItems" || m.Name == "maxItems" })
		l.node = &listNode{first: l.first}
		return
	}
	switch {
	case t.rest != nil:
		l.items = f.below(l, t.rest)
	case t.ends && f.tuples == tupleBounded:
		f.endAt(l, len(t.tuple))
	case t.ends:
		l.ends = true
	case f.tuples == tupleBounded: // Nothing is said of the others.
		l.items = nil
	default:
		l.items = f.fit(f.norm.anything(), f.unroll)
	}
	l.node = &listNode{first: l.first, item: l.items}
}

// looseTuple sends an array whose items are those of any position.
func (f *fitter) looseTuple(l *low) {
	t := l.typ
	l.form = arrayForm
	f.assert(l, "array")
	var alts []*low
	var tests []func(value.Value) bool
	for _, item := range append(slices.Clone(t.tuple), t.rest) {
		if item == nil {
			continue
		}
		if x := f.below(l, item); !slices.Contains(alts, x) {
			alts = append(alts, x)
			tests = append(tests, acceptsAll(item.places))
		}
	}
	if t.rest == nil && !t.ends {
		if x := f.fit(f.norm.anything(), f.unroll); !slices.Contains(alts, x) {
			alts, tests = append(alts, x), append(tests, func(value.Value) bool { return true })
		}
	}
	l.items = alts[0]
	if len(alts) > 1 {
		l.items = &low{typ: t, level: l.level, alts: alts, tests: tests}
		f.order = append(f.order, l.items)
		f.union(l.items)
	}
	if t.ends {
		f.endAt(l, len(t.tuple))
	}
	l.left = append(l.left, Residue{t.places[0].Pointer(), "prefixItems", value.Array()})
	l.node = &listNode{item: l.items}
}

// endAt ends an array by its count.
func (f *fitter) endAt(l *low, n int) {
	if most, ok := l.typ.bound("maxItems"); slices.Contains(f.keywords, "maxItems") && !(ok && most <= n) {
		l.asserts = append(slices.DeleteFunc(l.asserts, func(m value.Member) bool { return m.Name == "maxItems" }), value.Member{Name: "maxItems", Value: value.Int(int64(n))})
	}
}

// openObject makes a low of an object where dictionaries are sent as such.
func (f *fitter) openObject(l *low) {
	t := l.typ
	l.form = objectForm
	f.members(l)
	patterns := t.patterns
	if len(patterns) > 0 && !f.takesPatterns(t) {
		l.left = append(l.left, Residue{t.places[0].Pointer(), "patternProperties", patternsValue(patterns)})
		patterns = nil
	}
	for _, p := range patterns {
		l.pattern = append(l.pattern, patterned{p.pattern, f.below(l, p.typ), p.names})
	}
	switch {
	case len(t.patterns) > len(patterns): // Members that a pattern names count as further ones: those are of either kind.
		l.open = openMembers
		if t.closed || t.further != nil {
			l.open, l.further = furtherMembers, f.either(l)
		}
	case t.closed:
		l.open = closedMembers
	case t.further != nil:
		l.open, l.further = furtherMembers, f.below(l, t.further)
		f.byName(l)
	default:
		l.open = silentMembers
		if f.shuts && len(t.members) > 0 {
			f.narrow(t, Narrowing{Keyword: "additionalProperties"})
		}
	}
	for _, a := range t.asserts {
		if !roleOf(a.keyword).appliesTo("object") {
			continue
		}
		if slices.Contains(f.keywords, a.keyword) && !slices.ContainsFunc(l.props, func(p prop) bool { return !p.required }) &&
			(len(l.props) == 0 && len(l.pattern) == 0 || !f.anchored) {
			l.asserts = append(l.asserts, value.Member{Name: a.keyword, Value: a.value})
		} else {
			l.left = append(l.left, a.origin)
		}
	}
	l.node = &objectNode{rest: l.further, patterns: l.pattern, narrows: l.open == silentMembers && f.shuts && len(t.members) > 0}
}

// either gives the low of members that patterns name or that nothing names.
func (f *fitter) either(l *low) *low {
	u := &low{typ: l.typ, level: l.level}
	for _, p := range l.typ.patterns {
		if x := f.below(l, p.typ); !slices.Contains(u.alts, x) {
			u.alts, u.tests = append(u.alts, x), append(u.tests, accepts(p.place))
		}
	}
	if l.typ.further != nil {
		if x := f.below(l, l.typ.further); !slices.Contains(u.alts, x) {
			u.alts, u.tests = append(u.alts, x), append(u.tests, acceptsAll(l.typ.further.places))
		}
	}
	if len(u.alts) == 0 {
		return f.fit(f.norm.anything(), f.unroll)
	}
	if i := slices.IndexFunc(u.alts, func(a *low) bool { return a.resolved().form == freeForm }); i >= 0 {
		return u.alts[i]
	}
	f.order = append(f.order, u)
	f.union(u)
	return u
}

// takesPatterns reports whether the engine takes an object's patterns of names.
func (f *fitter) takesPatterns(t *typ) bool {
	if !f.patterned || f.anchored && len(t.members) > 0 {
		return false
	}
	var names []string
	for _, p := range t.patterns {
		if !plainPattern(p.pattern) || f.anchored && !wholePattern(p.pattern) {
			return false
		}
		names = append(names, p.pattern)
	}
	return apart(names)
}

// byName sends a dictionary whose names all match one pattern as members of that pattern.
func (f *fitter) byName(l *low) {
	t := l.typ
	if t.names == nil || !f.patterned || len(t.members) > 0 || len(l.pattern) > 0 || f.anchored {
		return
	}
	if len(t.names.asserts) != 1 || t.names.asserts[0].keyword != "pattern" || t.names.listed || len(t.names.left) > 0 || t.names.kinds != kindsOf("string") {
		return
	}
	pattern := t.names.asserts[0].value.Text()
	if !plainPattern(pattern) {
		return
	}
	l.pattern, l.further, l.open = []patterned{{pattern, l.further, func(string) bool { return true }}}, nil, closedMembers
	l.left = slices.DeleteFunc(l.left, func(r Residue) bool { return r.Keyword == "propertyNames" })
}

func acceptsAny(places []schema.Place) func(value.Value) bool {
	return func(v value.Value) bool {
		return slices.ContainsFunc(places, func(p schema.Place) bool { return p.Accepts(context.Background(), v) })
	}
}

func acceptsAll(places []schema.Place) func(value.Value) bool {
	return func(v value.Value) bool {
		return !slices.ContainsFunc(places, func(p schema.Place) bool { return !p.Accepts(context.Background(), v) })
	}
}
