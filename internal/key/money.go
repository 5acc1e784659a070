package key

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Nanos is an amount of money in integer nano-dollars. A small model's token costs less than a micro-dollar.
type Nanos int64

// nanosPerDollar is 10⁹ with its nine digits after the point.
const (
	nanosPerDollar = 1_000_000_000
	nanoDigits     = 9
)

// errDollars says how an amount has to look.
var errDollars = errors.New("an amount in dollars is a number with at most nine digits after the point, below nine billion")

// ParseDollars reads a decimal number of dollars exactly; anything finer than a nano-dollar is refused, not rounded.
func ParseDollars(text string) (Nanos, error) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, part, _ := strings.Cut(digits, ".")
	part = strings.TrimRight(part, "0")
	if whole == "" || len(part) > nanoDigits || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errDollars
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", nanoDigits-len(part)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errDollars, err)
	}
	if negative {
		n = -n
	}
	return Nanos(n), nil
}

// AppendDollars writes the amount as an exact decimal number of dollars, without needless zeros.
func (n Nanos) AppendDollars(b []byte) []byte {
	u := uint64(n)
	if n < 0 {
		b, u = append(b, '-'), -u
	}
	b = strconv.AppendUint(b, u/nanosPerDollar, 10)
	rest := u % nanosPerDollar
	if rest == 0 {
		return b
	}
	var digits [nanoDigits]byte
	last := 0
	for i := nanoDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + rest%10)
		if digits[i] != '0' && last == 0 {
			last = i
		}
		rest /= 10
	}
	return append(append(b, '.'), digits[:last+1]...)
}

// String gives the amount in dollars.
func (n Nanos) String() string { return string(n.AppendDollars(nil)) }

// MarshalJSON writes dollars.
func (n Nanos) MarshalJSON() ([]byte, error) { return n.AppendDollars(nil), nil }

// UnmarshalJSON reads dollars.
func (n *Nanos) UnmarshalJSON(b []byte) error {
	got, err := ParseDollars(string(b))
	if err != nil {
		return err
	}
	*n = got
	return nil
}

// Period is the time after which a budget starts anew.
type Period string

// The periods of a budget.
const (
	Daily   Period = "day"
	Monthly Period = "month"
)

func (p Period) known() bool { return p == Daily || p == Monthly }

// MostBudget bounds a budget, so that no sum of them leaves 63 bits.
const MostBudget Nanos = 1_000_000_000 * nanosPerDollar

// sound says whether a budget can be kept; nil can.
func (b *Budget) sound() bool {
	return b == nil || b.Limit >= 0 && b.Limit <= MostBudget && b.Period.known()
}

// Budget is what a key or a team may spend in a period.
type Budget struct {
	Limit  Nanos  `json:"usd"`
	Period Period `json:"period"`
}
