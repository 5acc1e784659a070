package template

import (
	"context"
	"fmt"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema/compat"
)

// Comparison says how the parameters of two versions fit each other.
type Comparison struct {
	Mode compat.Mode
	// Entries are the places at which they do not, in the new version.
	Entries []fault.Entry
	// proven says that one of them at least is sure to be one.
	proven bool
}

// decided says whether the comparison has found out: nothing breaks, or something is sure to.
func (c *Comparison) decided() bool { return len(c.Entries) == 0 || c.proven }

// Compare holds a new version to the one before. Backward means that whatever calls the one before calls the new one: no parameter is taken away, none is
// newly required, and none takes less than it did. Forward is the reverse: whatever calls the new version can call the one before.
func Compare(ctx context.Context, before, after *Compiled, mode compat.Mode) Comparison {
	c := Comparison{Mode: mode}
	if mode == compat.Backward || mode == compat.Full {
		c.calls(ctx, before, after, true)
	}
	if mode == compat.Forward || mode == compat.Full {
		c.calls(ctx, after, before, false)
	}
	return c
}

// calls looks for calls that fit from and do not fit to.
func (c *Comparison) calls(ctx context.Context, from, to *Compiled, backward bool) {
	for i := range from.Parameters {
		p := &from.Parameters[i]
		q := to.parameter(p.Name)
		if q == nil {
			if backward {
				c.add(p.Name, "removed", "parameter "+p.Name+" is taken away: calls that give it fail", "Keep it, or publish with compatibility none.")
			} else {
				c.add(p.Name, "added", "parameter "+p.Name+" is new: the version before refuses calls that give it", "Leave it out, or publish with compatibility backward or none.")
			}
			continue
		}
		if q.Required && !p.Required {
			c.required(p.Name, backward)
		}
		if p.kind() != q.kind() {
			c.add(p.Name, "type", fmt.Sprintf("parameter %s was of the type %s", p.Name, other(p, q, backward)), "Give the parameter of the new type another name.")
			continue
		}
		c.narrower(ctx, p, q, backward)
	}
	for i := range to.Parameters {
		if q := &to.Parameters[i]; q.Required && from.parameter(q.Name) == nil {
			c.required(q.Name, backward)
		}
	}
}

// other gives the type that the version before has.
func other(from, to *Parameter, backward bool) Type {
	if backward {
		return from.Type
	}
	return to.Type
}

func (c *Comparison) required(name string, backward bool) {
	if backward {
		c.add(name, "required", "parameter "+name+" is newly required: calls without it fail", "Give it a default, or make it optional.")
		return
	}
	c.add(name, "required", "parameter "+name+" is no longer required: the version before refuses calls without it", "Keep it required.")
}

// narrower compares what the two take.
func (c *Comparison) narrower(ctx context.Context, from, to *Parameter, backward bool) {
	old, now := from, to
	if !backward {
		old, now = to, from
	}
	direction := compat.Backward
	if !backward {
		direction = compat.Forward
	}
	report := compat.Check(ctx, old.schema, now.schema, direction)
	for i := range report.Findings {
		f := &report.Findings[i]
		message := "parameter " + from.Name
		if f.Instance != "" {
			message += " at " + f.Instance
		}
		c.entry(from.Name, f.Keyword, message+": "+f.Message, f.Hint)
		c.proven = c.proven || f.Verdict == compat.Breaking
	}
}

// add tells of a place that breaks for sure.
func (c *Comparison) add(name, rule, message, hint string) {
	c.entry(name, rule, message, hint)
	c.proven = true
}

func (c *Comparison) entry(name, rule, message, hint string) {
	c.Entries = append(c.Entries, fault.Entry{Pointer: "/parameters/" + name, Rule: rule, Message: message, Hint: hint})
}

// refusal is the CONFLICT of a version that breaks what it owes to the one before, or nil.
func (c *Comparison) refusal(before string) error {
	if len(c.Entries) == 0 {
		return nil
	}
	f := fault.New(fault.Conflict, "the parameters are not %s compatible with %s: %s", c.Mode, before, c.Entries[0].Message)
	if n := len(c.Entries) - 1; n > 0 {
		f.Detail += fmt.Sprintf(", and %d more", n)
	}
	f.Remediation = "Change the parameters at the pointers named in errors, use another name, or publish with compatibility none."
	f.Entries = c.Entries[:min(len(c.Entries), mostEntries)]
	return f
}
