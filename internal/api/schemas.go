package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// checkPatience bounds the work on one schema; it is looked at between dialects.
const checkPatience = time.Second

// checkSchema is POST /v1/schemas/check. It counts against the key's limit as a prompt does: it costs about as much of promptd's own time.
func (s *Server) checkSchema(c *call) error {
	if err := s.counted(c); err != nil {
		return err
	}
	asked, err := readAsked(c, false, readCheck)
	if err != nil {
		return err
	}
	q := asked.what
	q.options.Limits.Bytes = s.deps.Settings().SchemaBytes
	return c.once(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		report, err := q.run(ctx)
		if err != nil {
			return idempotency.Response{}, err
		}
		return idempotency.Response{Status: http.StatusOK, ContentType: mediaJSON, Body: append(report.Value().Append(nil), '\n')}, nil
	})
}

// schemaCheck is a schema to look at.
type schemaCheck struct {
	schema   value.Value
	options  schema.Options
	profiles []lint.Profile
}

func readCheck(r *body.Reader) (schemaCheck, error) {
	var q schemaCheck
	v, given := r.Value("schema")
	switch k := v.Kind(); {
	case !given:
		r.Fault("schema", "required", "schema is missing", "Send the JSON Schema that is to be checked.")
	case k != value.KindObject && k != value.KindBool:
		r.Fault("schema", "type", "schema is "+k.String()+"; it must be an object or a boolean", "Send a JSON Schema, such as {\"type\": \"object\"}.")
	}
	q.schema = v
	dialects := r.Strings("dialects")
	if v, given := r.Value("dialects"); given && v.Kind() == value.KindArray && v.Len() == 0 {
		r.Fault("dialects", "minItems", "dialects is empty", "Leave it out for all dialects.")
	}
	draft := r.Enum("draft", schema.Draft202012.String(), drafts()...)
	if err := r.Done(); err != nil {
		return q, err
	}
	var err error
	if q.options.Draft, err = schema.ParseDraft(draft); err != nil {
		return q, err
	}
	q.profiles, err = lint.Profiles(dialects, "/dialects")
	return q, err
}

// drafts lists the drafts that a schema without $schema may be read by.
func drafts() []string {
	var names []string
	for d := schema.Draft202012; d <= schema.Draft4; d++ {
		names = append(names, d.String())
	}
	return names
}

// run checks within checkPatience.
func (q schemaCheck) run(ctx context.Context) (*lint.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	report, err := lint.Check(ctx, q.schema, q.options, q.profiles)
	switch {
	case err == nil:
		return report, nil
	case errors.Is(err, context.DeadlineExceeded):
		f := fault.New(fault.Timeout, "checking this schema for %d dialects takes longer than %v", len(q.profiles), checkPatience).Because(err)
		f.Remediation = "Name fewer dialects, or simplify the schema."
		return nil, f
	default:
		return nil, fault.InSchema("/schema", err)
	}
}

// CheckSchemaRequest is the body of POST /v1/schemas/check.
type CheckSchemaRequest struct {
	Schema   schemaShape   `json:"schema" doc:"The JSON Schema: an object or a boolean."`
	Dialects dialectsShape `json:"dialects,omitempty" doc:"Dialects, or profiles of the services, model families and engines behind them, each once; all dialects where there are none."`
	Draft    draftShape    `json:"draft,omitempty" doc:"The draft of a schema that has no $schema."`
}

type schemaShape struct{}

// Schema is an object or a boolean.
func (schemaShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeObject, AdditionalProperties: true}, {Type: huma.TypeBoolean}}}
}

type dialectsShape struct{}

// Schema lists the profiles.
func (dialectsShape) Schema(huma.Registry) *huma.Schema {
	one, most := 1, len(lowering.Names())
	var names []any
	for _, name := range lowering.Names() {
		names = append(names, name)
	}
	return &huma.Schema{Type: huma.TypeArray, MinItems: &one, MaxItems: &most, Items: &huma.Schema{Type: huma.TypeString, Enum: names}}
}

type draftShape struct{}

// Schema lists the drafts.
func (draftShape) Schema(huma.Registry) *huma.Schema {
	var names []any
	for _, name := range drafts() {
		names = append(names, name)
	}
	return &huma.Schema{Type: huma.TypeString, Enum: names, Default: schema.Draft202012.String()}
}

// CheckedSchema is the answer of POST /v1/schemas/check.
type CheckedSchema struct {
	Valid      bool                      `json:"valid" enum:"true" doc:"The schema compiles; one that does not is an INVALID_SCHEMA."`
	Draft      draftShape                `json:"draft" doc:"The draft that the schema is read by."`
	Hash       string                    `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"The schema's content hash."`
	Advice     []SchemaAdvice            `json:"advice" doc:"What is tolerated and worth knowing, in the order of the schema."`
	MoreAdvice int                       `json:"more_advice,omitempty" doc:"How many pieces of advice were left out: each rule speaks a bounded number of times."`
	Dialects   map[string]CheckedDialect `json:"dialects" doc:"What each dialect makes of the schema, by name."`
}

