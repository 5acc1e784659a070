package infer

import (
	"context"
	"fmt"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// MaxExamples bounds the examples of one draft.
const MaxExamples = 10_000

// Example is one value, with the text that it was taken from where there is one.
type Example struct {
	Value value.Value
	Text  string
	// Paired is set where the example has a text.
	Paired bool
}

// Note says what one decision rests on.
type Note struct {
	// Pointer is the place in the schema, as a JSON pointer.
	Pointer string `json:"pointer"`
	// Decision is a short name: type, optional, enum, format, dictionary, variants, …
	Decision string `json:"decision"`
	// Message says it in plain words.
	Message string `json:"message"`
	// Have of Of values show it.
	Have int `json:"have"`
	Of   int `json:"of"`
}

// Result is a draft. It is immutable.
type Result struct {
	// Schema is the draft, as draft 2020-12.
	Schema value.Value
	// Notes stand in the order of the schema.
	Notes []Note
	// More counts the notes that were left out.
	More int
}

// maxNotes bounds the notes.
const maxNotes = 500

// Examples reads a list of examples: where every one is an object of "text", a string, and "value", and nothing else, they are pairs; they are values
// otherwise.
func Examples(list []value.Value) []Example {
	examples := make([]Example, len(list))
	paired := len(list) > 0
	for i, v := range list {
		examples[i] = Example{Value: v}
		text, hasText := v.Get("text")
		_, hasValue := v.Get("value")
		paired = paired && v.Kind() == value.KindObject && v.Len() == 2 && hasText && text.Kind() == value.KindString && hasValue
	}
	if paired {
		for i, v := range list {
			text, _ := v.Get("text")
			inner, _ := v.Get("value")
			examples[i] = Example{Value: inner, Text: text.Text(), Paired: true}
		}
	}
	return examples
}

// limits are how fine a draft is.
type limits struct {
	depth int // Nested places that are looked at.
	names int // Members of one object that are told apart.
}

// Draft makes a schema that allows every example. The title may be empty. The error is a *fault.Fault: INVALID_REQUEST, or the context's own.
func Draft(ctx context.Context, title string, examples []Example) (Result, error) {
	switch {
	case len(examples) == 0:
		return Result{}, fault.Invalid("/examples", "minItems", "there are no examples", "Give at least one; five or more show what is optional and what repeats.")
	case len(examples) > MaxExamples:
		return Result{}, fault.Invalid("/examples", "maxItems", fmt.Sprintf("there are %d examples; the limit is %d", len(examples), MaxExamples), "Leave some out: a few hundred say as much.")
	}
	for _, l := range []limits{{depth: 40, names: 200}, {depth: 10, names: 60}, {depth: 5, names: 20}, {depth: 3, names: 8}} {
		r, s, err := draft(ctx, title, examples, l)
		if err != nil {
			return Result{}, err
		}
		if s != nil {
			return r, allowed(ctx, s, examples)
		}
	}
	return Result{}, fault.Invalid("/examples", "too_varied", "the examples have too many different members for one schema", "Draft schemas of their parts.")
}

// draft makes a draft within limits; the schema is nil where it is larger than schemas may be.
func draft(ctx context.Context, title string, examples []Example, l limits) (Result, *schema.Schema, error) {
	d := &drafter{ctx: ctx, limits: l, examples: examples, formats: formats()}
	samples := make([]sample, len(examples))
	for i, e := range examples {
		samples[i] = sample{e.Value, i}
	}
	members := []value.Member{{Name: "$schema", Value: value.String("https://json-schema.org/draft/2020-12/schema")}}
	if title != "" {
		members = append(members, value.Member{Name: "title", Value: value.String(title)})
	}
	for name, v := range d.place(samples, "", 0).Members() {
		members = append(members, value.Member{Name: name, Value: v})
	}
	if ctx.Err() != nil {
		return Result{}, nil, fmt.Errorf("draft a schema: %w", context.Cause(ctx))
	}
	raw := value.Object(members...)
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		return Result{}, nil, nil //nolint:nilerr // It is too large: a coarser one is made.
	}
	return Result{Schema: raw, Notes: d.notes, More: d.more}, s, nil
}

// allowed judges every example by the draft, each with its text.
func allowed(ctx context.Context, s *schema.Schema, examples []Example) error {
	for i, e := range examples {
		judge := s
		if e.Paired {
			judge = s.WithSource(e.Text)
		}
		valid, report := judge.Accept(ctx, e.Value)
		if valid.OK() {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("judge example %d: %w", i, context.Cause(ctx))
		}
		return fault.New(fault.Internal, "the draft refuses example %d", i).Because(fmt.Errorf("at %s: %s", report.Errors[0].SchemaPointer, report.Errors[0].Keyword))
	}
	return nil
}
