package compat

import (
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// lengths gives the bounds on how many items an array of the group has. An item that cannot be ends it.
func (p *prover) lengths(g group, at *spot) (least, most int) {
	least, most = g.of(value.KindArray).sizes()
	for _, one := range g.places {
		if c, ok := one.Contained(); ok {
			least = max(least, c.Min)
		}
	}
	for i := range g.firsts() + 1 {
		if most >= 0 && i >= most {
			break
		}
		if p.isEmpty(g.item(i), at.at(g, i)) {
			most = i
			break
		}
	}
	return least, most
}

// arrays asks for the keywords of arrays.
func (p *prover) arrays(g group, to schema.Place, at *spot) (gaps []gap) {
	need := func(keyword string) { gaps = append(gaps, gap{at, g, to, keyword, demanded}) }
	least, most := p.lengths(g, at)
	low, high := to.Sizes(value.KindArray)
	if low > least {
		need("minItems")
	}
	if high >= 0 && (most < 0 || most > high) {
		need("maxItems")
	}
	if to.Unique() && (most < 0 || most > 1) && !slices.ContainsFunc(g.places, schema.Place.Unique) {
		need("uniqueItems")
	}
	gaps = append(gaps, p.items(g, to, at, most)...)
	if c, ok := to.Contained(); ok {
		if !p.containsEnough(g, c, at, least, most) {
			if c.Min == 1 {
				need("contains")
			} else {
				need("minContains")
			}
		}
		if c.Max >= 0 && !p.containsFew(g, c, at, most) {
			need("maxContains")
		}
	}
	if sub, ok := to.UnevaluatedItems(); ok && !anything(sub) && most != 0 && !p.alikeWhole(g, to) {
		need("unevaluatedItems")
	}
	return gaps
}

// items asks for prefixItems, items and additionalItems.
func (p *prover) items(g group, to schema.Place, at *spot, most int) (gaps []gap) {
	count := max(g.firsts(), newGroup(to).firsts()) + 1 // The last stands for all the others.
	for i := range count {
		sub, ok := itemAt(to, i)
		if !ok || most >= 0 && i >= most {
			continue
		}
		next := at.at(g, i)
		if i == count-1 && (most < 0 || most > count) {
			next.path, next.unnamed = at.path+"/*", true
		}
		if sub.Never() { // It is the holder's keyword that shuts the item out.
			if !p.isEmpty(g.item(i), next) {
				gaps = append(gaps, gap{next, g.item(i), to, itemsKeyword(to, i), demanded})
			}
			continue
		}
		gaps = append(gaps, p.include(g.item(i), sub, next)...)
	}
	return gaps
}

// itemsKeyword names the keyword that judges the item of an index.
func itemsKeyword(p schema.Place, index int) string {
	first, _, _ := p.Items()
	v, _ := p.Get("items")
	switch {
	case index < len(first) && v.Kind() == value.KindArray:
		return "items"
	case index < len(first):
		return "prefixItems"
	case v.Kind() == value.KindArray:
		return "additionalItems"
	default:
		return "items"
	}
}

// containsEnough reports whether as many items as are demanded are of the kind.
func (p *prover) containsEnough(g group, c schema.Contained, at *spot, least, most int) bool {
	if c.Min <= 0 {
		return true
	}
	if least >= c.Min {
		all, next := true, at.at(g, 0)
		for i := 0; i <= g.firsts() && all; i++ {
			all = most >= 0 && i >= most || len(p.include(g.item(i), c.Sub, next)) == 0
		}
		if all {
			return true
		}
	}
	for _, one := range g.places {
		have, ok := one.Contained()
		if !ok || have.Min < c.Min {
			continue
		}
		found := newGroup(have.Sub)
		if g.firsts() == 0 {
			found = g.item(0).with(have.Sub)
		}
		if len(p.include(found, c.Sub, at.at(g, 0))) == 0 {
			return true
		}
	}
	return false
}

// containsFew reports whether no more items than are allowed are of the kind.
func (p *prover) containsFew(g group, c schema.Contained, at *spot, most int) bool {
	if most >= 0 && most <= c.Max {
		return true
	}
	none := true
	for i := range g.firsts() + 1 {
		none = none && p.isEmpty(g.item(i).with(c.Sub), at.at(g, i))
	}
	if none {
		return true
	}
	return slices.ContainsFunc(g.places, func(one schema.Place) bool {
		have, ok := one.Contained()
		return ok && have.Max >= 0 && have.Max <= c.Max && len(p.include(newGroup(c.Sub), have.Sub, at.at(g, 0))) == 0
	})
}

// alikeWhole reports whether the group has the whole place in the same words: only then what it leaves unjudged is known to be the same.
func (p *prover) alikeWhole(g group, to schema.Place) bool {
	return slices.ContainsFunc(g.places, func(one schema.Place) bool { return p.same(one, to) })
}
