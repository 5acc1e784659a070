// Package template keeps prompt templates: texts of an operator with typed parameters, a bound schema, default options and stored tests, under a name with
// immutable versions.
//
// It is not for calling models (package pipeline does that with what a template renders to), nor for what names and versions are: package shelf keeps them,
// here and for schemas. It is no programming language either: placeholders and optional sections, nothing that loops or calls.
//
// The main types are [Template], a name with what is kept of it, [Version], one immutable content under that name, [Compiled], a content that can be
// rendered, and [Library], which publishes, resolves, withdraws and restores. Everything belongs to a team: no method finds what another team has published.
//
// How it works: [Compile] reads a content and finds every fault before it is kept: a parameter that is not there or not used, one that may be absent where
// it is used, a test whose parameters do not fit. [Compiled.Render] checks a call's parameters by their JSON Schemas and gives pieces, each either the
// operator's words or data. What carries free text is data, and package prompt fences it; numbers, booleans, dates and values of an enum stand inline,
// since they can't carry an instruction. Versions are compared by their parameters: what called the version before calls the new one.
package template

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/shelf"
)

// Kind is what stands on the shelf.
const Kind shelf.Kind = "template"

// What a shelf of templates holds: [Template] is a registered name.
type (
	Template = shelf.Name
	Version  = shelf.Version
	Ref      = shelf.Ref
)

// Config is what a [Library] needs; Store is wanted.
type Config struct {
	Store shelf.Store
	// Limits are those of a bound schema; nil means the defaults. They hold when a template is read: one that is in use stays so until promptd starts anew.
	Limits func() schema.Limits
	// Patience bounds a comparison; 0 means [shelf.DefaultPatience].
	Patience time.Duration
	// Bound says whether a reference to a registered schema can be used; nil where there is no registry.
	Bound func(ctx context.Context, team key.TeamID, ref string) error
	// Withdrawn is told of a reference (name or name@version) that can't be used any longer, so that answers made with it are dropped; nil where nobody is.
	Withdrawn func(ctx context.Context, team key.TeamID, ref string)
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// OnError is told of reads of the store that went wrong in the background; nil means that nobody is.
	OnError func(error)
}

// Library publishes and resolves templates. It is safe for concurrent use; Run keeps it up to date with other processes.
type Library struct {
	*versions

	limits func() schema.Limits
	known  func(ctx context.Context, team key.TeamID, ref string) error
}

// versions is the shelf. A version that is in use stays compiled, whatever is published beside it.
type versions = shelf.Shelf[*Use]

// Use is a version that can be used, compiled.
type Use struct {
	Version
	*Compiled
}

// A compiled template takes about overhead times its text, plus what stands around it.
const (
	overhead = 8
	around   = 4 << 10
)

// New makes a library.
func New(cfg Config) *Library {
	if cfg.Limits == nil {
		cfg.Limits = func() schema.Limits { return schema.Limits{} }
	}
	l := &Library{limits: cfg.Limits, known: cfg.Bound}
	l.versions = shelf.New(shelf.Config[*Use]{
		Kind: Kind, Store: cfg.Store, Make: l.compile, Around: around, Overhead: overhead,
		Patience: cfg.Patience, Withdrawn: cfg.Withdrawn, Now: cfg.Now, OnError: cfg.OnError,
	})
	return l
}

// compile reads a kept version. It was read before it was kept: what is wrong now is a limit that has become tighter, or a promptd that has become stricter.
func (l *Library) compile(v Version) (*Use, error) {
	c, err := Compile(body.Open(v.Content), l.limits())
	if err != nil {
		f := fault.New(fault.Conflict, "the template %s can't be used by this version of promptd: %s", v.Ref(), fault.Of(err).Detail).Because(err)
		f.Remediation = "Publish a corrected version."
		return nil, f
	}
	return &Use{v, c}, nil
}

// badText says whether a text is too long or holds control characters that no text has.
func badText(text string, most int) bool {
	control := func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' && r != '\r' || r >= 0x7f && r < 0xa0 }
	return utf8.RuneCountInString(text) > most || strings.ContainsFunc(text, control)
}
