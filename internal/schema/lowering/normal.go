package lowering

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// typ is what a schema says of the values of one place, in normal form: references followed, allOf merged, alternatives pushed outside, drafts forgotten.
// It never says more than the schema does, so that what is lowered from it shuts out no right answer; what it cannot say is left. Types form a graph:
// recursion leads back.
type typ struct {
	id     int
	places []schema.Place // that were put together; the first one names the type
	never  bool
	// link is set where the type is another one under a description of its own.
	link *typ
	// alts are the alternatives. A type that has them has nothing else.
	alts   []alternative
	choice Residue // the keyword behind the alternatives; oneOf is enforced only where they exclude each other

	kinds    kinds
	whole    bool          // numbers have no fraction
	implied  bool          // no keyword says the kinds: they are those that the other keywords are about
	listed   bool          // by enum or const
	values   []value.Value // those listed
	asserts  []assertion
	tuple    []*typ
	rest     *typ // items behind the tuple; nil where nothing is said of them
	ends     bool // no items behind the tuple
	members  []typMember
	patterns []typPattern
	names    *typ // of members; nil where nothing is said of them
	further  *typ // members that are not named; nil where nothing is said of them
	closed   bool // no members that are not named

	left []Residue // what no form of this type can say
	said saying
}

// alternative is one branch; tests are the caller's subschemas that a value of the branch satisfies.
type alternative struct {
	typ  *typ
	test schema.Place
}

type typMember struct {
	name     string
	typ      *typ
	required bool
	// maybe are the subschemas of conditions that name the member; nothing else does.
	maybe []schema.Place
}

type typPattern struct {
	pattern string
	typ     *typ
	place   schema.Place
	holder  schema.Place // that has the pattern
}

// names reports whether a member's name matches.
func (p typPattern) names(name string) bool {
	return slices.Contains(p.holder.Member(name), p.place)
}

// assertion is a keyword without subschemas. What is sent may be written otherwise than the caller did.
type assertion struct {
	keyword string
	value   value.Value
	origin  Residue
}

// saying is what a schema says to a reader.
type saying struct {
	description string
	fallback    value.Value // the default
	hasFallback bool
}

// maxPlaces bounds the places that are put together for one schema; beyond it types are left open.
const maxPlaces = 60_000

// maxTypes bounds the types of one schema.
const maxTypes = 12_000

// normalizer makes types. It makes one for every set of places that judge one value together.
type normalizer struct {
	types  map[string]*typ
	ids    map[schema.Place]int
	places int // left of the budget
	open   *typ
}

func newNormalizer() *normalizer {
	return &normalizer{types: map[string]*typ{}, ids: map[schema.Place]int{}, places: maxPlaces}
}

// decision takes one branch of a choice, or, where the branch is negative, none.
type decision struct {
	place  schema.Place
	choice int
	branch int
}

// typeOf gives the type of the values that all the places allow.
func (n *normalizer) typeOf(places ...schema.Place) *typ { return n.decided(places, nil) }

func (n *normalizer) decided(places []schema.Place, decisions []decision) *typ {
	if len(places) == 0 {
		return n.anything()
	}
	places = n.sorted(places)
	key := n.key(places, decisions)
	if t, ok := n.types[key]; ok {
		return t
	}
	t := &typ{id: len(n.types), places: places}
	n.types[key] = t
	if n.places < 0 || len(n.types) > maxTypes {
		t.kinds = everyKind
		t.left = append(t.left, Residue{Pointer: places[0].Pointer(), Keyword: "allOf", Value: value.Array()})
		return t
	}
	if target, ok := n.linked(places, decisions); ok {
		t.link = n.typeOf(target)
		t.said = sayingOf(places)
		t.never = t.link.never
		return t
	}
	n.fill(t, decisions)
	return t
}

// sorted removes doubles and puts places into an order that depends on their set alone, the first one kept in front.
func (n *normalizer) sorted(places []schema.Place) []schema.Place {
	for _, p := range places {
		if _, ok := n.ids[p]; !ok {
			n.ids[p] = len(n.ids)
		}
	}
	out := slices.Clone(places)
	slices.SortFunc(out[1:], func(a, b schema.Place) int { return cmp.Compare(n.ids[a], n.ids[b]) })
	first := out[0]
	for i := len(out) - 1; i > 0; i-- {
		if out[i] == first || out[i] == out[i-1] {
			out = slices.Delete(out, i, i+1)
		}
	}
	return out
}

