package registry

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/value"
)

// Draft is a schema that somebody wants to publish.
type Draft struct {
	Name   string
	Schema value.Value
	// Description becomes the name's; nil keeps what it has.
	Description *string
	// Compatibility is what this version is held to; empty means the mode that the name keeps. A name that is new keeps it.
	Compatibility compat.Mode
}

// Published is what became of a draft.
type Published struct {
	shelf.Published
	// Compiled is the version's schema, for those who look at it further.
	Compiled *schema.Schema
	// Comparison is with the version before; nil where there was none, or nothing was published.
	Comparison *Comparison
}

// Publish keeps a schema as the next version of its name. It is an INVALID_SCHEMA where it does not compile, and a CONFLICT whose entries name the places
// where it breaks what it owes to the version before.
func (r *Registry) Publish(ctx context.Context, team key.TeamID, owner key.ID, d Draft) (Published, error) {
	if err := d.check(); err != nil {
		return Published{}, err
	}
	compiled, err := r.schemas.Compile(ctx, d.Schema, r.options())
	if err != nil {
		return Published{}, fault.InSchema("/schema", err)
	}
	p := Published{Compiled: compiled}
	draft := shelf.Draft{
		Team: team, Owner: owner, Name: d.Name, Hash: compiled.Hash(), Content: d.Schema, Description: d.Description, Compatibility: d.Compatibility,
	}
	p.Published, err = r.versions.Publish(ctx, draft, func(ctx context.Context, before Version, mode compat.Mode) error {
		c, err := r.compare(ctx, before, compiled, mode)
		if err != nil {
			return err
		}
		p.Comparison = c
		return c.refusal()
	})
	if err != nil {
		return Published{}, err
	}
	if !p.New { // Somebody else has published the same, behind what it was compared with.
		p.Comparison = nil
	}
	return p, nil
}

// Change changes a name's description, its mode, or both.
func (r *Registry) Change(ctx context.Context, team key.TeamID, name string, c shelf.Change) (Schema, error) {
	if c.Description != nil {
		if err := checkDescription(*c.Description); err != nil {
			return Schema{}, err
		}
	}
	if c.Compatibility != nil {
		if err := checkMode(*c.Compatibility); err != nil {
			return Schema{}, err
		}
	}
	return r.versions.Change(ctx, team, name, c)
}

func (d *Draft) check() error {
	if err := CheckName(d.Name); err != nil {
		return err
	}
	if d.Description != nil {
		if err := checkDescription(*d.Description); err != nil {
			return err
		}
	}
	if d.Compatibility != "" {
		return checkMode(d.Compatibility)
	}
	return nil
}

// CheckName says what is wrong with the name of a schema that shall be published.
func CheckName(name string) error {
	if !shelf.IsName(name) {
		return fault.Invalid("/name", "pattern", "name is not the name of a schema", shelf.NameHint)
	}
	// Their paths are taken: POST /v1/schemas/check.
	if name == "check" || name == "infer" {
		return fault.Invalid("/name", "reserved", "the name "+name+" is taken by the API itself", "Use another name.")
	}
	return nil
}

// maxDescription is the longest description in characters.
const maxDescription = 2000

// checkDescription says what is wrong with a description.
func checkDescription(text string) error {
	bad := func(r rune) bool { return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }
	if utf8.RuneCountInString(text) > maxDescription || !utf8.ValidString(text) || strings.ContainsFunc(text, bad) {
		return fault.Invalid("/description", "length", "a description has at most 2,000 characters, none of them a control character", "Keep it to what the schema is for; details belong into the schema's own descriptions.")
	}
	return nil
}

// Modes lists what a new version may owe to the one before, in the order of the reference; package compat says what each means. Backward is the default: who
// reads with the new version can read old data.
func Modes() []string {
	return []string{string(compat.Backward), string(compat.Forward), string(compat.Full), string(compat.None)}
}

// checkMode says what is wrong with a mode.
func checkMode(m compat.Mode) error {
	if slices.Contains(Modes(), string(m)) {
		return nil
	}
	return fault.Invalid("/compatibility", "enum", "compatibility has a value that it does not take", "Use one of: "+strings.Join(Modes(), ", ")+".")
}
