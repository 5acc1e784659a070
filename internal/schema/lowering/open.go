package lowering

import (
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// lowerOpen strips a schema of what a grammar engine does not know. The engine refuses what it does not know, or worse, answers without any
// constraint, so only what is listed is sent; the shape stays the caller's, and dropping a constraint never shuts out a right answer.
func lowerOpen(schema value.Value, f form) Lowered {
	o := opener{subset: f.subset, root: schema, old: oldDraft(schema), defs: map[string]*definition{}, names: map[string]bool{}, looping: map[string]bool{}, home: map[string]bool{}}
	lowered := o.place(schema, "")
	if len(o.order) > 0 {
		members := make([]value.Member, len(o.order))
		for i, d := range o.order {
			members[i] = value.Member{Name: d.name, Value: d.schema}
		}
		lowered = lowered.With("$defs", value.Object(members...))
	}
	l := Lowered{Schema: lowered, Mode: f.mode, Residue: o.residue, Narrowed: o.narrowed, Shown: quiet(schema), codec: codec{root: orderOf(schema)}, Caps: f.caps}
	l.capped = withCaps(lowered, f.caps)
	return l
}

// oldDraft reports whether a schema says that it is of a draft before 2019-09.
func oldDraft(schema value.Value) bool {
	name, _ := schema.Get("$schema")
	return strings.Contains(name.Text(), "draft-0") // draft-03 to draft-07
}

// opener strips one schema.
type opener struct {
	subset  subset
	root    value.Value
	old     bool
	defs    map[string]*definition
	order   []*definition
	names   map[string]bool
	residue []Residue
	// narrowed are the objects that the engine closes by itself.
	narrowed []string
	looping  map[string]bool // what loops has found
	home     map[string]bool // what leadsHome has found
	searched int
}

// place strips the schema at a pointer; a boolean one stays as an object that says the same.
func (o *opener) place(s value.Value, at string) value.Value {
	if s.Kind() != value.KindObject {
		if s.Kind() == value.KindBool && !s.Truth() {
			if !o.subset.converter {
				return s
			}
			o.residue = append(o.residue, Residue{Pointer: at, Keyword: "not", Value: value.Object()})
		}
		return value.Object()
	}
	if ref, ok := s.Get("$ref"); ok && o.old {
		s = value.Object(value.Member{Name: "$ref", Value: ref}) // nothing counts beside it
	}
	if o.subset.converter {
		s = distributed(s)
	}
	types, hasTypes := typesOf(s)
	members := make([]value.Member, 0, s.Len())
	for name, item := range s.Members() {
		r := roleOf(name)
		switch r {
		case unknown, annotation, identifier, container:
			continue
		case numeric, textual, counting, listing, naming, properties:
			if hasTypes && !slices.ContainsFunc(types, r.appliesTo) {
				continue
			}
		}
		if m, ok := o.keyword(s, name, item, at); ok {
			members = append(members, m...)
		} else if !idle(name, item) && !replaced(s, name, item) {
			o.residue = append(o.residue, Residue{Pointer: at, Keyword: name, Value: item})
		}
	}
	lowered := value.Object(members...)
	if _, open := lowered.Get("patternProperties"); !open {
		if patterns, ok := s.Get("patternProperties"); ok && patterns.Len() > 0 {
			lowered = o.opened(lowered, at)
		}
	}
	if o.subset.converter {
		return o.convertible(s, lowered, at)
	}
	return o.alone(s, lowered, at)
}

// opened drops what an object says of further members: where patterns of names cannot be sent, their members would count as such.
func (o *opener) opened(lowered value.Value, at string) value.Value {
	further, ok := lowered.Get("additionalProperties")
	if !ok {
		return lowered
	}
	if further.Kind() != value.KindBool || !further.Truth() {
		o.residue = append(o.residue, Residue{Pointer: at, Keyword: "additionalProperties", Value: further})
	}
	return lowered.Without("additionalProperties")
}

// keyword gives a keyword as the engine takes it.
func (o *opener) keyword(s value.Value, name string, item value.Value, at string) ([]value.Member, bool) {
	one := func(name string, v value.Value) ([]value.Member, bool) {
		return []value.Member{{Name: name, Value: v}}, true
	}
	below := at + "/" + name
	switch name {
	case "oneOf": // rule R5
		if _, both := s.Get("anyOf"); both {
			return nil, false
		}
		o.residue = append(o.residue, Residue{Pointer: at, Keyword: name, Value: item})
		return one("anyOf", o.branches(item, below))
	case "items":
		if item.Kind() == value.KindArray {
			return one("prefixItems", o.list(item, below))
		}
		return one(name, o.place(item, below))
	case "additionalItems": // of drafts before 2020-12, beside a list of items
		if items, ok := s.Get("items"); ok && items.Kind() == value.KindArray {
			return one("items", o.place(item, below))
		}
		return nil, true
	case "$ref":
		return o.reference(item.Text())
	case "propertyNames":
		if _, ok := o.namedBy(s); ok {
			return nil, true
		}
	}
	if !slices.Contains(o.subset.keywords, name) {
		return nil, false
	}
	switch name {
	case "properties", "patternProperties":
		if name == "patternProperties" && (!plainNames(item) || !apart(item)) {
			return nil, false
		}
		return one(name, o.members(item, below))
	case "additionalProperties":
		if pattern, ok := o.namedBy(s); ok {
			patterns := value.Object(value.Member{Name: pattern, Value: o.place(item, below)})
			return []value.Member{{Name: "patternProperties", Value: patterns}, {Name: name, Value: value.Bool(false)}}, true
		}
		return one(name, o.additional(item, below))
	case "anyOf":
		return one(name, o.branches(item, below))
	case "prefixItems", "allOf":
		return one(name, o.list(item, below))
	case "type", "required":
		return one(name, item)
	case "enum", "const":
		return one(name, item)
	}
	if strings.HasSuffix(name, "Properties") && !countable(s) {
		return nil, false
	}
	m, ok := o.subset.assertion(s, name, item)
	return []value.Member{m}, ok && !(roleOf(name) == numeric && huge(item))
}

// namedBy gives the pattern that all names of a dictionary match, where that is all that is said of names: its members are then those of the pattern.
func (o *opener) namedBy(s value.Value) (string, bool) {
	names, _ := s.Get("propertyNames")
	pattern, ok := names.Get("pattern")
	further, _ := s.Get("additionalProperties")
	if !ok || names.Len() != 1 || further.Kind() != value.KindObject || hasAny(s, "properties", "patternProperties", "required") {
		return "", false
	}
	return pattern.Text(), slices.Contains(o.subset.keywords, "patternProperties") && plainPattern(pattern.Text())
}

// huge reports whether a bound is so far away that the engine fails to write it as a pattern; it hardly binds.
func huge(bound value.Value) bool {
	const far = 1_000_000_000_000_000
	d := bound.Decimal()
	return d.Compare(value.Int(far).Decimal()) >= 0 || d.Compare(value.Int(-far).Decimal()) <= 0
}

func plainNames(patterns value.Value) bool {
	for pattern := range patterns.Members() {
		if !plainPattern(pattern) {
			return false
		}
	}
	return true
}

// apart reports whether surely no name matches two of the patterns: the engine refuses those that overlap.
func apart(patterns value.Value) bool {
	var begins []byte
	for pattern := range patterns.Members() {
		if patterns.Len() == 1 {
			return true
		}
		rest, ok := strings.CutPrefix(pattern, "^")
		if !ok || rest == "" || strings.ContainsAny(pattern, "|*?{") || strings.IndexByte(`\\[(.+$`, rest[0]) >= 0 || slices.Contains(begins, rest[0]) {
			return false
		}
		begins = append(begins, rest[0])
	}
	return true
}

// countable reports whether counts of members can be sent: the engine takes them where every listed member is required.
func countable(s value.Value) bool {
	props, _ := s.Get("properties")
	required := requiredNames(s)
	for name := range props.Members() {
		if !slices.Contains(required, name) {
			return false
		}
	}
	return true
}

func (o *opener) additional(item value.Value, at string) value.Value {
	if item.Kind() == value.KindBool {
		return item
	}
	return o.place(item, at)
}

func (o *opener) members(s value.Value, at string) value.Value {
	members := make([]value.Member, 0, s.Len())
	for name, sub := range s.Members() {
		if o.subset.converter && sub.Kind() == value.KindBool && !sub.Truth() {
			continue // rule R18
		}
		members = append(members, value.Member{Name: name, Value: o.place(sub, value.AppendPointer(at, name))})
	}
	return value.Object(members...)
}

func (o *opener) list(s value.Value, at string) value.Value {
	items := make([]value.Value, 0, s.Len())
	for i, sub := range s.Items() {
		items = append(items, o.place(sub, value.AppendIndex(at, i)))
	}
	return value.Array(items...)
}

// branches strips alternatives; those that nothing satisfies are left out (rule R18).
func (o *opener) branches(s value.Value, at string) value.Value {
	var items []value.Value
	for i, sub := range s.Items() {
		if sub.Kind() == value.KindBool && !sub.Truth() {
			continue
		}
		items = append(items, o.place(sub, value.AppendIndex(at, i)))
	}
	return value.Array(items...)
}

// reference gives a reference to a definition of the lowered schema. What leads nowhere, and what leads only back to itself, is dropped.
func (o *opener) reference(ref string) ([]value.Member, bool) {
	pointer, ok := localPointer(o.root, ref)
	if !ok || o.loops(pointer) {
		return nil, false
	}
	d, ok := o.defs[pointer]
	if !ok {
		found, exists := o.root.Lookup(pointer)
		if !exists {
			return nil, false
		}
		d = &definition{pointer: pointer, name: definitionName(pointer, o.names)}
		o.defs[pointer] = d
		o.order = append(o.order, d)
		d.schema = o.place(found, pointer)
	}
	return []value.Member{{Name: "$ref", Value: value.String("#/$defs/" + d.name)}}, true
}

// loops reports whether a target is reached again from itself without stepping into the value.
func (o *opener) loops(pointer string) bool {
	if known, ok := o.looping[pointer]; ok {
		return known
	}
	o.looping[pointer] = o.leadsBack(pointer)
	return o.looping[pointer]
}

func (o *opener) leadsBack(pointer string) bool {
	seen := map[string]bool{}
	var visit func(s value.Value) bool
	visit = func(s value.Value) bool {
		if ref, ok := s.Get("$ref"); ok {
			at, ok := localPointer(o.root, ref.Text())
			if ok && at == pointer {
				return true
			}
			if found, exists := o.root.Lookup(at); ok && exists && !seen[at] {
				seen[at] = true
				if visit(found) {
					return true
				}
			}
		}
		for _, name := range [...]string{"allOf", "anyOf", "oneOf"} {
			branches, _ := s.Get(name)
			if slices.ContainsFunc(itemsOf(branches), visit) {
				return true
			}
		}
		return false
	}
	found, ok := o.root.Lookup(pointer)
	return ok && visit(found)
}
