package api

import (
	"math/big"
	"strings"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/value"
)

// BudgetRequest is a budget as it is asked for.
type BudgetRequest struct {
	USD    float64 `json:"usd" minimum:"0" maximum:"1000000000" doc:"What calls may cost in a period, to the nano-dollar. 0 allows what costs nothing."`
	Period string  `json:"period" enum:"day,month" doc:"A day or a month in UTC."`
}

// readBudget reads the field budget; nil where it is absent or null.
func readBudget(r *body.Reader) *key.Budget {
	if v, given := r.Value("budget"); !given || v.IsNull() {
		return nil
	}
	in := r.Object("budget")
	if v, _ := r.Value("budget"); v.Kind() != value.KindObject {
		return nil // What is wrong with it was said.
	}
	b := &key.Budget{Period: key.Period(in.Enum("period", "", string(key.Daily), string(key.Monthly)))}
	if _, given := in.Value("period"); !given {
		in.Fault("period", "required", "period is missing", "Write day or month.")
	}
	v, given := in.Value("usd")
	if !given {
		in.Fault("usd", "required", "usd is missing", "Write what may be spent in a period, in dollars.")
	}
	in.Float("usd", 0, 0, float64(key.MostBudget)/1e9)
	if given && v.Kind() == value.KindNumber {
		n, err := dollars(v.Text())
		if err != nil {
			in.Fault("usd", "format", "usd has at most nine digits after the point", "Write an amount such as 10 or 2.5.")
		}
		b.Limit = n
	}
	return b
}

// dollars reads a JSON number exactly, one with an exponent too.
func dollars(text string) (key.Nanos, error) {
	if !strings.ContainsAny(text, "eE") {
		return key.ParseDollars(text)
	}
	const most = 32 // Characters: what is longer is no sum of money, and takes a while to compute.
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	r, ok := new(big.Rat).SetString(mantissa + "e" + exponent)
	if len(text) > most || len(strings.TrimLeft(exponent, "+-0")) > 2 || !ok {
		return key.ParseDollars(text) // It says what is wrong.
	}
	return key.ParseDollars(r.FloatString(40))
}
