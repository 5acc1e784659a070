package lowering

import (
	"iter"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Size is one figure of what is sent to a provider, with the provider's limit.
type Size struct {
	// Name is one of SizeNames.
	Name string
	Have int
	// Limit is the most that the profile allows; 0 is none that is known.
	Limit int
}

// The names of sizes.
const (
	SizeProperties = "properties"          // properties of all objects
	SizeNesting    = "nesting"             // levels of objects, in the root and in each definition
	SizeEnumValues = "enum_values"         // values of all enums
	SizeCharacters = "characters"          // of names of properties and definitions, and of enum values
	SizeBigEnum    = "big_enum_characters" // of the values of the largest enum among those that count as large
	SizeOptional   = "optional"            // properties that are not required, with references written out
	SizeUnions     = "unions"              // schemas with anyOf or several types, outside definitions
	SizeItems      = "items_total"         // the sum of maxItems, with references written out
	SizeBytes      = "bytes"               // of the schema as it is sent
	SizeExpanded   = "expanded_bytes"      // of the schema with references written out
)

// SizeNames lists the names of sizes in the order in which Sizes gives them.
func SizeNames() []string {
	return []string{
		SizeProperties, SizeNesting, SizeEnumValues, SizeCharacters, SizeBigEnum, SizeOptional, SizeUnions, SizeItems, SizeBytes, SizeExpanded,
	}
}

// Sizes measures what is sent against the limits of the profile, in the order of SizeNames; it is empty where nothing is sent. What few providers count
// is left out where this one does not. It measures l as Lower of the same profile gave it.
func (p Profile) Sizes(l Lowered) []Size {
	if l.Schema.IsNull() {
		return nil
	}
	s := p.limits(l.Mode)
	t := tally{limits: &s}
	t.count(l.Schema, 0)
	w := weigher{known: map[string]weight{}}
	w.defs, _ = l.Schema.Get("$defs")
	whole := w.of(l.Schema.Without("$defs"))
	sizes := []Size{
		{SizeProperties, t.properties, s.properties},
		{SizeNesting, t.depth, s.nesting},
		{SizeEnumValues, t.enumValues, s.enumValues},
		{SizeCharacters, t.characters, s.characters},
		{SizeBigEnum, largestEnum(l.Schema, s.bigEnum), s.bigEnumCharacters},
		{SizeOptional, whole.optional, max(0, s.optional)},
		{SizeUnions, unions(l.Schema), s.unions},
		{SizeItems, whole.items, s.itemsTotal},
		{SizeBytes, len(l.Schema.String()), s.text},
	}
	if s.bytes > 0 { // Elsewhere what is sent may have no end.
		sizes = append(sizes, Size{SizeExpanded, spreadSize(l.Schema), s.bytes})
	}
	return slices.DeleteFunc(sizes, func(s Size) bool {
		return s.Limit == 0 && (s.Name == SizeBigEnum || s.Name == SizeItems)
	})
}

// Enforces reports whether the provider holds a model to what it is sent in a mode.
func (p Profile) Enforces(m Mode) bool {
	return slices.ContainsFunc(p.forms(), func(f form) bool { return f.mode == m && f.fit == asSubset })
}

// limits gives the subset of the form that a mode stands for; modes that hold to no subset have no limits.
func (p Profile) limits(m Mode) subset {
	for _, f := range p.forms() {
		if f.mode == m && f.fit == asSubset {
			return f.subset
		}
	}
	return subset{}
}

// weight is what is counted with references written out.
type weight struct{ optional, items int }

func (w weight) plus(o weight) weight {
	return weight{min(endless, w.optional+o.optional), min(endless, w.items+o.items)}
}

// weigher counts with references written out; what leads back to itself counts once.
type weigher struct {
	defs  value.Value
	known map[string]weight
}

func (w *weigher) of(s value.Value) (total weight) {
	if ref, ok := s.Get("$ref"); ok {
		total = w.definition(strings.TrimPrefix(ref.Text(), "#/$defs/"))
	}
	if most, ok := s.Get("maxItems"); ok {
		if n, ok := most.Decimal().Int64(); ok {
			total.items = min(endless, total.items+int(min(n, endless)))
		}
	}
	total.optional += optionalMembers(s)
	for sub := range subschemas(s) {
		total = total.plus(w.of(sub))
	}
	return total
}

func (w *weigher) definition(name string) weight {
	if known, ok := w.known[name]; ok {
		return known
	}
	w.known[name] = weight{}
	d, _ := w.defs.Get(name)
	w.known[name] = w.of(d)
	return w.known[name]
}

// optionalMembers counts the properties of one schema that are not required.
func optionalMembers(s value.Value) int {
	properties, _ := s.Get("properties")
	if properties.Len() == 0 {
		return 0
	}
	required, _ := s.Get("required")
	names := make(map[string]bool, required.Len())
	for _, name := range required.Items() {
		names[name.Text()] = true
	}
	n := 0
	for name := range properties.Members() {
		if !names[name] {
			n++
		}
	}
	return n
}

// unions counts schemas with alternatives or several types, outside definitions.
func unions(s value.Value) (n int) {
	if isUnion(s) {
		n++
	}
	for sub := range subschemas(s) {
		n += unions(sub)
	}
	return n
}

// largestEnum gives the length of the values of the longest enum that has more values than count as large.
func largestEnum(s value.Value, large int) (longest int) {
	if list, ok := s.Get("enum"); ok && list.Len() > large {
		for _, v := range list.Items() {
			longest += len(v.String())
		}
	}
	for sub := range subschemas(s) {
		longest = max(longest, largestEnum(sub, large))
	}
	defs, _ := s.Get("$defs")
	for _, sub := range defs.Members() {
		longest = max(longest, largestEnum(sub, large))
	}
	return longest
}

// subschemas walks the schemas in a schema that is sent, but for its definitions.
func subschemas(s value.Value) iter.Seq[value.Value] {
	return func(yield func(value.Value) bool) {
		for name, item := range s.Members() {
			switch name {
			case "properties", "patternProperties":
				for _, sub := range item.Members() {
					if !yield(sub) {
						return
					}
				}
			case "anyOf", "oneOf", "allOf", "prefixItems":
				for _, sub := range item.Items() {
					if !yield(sub) {
						return
					}
				}
			case "items", "additionalProperties":
				if !yield(item) {
					return
				}
			}
		}
	}
}
