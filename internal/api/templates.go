package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/template"
)

// publishTemplate is POST /v1/templates.
func (s *Server) publishTemplate(c *call) error {
	if err := s.counted(c); err != nil {
		return err
	}
	name, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	r, raw, err := c.object(false)
	if err != nil {
		return err
	}
	draft, err := s.deps.Templates.Read(r)
	if err != nil {
		return err
	}
	kept, replayed, err := c.work(name, raw, func(ctx context.Context) (idempotency.Response, error) {
		p, err := s.deps.Templates.Publish(ctx, c.caller.Team, c.caller.Key, draft)
		if err != nil {
			return idempotency.Response{}, err
		}
		status := http.StatusOK
		if p.New {
			status = http.StatusCreated
		}
		return encoded(status, PublishedTemplate{shownTemplateVersion(&p.Version), p.Name.Description})
	})
	if err != nil {
		return err
	}
	return c.publishedTemplate(kept, replayed)
}

// publishedTemplate answers with a published version and says where it is; the version is read from the answer, which may be an earlier one's.
func (c *call) publishedTemplate(kept idempotency.Response, replayed bool) error {
	if kept.Status == http.StatusCreated {
		var made PublishedTemplate
		if err := json.Unmarshal(kept.Body, &made); err != nil || made.Name == "" {
			return fmt.Errorf("a kept answer names no version: %w", err)
		}
		c.w.Header().Set("Location", "/v1/templates/"+made.Name+"/versions/"+strconv.Itoa(made.Version))
	}
	if replayed {
		c.w.Header().Set("Idempotent-Replayed", "true")
	}
	return c.kept(kept)
}

// listTemplates is GET /v1/templates.
func (s *Server) listTemplates(c *call) error {
	q := c.query()
	f := shelf.Filter{Limit: q.number("limit", shelf.DefaultPage, 1, shelf.MaxPage), Withdrawn: q.flag("withdrawn")}
	f.After, _ = q.text("cursor")
	if f.After != "" && !shelf.IsName(f.After) {
		q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
	}
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Templates.List(c.r.Context(), c.caller.Team, f)
	if err != nil {
		return err
	}
	page := Templates{Data: make([]Template, 0, len(list)), NextCursor: next}
	for i := range list {
		page.Data = append(page.Data, shownTemplate(&list[i]))
	}
	return c.json(http.StatusOK, page)
}

// findTemplate reads what the path names; withdrawn=true shows what was withdrawn too.
func (s *Server) findTemplate(c *call) (template.Template, template.Version, error) {
	q := c.query()
	withdrawn := q.flag("withdrawn")
	if err := q.done(); err != nil {
		return template.Template{}, template.Version{}, err
	}
	ref, err := c.templateRef()
	if err != nil {
		return template.Template{}, template.Version{}, err
	}
	return s.deps.Templates.Find(c.r.Context(), c.caller.Team, ref, withdrawn)
}

// readTemplate is GET /v1/templates/{name}.
func (s *Server) readTemplate(c *call) error {
	one, v, err := s.findTemplate(c)
	if err != nil {
		return err
	}
	return c.tagged(TemplateWithText{shownTemplate(&one), rawOrNull(v.Content)})
}

// readTemplateVersion is GET /v1/templates/{name}/versions/{version}.
func (s *Server) readTemplateVersion(c *call) error {
	_, v, err := s.findTemplate(c)
	if err != nil {
		return err
	}
	return c.tagged(WholeTemplateVersion{shownTemplateVersion(&v), rawOrNull(v.Content)})
}

// listTemplateVersions is GET /v1/templates/{name}/versions.
func (s *Server) listTemplateVersions(c *call) error {
	q := c.query()
	f := shelf.VersionFilter{Limit: q.number("limit", shelf.DefaultPage, 1, shelf.MaxPage), Withdrawn: q.flag("withdrawn")}
	if text, given := q.text("cursor"); given && text != "" {
		var err error
		if f.Before, err = template.Kind.ParseNumber(text); err != nil {
			q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
		}
	}
	if err := q.done(); err != nil {
		return err
	}
	ref, err := c.templateRef()
	if err != nil {
		return err
	}
	list, next, err := s.deps.Templates.Versions(c.r.Context(), c.caller.Team, ref.Name, f)
	if err != nil {
		return err
	}
	page := TemplateVersions{Data: make([]TemplateVersion, 0, len(list))}
	if next != 0 {
		page.NextCursor = strconv.Itoa(next)
	}
	for i := range list {
		page.Data = append(page.Data, shownTemplateVersion(&list[i]))
	}
	return c.json(http.StatusOK, page)
}

// changeTemplate is PATCH /v1/templates/{name}.
func (s *Server) changeTemplate(c *call) error {
	ref, err := c.templateRef()
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
func (s *Server) withdrawTemplate(c *call) error {
	ref, err := c.templateRef()
	if err != nil {
		return err
	}
	if _, err := s.deps.Templates.Withdraw(c.r.Context(), c.caller.Team, ref); err != nil {
		return err
	}
	return c.empty()
}

// restoreTemplate is POST /v1/templates/{name}/restore, and of one version. It takes no body.
func (s *Server) restoreTemplate(c *call) error {
	key, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	ref, err := c.templateRef()
	if err != nil {
		return err
	}
	r, raw, err := c.object(true)
	if err != nil {
		return err
	}
	if err := r.Done(); err != nil {
		return err
	}
	return c.once(key, raw, func(ctx context.Context) (idempotency.Response, error) {
		after, err := s.deps.Templates.Restore(ctx, c.caller.Team, ref)
		if err != nil {
			return idempotency.Response{}, err
		}
		return encoded(http.StatusOK, shownTemplate(&after))
	})
}

// templateRef reads the name and the version of the path; the version is 0 where the path has none. What can't be either is not there.
func (c *call) templateRef() (template.Ref, error) {
	ref := template.Ref{Name: c.r.PathValue("name")}
	if !shelf.IsName(ref.Name) {
		f := fault.New(fault.NotFound, "there is no template of this name")
		f.Remediation = "GET /v1/templates lists the team's templates."
		return ref, f
	}
	text := c.r.PathValue("version")
	if text == "" {
		return ref, nil
	}
	n, err := template.Kind.ParseNumber(text)
	if err != nil {
		f := fault.New(fault.NotFound, "the template %s has no such version: versions count 1, 2, 3 …", ref.Name)
		f.Remediation = "GET /v1/templates/" + ref.Name + "/versions lists its versions."
		return ref, f
	}
	ref.Version = n
	return ref, nil
}
