package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// documenter makes the OpenAPI document. Schemas come from Go types by huma's registry; routing, reading and errors are our own (docs/decisions/0003-http-and-openapi.md).
type documenter struct{ registry huma.Registry }

const schemaPrefix = "#/components/schemas/"

func newDocumenter() *documenter {
	d := &documenter{registry: huma.NewMapRegistry(schemaPrefix, huma.DefaultSchemaNamer)}
	for from, to := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[key.Scopes](): reflect.TypeFor[scopesShape](),
		reflect.TypeFor[key.Nanos]():  reflect.TypeFor[dollarsShape](),
		reflect.TypeFor[usage.Cost](): reflect.TypeFor[costShape](),
	} {
		d.registry.RegisterTypeAlias(from, to)
	}
	return d
}

func (d *documenter) schema(t reflect.Type) *huma.Schema { return d.registry.Schema(t, true, "") }

// OpenAPI gives the document as it is served, indented.
func OpenAPI() ([]byte, error) {
	raw, err := (&Server{}).describe()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("indent the OpenAPI document: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// document makes the files that are served as they are: the OpenAPI document and the docs page.
func (s *Server) document() error {
	raw, err := s.describe()
	if err != nil {
		return err
	}
	s.spec = newFile(mediaJSON, "", raw)
	s.pages, err = docsPage()
	return err
}

// describe writes the document of every route.
func (s *Server) describe() ([]byte, error) {
	d := newDocumenter()
	api := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "promptd", Version: "1", License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
			Description: "Turns natural-language prompts into validated structured data with large language models. An answer marked `passed` satisfies the whole " +
				"JSON Schema of its request, always; what can't be made valid is a problem document with a validation report.\n\nErrors are RFC 9457 problem " +
				"documents. Unknown fields and query parameters are refused by name.",
		},
		Servers:    []*huma.Server{{URL: "/", Description: "The server that this document came from."}},
		Paths:      map[string]*huma.PathItem{},
		Components: d.components(),
		Security:   []map[string][]string{{"bearer": {}}},
		Tags:       tags(),
		Extensions: map[string]any{"x-codes": codes()},
	}
	for _, r := range s.routes() {
		item := api.Paths[r.path]
		if item == nil {
			item = &huma.PathItem{}
			api.Paths[r.path] = item
		}
		switch o := d.operation(&r); r.method {
		case http.MethodGet:
			item.Get = o
		case http.MethodPost:
			item.Post = o
		case http.MethodPut:
			item.Put = o
		case http.MethodPatch:
			item.Patch = o
		case http.MethodDelete:
			item.Delete = o
		default:
			return nil, fmt.Errorf("document %s %s: the method has no place", r.method, r.path)
		}
	}
	d.finish()
	raw, err := json.Marshal(api)
	if err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	return raw, nil
}

// codes is the table of package fault, for readers of the document.
func codes() []map[string]any {
	var list []map[string]any
	for _, c := range fault.Codes() {
		row := c.Row()
		list = append(list, map[string]any{"code": row.Name, "status": row.Status, "title": row.Title, "remediation": row.Remediation})
	}
	return list
}

func tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "analyze", Description: "One prompt to one validated result."},
		{Name: "openai", Description: "For programs that speak OpenAI's API."},
		{Name: "schemas", Description: "Schemas with a name, in immutable versions; and what a schema is like, before a model sees it."},
		{Name: "templates", Description: "Prompts with typed parameters, in immutable versions, with their schema and their tests."},
		{Name: "jobs", Description: "Prompts that are answered later."},
		{Name: "webhooks", Description: "Who is told of what has happened, and whether it was."},
		{Name: "history", Description: "What was asked, what came of it, and what it cost."},
		{Name: "providers", Description: "Whom promptd can ask, what they can do, and what they cost."},
		{Name: "cache", Description: "Answers that are kept for a time."},
		{Name: "keys", Description: "API keys, who the caller is, and what keys and teams may use."},
		{Name: "health", Description: "Whether promptd works, and its metrics."},
		{Name: "documents", Description: "This document and its page."},
	}
}

