package api

import (
	"encoding/json"
	"time"

	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

// Template is a registered name.
type Template struct {
	Name          string      `json:"name"`
	Description   string      `json:"description"`
	Compatibility string      `json:"compatibility" enum:"backward,forward,full,none" doc:"What the parameters of a new version owe to the one before where its publisher says nothing else."`
	Version       *int        `json:"version" doc:"The newest version that can be used; null where every version is withdrawn."`
	Newest        int         `json:"newest_version" minimum:"1" doc:"The highest number that was given; none is given twice."`
	Owner         SchemaOwner `json:"owner"`
	CreatedAt     time.Time   `json:"created_at"`
	UpdatedAt     time.Time   `json:"updated_at"`
	WithdrawnAt   time.Time   `json:"withdrawn_at,omitzero" doc:"Left out where the name can be used."`
}

// Templates is a page of names.
type Templates struct {
	Data       []Template `json:"data"`
	NextCursor string     `json:"next_cursor,omitempty"`
}

// TemplateWithText is a name with the content of its newest version.
type TemplateWithText struct {
	Template
	Content *json.RawMessage `json:"content" doc:"What the newest version that can be used was published with: text or messages, parameters, schema, options, tests. null where there is none."`
}

// TemplateVersion is one immutable version.
type TemplateVersion struct {
	Name          string      `json:"name"`
	Version       int         `json:"version" minimum:"1"`
	Reference     string      `json:"reference" doc:"How requests name it: name@version."`
	Hash          string      `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"The content hash: SHA-256 over the canonical JSON of the content."`
	Compatibility string      `json:"compatibility" enum:"backward,forward,full,none" doc:"What it was held to when it was published."`
	Owner         SchemaOwner `json:"owner"`
	CreatedAt     time.Time   `json:"created_at"`
	WithdrawnAt   time.Time   `json:"withdrawn_at,omitzero" doc:"Left out where the version is not withdrawn."`
}

// TemplateVersions is a page of versions.
type TemplateVersions struct {
	Data       []TemplateVersion `json:"data"`
	NextCursor string            `json:"next_cursor,omitempty"`
}

// WholeTemplateVersion is a version with its content.
type WholeTemplateVersion struct {
	TemplateVersion
	Content *json.RawMessage `json:"content" doc:"What was published: text or messages, parameters, schema, options, tests."`
}

// PublishedTemplate is the answer of POST /v1/templates.
type PublishedTemplate struct {
	TemplateVersion
	Description string `json:"description" doc:"The name's description."`
}

// RenderedTemplate is the answer of POST /v1/templates/{name}/render.
type RenderedTemplate struct {
	Template   string            `json:"template" doc:"The version that was rendered: name@version."`
	Hash       string            `json:"hash" pattern:"^[0-9a-f]{64}$"`
	Characters int               `json:"characters" minimum:"0" doc:"What counts against limits.prompt_chars."`
	Messages   []RenderedMessage `json:"messages" doc:"What a model is told beside promptd's own instruction. Each parameter that can hold free text stands between two marker lines."`
	Schema     *json.RawMessage  `json:"schema" doc:"The bound schema, or the reference to it; null where there is none."`
	Options    *json.RawMessage  `json:"options" doc:"The template's options, which hold where a request says nothing else; null where there are none."`
}

// RenderedMessage is one message.
type RenderedMessage struct {
	Role    string `json:"role" enum:"system,user"`
	Content string `json:"content"`
}

// TestedTemplate is the answer of POST /v1/templates/{name}/test.
type TestedTemplate struct {
	Template string         `json:"template" doc:"The version that was tested: name@version."`
	Total    int            `json:"total" minimum:"0"`
	Passed   int            `json:"passed" minimum:"0"`
	Failed   int            `json:"failed" minimum:"0"`
	CostUSD  *json.Number   `json:"cost_usd" doc:"What all of it cost in US dollars; null where a price is not known."`
	Tests    []TemplateTest `json:"tests" doc:"In the order of the template."`
}

// TemplateTest is what became of one stored test.
type TemplateTest struct {
	Name        string               `json:"name"`
	Status      string               `json:"status" enum:"passed,failed"`
	RequestID   string               `json:"request_id" doc:"Of the request that was made, for GET /v1/requests/{id}."`
	Differences []TemplateDifference `json:"differences" doc:"Where the answer is not what the test expects; empty where there is no answer."`
	Data        *json.RawMessage     `json:"data,omitempty" doc:"The answer, where the test failed with one."`
	Error       *TemplateError       `json:"error,omitempty" doc:"Why there is no answer."`
}

// TemplateDifference is a place at which an answer is not what a test expects.
type TemplateDifference struct {
	Pointer  string          `json:"pointer" doc:"The place in the answer, as a JSON pointer."`
	Expected json.RawMessage `json:"expected"`
	Actual   json.RawMessage `json:"actual" doc:"null where the answer has nothing there."`
	Message  string          `json:"message"`
}

// TemplateError is why a test got no answer.
type TemplateError struct {
	Code        string `json:"code" doc:"As in a problem document."`
	Detail      string `json:"detail"`
	Remediation string `json:"remediation"`
}

func shownTemplate(t *template.Template) Template {
	out := Template{
		Name: t.Name, Description: t.Description, Compatibility: string(t.Compatibility), Newest: t.Newest, Owner: SchemaOwner{t.Team, t.Owner},
		CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, WithdrawnAt: t.WithdrawnAt,
	}
	if t.Current != 0 {
		out.Version = &t.Current
	}
	return out
}

func shownTemplateVersion(v *template.Version) TemplateVersion {
	return TemplateVersion{
		Name: v.Name, Version: v.Number, Reference: v.Ref(), Hash: v.HashText(), Compatibility: string(v.Compatibility), Owner: SchemaOwner{v.Team, v.Owner},
		CreatedAt: v.CreatedAt, WithdrawnAt: v.WithdrawnAt,
	}
}

// rawOrNull is a value as JSON; null is nil.
func rawOrNull(v value.Value) *json.RawMessage {
	if v.IsNull() {
		return nil
	}
	raw := json.RawMessage(v.Append(nil))
	return &raw
}
