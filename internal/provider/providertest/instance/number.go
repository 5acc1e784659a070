package instance

import (
	"math/big"

	"github.com/promptd/promptd/internal/value"
)

// number makes a number within all bounds, exactly.
func (m *maker) number(all []value.Value, integer bool) (value.Value, bool) {
	low, high, strictLow, strictHigh := limits(all)
	step := new(big.Rat)
	for _, s := range all {
		if d, ok := s.Get("multipleOf"); ok && d.Kind() == value.KindNumber && d.Decimal().Sign() > 0 {
			if step.Sign() == 0 || d.Decimal().Rat().Cmp(step) > 0 {
				step.Set(d.Decimal().Rat())
			}
		}
	}
	if step.Sign() == 0 {
		step.SetInt64(1)
		if !integer {
			step.SetFrac64(1, 100)
		}
	} else if integer && !step.IsInt() {
		step.SetInt(step.Num()) // a multiple of p/q that is whole is a multiple of p
	}
	from, to := low, high
	switch {
	case from == nil && to == nil:
		from, to = new(big.Rat), big.NewRat(1000, 1)
	case from == nil:
		from = new(big.Rat).Sub(to, new(big.Rat).Mul(step, big.NewRat(1000, 1)))
	case to == nil:
		to = new(big.Rat).Add(from, new(big.Rat).Mul(step, big.NewRat(1000, 1)))
	}
	for range 6 { // Halving the step finds place between close bounds.
		first, last := floor(new(big.Rat).Quo(from, step)), floor(new(big.Rat).Quo(to, step))
		if new(big.Rat).Mul(new(big.Rat).SetInt(first), step).Cmp(from) < 0 || strictLow && equals(first, step, from) {
			first.Add(first, big.NewInt(1))
		}
		if strictHigh && equals(last, step, to) {
			last.Sub(last, big.NewInt(1))
		}
		if first.Cmp(last) <= 0 {
			return m.between(first, last, step)
		}
		if integer || hasStep(all) {
			return value.Null(), false
		}
		step.Quo(step, big.NewRat(100, 1))
	}
	return value.Null(), false
}

func hasStep(all []value.Value) bool { return has(all, "multipleOf") }

func equals(n *big.Int, step, bound *big.Rat) bool {
	return new(big.Rat).Mul(new(big.Rat).SetInt(n), step).Cmp(bound) == 0
}

func floor(r *big.Rat) *big.Int {
	q, rest := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	if rest.Sign() < 0 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

// between gives k × step for a k by chance.
func (m *maker) between(first, last *big.Int, step *big.Rat) (value.Value, bool) {
	span := new(big.Int).Sub(last, first)
	k := new(big.Int).Set(first)
	if n := span.Int64(); span.IsInt64() && n < 1<<62 {
		k.Add(k, big.NewInt(m.rng.Int64N(n+1)))
	}
	r := new(big.Rat).Mul(new(big.Rat).SetInt(k), step)
	text := r.Num().String()
	if !r.IsInt() {
		digits, exact := r.FloatPrec()
		if !exact {
			return value.Null(), false
		}
		text = r.FloatString(digits)
	}
	v, err := value.Number(text)
	return v, err == nil
}

// limits gives the tightest bounds; nil is none. Draft 4 says with a boolean that a bound is strict.
func limits(all []value.Value) (low, high *big.Rat, strictLow, strictHigh bool) {
	for _, s := range all {
		for _, keyword := range [...]string{"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"} {
			b, ok := s.Get(keyword)
			if !ok || b.Kind() != value.KindNumber {
				continue
			}
			r := b.Decimal().Rat()
			strict := keyword[0] == 'e'
			if keyword == "minimum" || keyword == "exclusiveMinimum" {
				if old, _ := s.Get("exclusiveMinimum"); old.Truth() {
					strict = true
				}
				if low == nil || r.Cmp(low) > 0 || r.Cmp(low) == 0 && strict {
					low, strictLow = r, strict
				}
				continue
			}
			if old, _ := s.Get("exclusiveMaximum"); old.Truth() {
				strict = true
			}
			if high == nil || r.Cmp(high) < 0 || r.Cmp(high) == 0 && strict {
				high, strictHigh = r, strict
			}
		}
	}
	return low, high, strictLow, strictHigh
}