// SchemaAdvice is something in a schema that is worth knowing.
type SchemaAdvice struct {
	Pointer string `json:"pointer" doc:"The place in the schema, as a JSON pointer."`
	Rule    string `json:"rule"`
	Message string `json:"message" doc:"What was seen."`
	Hint    string `json:"hint,omitempty" doc:"What to do about it."`
}

// CheckedDialect is what one dialect makes of a schema.
type CheckedDialect struct {
	Mode        string          `json:"mode" enum:"strict,tool,grammar,json,prompt" doc:"How a model is held to the schema."`
	Constraints int             `json:"constraints" minimum:"0" doc:"How many keywords of the schema demand something of values."`
	Enforced    int             `json:"enforced" minimum:"0" doc:"How many of them the provider holds the model to. promptd judges all of them."`
	Misfits     []SchemaMisfit  `json:"misfits" doc:"Why stronger modes do not take the schema, from the strongest on."`
	Sizes       []SchemaSize    `json:"sizes" doc:"What is sent against the provider's limits; empty where nothing is."`
	Lowered     any             `json:"lowered" doc:"The schema that is sent; null where the mode sends none."`
	Residue     []SchemaResidue `json:"residue" doc:"What the provider does not enforce."`
	Narrowed    []Narrowed      `json:"narrowed" doc:"Where the schema is silent and the provider cannot be told so."`
	JSONTexts   []string        `json:"json_texts" doc:"The places, as JSON pointers into the schema, whose values travel as JSON text."`
}

// SchemaMisfit is why a mode does not take a schema.
type SchemaMisfit struct {
	Mode   string `json:"mode" enum:"strict,tool,grammar"`
	Reason string `json:"reason"`
}

// SchemaSize is one figure of what is sent.
type SchemaSize struct {
	Name  sizeShape `json:"name"`
	Have  int       `json:"have" minimum:"0"`
	Limit *int      `json:"limit" doc:"null where no limit is known."`
}

type sizeShape struct{}

// Schema lists the sizes.
func (sizeShape) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, name := range lowering.SizeNames() {
		s.Enum = append(s.Enum, name)
	}
	return s
}

// SchemaResidue is a constraint that a provider does not enforce.
type SchemaResidue struct {
	Pointer string `json:"pointer"`
	Keyword string `json:"keyword"`
	Value   any    `json:"value"`
}

// Narrowed is a place at which a schema's silence is read as its author probably meant it.
type Narrowed struct {
	Pointer string   `json:"pointer"`
	Keyword string   `json:"keyword" doc:"The keyword that would say it: additionalProperties, items or type."`
	Kinds   []string `json:"kinds,omitempty" doc:"The types that the other keywords are about."`
}

const exampleCheck = `{"schema": {"type": "object", "additionalProperties": false, "required": ["id"], "properties": {
	"id": {"type": "string", "pattern": "^[A-Z]{2}", "description": "The customer's code."}}}, "dialects": ["gemini"]}`

const exampleChecked = `{"valid": true, "draft": "2020-12", "hash": "43632f685e48e96640766bde9673ff174edbb63a42775a81a0e042d4b1d01ddb", "advice": [
	{"pointer": "/properties/id/pattern", "rule": "pattern_unanchored", "message": "the pattern matches a part of the text: anything may stand behind it",
	"hint": "Begin it with ^ and end it with $, if it is about the whole text."}],
	"dialects": {"gemini": {"mode": "strict", "constraints": 5, "enforced": 4, "misfits": [], "sizes": [
	{"name": "properties", "have": 1, "limit": null}, {"name": "nesting", "have": 1, "limit": null}, {"name": "enum_values", "have": 0, "limit": null},
	{"name": "characters", "have": 2, "limit": null}, {"name": "optional", "have": 0, "limit": null}, {"name": "unions", "have": 0, "limit": null},
	{"name": "items_total", "have": 0, "limit": 900}, {"name": "bytes", "have": 197, "limit": null}, {"name": "expanded_bytes", "have": 210, "limit": 30000}],
	"lowered": {"type": "object", "properties": {"id": {"type": "string", "description": "The customer's code. Constraints: pattern ^[A-Z]{2}."}}, "required": ["id"],
	"additionalProperties": false, "propertyOrdering": ["id"]}, "residue": [{"pointer": "/properties/id", "keyword": "pattern", "value": "^[A-Z]{2}"}], "narrowed": [], "json_texts": []}}}`

func docCheckSchema() operation {
	return operation{
		id: "checkSchema", tag: "schemas", summary: "Lint a schema and show each dialect's form of it",
		text: "What is worth knowing of a schema before a model sees it, with what to do about it; and for each dialect the mode in which a model is held to it, the schema that " +
			"is sent, what the provider does not enforce, and sizes against limits. A schema that does not compile is an `INVALID_SCHEMA` that names every place. It asks no provider, and counts against the key's limit of requests.",
		body: &input{of: reflect.TypeFor[CheckSchemaRequest](), examples: examples("one dialect", exampleCheck)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[CheckedSchema](), "What there is to say of the schema.", example(exampleChecked)).
			with("RateLimit", "RateLimit-Policy", "Idempotent-Replayed")},
		codes: []fault.Code{fault.InvalidSchema, fault.RateLimitExceeded, fault.Timeout},
	}
}
