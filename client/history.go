package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Record is one request of the history. Lists leave out attempts, validation and texts.
type Record struct {
	RequestID         string          `json:"request_id"`
	ClientRequestID   string          `json:"client_request_id,omitempty"`
	Team              string          `json:"team"`
	Key               string          `json:"key"`
	CreatedAt         time.Time       `json:"created_at"`
	Status            int             `json:"status"`
	Code              string          `json:"code,omitempty"`
	ValidationStatus  string          `json:"validation_status,omitempty"`
	Provider          string          `json:"provider,omitempty"`
	Model             string          `json:"model,omitempty"`
	Schema            string          `json:"schema,omitempty"` // the version of a registered schema, as name@version
	SchemaHash        string          `json:"schema_hash,omitempty"`
	Template          string          `json:"template,omitempty"`
	DialectMode       string          `json:"dialect_mode,omitempty"`
	Cached            bool            `json:"cached"`
	Coalesced         bool            `json:"coalesced"`
	Language          string          `json:"language,omitempty"`
	InputTokens       int64           `json:"input_tokens"`
	OutputTokens      int64           `json:"output_tokens"`
	CachedInputTokens int64           `json:"cached_input_tokens"`
	CostUSD           *json.Number    `json:"cost_usd"`
	ProcessingTimeMS  float64         `json:"processing_time_ms"`
	OverheadMS        float64         `json:"overhead_ms"`
	Attempts          []Attempt       `json:"attempts,omitempty"`
	Validation        *Validation     `json:"validation,omitempty"`
	Prompt            string          `json:"prompt,omitempty"`
	Answer            json.RawMessage `json:"answer,omitempty"`
}

// Filter chooses requests of the history; empty fields choose all. From is included, To is not.
type Filter struct {
	Page
	From, To                     time.Time
	Key, Provider, Model, Schema string
	ValidationStatus             string
	Status                       int
}

func (f Filter) query() url.Values {
	q := f.Page.query()
	setTime(q, "from", f.From)
	setTime(q, "to", f.To)
	for name, value := range map[string]string{
		"key": f.Key, "provider": f.Provider, "model": f.Model, "schema": f.Schema, "validation_status": f.ValidationStatus,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Status != 0 {
		q.Set("status", strconv.Itoa(f.Status))
	}
	return q
}

func setTime(q url.Values, name string, t time.Time) {
	if !t.IsZero() {
		q.Set(name, t.UTC().Format(time.RFC3339))
	}
}

// ListRequests reads a page of the history, the newest first.
func (c *Client) ListRequests(ctx context.Context, f Filter) (*List[Record], error) {
	return fetch[*List[Record]](ctx, c, call{method: http.MethodGet, path: "/v1/requests", query: f.query(), repeatable: true})
}

// Requests reads the whole history that the filter chooses, page by page.
func (c *Client) Requests(ctx context.Context, f Filter) iter.Seq2[Record, error] {
	return every(ctx, func(ctx context.Context, p Page) (*List[Record], error) {
		if p.Cursor != "" {
			f.Cursor = p.Cursor
		}
		return c.ListRequests(ctx, f)
	})
}

// Request reads one request of the history with all that is kept of it.
func (c *Client) Request(ctx context.Context, id string) (*Record, error) {
	path, err := pathOf("/v1/requests", id, "")
	if err != nil {
		return nil, err
	}
	return fetch[*Record](ctx, c, call{method: http.MethodGet, path: path, repeatable: true})
}

// DeleteRequest removes one request from the history.
func (c *Client) DeleteRequest(ctx context.Context, id string) error {
	path, err := pathOf("/v1/requests", id, "")
	if err != nil {
		return err
	}
	_, err = c.do(ctx, call{method: http.MethodDelete, path: path}) // A second try would find nothing and say so.
	return err
}

// UsageQuery chooses sums. GroupBy holds any of key, team, provider, model, schema and day; AllTeams needs the scope admin.
type UsageQuery struct {
	From, To time.Time
	GroupBy  []string
	AllTeams bool
	// Recommendations asks for models that would do better.
	Recommendations bool
}

// Usage are sums by group, and over all of them.
type Usage struct {
	Rows  []UsageRow `json:"rows"`
	Total Sums       `json:"total"`
	// Recommendations are there where they were asked for.
	Recommendations []Recommendation `json:"recommendations,omitempty"`
}

// UsageRow is one group; what was not grouped by is empty.
type UsageRow struct {
	Key      string `json:"key,omitempty"`
	Team     string `json:"team,omitempty"`
	Provider string `json:"provider,omitempty"`
	Model    string `json:"model,omitempty"`
	Schema   string `json:"schema,omitempty"`
	Day      string `json:"day,omitempty"`
	Sums
}

// Sums are what requests did and cost. CostUSD counts what is known; UnpricedRequests says how many requests it leaves out a part of.
type Sums struct {
	Requests          int64       `json:"requests"`
	Passed            int64       `json:"passed"`
	Cached            int64       `json:"cached"`
	Coalesced         int64       `json:"coalesced"`
	InputTokens       int64       `json:"input_tokens"`
	OutputTokens      int64       `json:"output_tokens"`
	CachedInputTokens int64       `json:"cached_input_tokens"`
	CostUSD           json.Number `json:"cost_usd"`
	UnpricedRequests  int64       `json:"unpriced_requests"`
}

// Usage reads sums.
func (c *Client) Usage(ctx context.Context, u UsageQuery) (*Usage, error) {
	q := url.Values{}
	setTime(q, "from", u.From)
	setTime(q, "to", u.To)
	if len(u.GroupBy) > 0 {
		q.Set("group_by", strings.Join(u.GroupBy, ","))
	}
	if u.AllTeams {
		q.Set("all_teams", "true")
	}
	if u.Recommendations {
		q.Set("recommendations", "true")
	}
	return fetch[*Usage](ctx, c, call{method: http.MethodGet, path: "/v1/usage", query: q, repeatable: true})
}
