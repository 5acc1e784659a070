package schema

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// enumKeyword is enum and const.
type enumKeyword struct {
	n       *node
	keyword string
	values  []value.Value
	strings map[string]struct{} // nil for short lists
	others  []value.Value       // beside the strings
}

func (k *enumKeyword) judge(t *trial, v value.Value, _ marks) bool {
	list := k.values
	if k.strings != nil {
		if v.Kind() == value.KindString {
			if _, ok := k.strings[v.Text()]; ok {
				return true
			}
			list = nil
		} else {
			list = k.others
		}
	}
	if !t.spend(len(list) >> 1) {
		return false
	}
	for i := range list {
		if list[i].Kind() == v.Kind() && t.equal(list[i], v) {
			return true
		}
	}
	if t.stopped {
		return false
	}
	if !t.wants() {
		return false
	}
	if k.keyword == "const" {
		t.fail(k.n, "const", v, failure{
			expected: brief(k.values[0], maxExpected), message: "the value must be " + brief(k.values[0], 120), hint: "Give exactly this value.",
		})
		return false
	}
	t.fail(k.n, "enum", v, failure{
		expected: briefList(k.values, maxExpected), message: fmt.Sprintf("the value is none of the %d that are allowed", len(k.values)), hint: t.nearest(k.values, v),
	})
	return false
}

// boundsKeyword is minimum, maximum and their exclusive forms.
type boundsKeyword struct {
	n      *node
	limits []limit
}

type limit struct {
	keyword, text  string
	bound          value.Decimal
	exclusive, low bool
}

func (l *limit) allows(d value.Decimal) bool {
	order := d.Compare(l.bound)
	if !l.low {
		order = -order
	}
	return order > 0 || order == 0 && !l.exclusive
}

func (l *limit) words() string {
	switch {
	case l.low && l.exclusive:
		return "greater than " + l.text
	case l.low:
		return "at least " + l.text
	case l.exclusive:
		return "less than " + l.text
	default:
		return "at most " + l.text
	}
}

func (k *boundsKeyword) judge(t *trial, v value.Value, _ marks) bool {
	d := v.Decimal()
	ok := true
	for i := range k.limits {
		l := &k.limits[i]
		if l.allows(d) {
			continue
		}
		ok = false
		if t.report == nil {
			break
		}
		if t.wants() {
			t.fail(k.n, l.keyword, v, failure{expected: l.words(), message: "the number must be " + l.words(), hint: "Give a number that is " + l.words() + "."})
		}
	}
	return ok
}

// multipleKeyword is multipleOf. Whole numbers and short decimals are divided as 64-bit integers, others exactly as large integers.
type multipleKeyword struct {
	n      *node
	text   string
	digits *big.Int // The divisor is digits × 10^power.
	power  int
	scaled
}

// scaled is a number as digits × 10^-places.
type scaled struct {
	digits int64
	places int
	small  bool
}

func newMultiple(n *node, v value.Value) *multipleKeyword {
	k := &multipleKeyword{n: n, text: v.Text(), scaled: scale(v.Text())}
	k.digits, k.power = integral(v.Text())
	return k
}

// integral gives a number as digits × 10^power, without trailing zeros; its sign is left out.
func integral(text string) (digits *big.Int, power int) {
	mantissa, exponent := strings.TrimPrefix(text, "-"), ""
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, exponent = mantissa[:i], mantissa[i+1:]
		power, _ = strconv.Atoi(exponent)
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := strings.TrimRight(whole+fraction, "0")
	power += len(whole) - len(all)
	digits, ok := new(big.Int).SetString(all, 10)
	if !ok {
		return new(big.Int), 0 // No digit but zeros.
	}
	return digits, power
}

// scale reads a number of at most 15 digits without an exponent.
func scale(text string) scaled {
	s := scaled{small: true}
	point, count, negative := false, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '-':
			negative = true
		case c == '.':
			point = true
		case c >= '0' && c <= '9' && count < 15:
			s.digits = s.digits*10 + int64(c-'0')
			if s.digits > 0 {
				count++
			}
			if point {
				s.places++
			}
		default:
			return scaled{}
		}
	}
	if negative {
		s.digits = -s.digits
	}
	s.small = s.places <= 15
	return s
}

func (k *multipleKeyword) divides(t *trial, v value.Value) bool {
	if s := scale(v.Text()); s.small && k.small {
		a, b := s.digits, k.scaled.digits
		places := max(s.places, k.places)
		var okA, okB bool
		a, okA = times10(a, places-s.places)
		b, okB = times10(b, places-k.places)
		if okA && okB && b != 0 {
			return a%b == 0
		}
	}
	const large = 500 // Steps that a division of 128 digits is worth.
	if !t.spend(large) {
		return false
	}
	rest, power := integral(v.Text())
	power -= k.power
	if rest.Sign() == 0 {
		return true
	}
	if power < 0 {
		return false // Ten divides the divisor more often than the number, which has no trailing zeros.
	}
	shift := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(power)), k.digits)
	return rest.Mod(rest.Mul(rest, shift), k.digits).Sign() == 0
}

func times10(n int64, power int) (int64, bool) {
	for range power {
		if n > 1<<59 || n < -(1<<59) {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

func (k *multipleKeyword) judge(t *trial, v value.Value, _ marks) bool {
	if k.divides(t, v) {
		return true
	}
	if t.wants() {
		t.fail(k.n, "multipleOf", v, failure{expected: "a multiple of " + k.text, message: "the number must be a multiple of " + k.text, hint: "Round it to a multiple of " + k.text + "."})
	}
	return false
}

// lengthKeyword is minLength and maxLength, in code points.
type lengthKeyword struct {
	n        *node
	min, max int
}

func (k *lengthKeyword) judge(t *trial, v value.Value, _ marks) bool {
	text := v.Text()
	if len(text) <= k.max && len(text) >= 4*k.min {
		return true
	}
	if k.max < 0 && len(text) >= 4*k.min {
		return true
	}
	count := utf8.RuneCountInString(text)
	ok := true
	if count < k.min {
		ok = t.failCount(k.n, "minLength", v, k.min, "characters")
	}
	if k.max >= 0 && count > k.max {
		ok = t.failCount(k.n, "maxLength", v, k.max, "characters")
	}
	return ok
}

type patternKeyword struct {
	n       *node
	pattern pattern
}

func (k *patternKeyword) judge(t *trial, v value.Value, _ marks) bool {
	if t.matches(k.pattern, v.Text()) {
		return true
	}
	if !t.stopped && t.wants() {
		t.fail(k.n, "pattern", v, failure{
			expected: k.pattern.source, message: "the text does not match the pattern " + cut(k.pattern.source, 120), hint: "Write it in the form that the pattern demands.",
		})
	}
	return false
}

type formatKeyword struct {
	n     *node
	name  string
	check func(string) bool
}

func (k *formatKeyword) judge(t *trial, v value.Value, _ marks) bool {
	if !t.spend(1 + len(v.Text())>>4) {
		return false
	}
	if k.check(v.Text()) {
		return true
	}
	if t.wants() {
		t.fail(k.n, "format", v, failure{expected: k.name, message: "the text is no valid " + k.name, hint: formatHint(k.name)})
	}
	return false
}
