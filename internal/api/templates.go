package api

import (
	"context"
	"net/http"

	"github.com/promptd/promptd/internal/template"
)

// publishTemplate is POST /v1/templates.
func (s *Server) publishTemplate(c *call) error {
	return publish(s, c, template.Kind, s.deps.Templates.Read, func(ctx context.Context, d template.Draft) (bool, any, error) {
		p, err := s.deps.Templates.Publish(ctx, c.caller.Team, c.caller.Key, d)
		if err != nil {
			return false, nil, err
		}
		return p.New, PublishedTemplate{shownTemplateVersion(&p.Version), p.Name.Description}, nil
	})
}

// listTemplates is GET /v1/templates.
func (s *Server) listTemplates(c *call) error {
	page, next, err := namesOn(c, s.deps.Templates, shownTemplate)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Templates{Data: page, NextCursor: next})
}

// readTemplate is GET /v1/templates/{name}.
func (s *Server) readTemplate(c *call) error {
	one, v, err := c.find(s.deps.Templates)
	if err != nil {
		return err
	}
	return c.tagged(TemplateWithText{shownTemplate(&one), rawOrNull(v.Content)})
}

// readTemplateVersion is GET /v1/templates/{name}/versions/{version}.
func (s *Server) readTemplateVersion(c *call) error {
	_, v, err := c.find(s.deps.Templates)
	if err != nil {
		return err
	}
	return c.tagged(WholeTemplateVersion{shownTemplateVersion(&v), rawOrNull(v.Content)})
}

// listTemplateVersions is GET /v1/templates/{name}/versions.
func (s *Server) listTemplateVersions(c *call) error {
	page, next, err := versionsOn(c, s.deps.Templates, shownTemplateVersion)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, TemplateVersions{Data: page, NextCursor: next})
}

// changeTemplate is PATCH /v1/templates/{name}.
func (s *Server) changeTemplate(c *call) error {
	ref, err := c.refOf(template.Kind)
	if err != nil {
		return err
	}
	r, _, err := c.object(false)
	if err != nil {
		return err
	}
	for _, fixed := range []string{"name", "version", "text", "messages", "parameters", "schema", "options", "tests"} {
		if _, given := r.Value(fixed); given {
			r.Fault(fixed, "immutable", fixed+" can't be changed: what is published stays as it is", "Publish another version with POST /v1/templates.")
		}
	}
	change, err := template.ReadChange(r)
	if err != nil {
		return err
	}
	after, err := s.deps.Templates.Change(c.r.Context(), c.caller.Team, ref.Name, change)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shownTemplate(&after))
}

// withdrawTemplate is DELETE /v1/templates/{name}, and of one version.
func (s *Server) withdrawTemplate(c *call) error { return c.withdraw(s.deps.Templates) }

// restoreTemplate is POST /v1/templates/{name}/restore, and of one version.
func (s *Server) restoreTemplate(c *call) error { return restore(c, s.deps.Templates, shownTemplate) }
