package schema

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// exact is a number of a rule: coefficient × 10^exponent, without any rounding. Numbers of data have at most 128 characters and exponents
// within ±400; what is computed of them stays within the bounds below, or is an error.
//
// Coefficients below 2^62, which are nearly all, are kept in i and cost no allocation; c is nil then.
type exact struct {
	i int64
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

func exactInt(i int64) exact { return wide(big.NewInt(i), 0) }

// wide makes a number of any coefficient.
func wide(c *big.Int, e int) exact {
	const small = 62
	if c.BitLen() <= small {
		return exact{i: c.Int64(), e: e}
	}
	return exact{c: c, e: e}
}

// big gives the coefficient, which must not be changed.
func (x exact) big() *big.Int {
	if x.c == nil {
		return big.NewInt(x.i)
	}
	return x.c
}

func (x exact) sign() int {
	switch {
	case x.c != nil:
		return x.c.Sign()
	case x.i < 0:
		return -1
	case x.i > 0:
		return 1
	default:
		return 0
	}
}

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
	const short = 18 // A sign and 17 digits, or 18 digits.
	if len(mantissa) <= short {
		i, err := strconv.ParseInt(mantissa, 10, 64)
		return exact{i: i, e: e}, err == nil
	}
	c, ok := new(big.Int).SetString(mantissa, 10)
	if !ok {
		return exact{}, false
	}
	return wide(c, e), true
}

// bounded gives the number where it keeps the bounds.
func (x exact) bounded() (exact, error) {
	const bits = maxDigits * 3322 / 1000 // log2 of 10
	for range 2 {
		if (x.c == nil || x.c.BitLen() <= bits) && x.e <= maxExponent && x.e >= -maxExponent {
			return x, nil
		}
		x = x.shortest()
	}
	return exact{}, &ruleFault{"a result has too many digits", "Keep numbers within " + strconv.Itoa(maxDigits) + " digits."}
}

// shortest takes the zeros off the end of the coefficient.
func (x exact) shortest() exact {
	if x.c == nil {
		if x.i == 0 {
			return exact{}
		}
		for x.i%10 == 0 {
			x.i, x.e = x.i/10, x.e+1
		}
		return x
	}
	c, rest, ten := new(big.Int).Set(x.c), new(big.Int), big.NewInt(10)
	for q := new(big.Int); ; x.e++ {
		if q.QuoRem(c, ten, rest); rest.Sign() != 0 {
			return wide(c, x.e)
		}
		c, q = q, c
	}
}

// maxPower is the highest power of ten that an int64 holds.
const maxPower = 18

func smallTenTo(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func tenTo(n int) *big.Int {
	if n <= maxPower {
		return big.NewInt(smallTenTo(n))
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// at gives the coefficient for a smaller or equal exponent.
func (x exact) at(e int) *big.Int {
	if x.e == e {
		return x.big()
	}
	return new(big.Int).Mul(x.big(), tenTo(x.e-e))
}

// smallAt is at for what an int64 of 62 bits holds.
func (x exact) smallAt(e int) (int64, bool) {
	if x.c != nil || x.e-e > maxPower {
		return 0, false
	}
	const most = 1 << 62
	p := smallTenTo(x.e - e)
	if x.i >= most/p || x.i <= -most/p {
		return 0, false
	}
	return x.i * p, true
}

func (x exact) add(y exact) (exact, error) {
	e := min(x.e, y.e)
	if a, ok := x.smallAt(e); ok {
		if b, ok := y.smallAt(e); ok {
			const most = 1 << 62
			if sum := a + b; sum < most && sum > -most { // Two of 62 bits have at most 63.
				return exact{i: sum, e: e}.bounded()
			}
		}
	}
	return wide(new(big.Int).Add(x.at(e), y.at(e)), e).bounded()
}

func (x exact) sub(y exact) (exact, error) { return x.add(y.neg()) }

func (x exact) neg() exact {
	if x.c == nil {
		return exact{i: -x.i, e: x.e}
	}
	return exact{c: new(big.Int).Neg(x.c), e: x.e}
}

func (x exact) mul(y exact) (exact, error) {
	const half = 1 << 31
	if x.c == nil && y.c == nil && x.i < half && x.i > -half && y.i < half && y.i > -half {
		return exact{i: x.i * y.i, e: x.e + y.e}.bounded()
	}
	return wide(new(big.Int).Mul(x.big(), y.big()), x.e+y.e).bounded()
}

func (x exact) cmp(y exact) int {
	if a, b := x.sign(), y.sign(); a != b || a == 0 {
		return a - b
	}
	e := min(x.e, y.e)
	if a, ok := x.smallAt(e); ok {
		if b, ok := y.smallAt(e); ok {
			return cmp.Compare(a, b)
		}
	}
	return x.at(e).Cmp(y.at(e))
}

// quo divides: exactly where the quotient ends within the bounds, else to 34 significant digits, half to even.
func (x exact) quo(y exact) (exact, error) {
	if y.sign() == 0 {
		return exact{}, &ruleFault{"a number is divided by 0", "Test the divisor first: x != 0 && …"}
	}
	if x.sign() == 0 {
		return exact{}, nil
	}
	ratio := new(big.Rat).SetFrac(x.big(), y.big())
	e := x.e - y.e
	if n, ends := places(ratio.Denom()); ends {
		c := new(big.Int).Mul(ratio.Num(), tenTo(n))
		if q, err := wide(c.Quo(c, ratio.Denom()), e-n).bounded(); err == nil {
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
	return wide(q, e-shift).bounded()
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
	if y.sign() == 0 {
		return exact{}, &ruleFault{"a number is divided by 0", "Test the divisor first: x != 0 && …"}
	}
	e := min(x.e, y.e)
	return wide(new(big.Int).Rem(x.at(e), y.at(e)), e).bounded()
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
	q, rest := new(big.Int).QuoRem(x.big(), unit, new(big.Int))
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
	return wide(q, -n).bounded()
}

// index gives the number as a place in a list.
func (x exact) index() (int, bool) {
	whole := x.shortest()
	const far = 9
	if whole.e < 0 || whole.e > far || whole.big().BitLen() > 31 {
		return 0, false
	}
	n := whole.at(0)
	if n.BitLen() > 31 {
		return 0, false
	}
	return int(n.Int64()), true
}

// words is the size of the coefficient in machine words: what an operation costs.
func (x exact) words() int {
	if x.c == nil {
		return 0
	}
	return x.c.BitLen() >> 6
}

// String gives the canonical text of package value where the number is one that JSON text may hold.
func (x exact) String() string {
	x = x.shortest()
	text := x.big().String()
	if x.e != 0 {
		text += "e" + strconv.Itoa(x.e)
	}
	if v, err := value.Number(text); err == nil {
		return v.Decimal().String()
	}
	return text
}
