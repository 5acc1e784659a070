package instance

import (
	"math/rand/v2"

	"github.com/promptd/promptd/internal/value"
)

// Spoil gives a value much like the valid one that the judge refuses: a member less or more, another type, another text, a number out of bounds, the
// root in a list. It is false where the judge takes everything that it tries.
func Spoil(valid value.Value, rng *rand.Rand, judge Judge) (value.Value, bool) {
	for range 40 {
		if v := spoil(valid, rng); !value.Identical(v, valid) && !judge(v) {
			return v, true
		}
	}
	for _, v := range [...]value.Value{value.Array(valid), value.Object(), value.String("no answer"), value.Int(0), value.Bool(true), value.Null()} {
		if !judge(v) {
			return v, true
		}
	}
	return valid, false
}

// spoil changes one place by chance.
func spoil(v value.Value, rng *rand.Rand) value.Value {
	if v.Len() > 0 && rng.IntN(4) > 0 {
		i := rng.IntN(v.Len())
		return v.WithAt(i, spoil(v.At(i), rng))
	}
	if v.Kind() == value.KindObject && rng.IntN(3) > 0 {
		if v.Len() > 0 && rng.IntN(2) == 0 {
			return v.Without(v.NameAt(rng.IntN(v.Len())))
		}
		return v.With("unforeseen_member", value.String("x"))
	}
	replacements := [...]value.Value{
		value.Null(), value.Bool(true), value.String(""), value.String("something else entirely"), value.Float(-987654.321), value.Int(987654321987),
		value.Array(), value.Array(value.Null(), value.Null()), value.Object(), value.Object(value.Member{Name: "value", Value: v}),
	}
	return replacements[rng.IntN(len(replacements))]
}
