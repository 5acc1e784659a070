package schema

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// extractiveKeyword is x-extractive: the string stands word for word in the text that the value was taken from.
type extractiveKeyword struct{ n *node }

// source is what extractive strings are looked for in, with each run of white space as one space.
type source struct {
	texts []string
	size  int
}

// WithSource gives the schema as it judges values that were taken from these texts: a string under x-extractive must stand in one of them, with runs of white
// space alike and else exactly. A schema without a source, as the one of a file that is validated by itself, leaves x-extractive unjudged. Hash, order and all
// else are the same, so that what a request keeps under a key of its texts and its schema is judged again with the same source.
func (s *Schema) WithSource(texts ...string) *Schema {
	if !s.extractive {
		return s
	}
	from := &source{}
	for _, text := range texts {
		text = collapsed(text)
		from.texts, from.size = append(from.texts, text), from.size+len(text)
	}
	sourced := &Schema{
		origin: s, raw: s.raw, root: s.root, hash: s.hash, draft: s.draft, advice: s.advice, size: s.size, scoped: s.scoped, extractive: true, source: from,
	}
	sourced.trials.New = func() any { return &trial{scoped: sourced.scoped, source: from} }
	return sourced
}

// Sourceless gives the schema without a source.
func (s *Schema) Sourceless() *Schema {
	if s.origin != nil {
		return s.origin
	}
	return s
}

// Source gives the texts of WithSource where the schema has extractive strings, with runs of white space as one space.
func (s *Schema) Source() []string {
	if s.source == nil {
		return nil
	}
	return s.source.texts
}

func (k *extractiveKeyword) judge(t *trial, v value.Value, _ marks) bool {
	from := t.source
	if from == nil {
		return true
	}
	const bytesPerStep = 128 // Searching is fast, and a text may be long.
	if !t.spend(1 + (from.size+len(v.Text()))/bytesPerStep) {
		return false
	}
	text := collapsed(v.Text())
	for _, s := range from.texts {
		if strings.Contains(s, text) {
			return true
		}
	}
	if t.report != nil {
		t.fail(k.n, keywordExtractive, v, failure{
			expected: "a part of the text", message: "the string does not stand in the text word for word",
			hint: "Copy it from the text as it is written there, without changing, adding or leaving out anything.",
		})
	}
	return false
}

// collapsed writes every run of white space as one space; most texts have none to change.
func collapsed(s string) string {
	if !uneven(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if unicode.IsSpace(r) {
			if !space {
				b.WriteByte(' ')
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		space = unicode.IsSpace(r)
		i += n
	}
	return b.String()
}

// uneven reports whether a text has white space other than single spaces.
func uneven(s string) bool {
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) && (r != ' ' || space) {
			return true
		}
		space = r == ' '
	}
	return false
}

// extractive reads x-extractive: a boolean.
func (b *builder) extractive() {
	v, ok := b.n.raw.Get(keywordExtractive)
	if !ok {
		return
	}
	switch {
	case v.Kind() != value.KindBool:
		b.bad(keywordExtractive, "keyword_type", "x-extractive is a boolean", "Write \"x-extractive\": true beside \"type\": \"string\".")
	case v.Truth() && b.n.kinds&anyString == 0:
		b.advise(keywordExtractive, "extractive_type", "x-extractive judges strings, and the type here allows none")
	case v.Truth():
		b.add(value.KindString, &extractiveKeyword{b.n})
		if !b.c.extractive { // Once is enough.
			b.advise(keywordExtractive, "needs_source",
				"x-extractive is judged in requests, where the text is known; without one, as in validate, the string is judged by its other keywords alone")
		}
		b.c.extractive = true
	}
}
