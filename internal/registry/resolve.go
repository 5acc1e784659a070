package registry

import (
	"context"
	"fmt"

	"github.com/maypok86/otter/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// reference is a reference of one team.
type reference struct {
	team key.TeamID
	text string
}

// remembered is what a reference meant in a generation.
type remembered struct {
	version    Version
	generation uint64
	bytes      int
}

// memoryBytes bounds what is remembered. A schema in memory takes about overhead times its text, plus what stands around it.
const (
	memoryBytes = 32 << 20
	overhead    = 4
	around      = 512
)

func newMemory() *otter.Cache[reference, remembered] {
	return otter.Must(&otter.Options[reference, remembered]{
		MaximumWeight: memoryBytes,
		Weigher: func(_ reference, m remembered) uint32 {
			return uint32(min(around+overhead*m.bytes, memoryBytes)) //nolint:gosec // Bounded by a constant.
		},
	})
}

// Resolve gives the version that a reference of the team means: name@version, or name for the newest that can be used. A reference that is none is an
// INVALID_REQUEST, what was never published NOT_FOUND, and what was withdrawn GONE with what to do about it.
func (r *Registry) Resolve(ctx context.Context, team key.TeamID, text string) (Version, error) {
	// The generation is taken before the store is read: what is read is at least as new.
	generation := r.generation.Load()
	at := reference{team, text}
	if m, ok := r.remembered.GetIfPresent(at); ok && m.generation == generation {
		return m.version, nil
	}
	ref, err := ParseRef(text)
	if err != nil {
		return Version{}, err
	}
	v, err := r.usable(ctx, team, ref)
	if err != nil {
		return Version{}, err
	}
	r.remembered.Set(at, remembered{v, generation, len(v.Schema.String())})
	return v, nil
}

// usable reads a version that is not withdrawn.
func (r *Registry) usable(ctx context.Context, team key.TeamID, ref Ref) (Version, error) {
	s, v, err := r.cfg.Store.Find(ctx, team, ref.Name, ref.Version)
	if err != nil {
		return Version{}, err
	}
	return v, gone(&s, &v, ref)
}

// gone is the GONE fault of a reference that can't be used, or nil.
func gone(s *Schema, v *Version, ref Ref) error {
	var f *fault.Fault
	switch {
	case !s.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the schema %s was withdrawn at %s", s.Name, s.WithdrawnAt.Format(timeForm))
		f.Remediation = fmt.Sprintf("Use another schema, or restore it: POST /v1/schemas/%s/restore, or promptd schemas restore %s.", s.Name, s.Name)
	case v.Number == 0:
		f = fault.New(fault.Gone, "every version of the schema %s was withdrawn", s.Name)
		f.Remediation = fmt.Sprintf("Publish another version, or restore one: POST /v1/schemas/%s/versions/%d/restore, or promptd schemas restore %s@%d.", s.Name, s.Newest, s.Name, s.Newest)
	case !v.WithdrawnAt.IsZero():
		f = fault.New(fault.Gone, "the schema %s was withdrawn at %s", ref, v.WithdrawnAt.Format(timeForm))
		f.Remediation = fmt.Sprintf("Restore it: POST /v1/schemas/%s/versions/%d/restore, or promptd schemas restore %s.", s.Name, v.Number, ref)
		if s.Current != 0 {
			f.Remediation = fmt.Sprintf("Use %s@%d, the newest that can be used, or restore this one: promptd schemas restore %s.", s.Name, s.Current, ref)
		}
	default:
		return nil
	}
	return f
}

// timeForm is how times stand in messages.
const timeForm = "2006-01-02T15:04:05Z07:00"
