package schema

import (
	"context"
	"slices"

	"github.com/promptd/promptd/internal/value"
)

// Part is a place in an answer that is still being written. It tells what may be shown of it before the whole is judged. A place that the schema leaves
// in doubt shows nothing. What judges containers by what they hold (required, counts, not, rules) is left to Accept.
//
// A Part is for one goroutine.
type Part struct {
	judge *partJudge
	up    *Part // nil at the root
	name  string
	index int // of an item; -1 for a member

	settled bool
	hidden  bool    // nothing can be told of the place
	all     []*node // what judges the place or may do so, by an alternative or a condition of what contains it
	sure    []*node // what judges it in every answer that passes, as coercion sees it
	open    bool    // coercion may go by one alternative or another of what contains it
	holds   value.Value
	within  *inside // what judges the container here; made when something in it is asked for
}

// partJudge is what the parts of one answer have in common.
type partJudge struct {
	s     *Schema
	mode  Mode
	steps int // left for the whole answer: as many as its last judgement gets
}

// Unfinished gives the root of an answer that is still being written and will be coerced in that mode.
func (s *Schema) Unfinished(mode Mode) *Part {
	set := []*node{s.root}
	return &Part{judge: &partJudge{s: s, mode: mode, steps: judgeSteps}, index: -1, settled: true, all: set, sure: set}
}

// Member gives the place of an object's member.
func (p *Part) Member(name string) *Part { return &Part{judge: p.judge, up: p, name: name, index: -1} }

// Item gives the place of an array's item.
func (p *Part) Item(index int) *Part { return &Part{judge: p.judge, up: p, index: index} }

// Root reports whether the part is the whole answer.
func (p *Part) Root() bool { return p.up == nil }

// Holds says what the array or object at the place holds so far, before its parts are asked for: listed values among its members rule alternatives out.
func (p *Part) Holds(v value.Value) { p.holds, p.within = v, nil }

// MayHold reports whether an array or object may stand here, whatever it will hold: a field of it is worth showing only then. Each subschema must allow
// the kind, of alternatives at least one.
func (p *Part) MayHold(k value.Kind) bool {
	if p.settle(); p.hidden {
		return false
	}
	for _, n := range p.all {
		steps := maxPart
		if !n.could(k, &steps) {
			return false
		}
	}
	return true
}

// could reports whether a value of the kind may pass, as far as the outside of it tells. What takes too many steps is in doubt.
func (n *node) could(k value.Kind, steps *int) bool {
	if *steps--; *steps < 0 || n.never || n.kinds&kindOf(k) == 0 {
		return false
	}
	if n.enum != nil && !slices.ContainsFunc(n.enum, func(v value.Value) bool { return v.Kind() == k }) {
		return false
	}
	for _, r := range n.refs {
		if !r.could(k, steps) {
			return false
		}
	}
	for _, c := range n.choices {
		if !slices.ContainsFunc(c.branches, func(b *node) bool { return b.could(k, steps) }) {
			return false
		}
	}
	return true
}

// Field gives what a complete field will be in an answer that passes; ok is false where that is in doubt or the field can't pass. Alternatives of what
// contains the field must all allow it, for nobody knows yet which one the whole will fit. A field that passes only when coerced is given where coercion
// of the whole is certain to do the same.
func (p *Part) Field(ctx context.Context, v value.Value) (out value.Value, ok bool) {
	if p.settle(); p.hidden || p.judge.steps <= 0 {
		return v, false
	}
	t := p.judge.s.trial(ctx, p.judge.steps)
	defer func() {
		p.judge.steps = max(t.steps, 0)
		p.judge.s.release(t)
	}()
	if p.judge.s.scoped && slices.ContainsFunc(p.all, func(n *node) bool { return n.leadsOut(map[*node]bool{}) }) {
		return v, false
	}
	a := aligner{t: t, mode: p.judge.mode, budget: maxFieldAlign}
	if a.holds(p.all, v) {
		return v, true
	}
	if a.mode == Off || p.open || len(p.sure) == 0 || t.stopped {
		return v, false
	}
	r := a.align(p.sure, v, "")
	return r.v, r.ok && a.budget >= 0 && a.holds(p.all, r.v)
}

// leadsOut reports whether a dynamic reference judges the same value: where it leads depends on the whole way from the root.
func (n *node) leadsOut(seen map[*node]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	return n.dynamic || slices.ContainsFunc(n.inPlace, func(o *node) bool { return o.leadsOut(seen) })
}