func (n *normalizer) key(places []schema.Place, decisions []decision) string {
	var b strings.Builder
	for _, p := range places {
		b.WriteString(strconv.Itoa(n.ids[p]))
		b.WriteByte(' ')
	}
	for _, d := range decisions {
		b.WriteString(strconv.Itoa(n.ids[d.place]))
		b.WriteByte('/')
		b.WriteString(strconv.Itoa(d.choice))
		b.WriteByte('=')
		b.WriteString(strconv.Itoa(d.branch))
		b.WriteByte(' ')
	}
	return b.String()
}

func (n *normalizer) anything() *typ {
	if n.open == nil {
		n.open = &typ{id: -1, kinds: everyKind}
	}
	return n.open
}

// linked reports whether a place is nothing but a name for another one.
func (n *normalizer) linked(places []schema.Place, decisions []decision) (schema.Place, bool) {
	if len(places) != 1 || len(decisions) > 0 {
		return schema.Place{}, false
	}
	p := places[0]
	to := p.Conjuncts()
	if len(to) != 1 || p.Unresolved() {
		return schema.Place{}, false
	}
	for name := range p.Raw().Members() {
		if _, counts := p.Get(name); !counts {
			continue
		}
		switch roleOf(name) {
		case unknown, annotation, identifier, container, reference:
		default:
			if name != "allOf" {
				return schema.Place{}, false
			}
		}
	}
	return to[0], true
}

// refusesAll reports whether a place is the negation of what allows everything.
func refusesAll(p schema.Place) bool {
	not, ok := p.Get("not")
	return ok && (not.Kind() == value.KindBool && not.Truth() || not.Kind() == value.KindObject && not.Len() == 0)
}

// fill reads the places.
func (n *normalizer) fill(t *typ, decisions []decision) {
	g := n.gather(t.places, decisions)
	if slices.ContainsFunc(g.all, schema.Place.Never) || slices.ContainsFunc(g.all, refusesAll) {
		t.never = true
		return
	}
	t.said = sayingOf(t.places)
	if t.said.description == "" {
		t.said.description = sayingOf(g.all).description
	}
	n.base(t, g)
	if t.kinds == 0 || t.listed && len(t.values) == 0 {
		t.never = true
		return
	}
	if len(g.open) > 0 {
		n.choose(t, g, decisions)
		return
	}
	for _, p := range g.all {
		t.left = append(t.left, leftOf(p, decisions)...)
	}
	if t.kinds.has(value.KindArray) && !t.listed {
		n.arrays(t, g)
	}
	if t.kinds.has(value.KindObject) && !t.listed {
		n.objects(t, g)
	}
}

func residueOf(p schema.Place, keyword string) Residue {
	v, _ := p.Get(keyword)
	return Residue{Pointer: p.Pointer(), Keyword: keyword, Value: v}
}

// leftOf gives what a place says of whole values and no type can.
func leftOf(p schema.Place, decisions []decision) (left []Residue) {
	for name := range p.Raw().Members() {
		v, ok := p.Get(name)
		if !ok || idle(name, v) {
			continue
		}
		switch name {
		case "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems":
			left = append(left, Residue{p.Pointer(), name, v})
		case "$dynamicRef", "$recursiveRef":
			if p.Unresolved() {
				left = append(left, Residue{p.Pointer(), name, v})
			}
		case "x-rules":
			left = append(left, Residue{p.Pointer(), name, v})
		}
	}
	for i, c := range p.Choices() {
		if slices.ContainsFunc(decisions, func(d decision) bool { return d.place == p && d.choice == i && d.branch < 0 }) {
			left = append(left, residueOf(p, keywordOf(c)))
		}
	}
	return left
}

// sayingOf gives what the places say themselves, the first one first; what they refer to speaks only where they are silent, in said of the types.
func sayingOf(places []schema.Place) (s saying) {
	for _, p := range places {
		if d, ok := p.Raw().Get("description"); ok && d.Kind() == value.KindString && s.description == "" {
			s.description = d.Text()
		}
		if v, ok := p.Get("default"); ok && !s.hasFallback {
			s.fallback, s.hasFallback = v, true
		}
	}
	return s
}
