package infer

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// Thresholds of strings.
const (
	// A list of values is drafted where at most this many differ, every one is seen twice, and there are so many times as many as differ.
	enumValues   = 12
	enumSeen     = 2
	enumRepeated = 3
	enumLength   = 64 // characters
	// An extractive string is drafted where at least so many stand in their texts, of so many characters each: a letter stands in any text.
	extractSeen   = 2
	extractLength = 3
	// Examples are kept of short strings.
	keptExamples = 2
	keptLength   = 40
)

// texts drafts a string.
func (d *drafter) texts(samples []sample, all int, pointer string) value.Value {
	drafted := object("type", value.String("string"))
	counts := map[string]int{}
	var distinct []string
	for _, s := range samples {
		text := s.v.Text()
		if counts[text] == 0 {
			distinct = append(distinct, text)
		}
		counts[text]++
	}
	if name := d.format(distinct); name != "" {
		d.note(pointer, "format", len(samples), all, "every string has the format %s", name)
		return d.extractive(drafted.With("format", value.String(name)), samples, pointer)
	}
	if repeats(counts, len(samples)) {
		d.note(pointer, "enum", len(samples), all, "%d different values, each of them at least twice", len(distinct))
		var list []value.Value
		for _, text := range distinct {
			list = append(list, value.String(text))
		}
		return drafted.With("enum", value.Array(list...))
	}
	d.note(pointer, "type", len(samples), all, "a string, with %s", count(len(distinct), "different value"))
	if sourced := d.extractive(drafted, samples, pointer); sourced.Len() > drafted.Len() {
		return sourced // Examples would stand in no other text.
	}
	var kept []value.Value
	for _, text := range distinct {
		if n := utf8.RuneCountInString(text); n > 0 && n <= keptLength && len(kept) < keptExamples {
			kept = append(kept, value.String(text))
		}
	}
	if len(kept) > 0 {
		drafted = drafted.With("examples", value.Array(kept...))
	}
	return drafted
}

// format gives the first format that all the texts have.
func (d *drafter) format(texts []string) string {
	for _, f := range d.formats {
		if !slices.ContainsFunc(texts, func(text string) bool {
			if !strings.Contains(text, f.marked) {
				return true
			}
			valid, _ := f.judge.Accept(d.ctx, value.String(text))
			return !valid.OK()
		}) {
			return f.name
		}
	}
	return ""
}

// repeats reports whether few values stand for all.
func repeats(counts map[string]int, all int) bool {
	if len(counts) < 2 || len(counts) > enumValues || all < enumRepeated*len(counts) {
		return false
	}
	for text, n := range counts {
		if n < enumSeen || utf8.RuneCountInString(text) > enumLength || strings.ContainsRune(text, '\n') {
			return false
		}
	}
	return true
}

// extractive adds x-extractive where every string stands word for word in the text of its example.
func (d *drafter) extractive(drafted value.Value, samples []sample, pointer string) value.Value {
	stand := 0
	for _, s := range samples {
		e := d.examples[s.example]
		text := collapsed(s.v.Text())
		if !e.Paired || utf8.RuneCountInString(text) < extractLength || !strings.Contains(d.source(s.example), text) {
			return drafted
		}
		stand++
	}
	if stand < extractSeen {
		return drafted
	}
	d.note(pointer, "extractive", stand, len(samples), "every string stands word for word in its text")
	return drafted.With("x-extractive", value.Bool(true))
}

// source gives the text of an example with each run of white space as one space, as x-extractive reads it.
func (d *drafter) source(example int) string {
	if d.sources == nil {
		d.sources = make([]string, len(d.examples))
	}
	if d.sources[example] == "" {
		d.sources[example] = collapsed(d.examples[example].Text)
	}
	return d.sources[example]
}

// collapsed writes every run of white space as one space, as x-extractive reads texts.
func collapsed(text string) string {
	words := strings.Join(strings.Fields(text), " ")
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	switch {
	case text == "":
		return ""
	case words == "":
		return " "
	}
	if unicode.IsSpace(first) {
		words = " " + words
	}
	if unicode.IsSpace(last) {
		words += " "
	}
	return words
}
