package schema

import (
	"math/big"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// exact is a number of a rule: coefficient × 10^exponent, without any rounding. Numbers of data have at most 128 characters and exponents
// within ±400; what is computed of them stays within the bounds below, or is an error.
type exact struct {
	c *big.Int
	e int
}

const (
	// maxDigits is enough for the sum of the largest and the smallest number that data may hold, and for the product of any two.
	maxDigits = 1100
	// maxExponent bounds the power of ten.
	maxExponent = 1200
	// quotientDigits is the precision of quotients that do not end, that of IEEE 754's decimal128.
	quotientDigits = 34
)

func exactInt(i int64) exact { return exact{c: big.NewInt(i)} }

// exactOf reads a JSON number.
func exactOf(v value.Value) exact {
	x, _ := parseExact(v.Text())
	return x
}

// parseExact reads a number's text: digits with a sign, a point and an exponent, each of them optional.
func parseExact(s string) (exact, bool) {
	mantissa, e := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		if e, err = strconv.Atoi(s[i+1:]); err != nil || e > maxExponent || e < -maxExponent {
			return exact{}, false
		}
		mantissa = s[:i]
	}
	if i := strings.IndexByte(mantissa, '.'); i >= 0 {
		e -= len(mantissa) - i - 1
		mantissa = mantissa[:i] + mantissa[i+1:]
	}
	const short = 18
	if len(mantissa) <= short {
		i, err := strconv.ParseInt(mantissa, 10, 64)
		return exact{big.NewInt(i), e}, err == nil
	}
	c, ok := new(big.Int).SetString(mantissa, 10)
	return exact{c, e}, ok
}

// bounded gives the number where it keeps the bounds.
func (x exact) bounded() (exact, error) {
	const bits = maxDigits * 3322 / 1000 // log2 of 10
	if x.c.BitLen() <= bits && x.e <= maxExponent && x.e >= -maxExponent {
		return x, nil
	}
	if x = x.shortest(); x.c.BitLen() <= bits && x.e <= maxExponent && x.e >= -maxExponent {
		return x, nil
	}
	return exact{}, &ruleFault{"a result has too many digits", "Keep numbers within " + strconv.Itoa(maxDigits) + " digits."}
}

// shortest takes the zeros off the end of the coefficient.
func (x exact) shortest() exact {
	if x.c.Sign() == 0 {
		return exact{c: x.c}
	}
	c, rest, ten := new(big.Int).Set(x.c), new(big.Int), big.NewInt(10)
	for q := new(big.Int); ; x.e++ {
		if q.QuoRem(c, ten, rest); rest.Sign() != 0 {
			return exact{c, x.e}
		}
		c, q = q, c
	}
}

