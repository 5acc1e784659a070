package registry

import (
	"context"
	"fmt"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// Comparison is what a comparison of a schema with a version found.
type Comparison struct {
	// Against is the version that the schema was compared with.
	Against Version
	compat.Report
}

// Question asks whether a schema may follow a version.
type Question struct {
	// Schema is a schema, or Ref the reference of one that is registered: one of both.
	Schema value.Value
	Ref    string
	// Against is the version to compare with; 0 is the newest that can be used.
	Against int
	// Mode is empty for the one that the name keeps.
	Mode compat.Mode
}

// Compare says whether a schema may follow a version of the name, and changes nothing.
func (r *Registry) Compare(ctx context.Context, team key.TeamID, name string, q Question) (*Comparison, error) {
	ref := Ref{Name: name, Version: q.Against}
	s, before, err := r.Find(ctx, team, ref, false)
	if err != nil {
		return nil, err
	}
	if q.Mode == "" {
		q.Mode = s.Compatibility
	}
	if err := checkMode(q.Mode); err != nil {
		return nil, err
	}
	if q.Ref != "" {
		v, err := r.Resolve(ctx, team, q.Ref)
		if err != nil {
			return nil, err
		}
		q.Schema = v.Content
	}
	compiled, err := r.schemas.Compile(ctx, q.Schema, r.options())
	if err != nil {
		return nil, fault.InSchema("/schema", err)
	}
	return r.compare(ctx, before, compiled, q.Mode)
}

// compare compares a schema with a version.
func (r *Registry) compare(ctx context.Context, before Version, now *schema.Schema, mode compat.Mode) (*Comparison, error) {
	// The version passed its check when it was published. The limits of today are for what is published today.
	old, err := r.schemas.Compile(ctx, before.Content, schema.Options{Limits: schema.Limits{Bytes: len(before.Content.AppendCanonical(nil)) + 1}})
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", before.Ref(), err)
	}
	c := &Comparison{Against: before}
	err = r.Within(ctx, &before, func(ctx context.Context) bool {
		c.Report = compat.Check(ctx, old, now, mode)
		return c.Decided()
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// refusal is the CONFLICT of a schema that breaks what it owes, with each place; nil where it breaks nothing.
func (c *Comparison) refusal() error {
	if c.Compatible {
		return nil
	}
	f := fault.New(fault.Conflict, "the schema is not %s compatible with %s", c.Mode, c.Against.Ref())
	if n := len(c.Findings) + c.More; n > 0 {
		f.Detail += fmt.Sprintf(": %s", c.Findings[0].Message)
		if n > 1 {
			f.Detail += fmt.Sprintf(", and %d more", n-1)
		}
	}
	f.Remediation = "Keep to the version before at the places in errors, publish under another name, or publish it all the same with compatibility none."
	for i := range c.Findings {
		f.Entries = append(f.Entries, entryOf(&c.Findings[i]))
	}
	return f
}

// entryOf makes an entry of errors[] of a finding: the place in the body's schema, and in the message the place in values.
func entryOf(f *compat.Finding) fault.Entry {
	at := f.Instance
	if at == "" {
		at = "the whole value"
	}
	return fault.Entry{
		Pointer: "/schema" + f.New, Rule: f.Keyword, Hint: f.Hint,
		Message: fmt.Sprintf("%s (%s, %s): %s", at, f.Direction, f.Verdict, f.Message),
	}
}
