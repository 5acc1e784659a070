// Package lowering fits a caller's schema to what one model's structured output accepts, and maps the model's answer back.
//
// A [Profile] is data: what a dialect and model accept. [Lower] makes of a schema and a profile a [Lowered]: what is sent, in which mode, what the
// provider will not enforce, and a pair of functions that translate values. Lowering never decides what is valid: that is package schema's alone.
package lowering

import (
	"github.com/promptd/promptd/internal/value"
)

// Mode is a way of getting structured output; it is the answer's dialect_mode.
type Mode string

// The modes, from the strongest to the weakest.
const (
	Strict  Mode = "strict"
	Tool    Mode = "tool"
	Grammar Mode = "grammar"
	JSON    Mode = "json"
	Prompt  Mode = "prompt"
)

// Residue is a constraint of the caller's schema that the provider will not enforce; it is said in descriptions and judged afterwards.
type Residue struct {
	Pointer string      `json:"pointer"`
	Keyword string      `json:"keyword"`
	Value   value.Value `json:"value"`
}

// Caps bound what a model that runs away may generate, beside the schema. An answer that hits one counts as truncated. 0 is no cap.
type Caps struct {
	StringLength int
	// Formats caps strings of a format too: an engine that holds both writes an endless e-mail address otherwise.
	Formats bool
	Items   int
	Depth   int
	// Members keeps objects that say nothing of further members to those that they name.
	Members bool
}

// Lowered is a schema fitted to one profile. It is immutable and safe for concurrent use.
type Lowered struct {
	// Schema is what is sent to the provider, without caps; null where the mode sends none.
	Schema value.Value
	// Mode is the mode that the profile allows this schema.
	Mode Mode
	// Residue lists what is not enforced, in the schema's order. Modes that enforce nothing list nothing.
	Residue []Residue
	// Narrowed lists the objects, as JSON pointers, that say nothing of further members and are closed for the provider: answers that hold further
	// members would be valid and cannot be given.
	Narrowed []string
	// Shown is the schema to put into the prompt, in the shape in which the model answers; null where the provider itself shows the model what it
	// is sent.
	Shown value.Value
	// Caps are the generation caps; Capped applies them.
	Caps Caps

	codec  codec
	capped value.Value
}

// Capped gives the schema with its generation caps; it is the schema itself where there are none.
func (l Lowered) Capped() value.Value { return l.capped }

// Lower maps a value of the caller's shape to the provider's shape: for examples in prompts, and for tests.
func (l Lowered) Lower(v value.Value) (value.Value, error) { return l.codec.lower(v) }

// Raise maps a value of the provider's shape to the caller's: exactly the inverse of Lower. Parts that do not have the provider's shape stay as
// they are, for validation to judge.
func (l Lowered) Raise(v value.Value) (value.Value, error) { return l.codec.raise(v) }
