package pipeline

import (
	"math"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/value"
)

// Where a confidence comes from.
const (
	fromLogprobs = "logprobs"
	fromEvidence = "evidence"
)

// confidence measures how far an answer can be trusted, and says by what: from the model's own token probabilities where it gave them, else from evidence in
// the prompt, else not at all. It is never a constant.
func confidence(r raised, reasked int) (float64, string) {
	if c, ok := byLogprobs(r.reply.Text, r.reply.Logprobs); ok {
		return c, fromLogprobs
	}
	if c, ok := byEvidence(r, reasked); ok {
		return c, fromEvidence
	}
	return 0, ""
}

// byLogprobs is the geometric mean of the probabilities of the tokens that carry values. Names, brackets and white space are left out: under constrained
// decoding they are forced, with a probability of about 1.
func byLogprobs(text string, tokens []dialect.Token) (float64, bool) {
	if len(tokens) == 0 {
		return 0, false
	}
	carries := valueBytes(text)
	sum, n, at := 0.0, 0, 0
	for _, token := range tokens {
		end := at + len(token.Text)
		if end > len(text) || text[at:end] != token.Text {
			return 0, false // Tokens that do not spell the text measure something else, such as reasoning.
		}
		for _, carried := range carries[at:end] {
			if carried {
				sum += token.Logprob
				n++
				break
			}
		}
		at = end
	}
	if n == 0 || at != len(text) {
		return 0, false
	}
	return math.Min(1, math.Exp(sum/float64(n))), true
}

// valueBytes marks the bytes of scalar values in a JSON text: everything but member names, brackets, separators, quotes and white space.
func valueBytes(text string) []bool {
	marks := make([]bool, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '"':
			end := i + 1
			for end < len(text) && text[end] != '"' {
				if text[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(text))
			if !isName(text[min(end+1, len(text)):]) {
				for j := i + 1; j < end; j++ {
					marks[j] = true
				}
			}
			i = end
		case '{', '}', '[', ']', ',', ':', ' ', '\t', '\n', '\r':
		default:
			marks[i] = true
		}
	}
	return marks
}

// isName reports whether a string was a member's name, from what follows it.
func isName(rest string) bool {
	rest = strings.TrimLeft(rest, " \t\n\r")
	return strings.HasPrefix(rest, ":")
}

// byEvidence is the share of values that the prompt itself shows, by the rule of succession, lowered by each value that had to be coerced and each time the
// model had to be asked again. Booleans, nulls and enum members are seldom said in the prompt's words, so they count neither way.
func byEvidence(r raised, reasked int) (float64, bool) {
	haystack := r.prompt.Text
	if haystack == "" {
		var b strings.Builder
		for _, m := range r.prompt.Messages {
			for _, part := range m.Parts {
				b.WriteString(part.Text)
				b.WriteByte('\n')
			}
		}
		haystack = b.String()
	}
	e := evidence{text: haystack}
	e.add(r.value)
	if e.checked == 0 {
		return 0, false
	}
	shown := float64(e.shown+1) / float64(e.checked+2)
	doubt := float64(len(r.coercions) + reasked)
	return shown * float64(e.checked) / (float64(e.checked) + doubt), true
}

// evidence counts the values that stand in a text.
type evidence struct {
	text           string
	folded         string
	checked, shown int
}

// mostChecked bounds the work: an answer's first values say enough.
const mostChecked = 64

func (e *evidence) add(v value.Value) {
	if e.checked >= mostChecked {
		return
	}
	switch v.Kind() {
	case value.KindString:
		if s := strings.TrimSpace(v.Text()); s != "" {
			e.checked++
			if strings.Contains(e.text, s) || e.contains(s) {
				e.shown++
			}
		}
	case value.KindNumber:
		e.checked++
		if strings.Contains(e.text, strings.TrimSuffix(v.Text(), ".0")) {
			e.shown++
		}
	case value.KindArray, value.KindObject:
		for i := range v.Len() {
			e.add(v.At(i))
		}
	}
}

func (e *evidence) contains(s string) bool {
	if e.folded == "" {
		e.folded = strings.ToLower(e.text)
	}
	return strings.Contains(e.folded, strings.ToLower(s))
}
