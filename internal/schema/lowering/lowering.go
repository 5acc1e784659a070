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
	// Properties caps dictionaries.
	Properties int
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
	// Narrowed lists what the schema is silent about and the provider cannot be told to leave open: answers that are right only by that silence
	// cannot be given.
	Narrowed []Narrowing
	// Typed counts the places of what is sent for which the caller's schema says a type; Texts are the pointers, in the caller's schema, of those
	// that travel as JSON text all the same.
	Typed int
	Texts []string
	// Shown is the schema to put into the prompt, in the shape in which the model answers; null where the provider itself shows the model what it
	// is sent.
	Shown value.Value
	// Caps are the generation caps; Capped applies them.
	Caps Caps

	codec   node
	capped  value.Value
	lows    int         // that the codec is made of
	extract value.Value // capped, with marks at extractive strings; null where there are none
}

// Narrowing is a place at which a schema's silence is read as its author meant it.
type Narrowing struct {
	// Pointer is the place in the caller's schema.
	Pointer string `json:"pointer"`
	// Keyword is the one that would say it: additionalProperties (there are no members but those named), items (no items but those of the tuple),
	// properties (members that only a condition names are as the condition has them), type (Kinds are those that the other keywords are about).
	Keyword string   `json:"keyword"`
	Kinds   []string `json:"kinds,omitempty"`
}

// Capped gives the schema with its generation caps; it is the schema itself where there are none.
func (l Lowered) Capped() value.Value { return l.capped }

// Weight estimates the memory that the lowered schema holds, in bytes.
func (l Lowered) Weight() int {
	const low, text = 1500, 8 // A low with its type; a value with what it is made of, by a byte of its text.
	return low*l.lows + text*(len(l.Schema.Append(nil))+len(l.Shown.Append(nil)))
}

// Lower maps a value of the caller's shape to the provider's shape: for examples in prompts, and for tests. The error is an [*Error].
func (l Lowered) Lower(v value.Value) (value.Value, error) { return run(l.codec, toProvider, v) }

// Raise maps a value of the provider's shape to the caller's: exactly the inverse of Lower. Parts that do not have the provider's shape stay as
// they are, for validation to judge. The error is an [*Error].
func (l Lowered) Raise(v value.Value) (value.Value, error) { return run(l.codec, toCaller, v) }

// RaisePart is Raise for an answer that is still being written, whose last member, item and so on may be incomplete. What it gives stands: raising
// more of the same answer changes none of it. ok is false where there is nothing to give yet.
func (l Lowered) RaisePart(v value.Value) (out value.Value, ok bool) {
	out, made, err := translate(l.codec, toCallerPart, v, true)
	return out, err == nil && made != absent
}

func run(n node, d direction, v value.Value) (value.Value, error) {
	out, _, err := translate(n, d, v, false)
	if err != nil {
		return value.Value{}, err
	}
	return out, nil
}
