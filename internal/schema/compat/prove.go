package compat

import (
	"context"
	"slices"
	"strconv"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Bounds of one comparison.
const (
	maxSteps = 60_000
	maxDeep  = 200 // Nested questions; real schemas stay below 60.
	maxGaps  = 400
	// What is empty only for reasons deeper than this counts as not empty, which is never wrong, and seldom matters.
	maxNested = 5
)

// prover proves inclusions.
type prover struct {
	ctx    context.Context //nolint:containedctx // A prover lives as long as one comparison.
	ids    map[schema.Place]int
	steps  int
	deep   int
	nested int // Questions of emptiness within each other.
	open   map[string]frame
	proven map[string]bool
	empty  map[string]bool
	alike  map[[2]schema.Place]bool
	// lowest is the outermost open question that was assumed to hold since the innermost one was opened.
	lowest int
}

// frame is a question that is being answered.
type frame struct{ index, level int }

func newProver(ctx context.Context) *prover {
	return &prover{
		ctx: ctx, ids: map[schema.Place]int{}, open: map[string]frame{}, proven: map[string]bool{}, empty: map[string]bool{},
		alike: map[[2]schema.Place]bool{}, lowest: maxDeep * 2,
	}
}

// spent reports whether the comparison has to end.
func (p *prover) spent() bool {
	p.steps++
	return p.steps > maxSteps || p.deep > maxDeep || p.ctx.Err() != nil
}

// spot is a place in values, with the way that leads to it.
type spot struct {
	path  string
	level int // How deep in the value it lies.
	up    *spot
	group group // What is known of the value that holds it.
	// name, or index where it is an item.
	name  string
	index int
	item  bool
	// patterns are those that the name matches, where it stands for unnamed members.
	unnamed  bool
	patterns []string
}

// gap is something that is not proven.
type gap struct {
	at      *spot
	group   group
	to      schema.Place
	keyword string
	kind    reason
}

// reason is why a gap is one.
type reason uint8

const (
	demanded reason = iota // A keyword demands what the group does not imply.
	spentAll               // The comparison was too much work.
	dynamic                // A dynamic reference.
	ofHolder               // As demanded; it is about the value that holds the place.
)

// include proves that every value of the group is allowed by a place; what it cannot prove are the gaps.
func (p *prover) include(g group, to schema.Place, at *spot) []gap {
	to = target(to)
	if p.spent() {
		return []gap{{at, g, to, "", spentAll}}
	}
	if anything(to) || slices.ContainsFunc(g.places, func(one schema.Place) bool { return p.same(one, to) }) {
		return nil
	}
	key := p.key(g) + ">" + strconv.Itoa(p.id(to))
	if p.proven[key] {
		return nil
	}
	if f, ok := p.open[key]; ok {
		if f.level < at.level { // It is asked of a part of the value: induction.
			p.lowest = min(p.lowest, f.index)
			return nil
		}
		return []gap{{at, g, to, "$ref", demanded}}
	}
	index := len(p.open)
	p.open[key] = frame{index, at.level}
	outer := p.lowest
	p.lowest = maxDeep * 2
	p.deep++
	gaps := p.byKind(g, to, at)
	p.deep--
	delete(p.open, key)
	if len(gaps) == 0 && p.lowest >= index {
		p.proven[key] = true
	}
	if p.lowest >= index {
		p.lowest = maxDeep * 2
	}
	p.lowest = min(p.lowest, outer)
	return gaps
}

// byKind asks for each kind of values on its own.
func (p *prover) byKind(g group, to schema.Place, at *spot) (gaps []gap) {
	if p.isEmpty(g, at) {
		return nil
	}
	for _, k := range kinds() {
		if !g.allows(k) || len(gaps) > maxGaps {
			continue
		}
		if one := g.of(k); !p.isEmpty(one, at) {
			gaps = append(gaps, p.keywords(one, to, at)...)
		}
	}
	return gaps
}

// keywords asks for each keyword of a place whether a group of one kind implies it. Where it does not, the group's alternatives are taken one by one.
func (p *prover) keywords(g group, to schema.Place, at *spot) []gap {
	if p.spent() {
		return []gap{{at, g, to, "", spentAll}}
	}
	gaps := p.own(g, to, at)
	if len(gaps) == 0 {
		return nil
	}
	parts, ok := p.split(g)
	if !ok {
		return gaps
	}
	gaps = nil
	p.deep++
	defer func() { p.deep-- }()
	for _, part := range parts {
		if p.isEmpty(part, at) {
			continue
		}
		if gaps = append(gaps, p.keywords(part, to, at)...); len(gaps) > maxGaps {
			break
		}
	}
	return gaps
}

// own asks for each keyword of a place.
func (p *prover) own(g group, to schema.Place, at *spot) (gaps []gap) {
	need := func(keyword string) { gaps = append(gaps, gap{at, g, to, keyword, demanded}) }
	if to.Never() {
		need("false")
		return gaps
	}
	allowed, integers := to.Allows(g.kind)
	if !allowed {
		need("type")
		return gaps
	}
	list, few := p.finite(g)
	if few && g.kind >= value.KindArray && to.Draft() == schema.Draft4 {
		few = false // There a number's spelling matters, and the list has one of many.
	}
	if few {
		if !slices.ContainsFunc(list, func(v value.Value) bool { return !to.Accepts(p.ctx, v) }) {
			return p.extracted(g, to, at)
		}
	}
	for _, keyword := range []string{"const", "enum"} {
		if there, ok := to.Get(keyword); ok && (!few || slices.ContainsFunc(list, func(v value.Value) bool { return !within(v, there, keyword) })) {
			need(keyword)
		}
	}
	if few && len(gaps) > 0 {
		return gaps
	}
	switch g.kind {
	case value.KindNumber:
		gaps = append(gaps, numbers(g, to, at, integers)...)
	case value.KindString:
		gaps = append(gaps, p.texts(g, to, at)...)
	case value.KindArray:
		gaps = append(gaps, p.arrays(g, to, at)...)
	case value.KindObject:
		gaps = append(gaps, p.objects(g, to, at)...)
	default:
	}
	gaps = append(gaps, p.rules(g, to, at)...)
	return append(gaps, p.logic(g, to, at)...)
}

// extracted asks of values that are all allowed for what they do not show: whether they stand in a text.
func (p *prover) extracted(g group, to schema.Place, at *spot) []gap {
	switch {
	case g.kind < value.KindString || !extractive(to, map[schema.Place]bool{}):
		return nil
	case g.kind == value.KindString:
		return append(p.literal(g, to, at), p.logic(g, to, at)...)
	default:
		if slices.ContainsFunc(g.places, func(one schema.Place) bool { return extractive(one, map[schema.Place]bool{}) }) {
			return p.logic(g, to, at)
		}
		return []gap{{at, g, to, "x-extractive", demanded}}
	}
}

func within(v, list value.Value, keyword string) bool {
	if keyword == "const" {
		return value.Equal(v, list)
	}
	for _, one := range list.Items() {
		if value.Equal(v, one) {
			return true
		}
	}
	return false
}

// anything reports whether a place says nothing.
func anything(p schema.Place) bool {
	raw := p.Raw()
	return raw.Kind() == value.KindBool && raw.Truth() || raw.Kind() == value.KindObject && raw.Len() == 0
}

// rules asks for promptd's own keyword x-rules: a rule must stand in the group word for word.
func (p *prover) rules(g group, to schema.Place, at *spot) []gap {
	list, ok := to.Get("x-rules")
	if !ok {
		return nil
	}
	have := map[string]bool{}
	for _, one := range g.places {
		if rules, ok := one.Get("x-rules"); ok {
			for _, r := range rules.Items() {
				have[ruleText(r)] = true
			}
		}
	}
	for _, r := range list.Items() {
		if !have[ruleText(r)] {
			return []gap{{at, g, to, "x-rules", demanded}}
		}
	}
	return nil
}

// ruleText gives a rule without its message.
func ruleText(rule value.Value) string {
	if text, ok := rule.Get("rule"); ok {
		return text.Text()
	}
	return rule.Text()
}

// extractive reports whether x-extractive stands in a place or below: values alone do not say then whether they are allowed.
func extractive(p schema.Place, seen map[schema.Place]bool) bool {
	if seen[p] {
		return false
	}
	seen[p] = true
	if v, ok := p.Get("x-extractive"); ok && v.Truth() {
		return true
	}
	return slices.ContainsFunc(children(p), func(sub schema.Place) bool { return extractive(sub, seen) })
}
