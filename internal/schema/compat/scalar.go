package compat

import (
	"math/big"
	"slices"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// maxListed bounds a range of whole numbers that is taken number by number.
const maxListed = 256

// bound is one end of the numbers of a group, as a fraction; whole numbers have inclusive ends.
type bound struct {
	at        *big.Rat
	exclusive bool
}

// bounds gives the ends of a group's numbers, nil where there is none.
func (g group) bounds() (low, high *bound) {
	whole, _ := g.integers()
	for _, p := range g.places {
		for _, l := range p.Limits() {
			b := boundOf(l, whole)
			if l.Low && (low == nil || b.implies(low, true)) {
				low = b
			}
			if !l.Low && (high == nil || b.implies(high, false)) {
				high = b
			}
		}
	}
	return low, high
}

// boundOf reads a bound; of whole numbers it is the first that the bound allows.
func boundOf(l schema.Limit, whole bool) *bound {
	b := &bound{at: l.Bound.Rat(), exclusive: l.Exclusive}
	if !whole {
		return b
	}
	n := new(big.Int)
	var rest big.Int
	n.DivMod(b.at.Num(), b.at.Denom(), &rest) // The floor.
	exact := rest.Sign() == 0
	switch {
	case l.Low && (!exact || b.exclusive):
		n.Add(n, big.NewInt(1))
	case !l.Low && exact && b.exclusive:
		n.Sub(n, big.NewInt(1))
	}
	return &bound{at: new(big.Rat).SetInt(n)}
}

// implies reports whether what one end allows the other allows too.
func (b *bound) implies(other *bound, low bool) bool {
	order := b.at.Cmp(other.at)
	if !low {
		order = -order
	}
	return order > 0 || order == 0 && (b.exclusive || !other.exclusive)
}

func noNumber(g group) bool {
	low, high := g.bounds()
	if low == nil || high == nil {
		return false
	}
	order := low.at.Cmp(high.at)
	return order > 0 || order == 0 && (low.exclusive || high.exclusive)
}

// smallRange gives the numbers of a group of whole numbers within narrow bounds, in both spellings where both are allowed.
func smallRange(g group) (list []value.Value, ok bool) {
	whole, strict := g.integers()
	low, high := g.bounds()
	if !whole || low == nil || high == nil || !low.at.Num().IsInt64() || !high.at.Num().IsInt64() {
		return nil, false
	}
	from, to := low.at.Num().Int64(), high.at.Num().Int64()
	if to-from >= maxListed || to-from < 0 && to > from {
		return nil, false
	}
	for n := from; n <= to; n++ {
		list = append(list, value.Int(n))
	}
	return spelled(list, strict), true
}

// spelled adds the spelling with a fraction of whole numbers: 1.0 is no integer in draft 4.
func spelled(list []value.Value, strict bool) []value.Value {
	if strict {
		return list
	}
	for _, v := range list {
		if v.Kind() != value.KindNumber || !v.Decimal().IsInteger() {
			continue
		}
		if n, ok := v.Decimal().Int64(); ok {
			if other, err := value.Number(big.NewInt(n).String() + ".0"); err == nil {
				list = append(list, other)
			}
		}
	}
	return list
}

// numbers asks for the keywords of numbers.
func numbers(g group, to schema.Place, at *spot, integers bool) (gaps []gap) {
	need := func(keyword string) { gaps = append(gaps, gap{at, g, to, keyword, demanded}) }
	whole, strict := g.integers()
	divisors := g.divisors()
	if integers {
		if to.StrictIntegers() && !strict || !whole && !divides(big.NewRat(1, 1), divisors) {
			need("type")
		}
	}
	low, high := g.bounds()
	for _, l := range to.Limits() {
		b, have := boundOf(l, whole), high
		if l.Low {
			have = low
		}
		if have == nil || !have.implies(b, l.Low) {
			need(l.Keyword)
		}
	}
	if v, ok := to.Get("multipleOf"); ok {
		if whole {
			divisors = append(divisors, big.NewRat(1, 1))
		}
		if !divides(v.Decimal().Rat(), divisors) {
			need("multipleOf")
		}
	}
	return gaps
}

func (g group) divisors() (list []*big.Rat) {
	for _, p := range g.places {
		if v, ok := p.Get("multipleOf"); ok {
			list = append(list, v.Decimal().Rat())
		}
	}
	return list
}

// divides reports whether one of the numbers is a multiple of the divisor.
func divides(divisor *big.Rat, list []*big.Rat) bool {
	return slices.ContainsFunc(list, func(one *big.Rat) bool { return new(big.Rat).Quo(one, divisor).IsInt() })
}

// sizes gives the bounds on length, items or members, by keywords alone.
func (g group) sizes() (least, most int) {
	most = -1
	for _, p := range g.places {
		low, high := p.Sizes(g.kind)
		least = max(least, low)
		most = fewest(most, high)
	}
	return least, most
}

// fewest gives the smaller of two maxima, of which a negative one is none.
func fewest(a, b int) int {
	if a < 0 || b >= 0 && b < a {
		return b
	}
	return a
}

// texts asks for the keywords of strings.
func (p *prover) texts(g group, to schema.Place, at *spot) (gaps []gap) {
	need := func(keyword string) { gaps = append(gaps, gap{at, g, to, keyword, demanded}) }
	least, most := g.lengths()
	low, high := to.Sizes(value.KindString)
	if low > least {
		need("minLength")
	}
	if high >= 0 && (most < 0 || most > high) {
		need("maxLength")
	}
	if v, ok := to.Get("pattern"); ok && !slices.ContainsFunc(g.places, func(one schema.Place) bool {
		have, ok := one.Get("pattern")
		return ok && (have.Text() == v.Text() || impliesPattern(have.Text(), v.Text()))
	}) && !everyText(v.Text()) {
		need("pattern")
	}
	if format := to.Format(); format != "" && !slices.ContainsFunc(g.places, func(one schema.Place) bool { return impliesFormat(one, to) }) {
		need("format")
	}
	return append(gaps, p.literal(g, to, at)...)
}

// literal asks for x-extractive.
func (p *prover) literal(g group, to schema.Place, at *spot) []gap {
	isSet := func(one schema.Place) bool {
		v, ok := one.Get("x-extractive")
		return ok && v.Truth()
	}
	if isSet(to) && !slices.ContainsFunc(g.places, isSet) {
		return []gap{{at, g, to, "x-extractive", demanded}}
	}
	return nil
}

// impliesFormat reports whether texts of one place's format have that of the other.
func impliesFormat(have, want schema.Place) bool {
	a, b := have.Format(), want.Format()
	if a == b {
		old := func(p schema.Place) bool { return p.Draft() == schema.Draft4 || p.Draft() == schema.Draft6 }
		return a != "hostname" || old(have) == old(want) // Draft 7 took another specification.
	}
	switch a {
	case "uri":
		return b == "uri-reference" || b == "iri" || b == "iri-reference"
	case "uri-reference", "iri":
		return b == "iri-reference"
	case "email":
		return b == "idn-email"
	default:
		return false
	}
}
