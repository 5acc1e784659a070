package infer

import (
	"context"
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// sample is a value at some place of the example of a number.
type sample struct {
	v       value.Value
	example int
}

// drafter makes one draft.
type drafter struct {
	ctx      context.Context //nolint:containedctx // A drafter lives as long as one draft.
	limits   limits
	examples []Example
	formats  []format
	sources  []string // Of the examples, by number, with white space evened.
	notes    []Note
	more     int
}

func (d *drafter) note(pointer, decision string, have, of int, message string, args ...any) {
	if len(d.notes) >= maxNotes {
		d.more++
		return
	}
	d.notes = append(d.notes, Note{Pointer: pointer, Decision: decision, Message: fmt.Sprintf(message, args...), Have: have, Of: of})
}

// byKind holds the values of one place by their kinds.
type byKind [value.KindObject + 1][]sample

// place drafts the schema of the values that stand at one place.
func (d *drafter) place(samples []sample, pointer string, depth int) value.Value {
	if depth > d.limits.depth || d.ctx.Err() != nil {
		d.note(pointer, "any", len(samples), len(samples), "nested deeper than %d levels, or too varied, to be told apart", d.limits.depth)
		return value.Object()
	}
	var kinds byKind
	var present []value.Kind
	for _, s := range samples {
		k := s.v.Kind()
		if len(kinds[k]) == 0 && k != value.KindNull {
			present = append(present, k)
		}
		kinds[k] = append(kinds[k], s)
	}
	nulls := len(kinds[value.KindNull])
	switch {
	case len(present) == 0:
		d.note(pointer, "type", nulls, len(samples), "null in every example: nothing else is known of it")
		return object("type", value.String("null"))
	case len(present) == 1:
		drafted := d.kind(present[0], kinds[present[0]], len(samples), pointer, depth)
		if nulls > 0 {
			d.note(pointer, "nullable", nulls, len(samples), "null in some examples")
			drafted = nullable(drafted)
		}
		return drafted
	default:
		return d.union(kinds, len(samples), pointer, depth)
	}
}

// union drafts alternatives by type, in a fixed order.
func (d *drafter) union(kinds byKind, all int, pointer string, depth int) value.Value {
	pointer = value.AppendPointer(pointer, "anyOf")
	var names []string
	for k, list := range kinds {
		if len(list) > 0 {
			names = append(names, value.Kind(k).String()) //nolint:gosec // The kinds are few.
		}
	}
	d.note(pointer, "union", all, all, "of several types: %s", strings.Join(names, ", "))
	var branches []value.Value
	for k, list := range kinds {
		if len(list) == 0 {
			continue
		}
		at := value.AppendIndex(pointer, len(branches))
		if k := value.Kind(k); k == value.KindNull { //nolint:gosec // The kinds are few.
			d.note(at, "type", len(list), all, "null in some examples")
			branches = append(branches, object("type", value.String("null")))
		} else {
			branches = append(branches, d.kind(k, list, all, at, depth+1))
		}
	}
	return object("anyOf", value.Array(branches...))
}

// kind drafts the schema of values of one kind; all counts those of every kind.
func (d *drafter) kind(k value.Kind, samples []sample, all int, pointer string, depth int) value.Value {
	switch k {
	case value.KindBool:
		d.note(pointer, "type", len(samples), all, "a boolean")
		return object("type", value.String("boolean"))
	case value.KindNumber:
		return d.numbers(samples, all, pointer)
	case value.KindString:
		return d.texts(samples, all, pointer)
	case value.KindArray:
		return d.arrays(samples, all, pointer, depth)
	default:
		return d.objects(samples, all, pointer, depth)
	}
}

// numbers drafts integer or number. Bounds are not invented: those of some examples say nothing of the next.
func (d *drafter) numbers(samples []sample, all int, pointer string) value.Value {
	whole := 0
	for _, s := range samples {
		if s.v.Decimal().IsInteger() {
			whole++
		}
	}
	if whole == len(samples) {
		d.note(pointer, "type", whole, all, "a whole number in every example that has a number")
		return object("type", value.String("integer"))
	}
	d.note(pointer, "type", len(samples), all, "a number, %d of %d with a fraction", len(samples)-whole, len(samples))
	return object("type", value.String("number"))
}

// arrays drafts an array whose items are all alike.
func (d *drafter) arrays(samples []sample, all int, pointer string, depth int) value.Value {
	var items []sample
	for _, s := range samples {
		for _, item := range s.v.Items() {
			items = append(items, sample{item, s.example})
		}
	}
	if len(items) == 0 {
		d.note(pointer, "type", len(samples), all, "an array that is always empty: nothing is known of its items")
		return object("type", value.String("array"))
	}
	d.note(pointer, "type", len(samples), all, "an array; its schema of items rests on %s", count(len(items), "item"))
	return object("type", value.String("array"), "items", d.place(items, value.AppendPointer(pointer, "items"), depth+1))
}

// nullable lets a schema allow null as well.
func nullable(drafted value.Value) value.Value {
	if variants, ok := drafted.Get("anyOf"); ok {
		var branches []value.Value
		for _, b := range variants.Items() {
			branches = append(branches, b)
		}
		return drafted.With("anyOf", value.Array(append(branches, object("type", value.String("null")))...))
	}
	kind, ok := drafted.Get("type")
	if !ok {
		return drafted
	}
	drafted = drafted.With("type", value.Array(kind, value.String("null")))
	if enum, ok := drafted.Get("enum"); ok {
		var values []value.Value
		for _, v := range enum.Items() {
			values = append(values, v)
		}
		drafted = drafted.With("enum", value.Array(append(values, value.Null())...))
	}
	return drafted
}

// count writes a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// object makes an object of names and values in turn.
func object(pairs ...any) value.Value {
	var members []value.Member
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		v, _ := pairs[i+1].(value.Value)
		members = append(members, value.Member{Name: name, Value: v})
	}
	return value.Object(members...)
}

// format is a format that strings may have, with a schema that judges it.
type format struct {
	name   string
	judge  *schema.Schema
	marked string // A part that every text of it has, where the format alone takes too much.
}

// formats gives the formats that are looked for, the narrower ones first.
func formats() []format {
	var list []format
	for _, f := range [][2]string{
		{"date-time", ""}, {"date", ""}, {"time", ""}, {"uuid", ""}, {"email", ""}, {"uri", "://"}, {"ipv4", ""}, {"ipv6", ""}, {"iban", ""}, {"e164", "+"},
	} {
		s, err := schema.Compile(object("type", value.String("string"), "format", value.String(f[0])), schema.Options{})
		if err == nil {
			list = append(list, format{name: f[0], judge: s, marked: f[1]})
		}
	}
	return list
}
