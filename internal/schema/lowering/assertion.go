package lowering

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// base puts together what the places say of kinds, listed values and by keywords without subschemas.
func (n *normalizer) base(t *typ, g gathered) {
	t.kinds = everyKind
	spoken := false
	for _, p := range g.all {
		for k := value.KindNull; k <= value.KindObject; k++ {
			allowed, integers := p.Allows(k)
			if !allowed {
				t.kinds &^= 1 << k
				spoken = true
			}
			if integers {
				t.whole, spoken = true, true
			}
		}
	}
	for _, p := range g.all {
		t.list(p)
	}
	for _, p := range g.all {
		for name, raw := range p.Raw().Members() {
			if v, ok := p.Get(name); ok && !idle(name, v) {
				t.assert(p, name, raw)
			}
		}
	}
	if !spoken && !t.listed {
		if about := n.about(t, g); about != 0 {
			t.kinds, t.implied = about, true
		}
	}
	t.asserts = slices.DeleteFunc(t.asserts, func(a assertion) bool { return !t.kinds.concernedBy(roleOf(a.keyword)) })
	t.values = slices.DeleteFunc(t.values, func(v value.Value) bool {
		return !t.kinds.has(v.Kind()) || t.whole && v.Kind() == value.KindNumber && !v.Decimal().IsInteger()
	})
}

// about gives the kinds that the keywords of a schema without a type are about: no type means any type, but is hardly ever meant.
func (n *normalizer) about(t *typ, g gathered) (about kinds) {
	for _, p := range g.all {
		for name := range p.Raw().Members() {
			if _, ok := p.Get(name); !ok {
				continue
			}
			for _, kind := range [...]string{"number", "string", "array", "object"} {
				if r := roleOf(name); r != general && r != logical && r != reference && r.appliesTo(kind) && name != "format" {
					about |= kindsOf(kind)
				}
			}
		}
	}
	if format := slices.ContainsFunc(g.all, func(p schema.Place) bool { return p.Format() != "" }); format && about == 0 {
		return kindsOf("string")
	}
	return about
}

// list narrows the listed values to those of a place's enum and const.
func (t *typ) list(p schema.Place) {
	narrow := func(values []value.Value) {
		if !t.listed {
			t.listed = true
			for _, v := range values {
				if !slices.ContainsFunc(t.values[max(0, len(t.values)-64):], func(w value.Value) bool { return value.Equal(v, w) }) {
					t.values = append(t.values, v)
				}
			}
			return
		}
		t.values = intersection(t.values, values)
	}
	if v, ok := p.Get("enum"); ok && v.Kind() == value.KindArray {
		narrow(itemsOf(v))
	}
	if v, ok := p.Get("const"); ok {
		narrow([]value.Value{v})
	}
}

// sameText gives a text that values share where they are equal, however their numbers are written.
func sameText(v value.Value) string {
	return string(plainNumbers(v).AppendCanonical(nil))
}

func plainNumbers(v value.Value) value.Value {
	if v.Kind() == value.KindNumber {
		if n, err := value.DecodeString(v.Decimal().String(), value.Limits{}); err == nil {
			return n
		}
		return v
	}
	for i := range v.Len() {
		v = v.WithAt(i, plainNumbers(v.At(i)))
	}
	return v
}

func intersection(a, b []value.Value) (both []value.Value) {
	in := make(map[string]bool, len(b))
	for _, v := range b {
		in[sameText(v)] = true
	}
	for _, v := range a {
		if in[sameText(v)] {
			both = append(both, v)
		}
	}
	return both
}

// assert takes a keyword without subschemas. Of two bounds the tighter one is kept, and both are judged anyway.
func (t *typ) assert(p schema.Place, name string, v value.Value) {
	a := assertion{name, v, Residue{p.Pointer(), name, v}}
	switch r := roleOf(name); {
	case name == "format" && p.Format() == "":
		return // It is not asserted.
	case r == numeric || r == textual:
		if a.value.Kind() == value.KindBool && name != "x-extractive" { // Draft 4: beside the bound.
			return
		}
		if flag, ok := p.Get("exclusiveM" + strings.TrimPrefix(name, "m")); ok && (name == "minimum" || name == "maximum") && flag.Kind() == value.KindBool && flag.Truth() {
			a.keyword = "exclusiveM" + name[1:]
			a.origin.Keyword = a.keyword
		}
	case r == counting:
	case name == "minProperties" || name == "maxProperties":
	case name == "contains":
	default:
		return
	}
	for i, b := range t.asserts {
		if b.keyword == a.keyword && value.Equal(b.value, a.value) {
			return
		}
		switch {
		case b.keyword != a.keyword:
		case tighter(a, b):
			t.asserts[i] = a
			return
		case tighter(b, a):
			return
		}
	}
	t.asserts = append(t.asserts, a)
}

// tighter reports whether a bound is narrower than another one of the same keyword.
func tighter(a, b assertion) bool {
	if a.value.Kind() != value.KindNumber || b.value.Kind() != value.KindNumber {
		return false
	}
	c := a.value.Decimal().Compare(b.value.Decimal())
	switch a.keyword {
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains":
		return c > 0
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains":
		return c < 0
	default:
		return false
	}
}

// bound gives a count that the type asserts.
func (t *typ) bound(keyword string) (int, bool) {
	for _, a := range t.asserts {
		if a.keyword == keyword && a.value.Kind() == value.KindNumber {
			n, ok := a.value.Decimal().Int64()
			return int(n), ok && n >= 0 && n < 1<<31
		}
	}
	return 0, false
}
