package compat

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// same reports whether two places say the same in the same words, whatever their definitions are called and however they are described.
func (p *prover) same(a, b schema.Place) bool {
	if a == b {
		return true
	}
	pair := [2]schema.Place{a, b}
	if known, ok := p.alike[pair]; ok {
		return known
	}
	seen := map[[2]schema.Place]bool{}
	equal := p.sameFrom(a, b, seen)
	if equal { // What was assumed on the way holds as well.
		for one := range seen {
			p.alike[one] = true
		}
	}
	p.alike[pair] = equal
	return equal
}

func (p *prover) sameFrom(a, b schema.Place, seen map[[2]schema.Place]bool) bool {
	pair := [2]schema.Place{a, b}
	if seen[pair] {
		return true
	}
	if known, ok := p.alike[pair]; ok {
		return known
	}
	if p.spent() || !sameWords(a, b) {
		return false
	}
	if a.Unresolved() || b.Unresolved() {
		return false // Where it leads depends on what is around.
	}
	seen[pair] = true
	x, y := children(a), children(b)
	return len(x) == len(y) && slices.EqualFunc(x, y, func(a, b schema.Place) bool { return p.sameFrom(a, b, seen) })
}

// sameWords compares what stands in two places without their subschemas.
func sameWords(a, b schema.Place) bool {
	if a.Never() != b.Never() || a.StrictIntegers() != b.StrictIntegers() || a.Format() != b.Format() {
		return false
	}
	for _, k := range kinds() {
		x, xi := a.Allows(k)
		y, yi := b.Allows(k)
		if x != y || xi != yi {
			return false
		}
	}
	if a.Format() != "" && a.Draft() != b.Draft() {
		return false // hostname has another meaning in old drafts.
	}
	for _, keyword := range plainKeywords() {
		x, xok := a.Get(keyword)
		y, yok := b.Get(keyword)
		if xok != yok || xok && !value.Equal(x, y) {
			return false
		}
	}
	for _, keyword := range schemaKeywords() {
		x, xok := a.Get(keyword)
		y, yok := b.Get(keyword)
		if xok != yok || x.Kind() != y.Kind() || x.Kind() == value.KindArray && x.Len() != y.Len() {
			return false
		}
		if named(keyword) && !slices.Equal(namesOf(x), namesOf(y)) {
			return false
		}
	}
	return true
}

// plainKeywords are those without subschemas that judge.
func plainKeywords() []string {
	return []string{
		"enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "pattern", "minItems", "maxItems",
		"uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties", "required", "dependentRequired", "x-rules", "x-extractive",
	}
}

// schemaKeywords are those with subschemas that judge.
func schemaKeywords() []string {
	return []string{
		"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "properties", "patternProperties", "additionalProperties",
		"propertyNames", "items", "prefixItems", "additionalItems", "contains", "unevaluatedProperties", "unevaluatedItems", "dependentSchemas", "dependencies",
	}
}

func named(keyword string) bool {
	switch keyword {
	case "properties", "patternProperties", "dependentSchemas", "dependencies":
		return true
	default:
		return false
	}
}

func namesOf(v value.Value) []string {
	var names []string
	for name, item := range v.Members() {
		if item.Kind() == value.KindArray { // dependencies: names alone.
			name += "\x00" + item.String()
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// children gives the subschemas of a place in an order that does not depend on the order of members.
func children(p schema.Place) []schema.Place {
	list := p.Conjuncts()
	for _, c := range p.Choices() {
		list = append(list, c.Branches...)
	}
	add := func(sub schema.Place, ok bool) {
		if ok && !sub.None() {
			list = append(list, sub)
		}
	}
	add(p.Not())
	if c, ok := p.Conditional(); ok {
		add(c.If, true)
		add(c.Then, true)
		add(c.Else, true)
	}
	list = append(list, byName(p.Properties())...)
	list = append(list, byName(p.Patterns())...)
	dependents := p.Dependents()
	slices.SortStableFunc(dependents, func(a, b schema.Dependent) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range dependents {
		add(d.Sub, true)
	}
	add(p.Additional())
	add(p.Names())
	first, rest, ok := p.Items()
	list = append(list, first...)
	add(rest, ok)
	if c, ok := p.Contained(); ok {
		add(c.Sub, true)
	}
	add(p.UnevaluatedMembers())
	add(p.UnevaluatedItems())
	return list
}

// byName sorts subschemas by their names.
func byName(members iter.Seq2[string, schema.Place]) (list []schema.Place) {
	all := maps.Collect(members)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}