const (
	// maxPart bounds the subschemas that are looked at for one place.
	maxPart = 1000
	// maxFieldAlign bounds the ways that coercion tries for one field: far fewer than for the whole, which so comes to the same.
	maxFieldAlign = 100
)

// settle finds out what judges the place.
func (p *Part) settle() {
	if p.settled {
		return
	}
	p.settled = true
	p.up.settle()
	if p.hidden = p.up.hidden; p.hidden {
		return
	}
	in := p.up.inside(p.index >= 0)
	if p.hidden = in.hidden || !p.named(in); p.hidden {
		return
	}
	p.open = p.up.open || in.open
	for _, n := range in.all {
		known := false
		p.all, known = p.children(p.all, n)
		for _, k := range n.last {
			// Unless a part that judges in any case speaks of the place, nobody knows yet whether another one has judged it.
			if u, ok := k.(*unevaluatedKeyword); ok && (u.kind == value.KindArray) == (p.index >= 0) && !known && !p.spokenOf(n, 0) {
				p.all = append(p.all, u.sub)
			}
		}
	}
	for _, n := range in.sure {
		p.sure, _ = p.children(p.sure, n)
	}
	p.hidden = len(p.all) > maxPart
}

// children adds the subschemas that a node has for the place.
func (p *Part) children(next []*node, n *node) ([]*node, bool) {
	before := len(next)
	switch {
	case p.index >= 0 && n.array != nil:
		next = n.array.children(next, p.index)
	case p.index < 0 && n.object != nil:
		next = n.object.children(next, p.name)
	}
	return next, len(next) > before
}

// spokenOf reports whether a part of the node that judges in any case has a subschema for the place.
func (p *Part) spokenOf(n *node, depth int) bool {
	const deep = 16
	if depth > deep {
		return false
	}
	for _, r := range n.refs {
		if _, known := p.children(nil, r); known || p.spokenOf(r, depth+1) {
			return true
		}
	}
	return false
}

// named reports whether a member of that name, or an item of that index, can be in an answer that passes and keeps its place when that is coerced.
func (p *Part) named(in *inside) bool {
	if p.index >= 0 {
		return !slices.ContainsFunc(in.sure, func(n *node) bool { return n.array != nil && n.array.max >= 0 && p.index >= n.array.max })
	}
	known := false
	for i, n := range in.sure {
		if n.object == nil {
			continue
		}
		known = known || i < in.own && n.object.find(p.name, 0) >= 0
		if names := n.object.names; names != nil {
			t := p.judge.s.trial(context.Background(), min(explainSteps, p.judge.steps))
			ok := t.run(names, value.String(p.name), nil) && !t.stopped
			p.judge.s.release(t)
			if !ok {
				return false
			}
		}
	}
	if p.judge.mode != Lenient {
		return true
	}
	// Lenient coercion may take an object for a wrapper whose one member nobody knows, and renames members to the schema's spelling.
	return known && !slices.ContainsFunc(in.all, func(n *node) bool { return n.object != nil && n.object.find(p.name, 0) < 0 && n.object.spells(p.name) })
}

// spells reports whether a listed name is the same but for case, space and punctuation.
func (k *objectKeyword) spells(name string) bool {
	want := plain(name)
	return slices.ContainsFunc(k.properties, func(p property) bool { return plain(p.name) == want })
}

// children adds the subschemas of a member.
func (k *objectKeyword) children(next []*node, name string) []*node {
	known := false
	if at := k.find(name, 0); at >= 0 && k.properties[at].sub != nil {
		known = true
		next = append(next, k.properties[at].sub)
	}
	for i := range k.patterns {
		if k.patterns[i].pattern.matchString(name) {
			known = true
			next = append(next, k.patterns[i].sub)
		}
	}
	if !known && k.additional != nil {
		next = append(next, k.additional)
	}
	return next
}

// children adds the subschema of an item.
func (k *arrayKeyword) children(next []*node, index int) []*node {
	switch {
	case index < len(k.prefix):
		return append(next, k.prefix[index])
	case k.rest != nil:
		return append(next, k.rest)
	default:
		return next
	}
}

// matchString matches outside a trial, with a budget of its own.
func (p pattern) matchString(s string) bool {
	t := trial{steps: explainSteps, ctx: context.Background()}
	return t.matches(p, s) && !t.stopped
}
