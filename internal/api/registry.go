package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/shelf"
	"github.com/promptd/promptd/internal/value"
)

// counted lets a call in against the key's limit, as a prompt is: compiling and comparing schemas costs about as much of promptd's own time.
func (s *Server) counted(c *call) error {
	admission, err := s.deps.Pipeline.Admit(c.r.Context(), c.caller, 1)
	limitHeaders(c, admission)
	return err
}

// publishSchema is POST /v1/schemas.
func (s *Server) publishSchema(c *call) error {
	return publish(s, c, registry.Kind, readDraft, func(ctx context.Context, d registry.Draft) (bool, any, error) {
		p, err := s.deps.Schemas.Publish(ctx, c.caller.Team, c.caller.Key, d)
		if err != nil {
			return false, nil, err
		}
		return p.New, shownPublished(&p, advised(ctx, &p)), nil
	})
}

// encoded makes a response of a value.
func encoded(status int, v any) (idempotency.Response, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return idempotency.Response{}, fmt.Errorf("encode an answer: %w", err)
	}
	return idempotency.Response{Status: status, ContentType: mediaJSON, Body: append(raw, '\n')}, nil
}

func readDraft(r *body.Reader) (registry.Draft, error) {
	d := registry.Draft{Name: r.String("name", ""), Schema: readSchemaOf(r)}
	if _, given := r.Value("name"); !given {
		r.Fault("name", "required", "name is missing", "Name the schema: invoice, or acme.invoice-line.")
	}
	d.Description = readDescription(r)
	d.Compatibility = compat.Mode(r.Enum("compatibility", "", registry.Modes()...))
	return d, r.Done()
}

// readSchemaOf reads the wanted field schema.
func readSchemaOf(r *body.Reader) value.Value {
	v, given := r.Value("schema")
	switch k := v.Kind(); {
	case !given:
		r.Fault("schema", "required", "schema is missing", "Send the JSON Schema as an object.")
	case k != value.KindObject && k != value.KindBool:
		r.Fault("schema", "type", "schema is "+k.String()+"; it must be an object or a boolean", "Send a JSON Schema, such as {\"type\": \"object\"}.")
	}
	return v
}

// readDescription reads an optional description; none is another than an empty one.
func readDescription(r *body.Reader) *string {
	if _, given := r.Value("description"); !given {
		return nil
	}
	text := r.String("description", "")
	return &text
}

// advised lints a version that was published. Advice that takes too long is left out: the version is kept whatever it says.
func advised(ctx context.Context, p *registry.Published) *lint.Report {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	profiles, err := lint.Profiles(nil, "")
	if err != nil {
		return nil
	}
	report, err := lint.Of(ctx, p.Compiled, profiles)
	if err != nil {
		return nil
	}
	return report
}

// compareSchema is POST /v1/schemas/{name}/compatibility.
func (s *Server) compareSchema(c *call) error {
	if err := s.counted(c); err != nil {
		return err
	}
	ref, err := c.refOf(registry.Kind)
	if err != nil {
		return err
	}
	asked, err := readAsked(c, false, readQuestion)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		found, err := s.deps.Schemas.Compare(ctx, c.caller.Team, ref.Name, asked.what)
		if err != nil {
			return idempotency.Response{}, err
		}
		return encoded(http.StatusOK, shownComparison(found))
	})
}

func readQuestion(r *body.Reader) (registry.Question, error) {
	const mostVersion = 999_999_999
	q := registry.Question{Against: int(r.Int("against", 0, 1, mostVersion)), Mode: compat.Mode(r.Enum("compatibility", "", registry.Modes()...))}
	if v, given := r.Value("schema"); given && v.Kind() == value.KindString {
		if _, err := registry.Kind.ParseRef(v.Text()); err != nil {
			r.Fault("schema", "pattern", "schema is a string that is not a reference to a registered schema", "Send name or name@version, or the schema itself as an object.")
		}
		q.Ref = v.Text()
	} else {
		q.Schema = readSchemaOf(r)
	}
	return q, r.Done()
}

// changeSchema is PATCH /v1/schemas/{name}.
func (s *Server) changeSchema(c *call) error {
	ref, err := c.refOf(registry.Kind)
	if err != nil {
		return err
	}
	r, _, err := c.object(false)
	if err != nil {
		return err
	}
	change := shelf.Change{Description: readDescription(r)}
	if mode := compat.Mode(r.Enum("compatibility", "", registry.Modes()...)); mode != "" {
		change.Compatibility = &mode
	}
	for _, fixed := range []string{"schema", "version", "name"} {
		if _, given := r.Value(fixed); given {
			r.Fault(fixed, "immutable", fixed+" can't be changed: what is published stays as it is", "Publish another version with POST /v1/schemas.")
		}
	}
	if err := r.Done(); err != nil {
		return err
	}
	after, err := s.deps.Schemas.Change(c.r.Context(), c.caller.Team, ref.Name, change)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, shownSchema(&after))
}

// withdrawSchema is DELETE /v1/schemas/{name}, and of one version.
func (s *Server) withdrawSchema(c *call) error { return c.withdraw(s.deps.Schemas) }

// restoreSchema is POST /v1/schemas/{name}/restore, and of one version.
func (s *Server) restoreSchema(c *call) error { return restore(c, s.deps.Schemas, shownSchema) }
