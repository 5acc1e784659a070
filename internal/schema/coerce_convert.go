package schema

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// reading is another value that a value may be meant as.
type reading struct {
	kind  string
	v     value.Value
	price int
	// inner readings are containers or parts that are aligned in turn.
	inner bool
}

// convert replaces a value by the one reading that the schema allows.
func (a *aligner) convert(set []*node, w *wants, v value.Value, pointer string) (aligned, bool) {
	var found []aligned
	for _, r := range a.readings(w, v) {
		next := aligned{v: r.v}
		if r.inner {
			next = a.align(set, r.v, pointer)
		} else {
			next.ok = a.holds(set, r.v)
		}
		if next.ok {
			next.price += r.price
			next.list = append([]Coercion{{Kind: r.kind, Pointer: pointer, Before: v, After: r.v}}, next.list...)
			found = append(found, next)
		}
	}
	return a.cheapest(found, false)
}

func (a *aligner) readings(w *wants, v value.Value) []reading {
	var list []reading
	// Another kind of value is meant only where this kind is not wanted at all, or where the members of an enum decide: elsewhere nearly
	// every keyword would be met by a kind that it does not judge.
	other := w.kinds
	if w.kinds&kindOf(v.Kind()) != 0 && len(w.enums) == 0 {
		other = 0
	}
	add := func(kind string, price int, made ...value.Value) {
		for _, m := range made {
			list = append(list, reading{kind: kind, v: m, price: price})
		}
	}
	switch v.Kind() {
	case value.KindString:
		a.textReadings(w, other, v.Text(), add)
		if w.kinds&anyString == 0 && w.kinds&(anyArray|anyObject) != 0 {
			if parsed, ok := parseContainer(v.Text()); ok {
				list = append(list, reading{CoercedParsedString, parsed, safePrice, true})
			}
		}
	case value.KindNumber:
		if d := v.Decimal(); w.kinds&anyInteger != 0 && d.IsInteger() {
			if n, err := value.Number(d.String()); err == nil {
				add(CoercedIntegral, safePrice, n)
			}
		}
		if a.lenient() {
			if other&anyString != 0 {
				add(CoercedNumberToString, lenientPrice, value.String(v.Text()))
			}
			if text := v.Text(); other&anyBool != 0 && (text == "0" || text == "1") {
				add(CoercedNumberToBoolean, lenientPrice, value.Bool(text == "1"))
			}
		}
	case value.KindBool:
		if a.lenient() && other&anyString != 0 {
			add(CoercedBooleanToString, lenientPrice, value.String(v.String()))
		}
	case value.KindArray:
		if v.Len() == 1 && w.kinds&anyArray == 0 {
			list = append(list, reading{CoercedArrayToItem, v.At(0), safePrice, true})
		} else if v.Len() > 1 && a.lenient() && w.kinds&anyArray == 0 {
			list = append(list, reading{CoercedFirstItem, v.At(0), lossPrice, true})
		}
	case value.KindObject:
		if v.Len() == 1 && a.lenient() && (w.kinds&anyObject == 0 || !w.knows(v.NameAt(0))) {
			list = append(list, reading{CoercedUnwrapped, v.At(0), lenientPrice, true})
		}
	case value.KindNull:
	}
	if w.kinds&anyArray != 0 && w.kinds&kindOf(v.Kind()) == 0 && v.Kind() != value.KindArray && !v.IsNull() && (a.lenient() || isLone(v)) && !hasParsedArray(list) {
		list = append(list, reading{CoercedItemToArray, value.Array(v), safePrice, true})
	}
	if _, container := parseContainer(v.Text()); !container && a.lenient() && w.kinds&anyObject != 0 && w.kinds&kindOf(v.Kind()) == 0 && v.Kind() < value.KindArray && !v.IsNull() {
		if name, ok := w.only(); ok {
			list = append(list, reading{CoercedWrapped, value.Object(value.Member{Name: name, Value: v}), lenientPrice, true})
		}
	}
	return list
}

// only gives the name of the one member that an object of the place may have.
func (w *wants) only() (name string, ok bool) {
	for _, n := range w.nodes {
		if n.object == nil {
			continue
		}
		if ok || n.object.named != 1 {
			return "", false
		}
		name, ok = n.object.properties[0].name, true
	}
	return name, ok
}

