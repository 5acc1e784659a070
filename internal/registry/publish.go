package registry

import (
	"context"
	"errors"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// mostTries bounds how often a publication is compared again because another process was faster.
const mostTries = 20

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
	Schema  Schema
	Version Version
	// Compiled is the version's schema, for those who look at it further.
	Compiled *schema.Schema
	// New is false where the newest version has that content already: nothing was published then.
	New bool
	// Comparison is with the version before; nil where there was none, or nothing was published.
	Comparison *Comparison
}

// Publish keeps a schema as the next version of its name. It is an INVALID_SCHEMA where it does not compile, and a CONFLICT whose entries name the places
// where it breaks what it owes to the version before.
func (r *Registry) Publish(ctx context.Context, team key.TeamID, owner key.ID, d Draft) (Published, error) {
	if err := d.check(); err != nil {
		return Published{}, err
	}
	compiled, err := r.cfg.Schemas.Compile(ctx, d.Schema, r.options())
	if err != nil {
		return Published{}, fault.InSchema("/schema", err)
	}
	done, err := r.line.wait(ctx, team, d.Name)
	if err != nil {
		return Published{}, err
	}
	defer done()
	for range mostTries {
		p, err := r.publish(ctx, team, owner, d, compiled)
		if !errors.Is(err, ErrMoved) {
			return p, err
		}
	}
	return Published{}, fault.New(fault.Overloaded, "others publish versions of the schema %s all the time", d.Name)
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

// publish compares with what is there and keeps the version; ErrMoved says that what was there is no longer the same.
func (r *Registry) publish(ctx context.Context, team key.TeamID, owner key.ID, d Draft, compiled *schema.Schema) (Published, error) {
	s, before, err := r.cfg.Store.Find(ctx, team, d.Name, 0)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return Published{}, err
	}
	if !s.WithdrawnAt.IsZero() {
		f := fault.New(fault.Conflict, "the schema %s was withdrawn and takes no versions", d.Name)
		f.Remediation = "Restore it first: POST /v1/schemas/" + d.Name + "/restore, or promptd schemas restore " + d.Name + ". Or use another name."
		return Published{}, f
	}
	mode, kept := d.modes(&s)
	p := Published{Schema: s, Version: before, Compiled: compiled}
	if before.Number != 0 && before.Hash == compiled.Hash() {
		return r.again(ctx, d, p)
	}
	if before.Number != 0 {
		if p.Comparison, err = r.compare(ctx, before, compiled, mode); err != nil {
			return Published{}, err
		}
		if err := p.Comparison.refusal(); err != nil {
			return Published{}, err
		}
	}
	p.New = true
	p.Schema, p.Version, err = r.cfg.Store.Publish(ctx, Publication{
		Version: Version{
			Team: team, Name: d.Name, Hash: compiled.Hash(), Schema: d.Schema, Compatibility: mode, Owner: owner, CreatedAt: r.now(),
		},
		Description: d.Description, Kept: kept, Revision: s.Revision,
	})
	if err != nil {
		return Published{}, err
	}
	r.changed()
	return p, nil
}

// modes gives the mode for this version, and the one that the name keeps if it is new.
func (d *Draft) modes(s *Schema) (mode, kept compat.Mode) {
	kept = compat.Backward
	if s.Revision != 0 {
		kept = s.Compatibility
	}
	if d.Compatibility == "" {
		return kept, kept
	}
	if s.Revision == 0 {
		kept = d.Compatibility
	}
	return d.Compatibility, kept
}

// again answers for content that the newest version has already. Its description may still be another.
func (r *Registry) again(ctx context.Context, d Draft, p Published) (Published, error) {
	if d.Description == nil || *d.Description == p.Schema.Description {
		return p, nil
	}
	s, err := r.Change(ctx, p.Schema.Team, p.Schema.Name, Change{Description: d.Description})
	p.Schema = s
	return p, err
}
