package template

import (
	"context"
	"errors"
	"fmt"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// mostTries bounds how often a publication is compared again because somebody else was faster. Each time, somebody else's version was kept.
const mostTries = 200

// Draft is a template that somebody wants to publish.
type Draft struct {
	Name string
	// Description becomes the name's; nil keeps what it has.
	Description *string
	// Compatibility is what this version is held to; empty means the mode that the name keeps. A name that is new keeps it.
	Compatibility compat.Mode
	*Compiled
}

// Published is what became of a draft.
type Published struct {
	Template Template
	Version  Version
	// New is false where the newest version has that content already: nothing was published then.
	New bool
}

// Read reads a publication. The fault names every field that is wrong.
func (l *Library) Read(r *body.Reader) (Draft, error) {
	d := Draft{Name: r.String("name", "")}
	if v, given := r.Value("name"); !given {
		r.Fault("name", "required", "name is missing", nameHint)
	} else if v.Kind() == value.KindString && !IsName(d.Name) {
		r.Fault("name", "pattern", "name is not the name of a template", nameHint)
	}
	d.Description, d.Compatibility = readChange(r)
	var err error
	d.Compiled, err = Compile(r, l.cfg.Limits())
	return d, err
}

// nameHint says how a name looks.
const nameHint = "A name has 1 to 64 lower-case letters, digits, dots, dashes and underscores, and begins with a letter or a digit: invoice, or acme.invoice-line."

// readChange reads what belongs to a name.
func readChange(r *body.Reader) (description *string, mode compat.Mode) {
	if v, given := r.Value("description"); given {
		text := r.String("description", "")
		if v.Kind() == value.KindString && badText(text, maxDescription) {
			r.Fault("description", "length", "a description has at most 2,000 characters, none of them a control character", "Keep it to what the template is for.")
		}
		description = &text
	}
	var modes []string
	for _, m := range compat.Modes() {
		modes = append(modes, string(m))
	}
	return description, compat.Mode(r.Enum("compatibility", "", modes...))
}

// ReadChange reads what shall be changed of a name.
func ReadChange(r *body.Reader) (Change, error) {
	var c Change
	var mode compat.Mode
	if c.Description, mode = readChange(r); mode != "" {
		c.Compatibility = &mode
	}
	if err := r.Done(); err != nil {
		return c, err
	}
	if c.Description == nil && c.Compatibility == nil {
		return c, fault.Invalid("", "required", "nothing is to be changed", "Send description, compatibility or both.")
	}
	return c, nil
}

// Publish keeps a draft as the next version of its name. It is a CONFLICT whose entries name the parameters that break what the version owes to the one
// before.
func (l *Library) Publish(ctx context.Context, team key.TeamID, owner key.ID, d Draft) (Published, error) {
	if err := l.bound(ctx, team, d.Schema); err != nil {
		return Published{}, err
	}
	for range mostTries {
		p, err := l.publish(ctx, team, owner, &d)
		if !errors.Is(err, ErrMoved) {
			return p, err
		}
	}
	return Published{}, fault.New(fault.Overloaded, "others publish versions of the template %s all the time", d.Name)
}

// bound says whether a reference to a registered schema can be used.
func (l *Library) bound(ctx context.Context, team key.TeamID, ref value.Value) error {
	if ref.Kind() != value.KindString {
		return nil
	}
	if l.cfg.Bound == nil {
		return fault.Invalid("/schema", "unsupported", "a schema reference needs the schema registry", "Bind the schema itself as an object.")
	}
	err := l.cfg.Bound(ctx, team, ref.Text())
	if err == nil {
		return nil
	}
	f := fault.Of(err)
	if f.Code == fault.Internal || f.Code == fault.Overloaded {
		return err
	}
	entry := fault.Entry{Pointer: "/schema", Rule: "reference", Message: "the bound schema can't be used: " + f.Detail, Hint: f.Remediation}
	return &fault.Fault{Code: fault.InvalidRequest, Detail: entry.Message, Remediation: f.Remediation, Entries: []fault.Entry{entry}, Cause: err}
}

// publish compares with what is there and keeps the version; ErrMoved says that what was there is no longer the same.
func (l *Library) publish(ctx context.Context, team key.TeamID, owner key.ID, d *Draft) (Published, error) {
	t, before, err := l.cfg.Store.Find(ctx, team, d.Name, 0)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Published{}, err
	}
	if !t.WithdrawnAt.IsZero() {
		f := fault.New(fault.Conflict, "the template %s was withdrawn and takes no versions", d.Name)
		f.Remediation = "Restore it first: POST /v1/templates/" + d.Name + "/restore, or promptd templates restore " + d.Name + ". Or use another name."
		return Published{}, f
	}
	mode, kept := d.modes(&t)
	p := Published{Template: t, Version: before}
	if before.Number != 0 {
		if before.Hash == d.Hash {
			return l.again(ctx, d, p)
		}
		if err := l.compare(ctx, before, d.Compiled, mode); err != nil {
			return Published{}, err
		}
	}
	p.New = true
	p.Template, p.Version, err = l.cfg.Store.Publish(ctx, Publication{
		Version:     Version{Team: team, Name: d.Name, Hash: d.Hash, Content: d.Content, Compatibility: mode, Owner: owner, CreatedAt: l.now()},
		Description: d.Description, Kept: kept, Revision: t.Revision,
	})
	if err != nil {
		return Published{}, err
	}
	l.changed()
	return p, nil
}

