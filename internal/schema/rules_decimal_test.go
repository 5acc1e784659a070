package schema

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

// drawNumber draws the text of a JSON number: short ones for the most part, and those at the bounds.
func drawNumber(t *rapid.T, name string) string {
	text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?(e[+-]?[0-9])?`)
	long := rapid.StringMatching(`-?[1-9][0-9]{0,59}(\.[0-9]{1,50})?(e[+-]?[1-3][0-9]{2})?`)
	// Around the coefficients that change their form.
	edge := rapid.StringMatching(`-?(4611686018427387[89][0-9]{2}|[1-9][0-9]{16,19})(e-?[0-9])?`)
	return rapid.OneOf(text, text, edge, long).Draw(t, name)
}

func drawExact(t *rapid.T, name string) (exact, *big.Rat) {
	v, err := value.Number(drawNumber(t, name))
	if err != nil {
		t.Skip(err)
	}
	return exactOf(v), v.Decimal().Rat()
}

// rational gives what an exact number stands for.
func (x exact) rational() *big.Rat {
	r := new(big.Rat).SetInt(x.big())
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(x.e, -x.e))), nil)
	if x.e >= 0 {
		return r.Mul(r, new(big.Rat).SetInt(power))
	}
	return r.Quo(r, new(big.Rat).SetInt(power))
}

func TestNumbersOfRulesAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, x := drawExact(t, "a")
		b, y := drawExact(t, "b")
		if a.rational().Cmp(x) != 0 {
			t.Fatalf("%s is read as %s", x, a.rational())
		}
		if got := a.cmp(b); got < 0 != (x.Cmp(y) < 0) || got > 0 != (x.Cmp(y) > 0) {
			t.Fatalf("cmp(%s, %s) = %d", a, b, got)
		}
		sum, err := a.add(b)
		if err != nil || sum.rational().Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s = %s, %v", a, b, sum, err)
		}
		back, err := sum.sub(b)
		if err != nil || back.cmp(a) != 0 {
			t.Fatalf("%s + %s - the second = %s, %v", a, b, back, err)
		}
		product, err := a.mul(b)
		if err != nil || product.rational().Cmp(new(big.Rat).Mul(x, y)) != 0 {
			t.Fatalf("%s * %s = %s, %v", a, b, product, err)
		}
		if text, ok := parseExact(a.String()); !ok || text.cmp(a) != 0 {
			t.Fatalf("%s is written as %s", x, a)
		}
	})
}

func TestQuotientsOfRules(t *testing.T) {
	t.Parallel()
	// Within 34 digits the result is off by at most half a unit in the last place.
	tolerance := new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(33), nil))
	tolerance.Quo(tolerance, big.NewRat(2, 1))
	exactly, rounded := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		a, x := drawExact(t, "a")
		b, y := drawExact(t, "b")
		if y.Sign() == 0 {
			if _, err := a.quo(b); err == nil {
				t.Fatalf("%s / 0 has a result", a)
			}
			return
		}
		q, err := a.quo(b)
		if err != nil {
			t.Fatalf("%s / %s: %v", a, b, err)
		}
		want := new(big.Rat).Quo(x, y)
		off := new(big.Rat).Sub(q.rational(), want)
		if off.Sign() == 0 {
			exactly++
			return
		}
		rounded++
		if n := digitCount(q.shortest().big()); n > quotientDigits {
			t.Fatalf("%s / %s is rounded to %d digits", a, b, n)
		}
		if off.Quo(off.Abs(off), want.Abs(want)).Cmp(tolerance) > 0 {
			t.Fatalf("%s / %s = %s", a, b, q)
		}
		product, err := b.mul(exactInt(3))
		if err != nil {
			t.Skip()
		}
		if back, err := product.quo(b); err != nil || back.cmp(exactInt(3)) != 0 {
			t.Fatalf("%s * 3 / %s = %s, %v", b, b, back, err)
		}
	})
	if exactly == 0 || rounded == 0 {
		t.Errorf("%d quotients end and %d do not: the test has not seen both", exactly, rounded)
	}
}

func TestRoundingOfRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x, r := drawExact(t, "x")
		n := rapid.IntRange(-5, 20).Draw(t, "n")
		unit := exact{i: 1, e: -n}
		for _, way := range []rounding{halfAway, down, up, towardsZero} {
			got, err := x.rounded(n, way)
			if err != nil {
				t.Fatal(err)
			}
			rest, err := got.rem(unit)
			if err != nil || rest.sign() != 0 {
				t.Fatalf("%s rounded to %d places is %s", x, n, got)
			}
			off := new(big.Rat).Sub(got.rational(), r)
			whole := unit.rational()
			half := new(big.Rat).Mul(whole, big.NewRat(1, 2))
			size := new(big.Rat).Abs(off)
			switch {
			case size.Cmp(whole) >= 0, way == down && off.Sign() > 0, way == up && off.Sign() < 0, way == towardsZero && off.Sign()*r.Sign() > 0,
				way == halfAway && (size.Cmp(half) > 0 || size.Cmp(half) == 0 && off.Sign()*r.Sign() < 0):
				t.Fatalf("%s rounded (%d) to %d places is %s", x, way, n, got)
			}
		}
		// A remainder is smaller than the divisor, has the dividend's sign, and what was taken away is a multiple.
		d, divisor := drawExact(t, "divisor")
		if divisor.Sign() == 0 {
			return
		}
		rest, err := x.rem(d)
		if err != nil {
			t.Fatal(err)
		}
		left := rest.rational()
		times := new(big.Rat).Quo(new(big.Rat).Sub(r, left), divisor)
		if !times.IsInt() || left.Sign()*r.Sign() < 0 || new(big.Rat).Abs(left).Cmp(new(big.Rat).Abs(divisor)) >= 0 {
			t.Fatalf("%s %% %s = %s", x, d, rest)
		}
	})
}

func TestResultsOfRulesAreBounded(t *testing.T) {
	t.Parallel()
	far, _ := parseExact("1e400")
	third, _ := exactInt(1).quo(exactInt(3))
	for _, c := range []struct {
		name string
		x    exact
		grow func(x exact) (exact, error)
	}{
		{"squares", far, func(x exact) (exact, error) { return x.mul(x) }},
		{"squares of a fraction", third, func(x exact) (exact, error) { return x.mul(x) }},
		{"ever smaller", exactInt(1), func(x exact) (exact, error) { return x.quo(far) }},
	} {
		steps, err := 0, error(nil)
		for x := c.x; err == nil && steps < 20; steps++ {
			x, err = c.grow(x)
		}
		if err == nil {
			t.Errorf("%s: %d steps end nowhere", c.name, steps)
		}
	}
}
