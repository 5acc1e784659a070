package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Owner is who published something.
type Owner struct {
	Team string `json:"team"`
	Key  string `json:"key"`
}

// Schema is a registered schema: a name with what is kept of it.
type Schema struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	// Compatibility is what a new version owes to the one before: backward, forward, full or none.
	Compatibility string `json:"compatibility"`
	// Version is the newest that can be used, Hash its content's; nil where every version is withdrawn.
	Version *int    `json:"version"`
	Hash    *string `json:"hash"`
	// NewestVersion is the highest number that was given.
	NewestVersion int       `json:"newest_version"`
	Owner         Owner     `json:"owner"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
	// WithdrawnAt is zero where the name can be used.
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	// Schema is the newest version's; a list leaves it out.
	Schema json.RawMessage `json:"schema,omitempty"`
}

// SchemaVersion is one immutable version of a schema.
type SchemaVersion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	// Reference names it in requests: name@version.
	Reference     string    `json:"reference"`
	Hash          string    `json:"hash"`
	Compatibility string    `json:"compatibility"`
	Owner         Owner     `json:"owner"`
	CreatedAt     time.Time `json:"created_at"`
	// WithdrawnAt is zero where the version is not withdrawn.
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
	// Schema and Fitness are left out by a list.
	Schema  json.RawMessage `json:"schema,omitempty"`
	Fitness *SchemaFitness  `json:"fitness,omitempty"`
}

// PublishSchema is what is published. What is empty has the server's default.
type PublishSchema struct {
	Name   string `json:"name"`
	Schema any    `json:"schema"`
	// Description is nil to keep what the name has.
	Description   *string `json:"description,omitempty"`
	Compatibility string  `json:"compatibility,omitempty"`
}

// PublishedSchema is what became of it.
type PublishedSchema struct {
	SchemaVersion
	Description string `json:"description"`
	// Comparison is with the version before; nil for a first version, and where the content was there already.
	Comparison *SchemaComparison `json:"comparison"`
	Lint       json.RawMessage   `json:"lint"`
	// New is false where the newest version had this content already.
	New bool `json:"-"`
}

// SchemaComparison is what a comparison of a schema with a version found.
type SchemaComparison struct {
	Against    string          `json:"against"`
	Mode       string          `json:"mode"`
	Compatible bool            `json:"compatible"`
	Findings   []SchemaFinding `json:"findings"`
	More       int             `json:"more_findings,omitempty"`
}

// SchemaFinding is one place at which a schema is not compatible.
type SchemaFinding struct {
	Direction string          `json:"direction"`
	Verdict   string          `json:"verdict"`
	Instance  string          `json:"instance"`
	Old       string          `json:"old"`
	New       string          `json:"new"`
	Keyword   string          `json:"keyword"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Message   string          `json:"message"`
	Hint      string          `json:"hint"`
	// Witness is a value that one of both allows and the other refuses; nil where none was found.
	Witness json.RawMessage `json:"witness,omitempty"`
}

// SchemaQuestion asks what publishing a schema would say. Schema is one, or a reference such as invoice@3; what is zero has the server's default.
type SchemaQuestion struct {
	Schema        any    `json:"schema"`
	Against       int    `json:"against,omitempty"`
	Compatibility string `json:"compatibility,omitempty"`
}

// SchemaChange is what can be changed of a name; nil keeps.
type SchemaChange struct {
	Description   *string `json:"description,omitempty"`
	Compatibility *string `json:"compatibility,omitempty"`
}

// SchemaFitness says how a version suits each model.
type SchemaFitness struct {
	Reference string         `json:"reference"`
	Requests  int            `json:"requests"`
	Limit     int            `json:"limit"`
	Models    []ModelFitness `json:"models"`
}

