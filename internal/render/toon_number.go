package render

import (
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// isNumberLike says that a string that is not empty looks like a number, in wider spellings than JSON's: a sign, leading zeros.
func isNumberLike(s string) bool {
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	s, ok := skipDigits(s)
	if !ok {
		return false
	}
	if strings.HasPrefix(s, ".") {
		if s, ok = skipDigits(s[1:]); !ok {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if s, ok = skipDigits(s); !ok {
			return false
		}
	}
	return s == ""
}

// skipDigits takes one digit or more off the front.
func skipDigits(s string) (rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789")
	return rest, len(rest) < len(s)
}

// doubleDigits is the most digits that a double needs. A large whole number of more is written without an exponent where that is
// no longer: readers that have exact integers have them for such texts alone.
const doubleDigits = 17

// appendTOONNumber writes a number's exact value in canonical form. The few whose canonical form would be beyond the bounds of
// package value, so that it could not be read back, keep their text.
func appendTOONNumber(dst []byte, text string) []byte {
	start := len(dst)
	dst, exponent := appendCanonical(dst, text)
	if len(dst)-start > value.MaxNumberLength || exponent > value.MaxNumberExponent || exponent < -value.MaxNumberExponent {
		return append(dst[:start], text...)
	}
	return dst
}

// appendCanonical writes the canonical form and says which exponent it has; 0 is none.
func appendCanonical(dst []byte, text string) (out []byte, exponent int) {
	if len(text) <= 21 && text != "-0" && !strings.ContainsAny(text, ".eE") {
		return append(dst, text...), 0
	}
	mantissa, power, _ := cutExponent(strings.TrimPrefix(text, "-"))
	whole, fraction, _ := strings.Cut(mantissa, ".")
	shift, _ := strconv.Atoi(power) // Bounded by value.MaxNumberExponent; empty is 0.
	digits := strings.TrimLeft(whole+fraction, "0")
	if digits == "" {
		return append(dst, '0'), 0
	}
	// The number is 0.digits × 10^point.
	point := shift + len(digits) - len(fraction)
	digits = strings.TrimRight(digits, "0")
	if text[0] == '-' {
		dst = append(dst, '-')
	}
	if point > 21 || point < -5 { // |n| ≥ 1e21 or |n| < 1e-6.
		var short [value.MaxNumberLength + 16]byte
		scientific := appendScientific(short[:0], digits, point)
		if point < 0 || len(digits) <= doubleDigits || len(scientific) < plainLength(len(digits), point) {
			return append(dst, scientific...), point - 1
		}
	}
	return appendDecimal(dst, digits, point), 0
}

// plainLength is the length of 0.digits × 10^point without an exponent.
func plainLength(digits, point int) int {
	switch {
	case point <= 0:
		return len("0.") - point + digits
	case point >= digits:
		return point
	}
	return digits + len(".")
}

func appendDecimal(dst []byte, digits string, point int) []byte {
	switch {
	case point <= 0:
		dst = append(append(dst, "0."...), strings.Repeat("0", -point)...)
		return append(dst, digits...)
	case point >= len(digits):
		dst = append(dst, digits...)
		return append(dst, strings.Repeat("0", point-len(digits))...)
	}
	dst = append(append(dst, digits[:point]...), '.')
	return append(dst, digits[point:]...)
}

func appendScientific(dst []byte, digits string, point int) []byte {
	dst = append(dst, digits[0])
	if len(digits) > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'e')
	if point > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(point-1), 10)
}
