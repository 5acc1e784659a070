package compat

import (
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// finding says a gap as what was found in one direction.
func (g gap) finding(direction Mode) Finding {
	f := Finding{Direction: direction, Verdict: Undecided, Instance: g.at.path, Keyword: g.keyword}
	from := g.source()
	have, _ := from.Get(g.keyword)
	want, _ := g.to.Get(g.keyword)
	if g.keyword == "false" {
		have, want = value.Null(), value.Bool(false)
	}
	f.Old, f.New, f.Before, f.After = from.Pointer(), g.to.Pointer(), have, want
	if direction == Forward {
		f.Old, f.New, f.Before, f.After = f.New, f.Old, f.After, f.Before
	}
	return f
}

// source gives the place of the version that allows more: one that has the keyword, or else the innermost that says anything.
func (g gap) source() schema.Place {
	for _, p := range g.group.places {
		if _, ok := p.Get(g.keyword); ok {
			return p
		}
	}
	if len(g.group.places) > 0 {
		return g.group.places[0]
	}
	for s := g.at; s.up != nil; s = s.up {
		if len(s.group.places) > 0 {
			return s.group.places[0]
		}
	}
	return g.to
}

// worded adds message and hint.
func (f Finding) worded(why reason) Finding {
	strict, loose, values := "new", "old", "old"
	want := f.After
	if f.Direction == Forward {
		strict, loose, values, want = "old", "new", "new", f.Before
	}
	at := f.Instance
	if at == "" {
		at = "the value"
	}
	switch why {
	case spentAll:
		f.Message = fmt.Sprintf("comparing the versions at %s is too much work and was given up", at)
		f.Hint = "Simplify the schema: alternatives within alternatives multiply. Or publish without a check."
		return f
	case dynamic:
		f.Message = fmt.Sprintf("what the %s version's dynamic reference at %s leads to depends on the way there; it is not followed", strict, at)
		f.Hint = "Use $ref, whose target is fixed, or compare the versions by hand."
		return f
	default:
	}
	text := short(want)
	switch f.Keyword {
	case "required", "dependentRequired", "dependencies":
		f.Message = fmt.Sprintf("the %s version demands the member %s, which the %s version lets be missing", strict, at, loose)
		f.Hint = "Make the member optional, or demand it in both versions."
	case "additionalProperties", "unevaluatedProperties", "patternProperties", "properties", "false", "items", "prefixItems", "additionalItems", "unevaluatedItems":
		f.Message = fmt.Sprintf("the %s version allows at %s what the %s version shuts out", loose, at, strict)
		f.Hint = "Allow it in both versions, or in none."
	case "type":
		f.Message = fmt.Sprintf("the %s version allows other types at %s than the %s version, which wants %s", loose, at, strict, text)
		f.Hint = "Name in both versions the types that either has used."
	case "enum", "const":
		f.Message = fmt.Sprintf("the %s version allows values at %s that are not among those of the %s version: %s", loose, at, strict, text)
		f.Hint = "Keep the values that were allowed before, and add the new ones to both versions."
	case "anyOf", "oneOf":
		f.Message = fmt.Sprintf("the %s version allows values at %s that do not fit the alternatives of the %s version's %s", loose, at, strict, f.Keyword)
		f.Hint = "Keep the alternatives that were allowed before, and let exactly as many fit as the keyword demands."
	case "x-rules", "x-extractive":
		f.Message = fmt.Sprintf("the %s version's %s at %s does not stand in the %s version", strict, f.Keyword, at, loose)
		f.Hint = "Keep it as it is, word for word, or drop it."
	default:
		f.Message = fmt.Sprintf("the %s version demands %s of %s at %s, which the %s version does not demand", strict, text, f.Keyword, at, loose)
		f.Hint = "Demand no more than before, or demand it in both versions."
	}
	if f.Verdict == Undecided {
		f.Message += "; no " + values + " value that shows it was found"
		f.Hint += " If it holds of all values nevertheless, publish without a check."
	}
	return f
}

// short cuts a keyword's value for a message.
func short(v value.Value) string {
	const most = 80
	text := v.String()
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
