// Package damage writes valid JSON the way that models get it wrong. It is for tests and for the scripted provider, never for answers.
//
// [Apply] damages a value in one of the kinds that package repair puts right, and says whether the value can still be read from the text.
// Where the value offers no place for a kind (no string with a quotation mark in it, say) the text comes out undamaged.
package damage

import (
	"math/rand/v2"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// Kinds gives the kinds that Apply knows, in a fixed order.
func Kinds() []repair.Kind { return repair.Kinds() }

// Apply writes the value with damage of that kind. keepsValue says that repair must give the value back; where it is false the damage lost
// something, as a cut does. The same state of rng gives the same text.
func Apply(kind repair.Kind, valid value.Value, rng *rand.Rand) (text string, keepsValue bool) {
	if text, keepsValue, ok := wrap(kind, valid, rng); ok {
		return text, keepsValue
	}
	w := writer{kind: kind, rng: rng, chance: 0.3, lines: rng.IntN(2) == 0, keeps: true}
	w.value(valid, "")
	if w.hits == 0 { // Chance passed every place by; take them all.
		w = writer{kind: kind, rng: rng, chance: 1, lines: w.lines, keeps: true}
		w.value(valid, "")
	}
	return string(w.buf), w.keeps
}

// plain writes the value without damage, on one line or on several.
func plain(v value.Value, rng *rand.Rand) string {
	w := writer{rng: rng, lines: rng.IntN(2) == 0, keeps: true}
	w.value(v, "")
	return string(w.buf)
}

func pick[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }
