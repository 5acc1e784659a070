package schema

import (
	"fmt"
	"math/big"
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
	for i := range list {
		if !t.spend(1) {
			return false
		}
		if list[i].Kind() == v.Kind() && value.Equal(list[i], v) {
			return true
		}
	}
	if t.report == nil {
		return false
	}
	if k.keyword == "const" {
		t.fail(k.n, "const", v, failure{
			expected: k.values[0].String(), message: "the value must be " + cut(k.values[0].String(), 120), hint: "Give exactly this value.",
		})
		return false
	}
	t.fail(k.n, "enum", v, failure{
		expected: value.Array(k.values...).String(), message: fmt.Sprintf("the value is none of the %d that are allowed", len(k.values)), hint: nearest(k.values, v),
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
		t.fail(k.n, l.keyword, v, failure{expected: l.words(), message: "the number must be " + l.words(), hint: "Give a number that is " + l.words() + "."})
	}
	return ok
}

// multipleKeyword is multipleOf. Whole numbers and short decimals are divided as 64-bit integers, others exactly as rationals.
type multipleKeyword struct {
	n     *node
	text  string
	exact *big.Rat
	scaled
}

// scaled is a number as digits × 10^-places.
type scaled struct {
	digits int64
	places int
	small  bool
}

func newMultiple(n *node, v value.Value) *multipleKeyword {
	return &multipleKeyword{n: n, text: v.Text(), exact: v.Decimal().Rat(), scaled: scale(v.Text())}
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

func (k *multipleKeyword) divides(v value.Value) bool {
	if s := scale(v.Text()); s.small && k.small {
		a, b := s.digits, k.digits
		places := max(s.places, k.places)
		var okA, okB bool
		a, okA = times10(a, places-s.places)
		b, okB = times10(b, places-k.places)
		if okA && okB && b != 0 {
			return a%b == 0
		}
	}
	return new(big.Rat).Quo(v.Decimal().Rat(), k.exact).IsInt()
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
	if k.divides(v) {
		return true
	}
	if t.report != nil {
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
	if t.report != nil && !t.stopped {
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
	if t.report != nil {
		t.fail(k.n, "format", v, failure{expected: k.name, message: "the text is no valid " + k.name, hint: formatHint(k.name)})
	}
	return false
}
