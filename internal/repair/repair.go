// Package repair reads one JSON value from a model's text, however the text is wrapped or damaged, and says what it did.
//
// It is the first of three judgements that promptd keeps apart: it knows no schema rules and never decides whether an answer is
// right. A schema, given as a [Shape], only helps it to choose between readings of the same text. Aligning types is package schema's coercion.
//
// [Read] tries strict JSON first and returns valid text unchanged. Otherwise one tolerant recursive-descent parser reads the text once
// from left to right with bounded look-ahead: where a quote may or may not end a string it looks a little further and takes the reading
// under which the rest is JSON. Every deviation is a [Repair] with its byte offset. A repair never makes a value up: what is missing stays
// missing, and a text that had to be closed is marked Unfinished, because a closed prefix is not the answer. [Stream] reads a growing
// text and gives only what is complete.
//
// Texts come from outside: time is linear in the length (the look-ahead has a budget), depth and node count are bounded as in package value.
package repair

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// ErrNoValue is returned for a text that holds no JSON value.
var ErrNoValue = errors.New("the text holds no JSON value")

// Repair is one thing that was put right.
type Repair struct {
	Kind Kind `json:"kind"`
	// Offset is the byte offset in the text.
	Offset int `json:"offset"`
}

// Result is what was read.
type Result struct {
	Value value.Value
	// Repairs are sorted by offset; there is none for strict JSON. At most 1,000 are kept.
	Repairs []Repair
	// Unfinished says that the text ended before its value did, or had to be closed to be read: the value is a prefix of what was meant.
	Unfinished bool
}

// Hints help to choose between readings of one text.
type Hints struct {
	// Schema is what the value should look like; nil where nothing is known.
	Schema Shape
	// XML lets an answer in elements be read where there is no JSON.
	XML bool
	// YAML lets an answer in block YAML be read where there is no JSON.
	YAML bool
}

// Read gives the one JSON value that a model's text means. The error is ErrNoValue where there is none, or a *value.SyntaxError where
// a bound of depth or size was crossed.
func Read(text string, h Hints) (Result, error) {
	v, err := value.DecodeString(text, value.Limits{})
	if err == nil {
		return opened(text, v, h), nil
	}
	var strict *value.SyntaxError
	if !errors.As(err, &strict) {
		return Result{}, err
	}
	if strict.Rule == value.RuleNodes {
		return Result{}, err
	}
	body, cut := withoutPartialRune(text)
	p := newParser(body, h)
	result, err := p.read()
	if err != nil {
		return Result{}, err
	}
	if cut && len(result.Repairs) < maxRepairs {
		result.Repairs = append(result.Repairs, Repair{KindBadUTF8, len(body)})
	}
	if strict.Unfinished || cut && endsInside(body) {
		result.Unfinished = true
	}
	return result, nil
}

// opened handles valid JSON: it stays as it is, but for JSON that was put into a string where the schema has room for the JSON alone.
func opened(text string, v value.Value, h Hints) Result {
	if h.Schema == nil || !strings.Contains(text, `"{`) && !strings.Contains(text, `"[`) && !strings.Contains(text, `"\`) &&
		!strings.Contains(text, `" `) {
		return Result{Value: v}
	}
	n := nester{}
	v = n.walk(v, h.Schema, 0)
	return Result{Value: v, Repairs: n.repairs, Unfinished: n.unfinished}
}

// withoutPartialRune cuts the beginning of a character off the end, as a cut between bytes leaves it.
func withoutPartialRune(text string) (string, bool) {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		c := text[len(text)-n]
		if !utf8.RuneStart(c) {
			continue
		}
		if c >= utf8.RuneSelf && !utf8.FullRuneInString(text[len(text)-n:]) {
			return text[:len(text)-n], true
		}
		break
	}
	return text, false
}

// endsInside reports whether strict reading of the text stops because the text ends.
func endsInside(text string) bool {
	_, err := value.DecodeString(text, value.Limits{})
	var strict *value.SyntaxError
	return errors.As(err, &strict) && strict.Unfinished
}
