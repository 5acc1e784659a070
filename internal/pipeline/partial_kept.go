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
		for name, item := range shown.Members() {
			now, ok := v.Get(name)
			at := value.AppendPointer(pointer, name)
			switch {
			case !ok:
				v = v.With(name, item)
				changes = append(changes, schema.Coercion{Kind: keptStreamed, Pointer: at, After: item})
			case !value.Identical(now, item):
				now, changes = placed(now, item, at, changes)
				v = v.With(name, now)
			}
		}
		return v, changes
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
	const few = 8
	if b.next < b.v.Len() && b.v.NameAt(b.next) == name {
		b.next++
		return b.v.At(b.next - 1), true
	}
	if b.v.Len() <= few {
		return b.v.Get(name)
	}
	if b.index == nil {
		b.index = make(map[string]int, b.v.Len())
		for i := range b.v.Len() {
			b.index[b.v.NameAt(i)] = i
		}
	}
	i, ok := b.index[name]
	if !ok {
		return value.Value{}, false
	}
	b.next = i + 1
	return b.v.At(i), true
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
