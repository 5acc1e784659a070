package pipeline

import (
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// What a stream has shown stays: this file compares values with it and puts it over those of later attempts.

// heldBy reports whether a final value holds everything that was shown.
func (p *partial) heldBy(final value.Value) bool { return !p.any || holds(final, p.shown) }

// keep puts what earlier attempts have shown over an answer, and tells where that changed something.
func (p *partial) keep(v value.Value, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	if !p.isFrozen {
		return v, changes
	}
	return over(v, p.frozen, "", changes)
}

// keptStreamed is the kind of a change that kept a value which a stream had already shown.
const keptStreamed = "kept_streamed"

// over gives v with the values of an earlier snapshot in their places: members of objects by name, items of arrays by place. Where the kinds differ v stays as it
// is, and what was shown no longer holds.
func over(v, shown value.Value, pointer string, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	switch {
	case v.Kind() != shown.Kind():
		return v, changes
	case v.Kind() == value.KindObject:
		return overMembers(v, shown, pointer, changes)
	case v.Kind() == value.KindArray:
		items := make([]value.Value, 0, max(v.Len(), shown.Len()))
		for i := range max(v.Len(), shown.Len()) {
			at := value.AppendIndex(pointer, i)
			switch {
			case i >= shown.Len():
				items = append(items, v.At(i))
			case i >= v.Len():
				items = append(items, shown.At(i))
				changes = append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, After: shown.At(i)})
			default:
				item := v.At(i)
				if !value.Identical(item, shown.At(i)) {
					item, changes = placed(item, shown.At(i), at, changes)
				}
				items = append(items, item)
			}
		}
		return value.Array(items...), changes
	default:
		return shown, changes
	}
}

func overMembers(v, shown value.Value, pointer string, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	members := make([]value.Member, v.Len(), max(v.Len(), shown.Len()))
	for i := range members {
		members[i] = value.Member{Name: v.NameAt(i), Value: v.At(i)}
	}
	places := byName{v: v}
	for name, item := range shown.Members() {
		at := value.AppendPointer(pointer, name)
		i := places.find(name)
		switch {
		case i < 0:
			members = append(members, value.Member{Name: name, Value: item})
			changes = append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, After: item})
		case !value.Identical(members[i].Value, item):
			members[i].Value, changes = placed(members[i].Value, item, at, changes)
		}
	}
	out := value.Object(members...)
	if offset, ok := v.Offset(); ok {
		out = out.Located(offset)
	}
	return out, changes
}

// placed puts a shown value in the place of another one.
func placed(now, shown value.Value, at string, changes []schema.Coercion) (value.Value, []schema.Coercion) {
	container := now.Kind() == value.KindObject || now.Kind() == value.KindArray
	if container && now.Kind() == shown.Kind() {
		return over(now, shown, at, changes)
	}
	return shown, append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, Before: now, After: shown})
}

// holds reports whether a value has every part of an earlier snapshot, unchanged.
func holds(v, earlier value.Value) bool {
	if v.Kind() != earlier.Kind() {
		return false
	}
	switch v.Kind() {
	case value.KindObject:
		members := byName{v: v}
		for name, item := range earlier.Members() {
			now, ok := members.get(name)
			if !ok || !holds(now, item) {
				return false
			}
		}
		return true
	case value.KindArray:
		if v.Len() < earlier.Len() {
			return false
		}
		for i, item := range earlier.Items() {
			if !holds(v.At(i), item) {
				return false
			}
		}
		return true
	default:
		return value.Identical(v, earlier)
	}
}

// byName finds members of an object that are asked for in about its own order: each look-up begins behind the last one found.
type byName struct {
	v     value.Value
	next  int
	index map[string]int // once that has failed for a wide object
}

func (b *byName) get(name string) (value.Value, bool) {
	i := b.find(name)
	if i < 0 {
		return value.Value{}, false
	}
	return b.v.At(i), true
}

// find gives the member's place, -1 where there is none.
func (b *byName) find(name string) int {
	const few = 8
	i, ok := b.next, b.next < b.v.Len() && b.v.NameAt(b.next) == name
	switch {
	case ok:
	case b.v.Len() <= few:
		for i = range b.v.Len() {
			if ok = b.v.NameAt(i) == name; ok {
				break
			}
		}
	default:
		if b.index == nil {
			b.index = make(map[string]int, b.v.Len())
			for i := range b.v.Len() {
				b.index[b.v.NameAt(i)] = i
			}
		}
		i, ok = b.index[name]
	}
	if !ok {
		return -1
	}
	b.next = i + 1
	return i
}

// leaves counts the scalars of a value.
func leaves(v value.Value) int {
	if v.Kind() != value.KindObject && v.Kind() != value.KindArray {
		return 1
	}
	n := 0
	for i := range v.Len() {
		n += leaves(v.At(i))
	}
	return n
}
