package infer

import "github.com/promptd/promptd/internal/value"

// Value gives a draft as the API and the command line write it.
func (r Result) Value() value.Value {
	notes := make([]value.Value, len(r.Notes))
	for i, n := range r.Notes {
		notes[i] = object(
			"pointer", value.String(n.Pointer), "decision", value.String(n.Decision), "message", value.String(n.Message),
			"have", value.Int(int64(n.Have)), "of", value.Int(int64(n.Of)),
		)
	}
	v := object("schema", r.Schema, "notes", value.Array(notes...))
	if r.More > 0 {
		v = v.With("more_notes", value.Int(int64(r.More)))
	}
	return v
}

// Decisions lists the names of decisions.
func Decisions() []string {
	return []string{"type", "nullable", "optional", "enum", "const", "format", "extractive", "dictionary", "variants", "union", "any"}
}
