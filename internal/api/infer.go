package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/schema/infer"
	"github.com/promptd/promptd/internal/value"
)

// maxTitle bounds the name of a draft, in characters.
const maxTitle = 200

// inferSchema is POST /v1/schemas/infer. It counts against the key's limit as a check does.
func (s *Server) inferSchema(c *call) error {
	if err := s.counted(c); err != nil {
		return err
	}
	asked, err := readAsked(c, false, readExamples)
	if err != nil {
		return err
	}
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		ctx, cancel := context.WithTimeout(ctx, checkPatience)
		defer cancel()
		drafted, err := infer.Draft(ctx, asked.what.title, asked.what.values)
		if errors.Is(err, context.DeadlineExceeded) {
			f := fault.New(fault.Timeout, "drafting a schema from %d examples takes longer than %v", len(asked.what.values), checkPatience).Because(err)
			f.Remediation = "Send fewer or smaller examples."
			return idempotency.Response{}, f
		}
		if err != nil {
			return idempotency.Response{}, err
		}
		return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(drafted.Value().Append(nil), '\n')}, nil
	})
}

// drafting is what a schema is drafted from.
type drafting struct {
	title  string
	values []infer.Example
}

func readExamples(r *body.Reader) (drafting, error) {
	v, given := r.Value("examples")
	switch {
	case !given:
		r.Fault("examples", "required", "examples is missing", "Send a list of values, or of objects {\"text\": …, \"value\": …}.")
	case v.Kind() != value.KindArray:
		r.Fault("examples", "type", "examples is "+v.Kind().String()+"; it must be an array", "Send a list of values, or of objects {\"text\": …, \"value\": …}.")
	}
	title := r.String("name", "")
	if n := utf8.RuneCountInString(title); n > maxTitle {
		r.Fault("name", "maxLength", fmt.Sprintf("name has %d characters; the limit is %d", n, maxTitle), "Send a short name: it becomes the draft's title.")
	}
	if err := r.Done(); err != nil {
		return drafting{}, err
	}
	list := make([]value.Value, 0, v.Len())
	for _, one := range v.Items() {
		list = append(list, one)
	}
	return drafting{title, infer.Examples(list)}, nil
}

// InferSchemaRequest is the body of POST /v1/schemas/infer.
type InferSchemaRequest struct {
	Examples examplesShape `json:"examples" doc:"Values of any kind; or pairs, where every example is an object of text, a string, and value, and nothing else."`
	Name     string        `json:"name,omitempty" maxLength:"200" doc:"The draft's title."`
}

type examplesShape struct{}

// Schema is a list of anything.
func (examplesShape) Schema(huma.Registry) *huma.Schema {
	one, most := 1, infer.MaxExamples
	return &huma.Schema{Type: huma.TypeArray, MinItems: &one, MaxItems: &most, Items: &huma.Schema{}}
}

// InferredSchema is the answer of POST /v1/schemas/infer.
type InferredSchema struct {
	Schema    any            `json:"schema" doc:"The draft, a JSON Schema of draft 2020-12 that allows every example."`
	Notes     []InferredNote `json:"notes" doc:"What each decision rests on, in the order of the schema."`
	MoreNotes int            `json:"more_notes,omitempty" minimum:"1" doc:"How many notes were left out."`
}

// InferredNote says what one decision rests on.
type InferredNote struct {
	Pointer  string        `json:"pointer" doc:"The place in the schema, as a JSON pointer."`
	Decision decisionShape `json:"decision"`
	Message  string        `json:"message"`
	Have     int           `json:"have" minimum:"1" doc:"How many values show it…"`
	Of       int           `json:"of" minimum:"1" doc:"…of how many."`
}

type decisionShape struct{}

// Schema lists the decisions.
func (decisionShape) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, name := range infer.Decisions() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

const exampleInfer = `{"name": "order", "examples": [{"id": 17, "day": "2025-01-15", "note": null}, {"id": 18, "day": "2025-01-16"}]}`

const exampleInferred = `{"schema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order", "type": "object", "properties": {
	"id": {"type": "integer"}, "day": {"type": "string", "format": "date"}, "note": {"type": "null"}}, "required": ["id", "day"], "additionalProperties": false}, "notes": [
	{"pointer": "", "decision": "type", "message": "an object with 3 different members", "have": 2, "of": 2},
	{"pointer": "/properties/id", "decision": "type", "message": "a whole number in every example that has a number", "have": 2, "of": 2},
	{"pointer": "/properties/day", "decision": "format", "message": "every string has the format date", "have": 2, "of": 2},
	{"pointer": "/properties/note", "decision": "optional", "message": "missing in some objects", "have": 1, "of": 2},
	{"pointer": "/properties/note", "decision": "type", "message": "null in every example: nothing else is known of it", "have": 1, "of": 1}]}`

const exampleInferPairs = `{"examples": [{"text": "Ada Lovelace wrote to Charles Babbage.", "value": {"from": "Ada Lovelace"}},
	{"text": "A letter by Grace Hopper.", "value": {"from": "Grace Hopper"}}]}`

func docInferSchema() operation {
	questions := examples("values", exampleInfer)
	maps.Copy(questions, examples("pairs of text and value", exampleInferPairs))
	return operation{
		id: "inferSchema", tag: "schemas", summary: "Draft a schema from examples",
		text: "A schema that allows every example, as a beginning to edit: types, what is required, lists of values that repeat, formats that all have, null, dictionaries, variants, and " +
			"`x-extractive` where strings always stand in the text of their example. Bounds are not invented. Each decision comes with its evidence. Nothing is stored and no provider is " +
			"asked; it counts against the key's limit of requests.",
		body: &input{of: reflect.TypeFor[InferSchemaRequest](), examples: questions},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[InferredSchema](), "The draft.", example(exampleInferred)).
			with("RateLimit", "RateLimit-Policy", "Idempotent-Replayed")},
		codes: []fault.Code{fault.RateLimitExceeded, fault.Timeout},
	}
}
