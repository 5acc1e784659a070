package lowering

import (
	"cmp"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Providers limit whole requests. What goes beyond is given up in the order of least harm: descriptions where they count, the largest lists of values,
// the widest bounds of arrays.

// fits refuses a lowered schema that is beyond the subset's limits.
func (f *subset) fits(s value.Value) error {
	t := tally{limits: f}
	t.count(s, 0)
	switch {
	case f.nesting > 0 && t.depth > f.nesting:
		return &misfit{reason: "too many levels"}
	case f.properties > 0 && t.properties > f.properties:
		return &misfit{reason: "too many properties"}
	case f.characters > 0 && t.characters > f.characters:
		return &misfit{reason: "too many characters in names and values"}
	case f.enumValues > 0 && t.enumValues > f.enumValues:
		return &misfit{reason: "too many enum values"}
	case t.bigEnum:
		return &misfit{reason: "an enum with too much text"}
	}
	if f.text > 0 {
		if n := len(s.Append(nil)); n > f.text {
			return &misfit{reason: "too long a text", near: n < nearly*f.text}
		}
	}
	if f.bytes > 0 {
		if n := spreadSize(s); n > f.bytes {
			return &misfit{reason: "too long a text", near: n < nearly*f.bytes}
		}
	}
	return nil
}

// nearly is how many times too long a schema may be that leaving out descriptions may help.
const nearly = 6

// tally counts what providers limit.
type tally struct {
	limits                                    *subset
	depth, properties, characters, enumValues int
	bigEnum                                   bool
}

func (t *tally) count(s value.Value, depth int) {
	if kind, ok := s.Get("type"); ok && (kind.Text() == "object" || kind.Kind() == value.KindArray && slices.ContainsFunc(itemsOf(kind), func(k value.Value) bool { return k.Text() == "object" })) {
		depth++
		t.depth = max(t.depth, depth)
	}
	for name, item := range s.Members() {
		switch name {
		case "properties":
			t.properties += item.Len()
			for key, sub := range item.Members() {
				t.characters += len(key)
				t.count(sub, depth)
			}
		case "$defs":
			for key, sub := range item.Members() {
				t.characters += len(key)
				t.count(sub, 0)
			}
		case "items":
			t.count(item, depth)
		case "anyOf", "prefixItems":
			for _, sub := range item.Items() {
				t.count(sub, depth)
			}
		case "enum":
			t.list(item)
		}
	}
}

func (t *tally) list(values value.Value) {
	text := 0
	for _, v := range values.Items() {
		text += len(v.String())
	}
	t.enumValues += values.Len()
	t.characters += text
	if t.limits.bigEnum > 0 && values.Len() > t.limits.bigEnum && text > t.limits.bigEnumCharacters {
		t.bigEnum = true
	}
}

// endless is the size of what grows without bound.
const endless = 1 << 40

// spreadSize gives the length of a schema's text with its references written out.
func spreadSize(s value.Value) int {
	defs, _ := s.Get("$defs")
	known := map[string]int{}
	var size func(v value.Value) int
	size = func(v value.Value) int {
		if ref, ok := v.Get("$ref"); ok && v.Kind() == value.KindObject && ref.Kind() == value.KindString {
			name := strings.TrimPrefix(ref.Text(), "#/$defs/")
			if n, ok := known[name]; ok {
				return n
			}
			known[name] = endless // until it is known: a way back has no end
			d, _ := defs.Get(name)
			known[name] = size(d)
			return known[name]
		}
		switch v.Kind() {
		case value.KindString:
			return len(v.Text()) + 2 // Escapes are few.
		case value.KindObject, value.KindArray:
		default:
			return len(v.String())
		}
		total := 2
		for i := range v.Len() {
			if v.Kind() == value.KindObject {
				total += len(v.NameAt(i)) + 4
			}
			total = min(endless, total+size(v.At(i))+1)
		}
		return total
	}
	return size(s.Without("$defs"))
}

// trimLists keeps the values of all lists to what the subset allows: the largest are given up, one after the other.
func (f *fitter) trimLists() {
	if f.enumValues == 0 && f.bigEnum == 0 {
		return
	}
	var lists []*low
	total := 0
	for _, l := range f.order {
		if l.form == listForm {
			lists = append(lists, l)
			total += len(l.values)
		}
	}
	slices.SortStableFunc(lists, func(a, b *low) int { return cmp.Compare(len(b.values), len(a.values)) })
	for _, l := range lists {
		text := 0
		for _, v := range l.values {
			text += len(v.String())
		}
		big := f.bigEnum > 0 && len(l.values) > f.bigEnum && text > f.bigEnumCharacters
		if !big && (f.enumValues == 0 || total <= f.enumValues) {
			continue
		}
		if f.unlist(l) {
			total -= len(l.values)
		}
	}
}

// unlist gives up a list of values: they are judged afterwards (rule R11c).
func (f *fitter) unlist(l *low) bool {
	kind, ok := commonKind(l.values)
	if !ok || l.labels || kind == "object" || kind == "array" {
		return false
	}
	l.left = append(l.left, Residue{l.typ.places[0].Pointer(), "enum", value.Array(l.values...)})
	l.form, l.kinds = scalarForm, []string{kind}
	return true
}

// trimItems keeps the sum of the bounds of arrays to what the subset allows: the widest are given up.
func (f *fitter) trimItems(root *low) {
	if f.itemsTotal == 0 {
		return
	}
	times := f.times(root)
	var bounded []*low
	most := func(l *low) int {
		for _, m := range l.asserts {
			if n, ok := m.Value.Decimal().Int64(); ok && m.Name == "maxItems" {
				return int(min(n, endless>>20)) // So that the product with times has an end.
			}
		}
		return 0
	}
	for l := range times {
		if most(l) > 0 {
			bounded = append(bounded, l)
		}
	}
	slices.SortFunc(bounded, func(a, b *low) int {
		return cmp.Or(cmp.Compare(times[b]*most(b), times[a]*most(a)), cmp.Compare(a.typ.id, b.typ.id), cmp.Compare(a.level, b.level))
	})
	for i, l := range bounded {
		sum := 0
		for _, left := range bounded[i:] {
			sum = min(endless, sum+min(endless, times[left]*min(most(left), endless>>20)))
		}
		if sum <= f.itemsTotal {
			return
		}
		for i, m := range l.asserts {
			if m.Name == "maxItems" {
				l.left = append(l.left, Residue{l.typ.places[0].Pointer(), "maxItems", m.Value})
				l.asserts = slices.Delete(l.asserts, i, i+1)
				break
			}
		}
	}
}

// times gives for every low how often it stands in the schema when all references are written out.
func (f *fitter) times(root *low) map[*low]int {
	var order []*low
	seen := map[*low]bool{}
	var visit func(l *low)
	visit = func(l *low) {
		if seen[l] {
			return
		}
		seen[l] = true
		for _, c := range l.children() {
			visit(c)
		}
		order = append(order, l)
	}
	visit(root)
	times := map[*low]int{root: 1}
	for i := len(order) - 1; i >= 0; i-- {
		l := order[i]
		for _, c := range l.children() {
			times[c] = min(1<<20, times[c]+times[l])
		}
	}
	return times
}