func (d *documenter) components() *huma.Components {
	text := func(s string) *huma.Param { return &huma.Param{Description: s, Schema: &huma.Schema{Type: "string"}} }
	one := 1.0
	return &huma.Components{
		Schemas: d.registry,
		SecuritySchemes: map[string]*huma.SecurityScheme{"bearer": {
			Type: "http", Scheme: "bearer", BearerFormat: "pd_live_…", Description: "An API key of promptd. `promptd keys create --name N` makes one.",
		}},
		Parameters: map[string]*huma.Param{
			"IdempotencyKey": {
				Name: "Idempotency-Key", In: "header",
				Description: "The same key and body within 24 hours give the same answer, and the work is done once; while the first request is running the second " +
					"waits for it. The same key with another body is a 409. A repeated answer has the header Idempotent-Replayed. A failure of the service (5xx) and " +
					"a 429 are not kept.",
				Schema: &huma.Schema{Type: "string", Pattern: `^[!-~]{1,255}$`, Examples: []any{"5b2c3c4e-9f0a-4f0e-8a53-0c8f6f0d2b11"}},
			},
			"RequestID": {
				Name: "X-Request-ID", In: "header",
				Description: "The caller's own id of the request. It is kept as client_request_id and comes back in the answer.",
				Schema:      &huma.Schema{Type: "string", Pattern: `^[A-Za-z0-9._:-]{1,128}$`, Examples: []any{"order-4711"}},
			},
		},
		Headers: map[string]*huma.Header{
			"RateLimit":           text("What is left of the key's limit, and in how many seconds it is whole again: `\"hour\";r=999;t=4`."),
			"RateLimit-Policy":    text("The key's limit and its window in seconds: `\"hour\";q=1000;w=3600`. Keys without a limit have neither header."),
			"Retry-After":         {Description: "Seconds after which the same request may work. Absent where no waiting helps.", Schema: &huma.Schema{Type: "integer", Minimum: &one}},
			"WWW-Authenticate":    text("`Bearer`"),
			"X-Request-ID":        text("The caller's own id of the request where it gave one, else promptd's."),
			"Idempotent-Replayed": {Description: "`true` where the answer was kept under the Idempotency-Key.", Schema: &huma.Schema{Type: "string", Enum: []any{"true"}}},
			"Location":            text("Where the new thing is."),
			"ETag":                text("Changes with the content; for If-None-Match."),
			"Cache-Control":       text("How long the content may be kept: a day."),
		},
	}
}

// inputs are the schemas of what callers send: there unknown fields are refused. What promptd sends may get more fields, and readers have to expect it.
func inputs() []string {
	return []string{
		"AnalyzeRequest", "Options", "Message", "TextPart", "ImagePart", "ImageURL", "CreateKeyRequest", "RotateKeyRequest", "CheckSchemaRequest", "PublishSchemaRequest",
		"CompareSchemaRequest", "ChangeSchemaRequest", "NoFields", "JobRequest", "JobWebhook",
	}
}

// finish brings what the registry made into the form that is true on the wire.
func (d *documenter) finish() {
	names := append(inputs(), templateInputs()...)
	for name, s := range d.registry.Map() {
		settle(s, slices.Contains(names, name))
	}
}

// settle walks a schema: arrays are never null, and only inputs are closed.
func settle(s *huma.Schema, closed bool) {
	if s == nil {
		return
	}
	if s.Type == huma.TypeArray {
		s.Nullable = false
	}
	if s.AdditionalProperties == false && !closed {
		s.AdditionalProperties = nil
	}
	for _, p := range s.Properties {
		settle(p, closed)
	}
	if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
		settle(values, closed)
	}
	settle(s.Items, closed)
	for _, list := range [][]*huma.Schema{s.AnyOf, s.OneOf, s.AllOf} {
		for _, p := range list {
			settle(p, closed)
		}
	}
}

// orNull lets a property be null beside what it is.
func orNull(s *huma.Schema, property string) {
	p := s.Properties[property]
	text := p.Description
	p.Description = ""
	s.Properties[property] = &huma.Schema{Description: text, AnyOf: []*huma.Schema{p, {Type: "null"}}}
}

// scopesShape documents key.Scopes.
type scopesShape struct{}

// Schema is an array of the scopes' names.
func (scopesShape) Schema(huma.Registry) *huma.Schema {
	var names []any
	for _, name := range key.AllScopes.Names() {
		names = append(names, name)
	}
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Enum: names}}
}

// dollarsShape documents key.Nanos.
type dollarsShape struct{}

// Schema is a number.
func (dollarsShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Description: "US dollars, exact to the nano-dollar."}
}

// costShape documents usage.Cost and provider.Cost.
type costShape struct{}

// Schema is a number, or null where the cost is not known.
func (costShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Nullable: true, Description: "US dollars, exact to the nano-dollar; null where it is not known."}
}
