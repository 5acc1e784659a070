package compat

import (
	"slices"

	"github.com/promptd/promptd/internal/schema"
)

// logic asks for what a place says of the same value by other subschemas.
func (p *prover) logic(g group, to schema.Place, at *spot) (gaps []gap) {
	if to.Unresolved() {
		gaps = append(gaps, gap{at, g, to, "$dynamicRef", dynamic})
	}
	for _, sub := range to.Conjuncts() {
		gaps = append(gaps, p.include(g, sub, at)...)
	}
	for _, c := range to.Choices() {
		if c.One {
			gaps = append(gaps, p.exactlyOne(g, to, c.Branches, at)...)
		} else {
			gaps = append(gaps, p.atLeastOne(g, to, c.Branches, at)...)
		}
	}
	if sub, ok := to.Not(); ok && !p.isEmpty(g.with(sub), at) {
		gaps = append(gaps, gap{at, g, to, "not", demanded})
	}
	if c, ok := to.Conditional(); ok {
		if !c.Then.None() {
			gaps = append(gaps, p.include(g.with(c.If), c.Then, at)...)
		}
		if !c.Else.None() {
			gaps = append(gaps, p.include(g.without(c.If), c.Else, at)...)
		}
	}
	return gaps
}

// atLeastOne asks for anyOf.
func (p *prover) atLeastOne(g group, to schema.Place, branches []schema.Place, at *spot) []gap {
	if p.settled(g, branches) {
		return nil
	}
	var possible []schema.Place
	var last []gap
	for _, b := range branches {
		if p.isEmpty(g.with(b), at) {
			continue
		}
		possible = append(possible, b)
		gaps := p.include(g, b, at)
		if len(gaps) == 0 {
			return nil
		}
		last = gaps
	}
	if len(possible) == 1 {
		return last
	}
	return []gap{{at, g, to, "anyOf", demanded}}
}

// exactlyOne asks for oneOf.
func (p *prover) exactlyOne(g group, to schema.Place, branches []schema.Place, at *spot) []gap {
	var possible []schema.Place
	for _, b := range branches {
		if !p.isEmpty(g.with(b), at) {
			possible = append(possible, b)
		}
	}
	if len(possible) != 1 {
		return []gap{{at, g, to, "oneOf", demanded}}
	}
	return p.include(g, possible[0], at)
}

// settled reports whether a branch is among what allows the value, in the same words.
func (p *prover) settled(g group, branches []schema.Place) bool {
	return slices.ContainsFunc(branches, func(b schema.Place) bool {
		return slices.ContainsFunc(g.places, func(one schema.Place) bool { return p.same(one, b) })
	})
}

// split takes the first of a group's alternatives that is still open, and gives a group for each way.
func (p *prover) split(g group) ([]group, bool) {
	for _, one := range g.places {
		for _, c := range one.Choices() {
			if !slices.ContainsFunc(c.Branches, func(b schema.Place) bool { return slices.Contains(g.places, b) }) {
				return branchesOf(g, c), true
			}
		}
		if c, ok := one.Conditional(); ok && !(c.Then.None() && c.Else.None()) && !slices.Contains(g.places, c.If) && !slices.Contains(g.nots, c.If) {
			yes, no := g.with(c.If), g.without(c.If)
			if !c.Then.None() {
				yes = yes.with(c.Then)
			}
			if !c.Else.None() {
				no = no.with(c.Else)
			}
			return []group{yes, no}, true
		}
		for _, d := range one.Dependents() {
			if d.Sub.None() || slices.Contains(g.has, d.Name) || slices.Contains(g.lacks, d.Name) {
				continue
			}
			return []group{g.having(d.Name).with(d.Sub), g.lacking(d.Name)}, true
		}
	}
	return nil, false
}

// branchesOf gives a group for each alternative. Of oneOf, the others refuse the value.
func branchesOf(g group, c schema.Choice) []group {
	var list []group
	for i, b := range c.Branches {
		part := g.with(b)
		for j, other := range c.Branches {
			if c.One && i != j {
				part = part.without(other)
			}
		}
		list = append(list, part)
	}
	return list
}
