package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/shelf"
)

// PublishSchemaRequest is the body of POST /v1/schemas.
type PublishSchemaRequest struct {
	Name          string      `json:"name" doc:"1 to 64 lower-case letters, digits, dots, dashes and underscores, the first a letter or a digit. check and infer are taken by the API."`
	Schema        schemaShape `json:"schema" doc:"The JSON Schema: an object or a boolean."`
	Description   string      `json:"description,omitempty" maxLength:"2000" doc:"What the schema is for. It belongs to the name; without it the name keeps what it has."`
	Compatibility string      `json:"compatibility,omitempty" enum:"backward,forward,full,none" doc:"What this version owes to the newest that can be used. A new name keeps it for later versions (backward without it); of a name that exists it is about this version alone."`
}

// TransformSchema gives the name its form.
func (PublishSchemaRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Properties["name"].Pattern = shelf.NamePattern
	return s
}

// CompareSchemaRequest is the body of POST /v1/schemas/{name}/compatibility.
type CompareSchemaRequest struct {
	Schema        comparedShape `json:"schema" doc:"The JSON Schema, or a registered one by reference."`
	Against       int           `json:"against,omitempty" minimum:"1" maximum:"999999999" doc:"The version to compare with; without it the newest that can be used."`
	Compatibility string        `json:"compatibility,omitempty" enum:"backward,forward,full,none" doc:"What is asked for; without it what the name keeps."`
}

// wantedShape is a schema or a reference in a request.
type wantedShape struct{}

// Schema is an object or a reference.
func (wantedShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{{Type: huma.TypeObject, AdditionalProperties: true}, {Type: huma.TypeString, Pattern: shelf.RefPattern}}}
}

type comparedShape struct{}

// Schema is a schema or a reference.
func (comparedShape) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeObject, AdditionalProperties: true}, {Type: huma.TypeBoolean}, {Type: huma.TypeString, Pattern: shelf.RefPattern},
	}}
}

// ChangeSchemaRequest is the body of PATCH /v1/schemas/{name}.
type ChangeSchemaRequest struct {
	Description   string `json:"description,omitempty" maxLength:"2000"`
	Compatibility string `json:"compatibility,omitempty" enum:"backward,forward,full,none" doc:"What later versions owe to the one before."`
}

// TransformSchema wants something to change.
func (ChangeSchemaRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	one := 1
	s.MinProperties = &one
	return s
}

// NoFields is a body that may be left out.
type NoFields struct{}

// TransformSchema says what a schema is.
func (SchemaWithText) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	text := schemaShape{}.Schema(r)
	text.AnyOf = append(text.AnyOf, &huma.Schema{Type: "null"})
	text.Description = s.Properties["schema"].Description
	s.Properties["schema"] = text
	return s
}

// TransformSchema says what a schema is.
func (WholeVersion) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	text := schemaShape{}.Schema(r)
	text.Description = s.Properties["schema"].Description
	s.Properties["schema"] = text
	orNull(s, "fitness")
	return s
}

// TransformSchema lets parts be missing.
func (PublishedSchema) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "comparison")
	orNull(s, "lint")
	return s
}

// TransformSchema lets results be missing.
func (ModelFitness) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "results")
	return s
}

const (
	exampleOwner  = `"owner": {"team": "billing", "key": "` + exampleKeyID + `"}`
	exampleHash   = `"43632f685e48e96640766bde9673ff174edbb63a42775a81a0e042d4b1d01ddb"`
	exampleText   = `{"type": "object", "additionalProperties": false, "required": ["number"], "properties": {"number": {"type": "string"}, "total": {"type": "number"}}}`
	exampleSchema = `{"name": "invoice", "description": "What a supplier bills us.", "compatibility": "backward", "version": 3, "hash": ` + exampleHash + `,
		"newest_version": 3, ` + exampleOwner + `, "created_at": "2026-11-24T08:00:00Z", "updated_at": "2026-11-26T08:00:00Z"`
	exampleVersion = `{"name": "invoice", "version": 3, "reference": "invoice@3", "hash": ` + exampleHash + `, "compatibility": "backward", ` + exampleOwner + `,
		"created_at": "2026-11-26T08:00:00Z"`
	exampleComparison = `{"against": "invoice@2", "mode": "backward", "compatible": true, "findings": []}`
	exampleFitness    = `{"reference": "invoice@3", "requests": 412, "limit": 1000, "models": [
		{"provider": "gemini", "model": "gemini-2.5-flash", "mode": "strict", "constraints": 5, "enforced": 5, "residue": [], "results": {"requests": 410, "judged": 408, "passed": 405,
		 "pass_rate": 0.9926470588235294, "attempts": 421, "reasks": 9, "mean_cost_usd": 0.000412, "latency_p50_ms": 702.1, "latency_p95_ms": 1411.9,
		 "from": "2026-11-26T08:00:10Z", "to": "2026-11-26T15:10:00Z"}},
		{"provider": "openai", "model": "gpt-4.1-mini", "mode": "strict", "constraints": 5, "enforced": 5, "residue": [], "results": null}]}`
	exampleFinding = `{"direction": "backward", "verdict": "breaking", "instance": "/total", "old": "/properties/total", "new": "/properties/total", "keyword": "type",
		"before": "number", "after": "string", "message": "values may be numbers and must now be strings", "hint": "Allow both types.", "witness": {"number": "", "total": 0}}`
)

