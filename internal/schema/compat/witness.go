package compat

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Bounds of looking for witnesses.
const (
	maxSamples = 40_000 // Judgements in one comparison.
	perGap     = 3_000
	maxTried   = 48 // Values at the gap itself.
)

// sampler builds values that show a gap.
type sampler struct {
	ctx      context.Context //nolint:containedctx // A sampler lives as long as one comparison.
	from, to *schema.Schema
	p        *prover
	left     int // judgements
	pools    map[string][]value.Value
}

// witness gives a whole value that one version allows and the other refuses.
func (s *sampler) witness(g gap) (value.Value, bool) {
	total := s.left
	s.left = min(total, perGap)
	defer func() { s.left = total - (min(total, perGap) - s.left) }()
	at, group := g.at, g.group
	if g.kind == ofHolder {
		at = at.up
	}
	list := s.pool(group, []schema.Place{g.to}, 0)
	// Those that the stricter place refuses come first.
	slices.SortStableFunc(list, func(a, b value.Value) int { return s.rank(g, a) - s.rank(g, b) })
	for _, v := range list[:min(len(list), maxTried)] {
		for _, whole := range s.wrap(at, v) {
			if s.shows(whole) {
				return whole, true
			}
		}
	}
	return value.Value{}, false
}

func (s *sampler) rank(g gap, v value.Value) int {
	s.left--
	if g.to.Accepts(s.ctx, v) {
		return 1
	}
	return 0
}

// shows reports whether a value is allowed by one version and refused by the other, judged as wholes.
func (s *sampler) shows(v value.Value) bool {
	s.left -= 2
	if s.ctx.Err() != nil {
		return false
	}
	if valid, _ := s.from.Accept(s.ctx, v); !valid.OK() {
		return false
	}
	valid, report := s.to.Accept(s.ctx, v)
	return !valid.OK() && !slices.ContainsFunc(report.Errors, func(e schema.Entry) bool { return e.Keyword == schema.KeywordLimit })
}

// wrap puts a value into those that hold it, up to the whole.
func (s *sampler) wrap(at *spot, v value.Value) []value.Value {
	list := []value.Value{v}
	for ; at.up != nil; at = at.up {
		var holders []value.Value
		for _, one := range list {
			holders = append(holders, s.holders(at, one)...)
		}
		const most = 3
		list = holders[:min(len(holders), most)]
	}
	return list
}

// holders builds arrays or objects of the group that holds a spot, with the value there.
func (s *sampler) holders(at *spot, v value.Value) (list []value.Value) {
	keep := func(holder value.Value) {
		if s.left--; s.left > 0 && !s.p.refuses(at.group, holder) {
			list = append(list, holder)
		}
	}
	if at.item {
		for _, extra := range []int{0, 1} {
			if holder, ok := s.arrayAround(at, v, extra); ok {
				keep(holder)
			}
		}
		return list
	}
	names := []string{at.name}
	if at.unnamed {
		names = s.names(at)
	}
	for _, name := range names {
		others := func(one string) bool { return one == name }
		for _, more := range [][]string{at.group.having(name).required(), append(at.group.having(name).required(), at.group.named()...)} {
			if holder, ok := s.object(at.group, slices.DeleteFunc(more, others), 1); ok {
				keep(holder.With(name, v))
			}
		}
	}
	return list
}

// arrayAround builds an array with the value at the spot's index.
func (s *sampler) arrayAround(at *spot, v value.Value, extra int) (value.Value, bool) {
	least, _ := at.group.of(value.KindArray).sizes()
	var items []value.Value
	for i := range max(at.index+1, least) + extra {
		if i == at.index {
			items = append(items, v)
			continue
		}
		pool := s.pool(at.group.item(min(i, at.group.firsts())), nil, 2)
		if len(pool) == 0 {
			return value.Value{}, false
		}
		items = append(items, pool[i%len(pool)])
	}
	for _, one := range at.group.places {
		if c, ok := one.Contained(); ok {
			pool := s.pool(at.group.item(at.group.firsts()).with(c.Sub), nil, 2)
			for i := range min(c.Min, len(pool)*maxSampled, maxSampled) {
				items = append(items, pool[i%len(pool)])
			}
		}
	}
	return value.Array(items...), true
}

// names gives names of members for a spot that stands for unnamed ones.
func (s *sampler) names(at *spot) []string {
	var candidates []string
	for _, text := range at.patterns {
		candidates = append(candidates, sampleTexts(text)...)
	}
	for _, one := range at.group.places {
		if sub, ok := one.Names(); ok {
			for _, v := range s.pool(newGroup(sub).of(value.KindString), nil, 1) {
				candidates = append(candidates, v.Text())
			}
		}
	}
	candidates = append(candidates, "x", "extra", "other", "X1", "0", "a", "_", "")
	const most = 12
	var names []string
	for _, name := range candidates {
		if len(names) < most && !slices.Contains(names, name) && !slices.Contains(at.group.named(), name) && s.p.nameable(at.group, name) {
			names = append(names, name)
		}
	}
	return names
}
