package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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
	body, err := encode(p)
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, call{method: http.MethodPost, path: "/v1/schemas", body: body})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // Nothing can be done about it.
	raw, err := readAll(response.Body)
	if err != nil {
		return nil, err
	}
	out := &PublishedSchema{New: response.StatusCode == http.StatusCreated}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("POST /v1/schemas: the answer is not what promptd sends: %w", err)
	}
	return out, nil
}

// ListSchemas reads a page of the team's schemas in alphabetical order; withdrawn ones are shown where they are asked for.
func (c *Client) ListSchemas(ctx context.Context, p Page, withdrawn bool) (*List[Schema], error) {
	return fetch[*List[Schema]](ctx, c, call{method: http.MethodGet, path: "/v1/schemas", query: withWithdrawn(p.query(), withdrawn), repeatable: true})
}

// Schemas reads every schema of the team, page by page.
func (c *Client) Schemas(ctx context.Context, withdrawn bool) iter.Seq2[Schema, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Schema], error) { return c.ListSchemas(ctx, p, withdrawn) })
}

// Schema reads a schema with its newest version.
func (c *Client) Schema(ctx context.Context, name string, withdrawn bool) (*Schema, error) {
	return schemaCall[*Schema](ctx, c, http.MethodGet, name, "", withdrawn, nil)
}

// SchemaVersions reads every version of a schema, the newest first, page by page.
func (c *Client) SchemaVersions(ctx context.Context, name string, withdrawn bool) iter.Seq2[SchemaVersion, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[SchemaVersion], error) {
		path, err := schemaPath(name, "/versions")
		if err != nil {
			return nil, err
		}
		return fetch[*List[SchemaVersion]](ctx, c, call{method: http.MethodGet, path: path, query: withWithdrawn(p.query(), withdrawn), repeatable: true})
	})
}

// SchemaVersion reads the version of a reference name@version with its schema and fitness report.
func (c *Client) SchemaVersion(ctx context.Context, ref string, withdrawn bool) (*SchemaVersion, error) {
	return schemaCall[*SchemaVersion](ctx, c, http.MethodGet, ref, "", withdrawn, nil)
}

// SchemaFitness reads how the version of a reference name@version suits each model.
func (c *Client) SchemaFitness(ctx context.Context, ref string) (*SchemaFitness, error) {
	return schemaCall[*SchemaFitness](ctx, c, http.MethodGet, ref, "/fitness", false, nil)
}

// CompareSchema says what publishing a schema would say, and publishes nothing.
func (c *Client) CompareSchema(ctx context.Context, name string, q SchemaQuestion) (*SchemaComparison, error) {
	return schemaCall[*SchemaComparison](ctx, c, http.MethodPost, name, "/compatibility", false, q)
}

// ChangeSchema changes a name's description or compatibility.
func (c *Client) ChangeSchema(ctx context.Context, name string, change SchemaChange) (*Schema, error) {
	return schemaCall[*Schema](ctx, c, http.MethodPatch, name, "", false, change)
}

// WithdrawSchema hides a version (name@version) or a whole name until it is restored.
func (c *Client) WithdrawSchema(ctx context.Context, ref string) error {
	path, err := schemaPath(ref, "")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path, repeatable: true})
	return err
}

// RestoreSchema undoes that.
func (c *Client) RestoreSchema(ctx context.Context, ref string) (*Schema, error) {
	return schemaCall[*Schema](ctx, c, http.MethodPost, ref, "/restore", false, struct{}{})
}

func schemaCall[T any](ctx context.Context, c *Client, method, ref, after string, withdrawn bool, body any) (out T, err error) {
	path, err := schemaPath(ref, after)
	if err != nil {
		return out, err
	}
	k := call{method: method, path: path, query: withWithdrawn(url.Values{}, withdrawn), repeatable: method == http.MethodGet}
	if body != nil {
		if k.body, err = encode(body); err != nil {
			return out, err
		}
	}
	return fetch[T](ctx, c, k)
}

func withWithdrawn(q url.Values, withdrawn bool) url.Values {
	if withdrawn {
		q.Set("withdrawn", "true")
	}
	return q
}

// schemaPath is the path of a name, or of a version for name@version.
func schemaPath(ref, after string) (string, error) {
	name, version, versioned := strings.Cut(ref, "@")
	path, err := pathOf("/v1/schemas", name, "")
	if err != nil {
		return "", fmt.Errorf("%q is not a reference to a schema: write name or name@version", ref)
	}
	if !versioned {
		return path + after, nil
	}
	if n, err := strconv.Atoi(version); err != nil || n < 1 {
		return "", fmt.Errorf("%q is not a reference to a schema: versions count 1, 2, 3 …", ref)
	}
	return path + "/versions/" + version + after, nil
}
