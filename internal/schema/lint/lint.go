package lint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Report is what there is to say of a schema that compiles. It is immutable.
type Report struct {
	Schema *schema.Schema
	// Advice stands in the order of the schema.
	Advice []Advice
	// More counts the advice that was left out: a rule speaks a bounded number of times.
	More int
	// Dialects are in the order in which they were asked for.
	Dialects []Dialect
}

// Advice is something that is tolerated and worth knowing.
type Advice struct {
	// Pointer is the place in the schema.
	Pointer string `json:"pointer"`
	// Rule is the rule's name.
	Rule string `json:"rule"`
	// Message says what was seen.
	Message string `json:"message"`
	// Hint says what to do about it.
	Hint string `json:"hint,omitempty"`
}

// Check compiles a schema and says what there is to say of it and of its form in each dialect. The error is a *fault.Fault: INVALID_SCHEMA, whose entries
// point into the schema, or the context's own.
func Check(ctx context.Context, raw value.Value, o schema.Options, profiles []Profile) (*Report, error) {
	s, err := schema.Compile(raw, o)
	if err != nil {
		return nil, err
	}
	return Of(ctx, s, profiles)
}

// Of is Check of a schema that is compiled already.
func Of(ctx context.Context, s *schema.Schema, profiles []Profile) (*Report, error) {
	r := &Report{Schema: s}
	r.Advice, r.More = advise(ctx, s)
	if len(profiles) == 0 {
		return r, nil
	}
	constraints, e := constraintsOf(s), lowering.Explain(s)
	for _, p := range profiles {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("check a schema: %w", context.Cause(ctx))
		}
		r.Dialects = append(r.Dialects, dialectOf(e, p, constraints))
	}
	return r, nil
}

// Profile is a named profile.
type Profile struct {
	Name    string
	Profile lowering.Profile
}

// Profiles gives the profiles of names, each once, and those of all dialects for none. The error is an INVALID_REQUEST that points below pointer at the
// names that do not exist; it is bounded, whatever the list is like.
func Profiles(names []string, pointer string) ([]Profile, error) {
	if len(names) == 0 {
		names = lowering.Dialects()
	}
	if most := len(lowering.Names()); len(names) > most {
		message := fmt.Sprintf("%d dialects are named; there are %d", len(names), most)
		return nil, fault.Invalid(pointer, "maxItems", message, "Name each dialect once, or none for all of them.")
	}
	var list []Profile
	var unknown []fault.Entry
	for i, name := range names {
		p, ok := lowering.Named(name)
		switch {
		case !ok:
			at := pointer
			if pointer != "" {
				at = value.AppendIndex(pointer, i)
			}
			unknown = append(unknown, fault.Entry{
				Pointer: at, Rule: "enum", Message: fmt.Sprintf("unknown dialect %.60q", name), Hint: "It is one of " + strings.Join(lowering.Names(), ", ") + ".",
			})
		case !slices.ContainsFunc(list, func(p Profile) bool { return p.Name == name }):
			list = append(list, Profile{name, p})
		}
	}
	if len(unknown) > 0 {
		f := fault.New(fault.InvalidRequest, "%s", unknown[0].Message)
		f.Remediation = unknown[0].Hint
		f.Entries = unknown
		return nil, f
	}
	return list, nil
}

// Decode reads a schema's text; the error is an INVALID_SCHEMA that says where it is not JSON.
func Decode(text []byte) (value.Value, error) {
	raw, err := value.Decode(text, value.Limits{})
	if err == nil {
		return raw, nil
	}
	f := fault.New(fault.InvalidSchema, "the schema is not strict JSON: %s", err.Error())
	var bad *value.SyntaxError
	if errors.As(err, &bad) {
		f.Entries = []fault.Entry{{Pointer: bad.Pointer, Rule: string(bad.Rule), Message: bad.Error()}}
	}
	return raw, f
}