func schemaPath(version bool) map[string]*huma.Param {
	parameters := map[string]*huma.Param{"name": idParameter("The schema's name.", shelf.NamePattern, "invoice")}
	if version {
		parameters["version"] = idParameter("The version's number.", `^[1-9][0-9]{0,8}$`, "3")
	}
	return parameters
}

func withdrawnParameter() *huma.Param {
	return flagParameter("withdrawn", "Show what was withdrawn too.")
}

func docPublishSchema() operation {
	answer := func(status int, text string) reply {
		return jsonReply(status, reflect.TypeFor[PublishedSchema](), text, example(exampleVersion+`, "description": "What a supplier bills us.", "comparison": `+exampleComparison+`,
			"lint": {"advice": [], "dialects": {"openai": {"mode": "strict", "constraints": 5, "enforced": 5}}}}`)).with("RateLimit", "RateLimit-Policy", "Idempotent-Replayed")
	}
	return operation{
		id: "publishSchema", tag: "schemas", summary: "Publish a schema, or its next version",
		text: "Versions count 1, 2, 3 … and never change. A schema with the content of the newest version that can be used gives that version back. One that is not compatible with it is a " +
			"409 whose errors name every place; `compatibility: none` publishes it all the same. Requests name it as `invoice` or `invoice@3`. It counts against the key's limit of requests.",
		body: &input{of: reflect.TypeFor[PublishSchemaRequest](), examples: examples("an invoice", `{"name": "invoice", "description": "What a supplier bills us.", "schema": `+exampleText+`}`)},
		answers: []reply{
			answer(http.StatusCreated, "The version.").with("Location"), answer(http.StatusOK, "The version that has this content already."),
		},
		codes: []fault.Code{fault.InvalidSchema, fault.RateLimitExceeded, fault.Timeout},
	}
}

func docListSchemas() operation {
	return operation{
		id: "listSchemas", tag: "schemas", summary: "List the schemas", text: "Those of the caller's team, in alphabetical order.",
		query:   []*huma.Param{limitParameter(shelf.DefaultPage, shelf.MaxPage), cursorParameter(`^([a-z0-9][a-z0-9_.-]{0,63})?$`), withdrawnParameter()},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Schemas](), "A page of schemas.", example(`{"data": [`+exampleSchema+`}]}`))},
	}
}

func docReadSchema() operation {
	return operation{
		id: "readSchema", tag: "schemas", summary: "Read a schema", text: "With its newest version. One that was withdrawn is a 410.",
		path: schemaPath(false), query: []*huma.Param{withdrawnParameter()}, codes: goneToo(),
		answers: tagged(jsonReply(http.StatusOK, reflect.TypeFor[SchemaWithText](), "The schema.", example(exampleSchema+`, "schema": `+exampleText+`}`))),
	}
}

func docChangeSchema() operation {
	return operation{
		id: "changeSchema", tag: "schemas", summary: "Change a schema's description or compatibility", text: "What is published stays as it is: nothing else can be changed.",
		path: schemaPath(false), codes: notFound(),
		body:    &input{of: reflect.TypeFor[ChangeSchemaRequest](), examples: examples("both ways", `{"compatibility": "full"}`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Schema](), "The schema.", example(exampleSchema+`}`))},
	}
}

