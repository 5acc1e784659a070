package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Template is a registered template: a name with what is kept of it.
type Template struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Compatibility is what the parameters of a new version owe to the one before: backward, forward, full or none.
	Compatibility string `json:"compatibility"`
	// Version is the newest that can be used; nil where every version is withdrawn.
	Version *int `json:"version"`
	// NewestVersion is the highest number that was given.
	NewestVersion int       `json:"newest_version"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	// WithdrawnAt is zero where the name can be used.
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	// Content is the newest version's; a list leaves it out.
	Content json.RawMessage `json:"content,omitempty"`
}

// TemplateVersion is one immutable version of a template.
type TemplateVersion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Reference names it in requests: name@version.
	Reference     string    `json:"reference"`
	Hash          string    `json:"hash"`
	Compatibility string    `json:"compatibility"`
	CreatedAt     time.Time `json:"created_at"`
	// WithdrawnAt is zero where the version is not withdrawn.
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	// Content is left out by a list.
	Content json.RawMessage `json:"content,omitempty"`
}

// PublishedTemplate is what became of a publication.
type PublishedTemplate struct {
	TemplateVersion
	Description string `json:"description"`
	// New is false where the newest version had this content already.
	New bool `json:"-"`
}

// RenderedTemplate is what a model would be told.
type RenderedTemplate struct {
	Template   string          `json:"template"`
	Hash       string          `json:"hash"`
	Characters int             `json:"characters"`
	Messages   []Message       `json:"messages"`
	Schema     json.RawMessage `json:"schema"`
	Options    json.RawMessage `json:"options"`
}

// TemplateTests says which stored tests to run: all without names. Options lie over the template's own.
type TemplateTests struct {
	Tests   []string `json:"tests,omitempty"`
	Options *Options `json:"options,omitempty"`
}

// TestedTemplate is what became of stored tests.
type TestedTemplate struct {
	Template string         `json:"template"`
	Total    int            `json:"total"`
	Passed   int            `json:"passed"`
	Failed   int            `json:"failed"`
	CostUSD  *json.Number   `json:"cost_usd"`
	Tests    []TemplateTest `json:"tests"`
}

// TemplateTest is what became of one test.
type TemplateTest struct {
	Name        string               `json:"name"`
	Status      string               `json:"status"`
	RequestID   string               `json:"request_id"`
	Differences []TemplateDifference `json:"differences"`
	Data        json.RawMessage      `json:"data,omitempty"`
	Error       *TemplateError       `json:"error,omitempty"`
}

// TemplateDifference is a place at which an answer is not what a test expects.
type TemplateDifference struct {
	Pointer  string          `json:"pointer"`
	Expected json.RawMessage `json:"expected"`
	Actual   json.RawMessage `json:"actual"`
	Message  string          `json:"message"`
}

// TemplateError is why a test got no answer.
type TemplateError struct {
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Remediation string `json:"remediation"`
}

// PublishTemplate publishes a template, or its next version, as POST /v1/templates takes it: name, text or messages, parameters and so on. Parameters that
// break what they owe to the version before are an error with the code CONFLICT.
func (c *Client) PublishTemplate(ctx context.Context, publication any) (*PublishedTemplate, error) {
	out, isNew, err := publishOn[PublishedTemplate](ctx, c, templates, publication)
	if err != nil {
		return nil, err
	}
	out.New = isNew
	return out, nil
}

// ListTemplates reads a page of the team's templates in alphabetical order; withdrawn ones are shown where they are asked for.
func (c *Client) ListTemplates(ctx context.Context, p Page, withdrawn bool) (*List[Template], error) {
	return listOn[Template](ctx, c, templates, p, withdrawn)
}

// Templates reads every template of the team, page by page.
func (c *Client) Templates(ctx context.Context, withdrawn bool) iter.Seq2[Template, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Template], error) { return c.ListTemplates(ctx, p, withdrawn) })
}

// Template reads a template with the content of its newest version.
func (c *Client) Template(ctx context.Context, name string, withdrawn bool) (*Template, error) {
	return readOn[Template](ctx, c, templates, name, "", withdrawn)
}

// TemplateVersions reads every version of a template, the newest first, page by page.
func (c *Client) TemplateVersions(ctx context.Context, name string, withdrawn bool) iter.Seq2[TemplateVersion, error] {
	return versionsOn[TemplateVersion](ctx, c, templates, name, withdrawn)
}

// TemplateVersion reads the version of a reference name@version with its content.
func (c *Client) TemplateVersion(ctx context.Context, ref string, withdrawn bool) (*TemplateVersion, error) {
	return readOn[TemplateVersion](ctx, c, templates, ref, "", withdrawn)
}

// RenderTemplate shows what a model would be told for these parameters, and asks none.
func (c *Client) RenderTemplate(ctx context.Context, ref string, parameters map[string]any) (*RenderedTemplate, error) {
	return askOn[RenderedTemplate](ctx, c, templates, http.MethodPost, ref, "/render", map[string]any{"parameters": orNothing(parameters)})
}

func orNothing(parameters map[string]any) map[string]any {
	if parameters == nil {
		return map[string]any{}
	}
	return parameters
}

// TestTemplate runs stored tests. It asks models, as requests do.
func (c *Client) TestTemplate(ctx context.Context, ref string, t TemplateTests) (*TestedTemplate, error) {
	return askOn[TestedTemplate](ctx, c, templates, http.MethodPost, ref, "/test", t)
}

// WithdrawTemplate hides a version (name@version) or a whole name until it is restored.
func (c *Client) WithdrawTemplate(ctx context.Context, ref string) error {
	return withdrawOn(ctx, c, templates, ref)
}

// RestoreTemplate undoes that.
func (c *Client) RestoreTemplate(ctx context.Context, ref string) (*Template, error) {
	return restoreOn[Template](ctx, c, templates, ref)
}
