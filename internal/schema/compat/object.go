package compat

import (
	"math/bits"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// maxPatterns bounds the regular expressions of names whose combinations are taken one by one.
const maxPatterns = 5

// objects asks for the keywords of objects.
func (p *prover) objects(g group, to schema.Place, at *spot) (gaps []gap) {
	need := func(keyword string) { gaps = append(gaps, gap{at, g, to, keyword, demanded}) }
	names := g.required()
	for name := range to.Required() {
		if !slices.Contains(names, name) {
			gaps = append(gaps, gap{at.in(g, name), g, to, "required", ofHolder})
		}
	}
	gaps = append(gaps, p.members(g, to, at)...)
	gaps = append(gaps, p.dependents(g, to, at)...)
	least, most := g.sizes()
	low, high := to.Sizes(value.KindObject)
	if low > max(least, len(names)) {
		need("minProperties")
	}
	if high >= 0 && (most < 0 || most > high) {
		if all, ok := p.closed(g, at); !ok || len(all) > high {
			need("maxProperties")
		}
	}
	if sub, ok := to.UnevaluatedMembers(); ok && !anything(sub) && !p.alikeWhole(g, to) {
		need("unevaluatedProperties")
	}
	return gaps
}

// members asks for properties, patternProperties, additionalProperties and propertyNames.
func (p *prover) members(g group, to schema.Place, at *spot) (gaps []gap) {
	names := newGroup(to).named()
	for _, name := range g.named() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if list, ok := p.closed(g, at); ok {
		names = list
	} else {
		gaps = append(gaps, p.unnamed(g, to, at)...)
	}
	allowed, judged := to.Names()
	for _, name := range names {
		if slices.Contains(g.lacks, name) || !p.nameable(g, name) {
			continue
		}
		have, next := g.member(name), at.in(g, name)
		if p.isEmpty(have, next) {
			continue
		}
		for _, sub := range to.Member(name) {
			gaps = append(gaps, p.memberOf(have, to, sub, next)...)
		}
		if judged && !allowed.Accepts(p.ctx, value.String(name)) {
			gaps = append(gaps, gap{next, have, to, "propertyNames", demanded})
		}
	}
	return gaps
}

// memberOf asks for one subschema of a member. Where none may be, it is the holder's keyword that says so.
func (p *prover) memberOf(have group, to, sub schema.Place, at *spot) []gap {
	if !sub.Never() {
		return p.include(have, sub, at)
	}
	keyword := "properties"
	if further, ok := to.Additional(); ok && further == sub {
		keyword = "additionalProperties"
	}
	for _, one := range to.Patterns() {
		if one == sub {
			keyword = "patternProperties"
		}
	}
	return []gap{{at, have, to, keyword, demanded}}
}

// closed gives all the names that members may have, where they are known.
func (p *prover) closed(g group, at *spot) ([]string, bool) {
	for _, one := range g.places {
		names, ok := one.Names()
		if !ok {
			continue
		}
		if list, ok := p.finite(newGroup(names).of(value.KindString)); ok {
			var all []string
			for _, v := range list {
				all = append(all, v.Text())
			}
			return all, true
		}
	}
	for _, one := range g.places {
		further, ok := one.Additional()
		if !ok || len(newGroup(one).patterns()) > 0 || !p.isEmpty(newGroup(further), at.below(g)) {
			continue
		}
		var all []string
		for name := range one.Properties() {
			if p.nameable(g, name) && !slices.Contains(g.lacks, name) && !p.isEmpty(g.member(name), at.in(g, name)) {
				all = append(all, name)
			}
		}
		return all, true
	}
	return nil, false
}

// unnamed asks for members that no properties names, for each combination of patterns that a name may match.
func (p *prover) unnamed(g group, to schema.Place, at *spot) (gaps []gap) {
	patterns := newGroup(to).patterns()
	for _, text := range g.patterns() {
		if !slices.Contains(patterns, text) {
			patterns = append(patterns, text)
		}
	}
	if names, ok := to.Names(); ok {
		var have []schema.Place
		for _, one := range g.places {
			if sub, ok := one.Names(); ok {
				have = append(have, sub)
			}
		}
		next := at.below(g)
		if len(p.include(newGroup(have...).of(value.KindString), names, next)) > 0 {
			gaps = append(gaps, gap{next, g, to, "propertyNames", ofHolder})
		}
	}
	if len(patterns) > maxPatterns {
		return append(gaps, gap{at.below(g), g, to, "patternProperties", spentAll})
	}
	for set := range 1 << len(patterns) {
		var matching []string
		for i, text := range patterns {
			if set&(1<<i) != 0 {
				matching = append(matching, text)
			}
		}
		if bits.OnesCount(uint(set)) == 0 && len(patterns) > 0 && everyName(patterns) {
			continue
		}
		next := at.below(g)
		next.patterns = matching
		if len(matching) > 0 {
			next.path = value.AppendPointer(at.path, "{"+matching[0]+"}")
		}
		have := g.unnamed(matching)
		if p.isEmpty(have, next) {
			continue
		}
		for _, sub := range unnamedOf(to, matching) {
			gaps = append(gaps, p.memberOf(have, to, sub, next)...)
		}
	}
	return gaps
}

// everyName reports whether some pattern matches every name.
func everyName(patterns []string) bool { return slices.ContainsFunc(patterns, everyText) }

// dependents asks for what the presence of members demands.
func (p *prover) dependents(g group, to schema.Place, at *spot) (gaps []gap) {
	for _, d := range to.Dependents() {
		with := g.having(d.Name)
		if p.isEmpty(with, at) {
			continue
		}
		names := with.required()
		for _, name := range d.Required {
			if !slices.Contains(names, name) {
				gaps = append(gaps, gap{at.in(with, name), with, to, d.Keyword, ofHolder})
				break
			}
		}
		if !d.Sub.None() {
			gaps = append(gaps, p.include(with, d.Sub, at)...)
		}
	}
	return gaps
}