func docWithdrawSchema(version bool) operation {
	o := operation{
		id: "withdrawSchema", tag: "schemas", summary: "Withdraw a schema", path: schemaPath(version), codes: notFound(),
		text:    "References to it, and to each of its versions, are a 410 from then on, and answers made with them leave the cache. Nothing is lost: it can be restored. A second time changes nothing.",
		answers: []reply{{status: http.StatusNoContent, text: "The schema is withdrawn."}},
	}
	if version {
		o.id, o.summary = "withdrawSchemaVersion", "Withdraw a version"
		o.text = "References to it are a 410 from then on, the name means the newest of the others, and answers made with it leave the cache. Its number is not given again. It can be restored; a second time changes nothing."
	}
	return o
}

func docRestoreSchema(version bool) operation {
	o := operation{
		id: "restoreSchema", tag: "schemas", summary: "Restore a withdrawn schema", path: schemaPath(version), codes: notFound(),
		text:    "Versions that were withdrawn by themselves stay so. What is not withdrawn is left as it is.",
		body:    &input{of: reflect.TypeFor[NoFields](), optional: true, text: "May be left out."},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Schema](), "The schema.", example(exampleSchema+`}`)).with("Idempotent-Replayed")},
	}
	if version {
		o.id, o.summary = "restoreSchemaVersion", "Restore a withdrawn version"
		o.text = "It is what it was: nothing is compared. If its name is withdrawn, the name needs to be restored too. What is not withdrawn is left as it is."
	}
	return o
}

func docListVersions() operation {
	return operation{
		id: "listSchemaVersions", tag: "schemas", summary: "List a schema's versions", text: "The newest first, without the schemas themselves.",
		path: schemaPath(false), codes: goneToo(),
		query:   []*huma.Param{limitParameter(shelf.DefaultPage, shelf.MaxPage), cursorParameter(`^([1-9][0-9]{0,8})?$`), withdrawnParameter()},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[SchemaVersions](), "A page of versions.", example(`{"data": [`+exampleVersion+`}]}`))},
	}
}

func docReadVersion() operation {
	return operation{
		id: "readSchemaVersion", tag: "schemas", summary: "Read a version", text: "With its schema and its fitness report. One that was withdrawn is a 410.",
		path: schemaPath(true), query: []*huma.Param{withdrawnParameter()}, codes: goneToo(),
		answers: tagged(jsonReply(http.StatusOK, reflect.TypeFor[WholeVersion](), "The version.", example(exampleVersion+`, "schema": `+exampleText+`, "fitness": `+exampleFitness+`}`))),
	}
}

func docFitness() operation {
	return operation{
		id: "readSchemaFitness", tag: "schemas", summary: "How a version suits each model",
		text: "For each model that the key may use: how its provider holds it to the schema and what it does not enforce; and from the newest requests of the team: how many passed, " +
			"re-asks, cost and latency. What is not known is null.",
		path: schemaPath(true), query: []*huma.Param{withdrawnParameter()}, codes: append(goneToo(), fault.Timeout),
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[SchemaFitness](), "The report.", example(exampleFitness))},
	}
}

func docCompareSchema() operation {
	return operation{
		id: "compareSchema", tag: "schemas", summary: "Compare a schema with a version",
		text: "What publishing it would say, without publishing it; or how two versions differ. It counts against the key's limit of requests.",
		path: schemaPath(false), codes: append(goneToo(), fault.InvalidSchema, fault.RateLimitExceeded, fault.Timeout),
		body: &input{of: reflect.TypeFor[CompareSchemaRequest](), examples: examples("a schema", `{"schema": {"type": "object", "required": ["number", "total"],
			"properties": {"number": {"type": "string"}, "total": {"type": "string"}}}}`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[SchemaComparison](), "What was found.", example(`{"against": "invoice@3", "mode": "backward", "compatible": false,
			"findings": [`+exampleFinding+`]}`)).with("RateLimit", "RateLimit-Policy", "Idempotent-Replayed")},
	}
}

func goneToo() []fault.Code { return []fault.Code{fault.NotFound, fault.Gone} }

// tagged are the answers of something with an ETag.
func tagged(r reply) []reply {
	return []reply{r.with("ETag"), {status: http.StatusNotModified, text: "The caller has this content already.", headers: []string{"ETag"}}}
}