// ModelFitness is a version's with one model; what is not known is nil.
type ModelFitness struct {
	Provider    string            `json:"provider"`
	Model       string            `json:"model"`
	Mode        *string           `json:"mode"`
	Constraints *int              `json:"constraints"`
	Enforced    *int              `json:"enforced"`
	Residue     []json.RawMessage `json:"residue"`
	Results     *ModelResults     `json:"results"`
}

// ModelResults are what came of requests.
type ModelResults struct {
	Requests    int          `json:"requests"`
	Judged      int          `json:"judged"`
	Passed      int          `json:"passed"`
	PassRate    *float64     `json:"pass_rate"`
	Attempts    int          `json:"attempts"`
	Reasks      int          `json:"reasks"`
	MeanCostUSD *json.Number `json:"mean_cost_usd"`
	P50MS       *float64     `json:"latency_p50_ms"`
	P95MS       *float64     `json:"latency_p95_ms"`
	From        time.Time    `json:"from"`
	To          time.Time    `json:"to"`
}

// PublishSchema publishes a schema, or its next version. One that breaks what it owes to the version before is an error with the code CONFLICT.
func (c *Client) PublishSchema(ctx context.Context, p PublishSchema) (*PublishedSchema, error) {
	out, isNew, err := publishOn[PublishedSchema](ctx, c, schemas, p)
	if err != nil {
		return nil, err
	}
	out.New = isNew
	return out, nil
}

// ListSchemas reads a page of the team's schemas in alphabetical order; withdrawn ones are shown where they are asked for.
func (c *Client) ListSchemas(ctx context.Context, p Page, withdrawn bool) (*List[Schema], error) {
	return listOn[Schema](ctx, c, schemas, p, withdrawn)
}

// Schemas reads every schema of the team, page by page.
func (c *Client) Schemas(ctx context.Context, withdrawn bool) iter.Seq2[Schema, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Schema], error) { return c.ListSchemas(ctx, p, withdrawn) })
}

// Schema reads a schema with its newest version.
func (c *Client) Schema(ctx context.Context, name string, withdrawn bool) (*Schema, error) {
	return readOn[Schema](ctx, c, schemas, name, "", withdrawn)
}

// SchemaVersions reads every version of a schema, the newest first, page by page.
func (c *Client) SchemaVersions(ctx context.Context, name string, withdrawn bool) iter.Seq2[SchemaVersion, error] {
	return versionsOn[SchemaVersion](ctx, c, schemas, name, withdrawn)
}

// SchemaVersion reads the version of a reference name@version with its schema and fitness report.
func (c *Client) SchemaVersion(ctx context.Context, ref string, withdrawn bool) (*SchemaVersion, error) {
	return readOn[SchemaVersion](ctx, c, schemas, ref, "", withdrawn)
}

// SchemaFitness reads how the version of a reference name@version suits each model.
func (c *Client) SchemaFitness(ctx context.Context, ref string) (*SchemaFitness, error) {
	return readOn[SchemaFitness](ctx, c, schemas, ref, "/fitness", false)
}

// CompareSchema says what publishing a schema would say, and publishes nothing.
func (c *Client) CompareSchema(ctx context.Context, name string, q SchemaQuestion) (*SchemaComparison, error) {
	return askOn[SchemaComparison](ctx, c, schemas, http.MethodPost, name, "/compatibility", q)
}

// ChangeSchema changes a name's description or compatibility.
func (c *Client) ChangeSchema(ctx context.Context, name string, change SchemaChange) (*Schema, error) {
	return askOn[Schema](ctx, c, schemas, http.MethodPatch, name, "", change)
}

// WithdrawSchema hides a version (name@version) or a whole name until it is restored.
func (c *Client) WithdrawSchema(ctx context.Context, ref string) error {
	return withdrawOn(ctx, c, schemas, ref)
}

// RestoreSchema undoes that.
func (c *Client) RestoreSchema(ctx context.Context, ref string) (*Schema, error) {
	return restoreOn[Schema](ctx, c, schemas, ref)
}
