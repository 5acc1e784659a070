package lowering

import (
	"regexp"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// Strings under x-extractive are spans of the text that the answer is taken from. A grammar engine can hold a model to that: such a string gets a pattern of
// the spans, made anew for every request, where the text is short enough for one.

const extractiveKeyword = "x-extractive"

// Bounds of a pattern of spans: it grows with the words of the text times the words of a span.
const (
	maxSourceWords = 250
	maxSpanWords   = 12
	maxSourceBytes = 4000
)

// marked keeps the schema with its marks of extractive strings beside the one that is sent without them.
func (l *Lowered) marked() {
	if !marks(l.Schema) {
		return
	}
	l.extract = l.capped
	l.Schema, l.capped = unmarked(l.Schema), unmarked(l.capped)
}

func marks(s value.Value) bool {
	found := false
	rewrite(s, func(n value.Value) value.Value {
		found = found || hasAny(n, extractiveKeyword)
		return n
	})
	return found
}

func unmarked(s value.Value) value.Value {
	return rewrite(s, func(n value.Value) value.Value { return n.Without(extractiveKeyword) })
}

// Extracting gives the schema, with its generation caps, for an answer that is taken from these texts: extractive strings can then be nothing but spans of at
// most 12 words of them. ok is false where the schema has no such strings, the provider cannot be told, or the texts are longer than 250 words.
func (l Lowered) Extracting(texts []string) (s value.Value, ok bool) {
	if l.extract.IsNull() {
		return value.Value{}, false
	}
	pattern, ok := spans(texts)
	if !ok {
		return value.Value{}, false
	}
	return rewrite(l.extract, func(n value.Value) value.Value {
		if !hasAny(n, extractiveKeyword) {
			return n
		}
		n = n.Without(extractiveKeyword)
		if hasAny(n, "pattern", "format", "enum", "const") {
			return n
		}
		return n.Without("maxLength").Without("minLength").With("pattern", value.String(pattern))
	}), true
}

// spans gives a pattern of all spans of the texts, in words.
func spans(texts []string) (string, bool) {
	var b strings.Builder
	words, bytes := 0, 0
	seen := map[string]bool{}
	b.WriteString("^(?:")
	for _, text := range texts {
		list := strings.Fields(text)
		words += len(list)
		bytes += len(text)
		if words > maxSourceWords || bytes > maxSourceBytes {
			return "", false
		}
		for i := range list {
			span := spanFrom(list[i:min(len(list), i+maxSpanWords)])
			if seen[span] {
				continue
			}
			if len(seen) > 0 {
				b.WriteByte('|')
			}
			seen[span] = true
			b.WriteString(span)
		}
	}
	b.WriteString(")$")
	return b.String(), len(seen) > 0
}

// spanFrom gives a pattern of the spans that begin with the first word. The marks around a word, such as a comma behind it, need not be taken.
func spanFrom(words []string) string {
	var b strings.Builder
	open := 0
	for i, w := range words {
		if i == 0 {
			if bare := strings.TrimLeft(w, opening); bare != "" && bare != w {
				b.WriteString("(?:" + regexp.QuoteMeta(w[:len(w)-len(bare)]) + ")?")
				w = bare
			}
		} else {
			b.WriteString("(?: ")
			open++
		}
		bare := strings.TrimRight(w, closing)
		if bare == "" {
			bare = w
		}
		b.WriteString(regexp.QuoteMeta(bare))
		if behind := w[len(bare):]; behind != "" {
			b.WriteString("(?:" + regexp.QuoteMeta(behind))
			open++
		}
	}
	b.WriteString(strings.Repeat(")?", open))
	return b.String()
}

// What may stand before and behind a word without being of it.
const (
	opening = `("'«„“[`
	closing = `.,;:!?)"'»“”]`
)