func tenTo(n int) *big.Int {
	const small = 18
	if n <= small {
		p := int64(1)
		for range n {
			p *= 10
		}
		return big.NewInt(p)
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// at gives the coefficient for a smaller or equal exponent.
func (x exact) at(e int) *big.Int {
	if x.e == e {
		return x.c
	}
	return new(big.Int).Mul(x.c, tenTo(x.e-e))
}

func (x exact) add(y exact) (exact, error) {
	e := min(x.e, y.e)
	return exact{new(big.Int).Add(x.at(e), y.at(e)), e}.bounded()
}

func (x exact) sub(y exact) (exact, error) { return x.add(y.neg()) }

func (x exact) neg() exact { return exact{new(big.Int).Neg(x.c), x.e} }

func (x exact) mul(y exact) (exact, error) {
	return exact{new(big.Int).Mul(x.c, y.c), x.e + y.e}.bounded()
}

func (x exact) cmp(y exact) int {
	if a, b := x.c.Sign(), y.c.Sign(); a != b || a == 0 {
		return a - b
	}
	e := min(x.e, y.e)
	return x.at(e).Cmp(y.at(e))
}

// quo divides: exactly where the quotient ends within the bounds, else to 34 significant digits, half to even.
func (x exact) quo(y exact) (exact, error) {
	if y.c.Sign() == 0 {
		return exact{}, &ruleFault{"a number is divided by 0", "Test the divisor first: x != 0 && …"}
	}
	if x.c.Sign() == 0 {
		return exactInt(0), nil
	}
	ratio := new(big.Rat).SetFrac(x.c, y.c)
	e := x.e - y.e
	if n, ends := places(ratio.Denom()); ends {
		c := new(big.Int).Mul(ratio.Num(), tenTo(n))
		if q, err := (exact{c.Quo(c, ratio.Denom()), e - n}).bounded(); err == nil {
			return q, nil
		}
	}
	num, den := new(big.Int).Set(ratio.Num()), new(big.Int).Set(ratio.Denom())
	// One digit more than wanted at most two ways: the quotient of d and d' digits has d-d' or d-d'+1 of them.
	shift := quotientDigits + digitCount(den) - digitCount(num)
	scaleUp(num, den, shift)
	q, rest := new(big.Int).QuoRem(num, den, new(big.Int))
	if digitCount(q) > quotientDigits {
		shift--
		num.Set(ratio.Num())
		den.Set(ratio.Denom())
		scaleUp(num, den, shift)
		q.QuoRem(num, den, rest)
	}
	roundEven(q, rest, den)
	return exact{q, e - shift}.bounded()
}

// places tells how many decimal places the fractions of a denominator have, where they end.
func places(denominator *big.Int) (n int, ends bool) {
	twos := int(denominator.TrailingZeroBits()) //nolint:gosec // Denominators are bounded.
	d, fives := new(big.Int).Rsh(denominator, uint(twos)), 0
	for five, q, rest := big.NewInt(5), new(big.Int), new(big.Int); d.BitLen() > 1; fives++ {
		if q.QuoRem(d, five, rest); rest.Sign() != 0 {
			return 0, false
		}
		d, q = q, d
	}
	n = max(twos, fives)
	return n, n <= maxExponent
}

// scale multiplies the fraction by a power of ten.
func scaleUp(num, den *big.Int, power int) {
	if power >= 0 {
		num.Mul(num, tenTo(power))
	} else {
		den.Mul(den, tenTo(-power))
	}
}

// roundEven rounds a truncated quotient by its rest, ties to the even one.
func roundEven(q, rest, den *big.Int) {
	sign := int64(rest.Sign())
	twice := new(big.Int).Abs(rest)
	order := twice.Lsh(twice, 1).CmpAbs(den)
	if order > 0 || order == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(sign))
	}
}

func digitCount(c *big.Int) int { return len(new(big.Int).Abs(c).String()) }

// rem gives what is left of a division that is cut to a whole number; it has the sign of x.
func (x exact) rem(y exact) (exact, error) {
	if y.c.Sign() == 0 {
		return exact{}, &ruleFault{"a number is divided by 0", "Test the divisor first: x != 0 && …"}
	}
	e := min(x.e, y.e)
	return exact{new(big.Int).Rem(x.at(e), y.at(e)), e}.bounded()
}

// rounding says where a number goes that lies between two.
type rounding uint8

const (
	halfAway rounding = iota // to the nearest, ties away from zero
	down
	up
	towardsZero
)

// rounded gives the number with at most n decimal places; a negative n counts places before the point.
func (x exact) rounded(n int, r rounding) (exact, error) {
	if -x.e <= n {
		return x, nil
	}
	unit := tenTo(-n - x.e)
	q, rest := new(big.Int).QuoRem(x.c, unit, new(big.Int))
	sign := rest.Sign()
	twice := new(big.Int).Abs(rest)
	away := false
	switch r {
	case halfAway:
		away = twice.Lsh(twice, 1).CmpAbs(unit) >= 0
	case down:
		away = sign < 0
	case up:
		away = sign > 0
	case towardsZero:
	}
	if away {
		q.Add(q, big.NewInt(int64(sign)))
	}
	return exact{q, -n}.bounded()
}

// index gives the number as a place in a list.
func (x exact) index() (int, bool) {
	whole := x.shortest()
	const far = 9
	if whole.e < 0 || whole.e > far || whole.c.BitLen() > 31 {
		return 0, false
	}
	n := whole.at(0)
	if n.BitLen() > 31 {
		return 0, false
	}
	return int(n.Int64()), true
}

// words is the size of the coefficient in machine words: what an operation costs.
func (x exact) words() int { return x.c.BitLen() >> 6 }

// String gives the canonical text of package value where the number is one that JSON text may hold.
func (x exact) String() string {
	x = x.shortest()
	text := x.c.String()
	if x.e != 0 {
		text += "e" + strconv.Itoa(x.e)
	}
	if v, err := value.Number(text); err == nil {
		return v.Decimal().String()
	}
	return text
}
