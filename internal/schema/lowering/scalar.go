package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

func (f *fitter) scalar(l *low, kinds []string) {
	l.form, l.kinds = scalarForm, kinds
	if f.openAPI && len(kinds) == 1 && kinds[0] == "null" { // Null is a flag of another type there.
		l.left = append(l.left, Residue{l.typ.places[0].Pointer(), "type", value.String("null")})
	}
	f.assert(l, kinds...)
	if len(kinds) > 1 && !f.typeLists {
		f.spread(l)
	}
}

// spread gives every kind of a scalar an alternative of its own, where type takes one name alone.
func (f *fitter) spread(l *low) {
	all := l.asserts
	l.asserts = nil
	for _, k := range l.kinds {
		p := &low{typ: l.typ, level: l.level, form: scalarForm, kinds: []string{k}}
		for _, a := range all {
			if roleOf(a.Name).appliesTo(k) {
				p.asserts = append(p.asserts, a)
			}
		}
		f.order = append(f.order, p)
		l.alts = append(l.alts, p)
		own := kindsOf(k)
		l.tests = append(l.tests, func(v value.Value) bool { return own.has(v.Kind()) })
	}
	l.kinds = nil
	f.union(l)
}

// assert splits a type's assertions into those that the subset has and the residue (rules R12 and R17).
func (f *fitter) assert(l *low, kinds ...string) {
	for _, a := range l.typ.asserts {
		if !slices.ContainsFunc(kinds, roleOf(a.keyword).appliesTo) {
			continue
		}
		m, kept, exact := f.assertion(l.typ, a, kinds)
		if kept && !slices.ContainsFunc(l.asserts, func(o value.Member) bool { return o.Name == m.Name }) {
			l.asserts = append(l.asserts, m)
		} else {
			exact = false
		}
		if !exact {
			l.left = append(l.left, a.origin)
		}
	}
}

// assertion gives a keyword as the subset takes it; exact is false where that is not all that it says.
func (f *subset) assertion(t *typ, a assertion, kinds []string) (m value.Member, kept, exact bool) {
	m = value.Member{Name: a.keyword, Value: a.value}
	if a.keyword == extractiveKeyword { // Only a short text makes a pattern, so it is said anyway.
		return m, f.spans && a.value.Truth(), false
	}
	if !slices.Contains(f.keywords, a.keyword) {
		if a.keyword == "minItems" && f.fewItems {
			n, _ := t.bound("minItems")
			return value.Member{Name: a.keyword, Value: value.Int(1)}, n > 0, n == 1
		}
		return m, false, false
	}
	switch a.keyword {
	case "format":
		ok := slices.Contains(f.formats, a.value.Text()) && !(f.converter && t.asserting("pattern"))
		return m, ok, ok
	case "pattern":
		if f.converter || f.anchored {
			simple, ok := simplePattern(a.value.Text())
			return value.Member{Name: a.keyword, Value: value.String(simple)}, ok, ok
		}
		ok := plainPattern(a.value.Text())
		return m, ok, ok
	case "minLength", "maxLength":
		if (f.converter || f.anchored) && t.asserting("pattern") {
			return m, false, false
		}
		const long = 64 // Engines give up on putting a pattern and a great length together.
		if n, ok := t.bound(a.keyword); f.near && t.asserting("pattern") && (!ok || n > long) {
			return m, false, false
		}
	}
	if a.value.Kind() != value.KindNumber || f.converter && roleOf(a.keyword) == numeric && (slices.Contains(kinds, "number") || !isInteger64(a.value)) {
		return m, false, false
	}
	if f.near && roleOf(a.keyword) == numeric && huge(a.value) {
		return m, false, false
	}
	return m, true, true
}

func (t *typ) asserting(keyword string) bool {
	return slices.ContainsFunc(t.asserts, func(a assertion) bool { return a.keyword == keyword })
}

func isInteger64(v value.Value) bool {
	_, whole := v.Decimal().Int64()
	return whole
}
