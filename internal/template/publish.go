package template

import (
	"context"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/value"
)

// Draft is a template that somebody wants to publish.
type Draft struct {
	Name string
	// Description becomes the name's; nil keeps what it has.
	Description *string
	// Compatibility is what this version is held to; empty means the mode that the name keeps. A name that is new keeps it.
	Compatibility compat.Mode
	*Compiled
}

// Read reads a publication. The fault names every field that is wrong.
func (l *Library) Read(r *body.Reader) (Draft, error) {
	d := Draft{Name: r.String("name", "")}
	if v, given := r.Value("name"); !given {
		r.Fault("name", "required", "name is missing", shelf.NameHint)
	} else if v.Kind() == value.KindString && !shelf.IsName(d.Name) {
		r.Fault("name", "pattern", "name is not the name of a template", shelf.NameHint)
	}
	d.Description, d.Compatibility = readChange(r)
	var err error
	d.Compiled, err = Compile(r, l.limits())
	return d, err
}

// maxDescription is the longest description in characters.
const maxDescription = 2000

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
func ReadChange(r *body.Reader) (shelf.Change, error) {
	var c shelf.Change
	var mode compat.Mode
	if c.Description, mode = readChange(r); mode != "" {
		c.Compatibility = &mode
	}
	return c, r.Done()
}

// Publish keeps a draft as the next version of its name. It is a CONFLICT whose entries name the parameters that break what the version owes to the one
// before.
func (l *Library) Publish(ctx context.Context, team key.TeamID, owner key.ID, d Draft) (shelf.Published, error) {
	if err := l.bound(ctx, team, d.Schema); err != nil {
		return shelf.Published{}, err
	}
	draft := shelf.Draft{
		Team: team, Owner: owner, Name: d.Name, Hash: d.Hash, Content: d.Content, Description: d.Description, Compatibility: d.Compatibility,
	}
	return l.versions.Publish(ctx, draft, func(ctx context.Context, before Version, mode compat.Mode) error {
		return l.compare(ctx, before, d.Compiled, mode)
	})
}

// bound says whether a reference to a registered schema can be used.
func (l *Library) bound(ctx context.Context, team key.TeamID, ref value.Value) error {
	if ref.Kind() != value.KindString {
		return nil
	}
	if l.known == nil {
		return fault.Invalid("/schema", "unsupported", "a schema reference needs the schema registry", "Bind the schema itself as an object.")
	}
	err := l.known(ctx, team, ref.Text())
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

// compare holds a draft to the version before. One that can't be read any longer binds nobody.
func (l *Library) compare(ctx context.Context, before Version, draft *Compiled, mode compat.Mode) error {
	if mode == compat.None {
		return nil
	}
	use, err := l.compile(before)
	if err != nil {
		return nil //nolint:nilerr // As said.
	}
	var c Comparison
	err = l.Within(ctx, &before, func(ctx context.Context) bool {
		c = Compare(ctx, use.Compiled, draft, mode)
		return c.decided()
	})
	if err != nil {
		return err
	}
	return c.refusal(before.Ref())
}
