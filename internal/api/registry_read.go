package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/registry"
)

// listSchemas is GET /v1/schemas.
func (s *Server) listSchemas(c *call) error {
	page, next, err := namesOn(c, s.deps.Schemas, shownSchema)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Schemas{Data: page, NextCursor: next})
}

// readSchema is GET /v1/schemas/{name}.
func (s *Server) readSchema(c *call) error {
	one, v, err := c.find(s.deps.Schemas)
	if err != nil {
		return err
	}
	out := SchemaWithText{Schema: shownSchema(&one)}
	if v.Number != 0 {
		out.Text = json.RawMessage(v.Content.Append(nil))
	}
	return c.tagged(out)
}

// listVersions is GET /v1/schemas/{name}/versions.
func (s *Server) listVersions(c *call) error {
	page, next, err := versionsOn(c, s.deps.Schemas, shownVersion)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, SchemaVersions{Data: page, NextCursor: next})
}

// readVersion is GET /v1/schemas/{name}/versions/{version}.
func (s *Server) readVersion(c *call) error {
	_, v, err := c.find(s.deps.Schemas)
	if err != nil {
		return err
	}
	out := WholeVersion{SchemaVersion: shownVersion(&v), Text: json.RawMessage(v.Content.Append(nil))}
	fitness, err := s.fitness(c, &v)
	switch {
	case err == nil:
		out.Fitness = fitness
	case !fault.Is(err, fault.Timeout): // A version is shown without a report that takes too long.
		return err
	}
	return c.tagged(out)
}

// readFitness is GET /v1/schemas/{name}/versions/{version}/fitness.
func (s *Server) readFitness(c *call) error {
	_, v, err := c.find(s.deps.Schemas)
	if err != nil {
		return err
	}
	fitness, err := s.fitness(c, &v)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, fitness)
}

// fitness reports on a version for the models that the key may use.
func (s *Server) fitness(c *call, v *registry.Version) (*SchemaFitness, error) {
	if err := s.flushed(c); err != nil {
		return nil, err
	}
	var targets []registry.Target
	for _, p := range s.deps.Pool.Providers() {
		for _, m := range p.Models() {
			if c.caller.MayUse(p.Name(), m.Name) {
				targets = append(targets, registry.Target{Provider: p.Name(), Model: m.Name, Profile: p.Dialect().Profile(m.Capability)})
			}
		}
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), checkPatience)
	defer cancel()
	f, err := s.deps.Schemas.Fitness(ctx, s.deps.History, *v, targets)
	switch {
	case err == nil:
		return shownFitness(f), nil
	case errors.Is(err, context.DeadlineExceeded):
		late := fault.New(fault.Timeout, "fitting %s to %d models takes longer than %v", v.Ref(), len(targets), checkPatience).Because(err)
		late.Remediation = "Simplify the schema; POST /v1/schemas/check looks at one dialect at a time."
		return nil, late
	default:
		return nil, err
	}
}

// tagged answers with a value under an ETag, and with 304 where the caller has it already.
func (c *call) tagged(v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f := newFile(mediaJSON, "", append(raw, '\n'))
	h := c.w.Header()
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "private, no-cache")
	if f.matches(c.r.Header.Values("If-None-Match")) {
		c.answersRequestID()
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.bytes(http.StatusOK, f.body)
}
