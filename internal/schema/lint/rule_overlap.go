package lint

import (
	"fmt"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Bounds of comparing alternatives: a schema may have thousands of them, and one definition may stand in all of them.
const (
	maxBranches = 40
	maxOutline  = 50     // places that make one outline
	maxLookUps  = 10_000 // of required members, in all
)

// oneOfOverlap finds alternatives that nothing keeps apart.
func (l *linter) oneOfOverlap() {
	c := comparison{left: maxLookUps}
	for v := range l.own {
		for _, choice := range v.Choices() {
			if !choice.One {
				continue
			}
			branches := choice.Branches[:min(len(choice.Branches), maxBranches)]
			i, j, ok := c.overlap(branches, v.Place, v.group.entry)
			if c.left <= 0 {
				l.cut = true
				return
			}
			if ok {
				l.say(value.AppendPointer(v.Pointer(), "oneOf"), fmt.Sprintf("%d and %d", i+1, j+1))
			}
		}
	}
}

// comparison compares alternatives within a budget.
type comparison struct{ left int }

// overlap gives the first two alternatives that nothing keeps apart, of values whose type the places around allow.
func (c *comparison) overlap(branches []schema.Place, around ...schema.Place) (i, j int, ok bool) {
	outlines := make([]*outline, len(branches))
	for i, b := range branches {
		outlines[i] = c.outline(b, true)
		for _, p := range around {
			outlines[i].narrow(p)
		}
	}
	for j := range outlines {
		for i := range j {
			if !outlines[i].apart(outlines[j]) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// outline is what tells the values of a place from others': their kinds, a list of values, bounds, and what members are required and shut out.
type outline struct {
	never     bool
	kinds     [value.KindObject + 1]bool
	values    []value.Value
	listed    bool
	low, high []numberBound
	required  map[string][]*outline // nil in outlines of members
	shuts     []schema.Place        // places that have members which cannot be
	together  [][]string            // names that must not stand together: not {required: […]}
}

// outline gathers what judges a place in any case; deep outlines hold those of required members.
func (c *comparison) outline(p schema.Place, deep bool) *outline {
	o := &outline{}
	for k := range o.kinds {
		o.kinds[k] = true
	}
	seen := map[schema.Place]bool{p: true}
	queue := []schema.Place{p}
	for i := 0; i < len(queue) && i < maxOutline; i++ {
		o.add(queue[i])
		for _, next := range queue[i].Conjuncts() {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	if !deep {
		return o
	}
	queue = queue[:min(len(queue), maxOutline)]
	o.required = map[string][]*outline{}
	for _, q := range queue {
		for name := range q.Required() {
			if len(o.required) == maxBranches {
				break
			}
			o.required[name] = nil
		}
	}
	for name := range o.required {
		for _, q := range queue {
			if c.left--; c.left <= 0 {
				return o
			}
			for _, m := range q.Member(name) {
				o.required[name] = append(o.required[name], c.outline(m, false))
			}
		}
	}
	return o
}

func (o *outline) add(p schema.Place) {
	o.never = o.never || p.Never()
	o.narrow(p)
	if c, ok := p.Get("const"); ok && !o.listed {
		o.values, o.listed = []value.Value{c}, true
	}
	if list, ok := p.Get("enum"); ok && !o.listed {
		o.listed = true
		for _, v := range list.Items() {
			o.values = append(o.values, v)
		}
	}
	further, ok := p.Additional()
	shuts := ok && further.Never()
	for _, sub := range p.Properties() {
		shuts = shuts || sub.Never()
	}
	if shuts {
		o.shuts = append(o.shuts, p)
	}
	if not, ok := p.Get("not"); ok {
		o.exclude(not)
	}
	low, high := numberBounds(&visit{Place: p})
	o.low, o.high = append(o.low, low...), append(o.high, high...)
}

// narrow keeps the kinds that a place allows too.
func (o *outline) narrow(p schema.Place) {
	for k := range o.kinds {
		allowed, _ := p.Allows(value.Kind(k)) //nolint:gosec // The kinds are few.
		o.kinds[k] = o.kinds[k] && allowed
	}
}

// exclude reads the schema under not as names that must not stand together, where that is what it says.
func (o *outline) exclude(not value.Value) {
	if list, ok := not.Get("required"); ok && not.Len() == 1 {
		var names []string
		for _, name := range list.Items() {
			names = append(names, name.Text())
		}
		o.together = append(o.together, names)
	}
	if list, ok := not.Get("anyOf"); ok && not.Len() == 1 {
		for _, one := range list.Items() {
			if _, nested := one.Get("anyOf"); !nested {
				o.exclude(one)
			}
		}
	}
}

// apart reports whether surely no value has both outlines.
func (o *outline) apart(other *outline) bool {
	if o.never || other.never || !o.shareKind(other) {
		return true
	}
	if o.listed && other.listed {
		return !shareValue(o.values, other.values)
	}
	if o.listed && other.refusesAll(o.values) || other.listed && o.refusesAll(other.values) {
		return true
	}
	if only(o, value.KindNumber) && (separated(o.low, other.high) || separated(other.low, o.high)) {
		return true
	}
	if !only(o, value.KindObject) && !only(other, value.KindObject) {
		return false
	}
	if o.shutsOut(other) || other.shutsOut(o) {
		return true
	}
	return o.taggedApart(other)
}

func (o *outline) shareKind(other *outline) bool {
	for k := range o.kinds {
		if o.kinds[k] && other.kinds[k] {
			return true
		}
	}
	return false
}

// only reports whether values of one kind alone have the outline.
func only(o *outline, kind value.Kind) bool {
	for k, allowed := range o.kinds {
		if allowed != (value.Kind(k) == kind) { //nolint:gosec // The kinds are few.
			return false
		}
	}
	return true
}

// shareValue compares lists; long ones count as sharing.
func shareValue(a, b []value.Value) bool {
	const most = 100_000
	if len(a)*len(b) > most {
		return true
	}
	for _, x := range a {
		for _, y := range b {
			if value.Equal(x, y) {
				return true
			}
		}
	}
	return false
}

// refusesAll reports whether the kinds alone refuse every value.
func (o *outline) refusesAll(values []value.Value) bool {
	for _, v := range values {
		if o.kinds[v.Kind()] {
			return false
		}
	}
	return true
}

func separated(low, high []numberBound) bool {
	for _, a := range low {
		for _, b := range high {
			if a.excludes(b) {
				return true
			}
		}
	}
	return false
}

// shutsOut reports whether a member that the other requires cannot stand here.
func (o *outline) shutsOut(other *outline) bool {
	for name := range other.required {
		for _, p := range o.shuts {
			if slices.ContainsFunc(p.Member(name), schema.Place.Never) {
				return true
			}
		}
	}
	return slices.ContainsFunc(o.together, func(names []string) bool {
		return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { _, ok := other.required[name]; return !ok })
	})
}

// taggedApart reports whether a member that both require has values of which none fits both.
func (o *outline) taggedApart(other *outline) bool {
	for name, mine := range o.required {
		for _, a := range mine {
			for _, b := range other.required[name] {
				if a.apart(b) {
					return true
				}
			}
		}
	}
	return false
}
