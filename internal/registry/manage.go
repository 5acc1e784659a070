package registry

import (
	"context"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// Find reads a name with one of its versions; number 0 means the newest that can be used. What is withdrawn is GONE, unless it is asked for.
func (r *Registry) Find(ctx context.Context, team key.TeamID, ref Ref, withdrawn bool) (Schema, Version, error) {
	s, v, err := r.cfg.Store.Find(ctx, team, ref.Name, ref.Version)
	if err == nil && !withdrawn {
		err = gone(&s, &v, ref)
	}
	return s, v, err
}

// List reads a page of names.
func (r *Registry) List(ctx context.Context, team key.TeamID, f Filter) ([]Schema, string, error) {
	return r.cfg.Store.List(ctx, team, f)
}

// Versions reads a page of a name's versions. A withdrawn name is GONE, unless withdrawn ones are asked for.
func (r *Registry) Versions(ctx context.Context, team key.TeamID, name string, f VersionFilter) ([]Version, int, error) {
	if !f.Withdrawn {
		s, _, err := r.cfg.Store.Find(ctx, team, name, 0)
		if err == nil && !s.WithdrawnAt.IsZero() {
			err = gone(&s, &Version{}, Ref{Name: name})
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return r.cfg.Store.Versions(ctx, team, name, f)
}

// Change changes a name's description, its mode, or both.
func (r *Registry) Change(ctx context.Context, team key.TeamID, name string, c Change) (Schema, error) {
	if c.Description == nil && c.Compatibility == nil {
		return Schema{}, fault.Invalid("", "required", "nothing is to be changed", "Send description, compatibility or both.")
	}
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
	c.At = r.now()
	s, err := r.cfg.Store.Change(ctx, team, name, c)
	if err == nil {
		r.changed()
	}
	return s, err
}

// Withdraw hides a version, or a whole name where the reference has none: references to it are GONE until it is restored. What was answered with it leaves
// the cache.
func (r *Registry) Withdraw(ctx context.Context, team key.TeamID, ref Ref) (Schema, error) {
	s, err := r.cfg.Store.Withdraw(ctx, team, ref.Name, ref.Version, r.now())
	if err != nil {
		return Schema{}, err
	}
	r.changed()
	// The withdrawal is done, whether the caller waits for the rest or not.
	r.cfg.Withdrawn(context.WithoutCancel(ctx), team, ref.String())
	return s, nil
}

// Restore undoes a withdrawal. It compares nothing: the version is what it was.
func (r *Registry) Restore(ctx context.Context, team key.TeamID, ref Ref) (Schema, error) {
	s, err := r.cfg.Store.Restore(ctx, team, ref.Name, ref.Version, r.now())
	if err == nil {
		r.changed()
	}
	return s, err
}
