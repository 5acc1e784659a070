package cli

import (
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/schema/lowering"
)

// printChecked writes a report for people: the advice, then a line for each dialect, or everything of those that were asked for.
func (e *Env) printChecked(r *lint.Report, whole bool) error {
	p, ink := printer{w: e.Stdout}, e.ink()
	p.line("%s, draft %s", ink.good("accepted"), r.Schema.Draft())
	for _, a := range r.Advice {
		p.line("  %s  %s", ink.bold(place(a.Pointer)), ink.quiet(a.Rule))
		p.line("    %s", a.Message)
		if a.Hint != "" {
			p.line("    → %s", a.Hint)
		}
	}
	if r.More > 0 {
		p.line("  and %d more", r.More)
	}
	if whole {
		for i := range r.Dialects {
			p.line("")
			printDialect(&p, ink, &r.Dialects[i])
		}
		return p.err
	}
	p.line("")
	if p.err != nil {
		return p.err
	}
	t := table{titles: []string{"dialect", "mode", ">enforced", "near a limit"}}
	for i := range r.Dialects {
		d := &r.Dialects[i]
		t.add(d.Name, string(d.Mode), enforcedShare(d), sizes(d.Near()))
	}
	return t.write(e.Stdout, ink)
}

// enforcedShare says how many of a schema's constraints the provider enforces.
func enforcedShare(d *lint.Dialect) string {
	if d.Constraints == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %%", 100*d.Enforced/d.Constraints)
}

// sizes writes sizes with their limits.
func sizes(list []lowering.Size) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = fmt.Sprintf("%s %s", s.Name, count(int64(s.Have)))
		if s.Limit > 0 {
			texts[i] += "/" + count(int64(s.Limit))
		}
	}
	return strings.Join(texts, ", ")
}

func printDialect(p *printer, ink ink, d *lint.Dialect) {
	p.line("%s: mode %s, %d of %s enforced", ink.bold(d.Name), d.Mode, d.Enforced, plural(d.Constraints, "constraint"))
	for _, m := range d.Misfits {
		p.line("  not %s: %s", m.Mode, m.Reason)
	}
	if d.Schema.IsNull() {
		p.line("  sends no schema; the prompt shows it, and promptd judges the answer")
		return
	}
	p.line("  sends %s", d.Schema.String())
	p.line("  sizes: %s", sizes(d.Sizes))
	if len(d.Residue) > 0 {
		p.line("  promptd judges what the provider does not enforce:")
	}
	for _, r := range d.Residue {
		p.line("    %s  %s %.80s", place(r.Pointer), r.Keyword, r.Value.String())
	}
	if len(d.Narrowed) > 0 {
		p.line("  where the schema is silent, the model is told less than it allows:")
	}
	for _, n := range d.Narrowed {
		p.line("    %s  %s", place(n.Pointer), narrowing(n))
	}
	if len(d.Texts) > 0 {
		p.line("  travels as JSON text: %s", strings.Join(d.Texts, ", "))
	}
}

// narrowing says how a schema's silence is read.
func narrowing(n lowering.Narrowing) string {
	switch n.Keyword {
	case "additionalProperties":
		return "no members but those named (additionalProperties)"
	case "items":
		return "no items but those listed (items)"
	case "type":
		return "of type " + strings.Join(n.Kinds, " or ") + " (type)"
	default:
		return n.Keyword
	}
}
