package lowering

import (
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/value"
)

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
			if f.endAt(l, 0); !slices.Contains(f.keywords, "maxItems") {
				l.left = append(l.left, Residue{t.places[0].Pointer(), "items", value.Bool(false)})
			}
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
	l.left = append(l.left, t.tupleResidue())
	l.node = &listNode{item: l.items}
}

// tupleResidue says that the places of items are not enforced.
func (t *typ) tupleResidue() Residue {
	items := make([]value.Value, len(t.tuple))
	for i, item := range t.tuple {
		items[i] = value.Object()
		if len(item.places) > 0 {
			items[i] = item.places[0].Raw()
		}
	}
	return Residue{t.places[0].Pointer(), "prefixItems", value.Array(items...)}
}

// endAt ends an array by its count.
func (f *fitter) endAt(l *low, n int) {
	if most, ok := l.typ.bound("maxItems"); slices.Contains(f.keywords, "maxItems") && !(ok && most <= n) {
		l.asserts = append(slices.DeleteFunc(l.asserts, func(m value.Member) bool { return m.Name == "maxItems" }), value.Member{Name: "maxItems", Value: value.Int(int64(n))})
	}
}
