package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// llguidance refuses a reference that leads back to where it stands when something is to be put together with it: keywords beside it, beside
// alternatives that hold it, or other parts of an allOf. A grammar that is refused holds the model to nothing, so one side is left to judgement.

// maxRecursion bounds the search for references that lead back; beyond it they are taken to.
const maxRecursion = 300_000

// alone leaves out what stands beside references that lead back.
func (o *opener) alone(s, lowered value.Value, at string) value.Value {
	if ref, ok := s.Get("$ref"); ok && hasAny(lowered, "$ref") && lowered.Len() > 1 && o.leadsHome(ref.Text()) {
		return o.without(s, lowered, at, func(name string) bool { return name != "$ref" })
	}
	for _, name := range [...]string{"anyOf", "oneOf"} {
		branches, _ := s.Get(name)
		if hasAny(lowered, "anyOf") && lowered.Len() > 1 && slices.ContainsFunc(itemsOf(branches), o.branchLeadsHome) {
			if _, ok := lowered.Get("properties"); ok {
				return o.without(s, lowered, at, func(name string) bool { return name == "anyOf" })
			}
			return o.without(s, lowered, at, func(name string) bool { return name != "anyOf" })
		}
	}
	parts, ok := lowered.Get("allOf")
	own, _ := s.Get("allOf")
	if !ok || lowered.Len() == 1 && own.Len() == 1 {
		return lowered
	}
	var kept []value.Value
	before := len(o.residue)
	for i, part := range own.Items() {
		if o.branchLeadsHome(part) {
			o.residue = append(o.residue, Residue{Pointer: value.AppendIndex(at+"/allOf", i), Keyword: "$ref", Value: refOf(part)})
			continue
		}
		kept = append(kept, parts.At(i))
	}
	switch {
	case len(kept) == parts.Len():
		return lowered
	case len(kept) == 0 && parts.Len() == 1 && !hasAny(lowered, "properties"): // It says most of what holds here, often the type too.
		o.residue = o.residue[:before]
		return o.without(s, lowered, at, func(name string) bool { return name != "allOf" })
	case len(kept) == 0:
		return lowered.Without("allOf")
	default:
		return lowered.With("allOf", value.Array(kept...))
	}
}

func refOf(s value.Value) value.Value {
	ref, _ := s.Get("$ref")
	return ref
}

// without drops keywords of a lowered node.
func (o *opener) without(s, lowered value.Value, at string, drop func(name string) bool) value.Value {
	for name := range lowered.Members() {
		if !drop(name) {
			continue
		}
		lowered = lowered.Without(name)
		item, ok := s.Get(name)
		if !ok && name == "anyOf" { // Its residue is said: it was oneOf.
			continue
		}
		if ok {
			o.residue = append(o.residue, Residue{Pointer: at, Keyword: name, Value: item})
		}
	}
	return lowered
}

func (o *opener) branchLeadsHome(s value.Value) bool {
	ref, ok := s.Get("$ref")
	return ok && o.leadsHome(ref.Text())
}

// leadsHome reports whether a reference's target reaches itself again, by whatever way.
func (o *opener) leadsHome(ref string) bool {
	pointer, ok := localPointer(o.root, ref)
	if !ok {
		return false
	}
	if known, ok := o.home[pointer]; ok {
		return known
	}
	target, ok := o.root.Lookup(pointer)
	if !ok {
		return false
	}
	seen := map[string]bool{}
	o.home[pointer] = o.reaches(target, pointer, seen)
	return o.home[pointer]
}

// reaches reports whether a schema holds a reference to a pointer, directly or through others.
func (o *opener) reaches(s value.Value, pointer string, seen map[string]bool) bool {
	if o.searched++; o.searched > maxRecursion {
		return true
	}
	if ref, ok := s.Get("$ref"); ok && ref.Kind() == value.KindString {
		if at, ok := localPointer(o.root, ref.Text()); ok {
			if at == pointer {
				return true
			}
			if target, ok := o.root.Lookup(at); ok && !seen[at] {
				seen[at] = true
				if o.reaches(target, pointer, seen) {
					return true
				}
			}
		}
	}
	for i := range s.Len() {
		switch s.NameAt(i) {
		case "$defs", "definitions", "enum", "const", "default", "examples":
			continue
		}
		if item := s.At(i); item.Len() > 0 && o.reaches(item, pointer, seen) {
			return true
		}
	}
	return false
}
