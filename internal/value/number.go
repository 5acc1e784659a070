package value

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Bounds of a number's text. Longer ones cost quadratic time in every exact arithmetic and say nothing that data need; an exponent of
// ten million turns a few bytes into megabytes of digits.
const (
	MaxNumberLength   = 128
	MaxNumberExponent = 400
)

// Int gives a number.
func Int(i int64) Value { return Value{meta: meta{kind: KindNumber}, text: strconv.FormatInt(i, 10)} }

// Float gives a number in the shortest digits that read back as the same double; it must be finite.
func Float(f float64) Value {
	const plain = 40 // Longer texts get an exponent: a number's text has bounds.
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if len(text) > plain {
		text = strconv.FormatFloat(f, 'e', -1, 64)
	}
	return Value{meta: meta{kind: KindNumber}, text: text}
}

// Number gives a number of that text, which must be one JSON number within the bounds.
func Number(text string) (Value, error) {
	end, err := scanNumber(text, 0)
	if err != "" {
		return Value{}, fmt.Errorf("number: %s", err)
	}
	if end != len(text) {
		return Value{}, fmt.Errorf("number: unexpected character at byte %d", end)
	}
	return Value{meta: meta{kind: KindNumber}, text: text}, nil
}

// scanNumber finds the end of the number that begins at i, or says what is wrong with it; end is then the place of the fault.
func scanNumber(s string, i int) (end int, fault string) {
	start := i
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i < len(s) && s[i] == '0':
		i++
		if i < len(s) && isDigit(s[i]) {
			return i, "a number must not begin with a zero"
		}
	case i < len(s) && isDigit(s[i]):
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	default:
		return i, "a digit is missing in a number"
	}
	if i < len(s) && s[i] == '.' {
		i++
		if i >= len(s) || !isDigit(s[i]) {
			return i, "a digit is missing behind the decimal point"
		}
		for i < len(s) && isDigit(s[i]) {
			i++
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if i >= len(s) || !isDigit(s[i]) {
			return i, "a digit is missing in the exponent"
		}
		exponent := 0
		for i < len(s) && isDigit(s[i]) {
			if exponent <= MaxNumberExponent {
				exponent = exponent*10 + int(s[i]-'0')
			}
			i++
		}
		if exponent > MaxNumberExponent {
			return start, "a number's exponent is beyond ±400"
		}
	}
	if i-start > MaxNumberLength {
		return start, "a number has more than 128 characters"
	}
	return i, ""
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Decimal is an exact decimal number, read from a number's text without copying it: 0.d₁d₂d₃… × 10^point, with no leading and no
// trailing zero digit. The zero Decimal is 0.
type Decimal struct {
	head, tail string // the digits are head followed by tail
	point      int
	negative   bool
}

// Decimal gives a number's exact value; 0 for anything that is not a number.
func (v Value) Decimal() Decimal {
	if v.kind != KindNumber {
		return Decimal{}
	}
	s := v.text
	var d Decimal
	if s[0] == '-' {
		d.negative, s = true, s[1:]
	}
	exponent := 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		exponent, _ = strconv.Atoi(s[i+1:])
		s = s[:i]
	}
	d.head = s
	if i := strings.IndexByte(s, '.'); i >= 0 {
		d.head, d.tail = s[:i], s[i+1:]
	}
	d.point = len(d.head) + exponent
	return d.trimmed()
}

func (d Decimal) trimmed() Decimal {
	n := len(d.head)
	d.head = strings.TrimLeft(d.head, "0")
	d.point -= n - len(d.head)
	if d.head == "" {
		n = len(d.tail)
		d.tail = strings.TrimLeft(d.tail, "0")
		d.point -= n - len(d.tail)
	}
	d.tail = strings.TrimRight(d.tail, "0")
	if d.tail == "" {
		d.head = strings.TrimRight(d.head, "0")
	}
	if d.head == "" && d.tail == "" {
		return Decimal{}
	}
	return d
}

func (d Decimal) digits() int { return len(d.head) + len(d.tail) }

func (d Decimal) digit(i int) byte {
	if i < len(d.head) {
		return d.head[i]
	}
	if i -= len(d.head); i < len(d.tail) {
		return d.tail[i]
	}
	return '0'
}

// IsInteger reports whether the number has no fractional part: 5, 5.0 and 5e2 are integers.
func (d Decimal) IsInteger() bool { return d.digits() <= d.point || d.digits() == 0 }

// IsZero reports whether the number is 0, in any spelling.
func (d Decimal) IsZero() bool { return d.digits() == 0 }

// Sign gives -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.digits() == 0:
		return 0
	case d.negative:
		return -1
	default:
		return 1
	}
}

// Compare gives -1, 0 or 1 as d is less than, equal to or greater than o, exactly.
func (d Decimal) Compare(o Decimal) int {
	if a, b := d.Sign(), o.Sign(); a != b {
		if a < b {
			return -1
		}
		return 1
	} else if a == 0 {
		return 0
	}
	order := 0
	switch {
	case d.point != o.point:
		order = 1
		if d.point < o.point {
			order = -1
		}
	default:
		for i := range max(d.digits(), o.digits()) {
			if a, b := d.digit(i), o.digit(i); a != b {
				order = 1
				if a < b {
					order = -1
				}
				break
			}
		}
	}
	if d.negative {
		return -order
	}
	return order
}

// Rat gives the number as a rational. Its size is bounded by the bounds of a number's text.
func (d Decimal) Rat() *big.Rat {
	digits := d.head + d.tail
	if digits == "" {
		return new(big.Rat)
	}
	n, _ := new(big.Int).SetString(digits, 10)
	if d.negative {
		n.Neg(n)
	}
	exponent := d.point - len(digits)
	if exponent >= 0 {
		return new(big.Rat).SetInt(n.Mul(n, pow10(exponent)))
	}
	return new(big.Rat).SetFrac(n, pow10(-exponent))
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// String gives a canonical text: the same for every spelling of the same number.
func (d Decimal) String() string {
	if d.IsZero() {
		return "0"
	}
	var b strings.Builder
	if d.negative {
		b.WriteByte('-')
	}
	digits := d.head + d.tail
	switch {
	case d.point >= len(digits) && d.point <= 40:
		b.WriteString(digits)
		b.WriteString(strings.Repeat("0", d.point-len(digits)))
	case d.point > 0 && d.point < len(digits):
		b.WriteString(digits[:d.point] + "." + digits[d.point:])
	case d.point <= 0 && d.point > -20:
		b.WriteString("0." + strings.Repeat("0", -d.point) + digits)
	default:
		b.WriteString(digits[:1])
		if len(digits) > 1 {
			b.WriteString("." + digits[1:])
		}
		b.WriteString("e" + strconv.Itoa(d.point-1))
	}
	return b.String()
}

// Int64 gives the number as an int64; ok is false where it has a fraction or does not fit.
func (d Decimal) Int64() (n int64, ok bool) {
	if !d.IsInteger() || d.point > 19 {
		return 0, false
	}
	var u uint64
	for i := range d.point {
		c := uint64(d.digit(i) - '0')
		if u > (1<<64-1-c)/10 {
			return 0, false
		}
		u = u*10 + c
	}
	switch {
	case d.negative && u <= 1<<63:
		return -int64(u), true // 1<<63 negates to itself, which is right here.
	case !d.negative && u < 1<<63:
		return int64(u), true
	default:
		return 0, false
	}
}
