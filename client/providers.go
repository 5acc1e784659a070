package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Provider is an account at a service that the server can ask.
type Provider struct {
	Name    string `json:"name"`
	Dialect string `json:"dialect"`
	// LastResort says that it is asked only where no other is configured, or when named.
	LastResort     bool     `json:"last_resort"`
	MaxConcurrency int      `json:"max_concurrency"`
	InFlight       int      `json:"in_flight"`
	Models         []string `json:"models"`
	// Health is healthy, degraded, down or unknown, where nobody has asked yet.
	Health string `json:"health"`
	// Limit is how many calls may be under way now: MaxConcurrency or less.
	Limit int `json:"limit"`
	// RetryBudget is the share that is left, from 0 to 1.
	RetryBudget float64 `json:"retry_budget"`
	// Credentials are the keys that are used in turn.
	Credentials struct {
		Total   int `json:"total"`
		Resting int `json:"resting"`
	} `json:"credentials"`
	// Standing is how the models do of late.
	Standing []Standing `json:"standing"`
}

// Standing is how a model does of late.
type Standing struct {
	Model string `json:"model"`
	// Breaker is closed, half_open or open; OpenUntil is nil where it is not open.
	Breaker   string     `json:"breaker"`
	OpenUntil *time.Time `json:"open_until"`
	// RestMS is how long the model is left alone because the service wants it so.
	RestMS float64 `json:"rest_ms"`
	// Calls are those of the breaker's window; SuccessShare is nil where there are none.
	Calls        int      `json:"calls"`
	SuccessShare *float64 `json:"success_share"`
	LatencyMS    Latency  `json:"latency_ms"`
	FirstTokenMS Latency  `json:"first_token_ms"`
}

// Latency is what is usual, in milliseconds; nil where it is not known.
type Latency struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
}

// Model is a model that the key may use. ID is provider/model, which Options.Model takes.
type Model struct {
	ID         string     `json:"id"`
	Provider   string     `json:"provider"`
	Model      string     `json:"model"`
	Capability Capability `json:"capability"`
	// ContextWindow and MaxOutputTokens are nil where they are not known.
	ContextWindow   *int `json:"context_window"`
	MaxOutputTokens *int `json:"max_output_tokens"`
	// Price is nil where it is not known.
	Price *Price `json:"price"`
	// Tier is the quality from 1 to 3, 3 the best; nil where it is not known.
	Tier   *int   `json:"tier"`
	Region string `json:"region,omitempty"`
	// Learned is what the team's own requests have taught of its schemas at this model.
	Learned []Lesson `json:"learned"`
}

// Lesson is what requests have taught of one schema at a model; older attempts weigh less.
type Lesson struct {
	Schema    string       `json:"schema"`
	Attempts  int64        `json:"attempts"`
	PassRate  float64      `json:"pass_rate"`
	ReaskRate float64      `json:"reask_rate"`
	CostUSD   *json.Number `json:"cost_usd"` // nil where it is not known
	LatencyMS float64      `json:"latency_ms"`
	UpdatedAt time.Time    `json:"updated_at"`
}

// Capability is what a model can do; Modes are modes of structured output, the best first.
type Capability struct {
	Modes     []string `json:"modes"`
	Vision    bool     `json:"vision"`
	Reasoning bool     `json:"reasoning"`
	Logprobs  bool     `json:"logprobs"`
}

// Rates are US dollars per million tokens.
type Rates struct {
	Input       json.Number `json:"input"`
	CachedInput json.Number `json:"cached_input"`
	CacheWrite  json.Number `json:"cache_write"`
	Output      json.Number `json:"output"`
	Reasoning   json.Number `json:"reasoning"`
}

// Price is what a model costs. Above are the rates of whole calls whose input is longer, the shortest bound first.
type Price struct {
	Rates
	Above []PriceStep `json:"above"`
}

// PriceStep is what calls with more input tokens than Tokens cost.
type PriceStep struct {
	Tokens int `json:"tokens"`
	Rates
}

// Providers lists the providers with a model that the key may use.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	l, err := fetch[*List[Provider]](ctx, c, call{method: http.MethodGet, path: "/v1/providers", repeatable: true})
	if err != nil {
		return nil, err
	}
	return l.Data, nil
}

// Models lists the models that the key may use.
func (c *Client) Models(ctx context.Context) ([]Model, error) {
	l, err := fetch[*List[Model]](ctx, c, call{method: http.MethodGet, path: "/v1/models", repeatable: true})
	if err != nil {
		return nil, err
	}
	return l.Data, nil
}
