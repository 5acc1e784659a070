package damage

import (
	"math/rand/v2"
	"strings"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// wrap handles the kinds that concern the whole text. ok is false for the others.
func wrap(kind repair.Kind, v value.Value, rng *rand.Rand) (text string, keeps, ok bool) {
	text = plain(v, rng)
	structured := full(v) // A scalar or an empty container in prose is not told from the prose.
	switch kind {
	case repair.KindFence:
		opening := pick(rng, "```json\n", "```\n", "``` json\n", "~~~json\n", "```JSON\n", "```json ")
		return opening + text + strings.Repeat("\n", rng.IntN(2)) + opening[:3], true, true
	case repair.KindProse:
		return prose(rng) + text + pick(rng, "", "\n\nLet me know if you need anything else!", " is the answer.", "\n\nNote: [1] was not used {see above}."), structured, true
	case repair.KindReasoning:
		thought := pick(rng, "I could say {\"draft\": 1} but no.", "The user wants {fields}, so: [a, b]", "Don't forget the \"quotes.", "")
		return pick(rng, "<think>", "<think>\n", "<thinking>")[:0] + reasoning(rng, thought) + text, true, true
	case repair.KindByteOrderMark:
		return "\ufeff" + text, true, true
	case repair.KindSeveralValues:
		if v.Kind() != value.KindObject || v.Len() == 0 {
			return text, true, true
		}
		return "For example {\"example\": \"of the form\"} would be one. The result is:\n" + text + pick(rng, "", "\n", "\nDone."), true, true
	case repair.KindConcatenated:
		return concatenated(v, text, rng)
	case repair.KindClosed:
		if len(text) < 3 {
			return text, true, true
		}
		return text[:1+rng.IntN(len(text)-2)], false, true
	case repair.KindNestedJSON:
		if v.Kind() != value.KindObject || v.Len() == 0 || !strings.Contains(text, `"`) {
			return text, true, true
		}
		quoted := string(value.AppendQuoted(nil, v.String()))
		return quoted[1 : len(quoted)-1], true, true
	case repair.KindXML:
		return asXML(v), false, true
	case repair.KindYAML:
		return asYAML(v), full(v), true
	}
	return "", false, false
}

// full reports whether a value is an object with members or an array with structure in it.
func full(v value.Value) bool {
	switch v.Kind() {
	case value.KindObject:
		return v.Len() > 0
	case value.KindArray:
		for _, item := range v.Items() {
			if item.Kind() == value.KindObject || item.Kind() == value.KindArray {
				return true
			}
		}
	}
	return false
}

func prose(rng *rand.Rand) string {
	return pick(rng, "Here is the JSON you asked for:\n\n", "Sure! ", "The result is ", "Based on the text (see [1]), I'd say:\n",
		"It's \"simple\": ", "# Answer\n\n- note: {placeholders} stay\n\n")
}

func reasoning(rng *rand.Rand, thought string) string {
	tag := pick(rng, "think", "thinking", "reasoning")
	if rng.IntN(4) == 0 {
		return thought + "\n</" + tag + ">\n\n" // The prompt held the opening tag.
	}
	return "<" + tag + ">\n" + thought + "\n</" + tag + ">\n\n"
}

// concatenated writes the items of an array one behind the other.
func concatenated(v value.Value, text string, rng *rand.Rand) (string, bool, bool) {
	if v.Kind() != value.KindArray || v.Len() < 2 {
		return text, true, true
	}
	separator := pick(rng, "\n", ",\n", "\n\n", " ")
	parts := make([]string, 0, v.Len())
	for _, item := range v.Items() {
		if item.Kind() != value.KindObject || item.Len() == 0 {
			return text, true, true
		}
		parts = append(parts, item.String())
	}
	return strings.Join(parts, separator), true, true
}
