package infer

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// Thresholds of objects.
const (
	// Members are a dictionary's where at least so many names differ, in at least so many objects, and a name stands on average in at most a third of them…
	dictionaryNames   = 10
	dictionaryObjects = 3
	dictionaryShare   = 3
	// …or where at least so many names all look like data: dates, identifiers, numbers.
	dataNames = 3
	// Variants are told apart by a member with so few values, each of them seen twice.
	variants    = 8
	variantSeen = 2
)

// members are the members of one name in all the objects of a place.
type members struct {
	name    string
	samples []sample
}

// gathered gives the members of objects by name, in the order in which they are first seen.
func gathered(samples []sample) []*members {
	var list []*members
	byName := map[string]*members{}
	for _, s := range samples {
		for name, v := range s.v.Members() {
			m := byName[name]
			if m == nil {
				m = &members{name: name}
				byName[name] = m
				list = append(list, m)
			}
			m.samples = append(m.samples, sample{v, s.example})
		}
	}
	return list
}

// objects drafts an object: variants, a dictionary, or one set of members.
func (d *drafter) objects(samples []sample, all int, pointer string, depth int) value.Value {
	list := gathered(samples)
	if name, parts := variantsOf(samples, list); name != "" {
		return d.variants(name, parts, all, pointer, depth)
	}
	return d.members(samples, list, "", all, pointer, depth)
}

// members drafts an object of one set of members; the member tag has one value.
func (d *drafter) members(samples []sample, list []*members, tag string, all int, pointer string, depth int) value.Value {
	d.note(pointer, "type", len(samples), all, "an object with %s", count(len(list), "different member"))
	named, further := d.dictionary(samples, list)
	var properties []value.Member
	var required []value.Value
	at := value.AppendPointer(pointer, "properties")
	for _, m := range named {
		here := value.AppendPointer(at, m.name)
		if len(m.samples) == len(samples) {
			required = append(required, value.String(m.name))
		} else {
			d.note(here, "optional", len(m.samples), len(samples), "missing in some objects")
		}
		if m.name == tag {
			d.note(here, "const", len(m.samples), len(samples), "it tells this variant from the others")
			properties = append(properties, value.Member{Name: m.name, Value: object("type", value.String("string"), "const", m.samples[0].v)})
			continue
		}
		properties = append(properties, value.Member{Name: m.name, Value: d.place(m.samples, here, depth+1)})
	}
	drafted := object("type", value.String("object"))
	if len(properties) > 0 {
		drafted = drafted.With("properties", value.Object(properties...))
	}
	if len(required) > 0 {
		drafted = drafted.With("required", value.Array(required...))
	}
	if len(further) == 0 {
		return drafted.With("additionalProperties", value.Bool(false))
	}
	here := value.AppendPointer(pointer, "additionalProperties")
	var values []sample
	for _, m := range further {
		values = append(values, m.samples...)
	}
	d.note(here, "dictionary", len(further), len(list), "%d names that vary from object to object", len(further))
	return drafted.With("additionalProperties", d.place(values, here, depth+1))
}

// dictionary parts the members that have a meaning of their own from those of a dictionary.
func (d *drafter) dictionary(samples []sample, list []*members) (named, further []*members) {
	total := 0
	for _, m := range list {
		if len(m.samples) == len(samples) && len(samples) >= dictionaryObjects && !data(m.name) {
			named = append(named, m)
		} else {
			further = append(further, m)
			total += len(m.samples)
		}
	}
	varied := len(further) >= dictionaryNames && len(samples) >= dictionaryObjects && total*dictionaryShare <= len(further)*len(samples) && alike(further)
	likeData := len(further) >= dataNames && !slices.ContainsFunc(further, func(m *members) bool { return !data(m.name) })
	if varied || likeData || len(list) > d.limits.names {
		if len(named) > d.limits.names {
			return nil, list
		}
		return named, further
	}
	return list, nil
}

// alike reports whether all values are of one kind, null aside.
func alike(list []*members) bool {
	var seen [value.KindObject + 1]bool
	kinds := 0
	for _, m := range list {
		for _, s := range m.samples {
			if k := s.v.Kind(); k != value.KindNull && !seen[k] {
				seen[k] = true
				kinds++
			}
		}
	}
	return kinds <= 1
}

// data reports whether a name looks like a value: more than half of it are digits.
func data(name string) bool {
	digits := 0
	for _, c := range []byte(name) {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return 2*digits > len(name)
}

// variantsOf finds a member that every object has and whose few values go with different members: with each of at least two of them comes a member that all
// the objects of that value have and no other object has. Of several such members it is the one with the fewest values, then the first by name.
func variantsOf(samples []sample, list []*members) (tag string, parts [][]sample) {
	for _, m := range list {
		if len(m.samples) != len(samples) || slices.ContainsFunc(m.samples, func(s sample) bool { return s.v.Kind() != value.KindString }) {
			continue
		}
		index := map[string]int{}
		var found [][]sample
		for i, s := range m.samples {
			at, ok := index[s.v.Text()]
			if !ok {
				at = len(found)
				index[s.v.Text()] = at
				found = append(found, nil)
			}
			if len(found) > variants {
				break
			}
			found[at] = append(found[at], samples[i])
		}
		few := len(found) >= 2 && len(found) <= variants && !slices.ContainsFunc(found, func(part []sample) bool { return len(part) < variantSeen })
		if few && ownMembers(found, list) >= 2 {
			if tag == "" || len(found) < len(parts) || len(found) == len(parts) && m.name < tag {
				tag, parts = m.name, found
			}
		}
	}
	return tag, parts
}

// ownMembers counts the parts that have a member which all their objects have and no others.
func ownMembers(parts [][]sample, list []*members) (count int) {
	for _, part := range parts {
		for _, m := range list {
			if len(m.samples) == len(part) && !slices.ContainsFunc(part, func(s sample) bool { _, ok := s.v.Get(m.name); return !ok }) {
				count++
				break
			}
		}
	}
	return count
}

// variants drafts an alternative for each value of the member that tells them apart, in the order of the values.
func (d *drafter) variants(tag string, parts [][]sample, all int, pointer string, depth int) value.Value {
	pointer = value.AppendPointer(pointer, "anyOf")
	total := 0
	for _, part := range parts {
		total += len(part)
	}
	d.note(pointer, "variants", total, all, "the member %q tells %d variants apart: each has members of its own", tag, len(parts))
	var branches []value.Value
	for i, part := range parts {
		branches = append(branches, d.members(part, gathered(part), tag, all, value.AppendIndex(pointer, i), depth+1))
	}
	return object("anyOf", value.Array(branches...))
}
