package compat

import (
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// isEmpty reports whether surely no value is in a group.
func (p *prover) isEmpty(g group, at *spot) bool {
	if slices.ContainsFunc(g.places, schema.Place.Never) {
		return true
	}
	if p.nested >= maxNested || p.spent() {
		return false
	}
	key := p.key(g)
	if known, ok := p.empty[key]; ok {
		return known
	}
	p.empty[key] = false // While it is asked for, nothing is known.
	outer := p.lowest
	p.lowest = maxDeep * 2
	p.deep++
	p.nested++
	empty := p.findEmpty(g, at)
	p.nested--
	p.deep--
	if p.lowest == maxDeep*2 && empty {
		p.empty[key] = true
	} else if empty {
		delete(p.empty, key)
	}
	p.lowest = min(p.lowest, outer)
	return empty
}

func (p *prover) findEmpty(g group, at *spot) bool {
	if g.kind == anyKind {
		for _, k := range kinds() {
			if g.allows(k) && !p.isEmpty(g.of(k), at) {
				return false
			}
		}
		return true
	}
	if !g.allows(g.kind) {
		return true
	}
	if list, ok := p.finite(g); ok {
		return len(list) == 0 && p.ctx.Err() == nil
	}
	switch g.kind {
	case value.KindNumber:
		if noNumber(g) {
			return true
		}
	case value.KindString:
		if least, most := g.sizes(); most >= 0 && least > most {
			return true
		}
	case value.KindArray:
		if p.noArray(g, at) {
			return true
		}
	case value.KindObject:
		if p.noObject(g, at) {
			return true
		}
	default:
	}
	return p.excluded(g, at) || p.noChoice(g, at)
}

// excluded reports whether a subschema that refuses the value allows every value of the group.
func (p *prover) excluded(g group, at *spot) bool {
	refusing := slices.Clone(g.nots)
	for _, one := range g.places {
		if sub, ok := one.Not(); ok {
			refusing = append(refusing, sub)
		}
	}
	for _, n := range refusing {
		rest := g
		rest.nots = slices.DeleteFunc(slices.Clone(g.nots), func(one schema.Place) bool { return one == n })
		if len(p.include(rest, n, at)) == 0 {
			return true
		}
	}
	return false
}

// noChoice reports whether none of some alternatives is possible.
func (p *prover) noChoice(g group, at *spot) bool {
	parts, ok := p.split(g)
	return ok && !slices.ContainsFunc(parts, func(part group) bool { return !p.isEmpty(part, at) })
}

func (p *prover) noArray(g group, at *spot) bool {
	least, most := p.lengths(g, at)
	if most >= 0 && least > most {
		return true
	}
	for i := range min(least, g.firsts()+1) {
		if p.isEmpty(g.item(i), at.at(g, i)) {
			return true
		}
	}
	return false
}

func (p *prover) noObject(g group, at *spot) bool {
	names := g.required()
	least, most := g.sizes()
	if most >= 0 && max(least, len(names)) > most {
		return true
	}
	for _, name := range names {
		if slices.Contains(g.lacks, name) || !p.nameable(g, name) || p.isEmpty(g.member(name), at.in(g, name)) {
			return true
		}
	}
	return false
}

// nameable reports whether a member may have a name.
func (p *prover) nameable(g group, name string) bool {
	for _, one := range g.places {
		if names, ok := one.Names(); ok && names.Refuses(p.ctx, value.String(name)) {
			return false
		}
	}
	return true
}
