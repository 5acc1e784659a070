package compat

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// maxFacts bounds the subschemas that values are made from.
const maxFacts = 60

// pool gives values of a group, made from what its subschemas and those of the hint speak of: a value at each side of every bound.
func (s *sampler) pool(g group, hint []schema.Place, depth int) []value.Value {
	const deep = 6
	if depth > deep || s.left <= 0 || s.ctx.Err() != nil {
		return nil
	}
	key := fmt.Sprintf("%s/%s/%d", s.p.key(g), s.p.key(newGroup(hint...)), depth)
	if list, ok := s.pools[key]; ok {
		return list
	}
	s.pools[key] = nil
	limit := max(96>>(2*depth), 3)
	var list []value.Value
	seen := map[string]bool{}
	facts := factsOf(g, hint)
	for _, v := range s.candidates(g, hint, facts, depth) {
		text := v.String()
		if seen[text] || len(list) >= limit {
			continue
		}
		seen[text] = true
		if s.left--; s.left <= 0 {
			break
		}
		if !s.p.refuses(g, v) {
			list = append(list, v)
		}
	}
	s.pools[key] = list
	return list
}

// factsOf gathers the subschemas that speak of a value of the group, alternatives and conditions included.
func factsOf(g group, hint []schema.Place) []schema.Place {
	list := append(slices.Clone(g.places), hint...)
	list = append(list, g.nots...)
	for i := 0; i < len(list) && len(list) < maxFacts; i++ {
		one := list[i]
		next := one.Conjuncts()
		for _, c := range one.Choices() {
			next = append(next, c.Branches...)
		}
		next = append(next, one.Conditionals()...)
		if c, ok := one.Conditional(); ok {
			next = append(next, c.If)
		}
		if sub, ok := one.Not(); ok {
			next = append(next, sub)
		}
		for _, sub := range next {
			if !slices.Contains(list, sub) {
				list = append(list, sub)
			}
		}
	}
	return list
}

// candidates makes values that may be in a group.
func (s *sampler) candidates(g group, hint, facts []schema.Place, depth int) (list []value.Value) {
	for _, f := range facts {
		for _, keyword := range []string{"const", "default"} {
			if v, ok := f.Get(keyword); ok {
				list = append(list, v)
			}
		}
		for _, keyword := range []string{"enum", "examples"} {
			v, _ := f.Get(keyword)
			for _, one := range v.Items() {
				list = append(list, one)
			}
		}
	}
	for _, k := range kinds() {
		if !g.allows(k) {
			continue
		}
		switch k {
		case value.KindNull:
			list = append(list, value.Null())
		case value.KindBool:
			list = append(list, value.Bool(true), value.Bool(false))
		case value.KindNumber:
			list = append(list, sampleNumbers(facts)...)
		case value.KindString:
			list = append(list, sampleStrings(facts)...)
		case value.KindArray:
			list = append(list, s.arrays(g, hint, facts, depth)...)
		case value.KindObject:
			list = append(list, s.objects(g, hint, facts, depth)...)
		}
	}
	return list
}

// sampleNumbers gives numbers at both sides of every bound.
func sampleNumbers(facts []schema.Place) (list []value.Value) {
	add := func(r *big.Rat) {
		const digits, long = 12, 40
		text := r.FloatString(digits)
		text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		if len(text) > long {
			text = new(big.Float).SetRat(r).Text('e', digits)
		}
		if v, err := value.Number(text); err == nil {
			list = append(list, v)
		}
	}
	for _, n := range []int64{0, 1, -1, 2} {
		list = append(list, value.Int(n))
	}
	list = append(list, value.Float(0.5), value.Float(1.5))
	if one, err := value.Number("1.0"); err == nil {
		list = append(list, one) // No integer in draft 4.
	}
	for _, f := range facts {
		for _, l := range f.Limits() {
			for _, step := range []*big.Rat{new(big.Rat), big.NewRat(1, 1), big.NewRat(-1, 1), big.NewRat(1, 2), big.NewRat(-1, 2), big.NewRat(100, 1), big.NewRat(-100, 1)} {
				add(new(big.Rat).Add(l.Bound.Rat(), step))
			}
			add(new(big.Rat).Mul(l.Bound.Rat(), big.NewRat(10, 1)))
			add(new(big.Rat).Mul(l.Bound.Rat(), big.NewRat(1, 10)))
		}
		if v, ok := f.Get("multipleOf"); ok {
			m := v.Decimal().Rat()
			for _, n := range []int64{1, 2, 3, 5, 7, 100, -1, -100} {
				add(new(big.Rat).Mul(m, big.NewRat(n, 1)))
			}
			for _, other := range facts {
				for _, l := range other.Limits() {
					steps := new(big.Rat).Quo(l.Bound.Rat(), m)
					whole := new(big.Int).Div(steps.Num(), steps.Denom())
					for _, n := range []int64{-1, 0, 1, 2} {
						add(new(big.Rat).Mul(m, new(big.Rat).SetInt(new(big.Int).Add(whole, big.NewInt(n)))))
					}
				}
			}
		}
	}
	return list
}

// maxSampled bounds the characters, items and members of a sampled value.
const maxSampled = 300

