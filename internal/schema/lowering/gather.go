package lowering

import (
	"slices"

	"github.com/promptd/promptd/internal/schema"
)

// gathered is a set of places with all that judges the same value in any case.
type gathered struct {
	all     []schema.Place
	open    []pending // choices that are not decided
	dropped []schema.Place
	unsure  bool // what judges the same value is not all known
}

// pending is a choice to be decided.
type pending struct {
	place  schema.Place
	index  int
	choice schema.Choice
}

func (n *normalizer) gather(places []schema.Place, decisions []decision) gathered {
	var g gathered
	seen := map[schema.Place]bool{}
	var beside []schema.Place // the other branches of the anyOf that are decided
	var add func(p schema.Place)
	add = func(p schema.Place) {
		if seen[p] {
			return
		}
		seen[p] = true
		if n.places--; n.places < 0 {
			g.unsure = true
			return
		}
		if _, ok := n.ids[p]; !ok {
			n.ids[p] = len(n.ids)
		}
		g.all = append(g.all, p)
		g.unsure = g.unsure || p.Unresolved()
		for _, c := range p.Conjuncts() {
			add(c)
		}
		for i, c := range p.Choices() {
			at := slices.IndexFunc(decisions, func(d decision) bool { return d.place == p && d.choice == i })
			switch {
			case at < 0:
				g.open = append(g.open, pending{p, i, c})
			case decisions[at].branch >= 0:
				add(c.Branches[decisions[at].branch])
				if !c.One {
					for b, other := range c.Branches {
						if b != decisions[at].branch {
							beside = append(beside, other)
						}
					}
				}
			default:
				g.dropped = append(g.dropped, c.Branches...)
				g.unsure = true
			}
		}
		if c := p.Conditionals(); len(c) > 0 {
			g.dropped = append(g.dropped, c...)
			g.unsure = true
		}
	}
	for _, p := range places {
		add(p)
	}
	if slices.ContainsFunc(g.all, unevaluated) { // Every branch of anyOf that holds judges members for it, and so does a condition.
		g.dropped = append(g.dropped, beside...)
		g.unsure = g.unsure || len(beside) > 0 || slices.ContainsFunc(g.all, func(p schema.Place) bool { _, ok := p.Get("if"); return ok })
	}
	return g
}

func unevaluated(p schema.Place) bool {
	_, members := p.UnevaluatedMembers()
	_, items := p.UnevaluatedItems()
	return members || items
}