// compare holds a draft to the version before. One that can't be read any longer binds nobody.
func (l *Library) compare(ctx context.Context, before Version, draft *Compiled, mode compat.Mode) error {
	if mode == compat.None {
		return nil
	}
	use, err := l.compile(before)
	if err != nil {
		return nil //nolint:nilerr // As said.
	}
	c := Compare(ctx, use.Compiled, draft, mode)
	return c.refusal(Ref{before.Name, before.Number})
}

// modes gives the mode for this version, and the one that the name keeps if it is new.
func (d *Draft) modes(t *Template) (mode, kept compat.Mode) {
	kept = compat.Backward
	if t.Revision != 0 {
		kept = t.Compatibility
	}
	if d.Compatibility == "" {
		return kept, kept
	}
	if t.Revision == 0 {
		kept = d.Compatibility
	}
	return d.Compatibility, kept
}

// again answers for content that the newest version has already. Its description may still be another.
func (l *Library) again(ctx context.Context, d *Draft, p Published) (Published, error) {
	if d.Description == nil || *d.Description == p.Template.Description {
		return p, nil
	}
	t, err := l.Change(ctx, p.Template.Team, p.Template.Name, Change{Description: d.Description})
	p.Template = t
	return p, err
}

// Change changes a name's description, its mode, or both.
func (l *Library) Change(ctx context.Context, team key.TeamID, name string, c Change) (Template, error) {
	c.At = l.now()
	t, err := l.cfg.Store.Change(ctx, team, name, c)
	if err == nil {
		l.changed()
	}
	return t, err
}

// Withdraw hides a version, or a whole name where the reference has none: references to it are GONE until it is restored.
func (l *Library) Withdraw(ctx context.Context, team key.TeamID, ref Ref) (Template, error) {
	t, err := l.cfg.Store.Withdraw(ctx, team, ref.Name, ref.Version, l.now())
	if err != nil {
		return Template{}, err
	}
	l.changed()
	// The withdrawal is done, whether the caller waits for the rest or not.
	l.cfg.Withdrawn(context.WithoutCancel(ctx), team, ref.String())
	return t, nil
}

// Restore undoes a withdrawal. It compares nothing: the version is what it was.
func (l *Library) Restore(ctx context.Context, team key.TeamID, ref Ref) (Template, error) {
	t, err := l.cfg.Store.Restore(ctx, team, ref.Name, ref.Version, l.now())
	if err == nil {
		l.changed()
	}
	return t, err
}

// gone is the GONE fault of a reference that can't be used, or nil.
func gone(t *Template, v *Version, ref Ref) error {
	var f *fault.Fault
	switch {
	case !t.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the template %s was withdrawn at %s", t.Name, t.WithdrawnAt.Format(timeForm))
		f.Remediation = fmt.Sprintf("Use another template, or restore it: POST /v1/templates/%s/restore, or promptd templates restore %s.", t.Name, t.Name)
	case v.Number == 0:
		f = fault.New(fault.Gone, "every version of the template %s was withdrawn", t.Name)
		f.Remediation = fmt.Sprintf("Publish another version, or restore one: promptd templates restore %s@%d.", t.Name, t.Newest)
	case !v.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the template %s was withdrawn at %s", ref, v.WithdrawnAt.Format(timeForm))
		f.Remediation = fmt.Sprintf("Restore it: promptd templates restore %s.", ref)
		if t.Current != 0 {
			f.Remediation = fmt.Sprintf("Use %s@%d, the newest that can be used, or restore this one: promptd templates restore %s.", t.Name, t.Current, ref)
		}
	default:
		return nil
	}
	return f
}

// timeForm is how times stand in messages.
const timeForm = "2006-01-02T15:04:05Z07:00"