// sampleStrings gives texts of every pattern and format, and lengths at both sides of every bound.
func sampleStrings(facts []schema.Place) (list []value.Value) {
	var texts []string
	for _, f := range facts {
		if v, ok := f.Get("pattern"); ok {
			texts = append(texts, sampleTexts(v.Text())...)
		}
		texts = append(texts, formatSamples(f.Format())...)
	}
	texts = append(texts, "a", "", "ab", "A1", "1", "x y", "ä", "-", "a\nb")
	for _, n := range sizesAround(facts, value.KindString) {
		texts = append(texts, strings.Repeat("a", n), strings.Repeat("1", n), strings.Repeat("A", n))
	}
	for _, text := range texts {
		list = append(list, value.String(text))
	}
	return list
}

// sizesAround gives the counts at both sides of every bound.
func sizesAround(facts []schema.Place, k value.Kind) []int {
	var list []int
	for _, f := range facts {
		least, most := f.Sizes(k)
		for _, n := range []int{least - 1, least, least + 1, most - 1, most, most + 1} {
			if n >= 0 && n <= maxSampled && !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
		if c, ok := f.Contained(); ok && k == value.KindArray {
			for _, n := range []int{c.Min, c.Max, c.Max + 1} {
				if n >= 0 && n <= maxSampled && !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
		if k == value.KindArray {
			first, _, _ := f.Items()
			for _, n := range []int{len(first), len(first) + 1} {
				if n <= maxSampled && !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
	}
	return list
}

// arrays makes arrays: of every length, with items that differ and with items that do not.
func (s *sampler) arrays(g group, hint, facts []schema.Place, depth int) (list []value.Value) {
	hints := newGroup(hint...)
	pools := map[int][]value.Value{}
	firsts := max(g.firsts(), hints.firsts())
	itemsAt := func(i int) []value.Value {
		i = min(i, firsts)
		if _, ok := pools[i]; !ok {
			more := hints.item(i).places
			for _, f := range facts {
				if c, ok := f.Contained(); ok {
					more = append(more, c.Sub)
				}
			}
			pools[i] = s.pool(g.item(i), more, depth+1)
		}
		return pools[i]
	}
	sizes := append(sizesAround(facts, value.KindArray), 0, 1, 2)
	for _, n := range sizes {
		for turn := range max(len(itemsAt(firsts)), 2) {
			items := make([]value.Value, 0, n)
			same := make([]value.Value, 0, n)
			for i := range n {
				pool := itemsAt(i)
				if len(pool) == 0 {
					break
				}
				items = append(items, pool[(i+turn)%len(pool)])
				same = append(same, pool[turn%len(pool)])
			}
			if len(items) == n {
				list = append(list, value.Array(items...), value.Array(same...))
			}
			if n == 0 || depth > 1 {
				break
			}
		}
	}
	return list
}

// objects makes objects: with what is required alone, with all, and with each member more or less.
func (s *sampler) objects(g group, hint, facts []schema.Place, depth int) (list []value.Value) {
	all := newGroup(facts...).named()
	required := g.required()
	keep := func(names []string, turn int) {
		if v, ok := s.objectOf(g, hint, names, turn, depth); ok {
			list = append(list, v)
		}
	}
	keep(required, 0)
	keep(all, 0)
	if depth > 2 {
		return list
	}
	extra := append([]string{"x", "extra", "other"}, s.patternNames(facts)...)
	const wide = 24
	for _, name := range append(slices.Clone(all[:min(len(all), wide)]), extra...) {
		for turn := range max(8>>(2*depth), 1) {
			keep(append(slices.Clone(required), name), turn)
			keep(append(slices.Clone(all), name), turn)
		}
		keep(slices.DeleteFunc(slices.Clone(all), func(one string) bool { return one == name && !slices.Contains(required, name) }), 0)
	}
	for turn := range max(8>>(2*depth), 1) {
		keep(required, turn)
		keep(all, turn)
	}
	for _, n := range sizesAround(facts, value.KindObject) {
		for _, more := range [][]string{append(slices.Clone(all), extra...), extra, nil} {
			names := slices.Clone(required)
			for _, name := range more {
				if len(names) < n && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			for i := 0; len(names) < n; i++ {
				names = append(names, fmt.Sprintf("x%d", i))
			}
			keep(names, 0)
		}
	}
	return list
}

// patternNames gives names that patterns of member names match, and names that propertyNames allows and refuses.
func (s *sampler) patternNames(facts []schema.Place) (names []string) {
	for _, f := range facts {
		for text := range f.Patterns() {
			names = append(names, sampleTexts(text)...)
		}
		if sub, ok := f.Names(); ok {
			for _, v := range sampleStrings(factsOf(newGroup(sub), nil)) {
				names = append(names, v.Text())
			}
		}
		for _, d := range f.Dependents() {
			names = append(names, d.Name)
		}
	}
	const most = 24
	return names[:min(len(names), most)]
}

// object makes an object of a group with these members, where what they must have can be made.
func (s *sampler) object(g group, names []string, depth int) (value.Value, bool) {
	return s.objectOf(g, nil, names, 0, depth)
}

func (s *sampler) objectOf(g group, hint []schema.Place, names []string, turn, depth int) (value.Value, bool) {
	var members []value.Member
	seen := map[string]bool{}
	hints := newGroup(hint...)
	for i, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		pool := s.pool(g.member(name), hints.member(name).places, depth+1)
		if len(pool) == 0 {
			if slices.Contains(g.required(), name) {
				return value.Value{}, false
			}
			continue
		}
		pick := turn
		if turn > 0 {
			pick += i // Members take different values.
		}
		members = append(members, value.Member{Name: name, Value: pool[pick%len(pool)]})
	}
	return value.Object(members...), true
}
