package pipeline

import (
	"context"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema"
)

// Registry says what a reference to a schema means for a team.
type Registry interface {
	Resolve(ctx context.Context, team key.TeamID, ref string) (registry.Version, error)
}

// callers gives the schema of the request: the default one, the one that stands in the body, or the one that the body refers to.
func (s resolve) callers(ctx context.Context, c checked) (*schema.Schema, error) {
	q := &c.prompt
	raw := q.Schema
	switch {
	case q.SchemaRef != "":
		v, err := s.registry.Resolve(ctx, c.who.Team, q.SchemaRef)
		if err != nil {
			return nil, atReference(err)
		}
		raw, c.reference = v.Content, v.Ref()
	case !q.HasSchema:
		return s.schemas.general, nil
	}
	compiled, err := s.schemas.cache.Compile(ctx, raw, schema.Options{Limits: schema.Limits{Bytes: s.settings().SchemaBytes}})
	switch {
	case err != nil && c.reference != "":
		return nil, atReference(err)
	case err != nil:
		return nil, fault.InSchema("/schema", err)
	}
	if texts, known := sourceOf(q); known {
		compiled = compiled.WithSource(texts...)
	}
	return compiled, nil
}

// atReference says which field a reference's fault is about. What is wrong inside the schema that it names has no place in the body.
func atReference(err error) error {
	f := fault.Of(err)
	switch f.Code {
	case fault.NotFound, fault.Gone, fault.InvalidRequest, fault.InvalidSchema:
		return f.At("/schema", "reference")
	default:
		return err
	}
}