func hasParsedArray(list []reading) bool {
	return slices.ContainsFunc(list, func(r reading) bool { return r.kind == CoercedParsedString && r.v.Kind() == value.KindArray })
}

// isLone reports whether a value is plainly one item: a text with commas or line breaks may be a list written as text.
func isLone(v value.Value) bool {
	return v.Kind() != value.KindString || v.Text() != "" && !strings.ContainsAny(v.Text(), ",;\n|")
}

// parseContainer reads JSON that was put into a string.
func parseContainer(s string) (value.Value, bool) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' && s[0] != '[' {
		return value.Value{}, false
	}
	v, err := value.DecodeString(s, value.Limits{})
	return v, err == nil
}

// textReadings gives what a text may be meant as.
func (a *aligner) textReadings(w *wants, other kinds, s string, add func(string, int, ...value.Value)) {
	trimmed := strings.TrimSpace(s)
	// Each member of an enum is read, and looked for in the text.
	const member = 50 // Steps that reading one is worth.
	if !a.t.spend(len(s)>>2 + len(w.enums)*(member+len(s)>>3)) {
		return
	}
	if other&(anyNumber|anyInteger) != 0 {
		if n, err := value.Number(trimmed); err == nil {
			add(CoercedStringToNumber, safePrice, n)
			if d, err := value.Number(n.Decimal().String()); err == nil && d.Text() != n.Text() && n.Decimal().IsInteger() && w.kinds&anyNumber == 0 {
				add(CoercedStringToNumber, safePrice+1, d) // Draft 4 wants "5.0" written as 5.
			}
		} else if n, ok := looseNumber(trimmed); ok && (a.lenient() || isGrouped(trimmed)) {
			add(CoercedNumberForm, lenientPrice, n)
		}
	}
	if other&anyBool != 0 {
		switch word := strings.ToLower(trimmed); {
		case word == "true" || word == "false":
			add(CoercedStringToBoolean, safePrice, value.Bool(word == "true"))
		case a.lenient() && slices.Contains([]string{"yes", "y", "on", "1"}, word):
			add(CoercedBooleanWord, lenientPrice, value.Bool(true))
		case a.lenient() && slices.Contains([]string{"no", "n", "off", "0"}, word):
			add(CoercedBooleanWord, lenientPrice, value.Bool(false))
		}
	}
	if other&anyNull != 0 {
		switch word := strings.ToLower(trimmed); {
		case word == "null":
			add(CoercedStringToNull, safePrice, value.Null())
		case a.lenient() && slices.Contains([]string{"", "none", "n/a", "na", "nil", "unknown", "-"}, word):
			add(CoercedNullWord, lenientPrice, value.Null())
		}
	}
	if w.kinds&anyString == 0 {
		if a.lenient() && len(w.enums) > 0 {
			add(CoercedEnumInText, lenientPrice, w.mentioned(s)...)
		}
		return
	}
	if trimmed != s {
		add(CoercedTrimmed, safePrice, value.String(trimmed))
	}
	if len(w.enums) > 0 {
		if same := w.spelled(s, folded); len(same) > 0 {
			add(CoercedEnumSpelling, safePrice, same...)
		} else if a.lenient() {
			if same = w.spelled(s, plain); len(same) == 0 {
				same = w.mentioned(s)
			}
			add(CoercedEnumInText, lenientPrice, same...)
		}
	}
	for _, f := range w.formats {
		add(CoercedDateForm, safePrice, dateReadings(f, trimmed, a.lenient())...)
	}
}

// spelled gives the enum members that are the same text but for what the function takes away.
func (w *wants) spelled(s string, f func(string) string) []value.Value {
	var found []value.Value
	want := f(s)
	for _, e := range w.enums {
		if e.Kind() == value.KindString && f(e.Text()) == want && want != "" && !slices.ContainsFunc(found, func(o value.Value) bool { return value.Equal(o, e) }) {
			found = append(found, e)
		}
	}
	return found
}

// folded takes case and extra space away.
func folded(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// plain takes case, space and punctuation away.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if isWordRune(r) {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

// words puts one space between the words of a text.
func words(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r != '_' && !isWordRune(r) }), " ")
}

func isWordRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r >= 0x80
}
