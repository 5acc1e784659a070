package lowering

import (
	"cmp"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// maxAlternatives bounds what one type's alternatives multiply to; a further choice is left to judgement.
const maxAlternatives = 40

// choose splits a type into the alternatives of its first choice. Where they would multiply, the choice is left to judgement.
func (n *normalizer) choose(t *typ, g gathered, decisions []decision) {
	if widest, ok := n.tooMany(t, g); ok {
		*t = typ{id: t.id, places: t.places}
		n.fill(t, with(decisions, decision{widest.place, widest.index, -1}))
		return
	}
	next := g.open[0]
	if n.weak(t, next) {
		d := with(decisions, decision{next.place, next.index, -1})
		*t = typ{id: t.id, places: t.places}
		n.fill(t, d)
		return
	}
	alts := typ{id: t.id, places: t.places, said: t.said, choice: residueOf(next.place, keywordOf(next.choice))}
	alone := n.alone(t, g) && len(g.open) == 1
	for i, b := range next.choice.Branches {
		var a *typ
		if alone {
			a = n.typeOf(b)
		} else {
			a = n.decided(t.places, with(decisions, decision{next.place, next.index, i}))
		}
		if a.never {
			continue
		}
		alts.alts = append(alts.alts, alternative{a, b})
	}
	if alone {
		for _, p := range g.all {
			alts.left = append(alts.left, leftOf(p, decisions)...)
		}
	}
	*t = alts
	t.never = len(t.alts) == 0
}

// maxSplit bounds the members that alternatives repeat.
const maxSplit = 2000

// tooMany gives the choice that is left to judgement where the alternatives would multiply: the widest.
func (n *normalizer) tooMany(t *typ, g gathered) (pending, bool) {
	product := 1
	for _, c := range g.open {
		product = min(maxSplit, product*max(1, len(c.choice.Branches)))
	}
	if len(g.open) > 1 && product > maxAlternatives {
		return slices.MaxFunc(g.open, func(a, b pending) int { return cmp.Compare(len(a.choice.Branches), len(b.choice.Branches)) }), true
	}
	members := 1
	for _, p := range g.all {
		for range p.Properties() {
			members++
		}
	}
	return g.open[0], product*members >= maxSplit && !n.alone(t, g)
}

// alone reports whether nothing stands beside a type's choices.
func (n *normalizer) alone(t *typ, g gathered) bool {
	if t.kinds != everyKind || t.whole || t.listed || len(t.asserts) > 0 || len(g.dropped) > 0 || g.unsure {
		return false
	}
	for _, p := range g.all {
		for name := range p.Raw().Members() {
			switch roleOf(name) {
			case naming, properties, counting, listing:
				if _, ok := p.Get(name); ok {
					return false
				}
			}
		}
	}
	return true
}

// weak reports whether splitting by a choice costs more than it enforces: its branches tell apart large objects by their required members alone.
func (n *normalizer) weak(t *typ, c pending) bool {
	if !t.kinds.has(value.KindObject) {
		return false
	}
	for _, b := range c.choice.Branches {
		for name := range b.Raw().Members() {
			if _, ok := b.Get(name); !ok {
				continue
			}
			switch name {
			case "required", "not", "minProperties", "maxProperties", "type", "dependentRequired":
			default:
				if r := roleOf(name); r != annotation && r != identifier && r != container && r != unknown {
					return false
				}
			}
		}
	}
	return len(c.choice.Branches) > 3
}

func with(decisions []decision, d decision) []decision {
	return append(slices.Clip(slices.Clone(decisions)), d)
}

func keywordOf(c schema.Choice) string {
	if c.One {
		return "oneOf"
	}
	return "anyOf"
}
