package lowering

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

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
		least := a.keyword == "minProperties" && t.closed && len(l.pattern) == 0 // Members enough, or engines find that nothing satisfies it.
		if n, ok := t.bound(a.keyword); least && (!ok || n > len(l.props)) {
			l.left = append(l.left, a.origin)
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
		// Engines put what a pattern says together with what is said of a member, which fails where either leads back; the member's type has it already.
		if slices.ContainsFunc(t.members, func(m typMember) bool { return p.names(m.name) }) {
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
