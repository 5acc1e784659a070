package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Budget is what may be spent in a period.
type Budget struct {
	// USD is a sum in dollars, exact to the nano-dollar.
	USD json.Number `json:"usd"`
	// Period is day or month, in UTC.
	Period string `json:"period"`
}

// TeamLimits are what the keys of a team may use together; 0 and nil are no limit.
type TeamLimits struct {
	RateLimitPerHour int     `json:"rate_limit_per_hour,omitempty"`
	TokensPerMinute  int     `json:"tokens_per_minute,omitempty"`
	MaxConcurrency   int     `json:"max_concurrency,omitempty"`
	Budget           *Budget `json:"budget,omitempty"`
}

// Team is a team for which limits were set.
type Team struct {
	Name string `json:"name"`
	TeamLimits
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Left is nil in lists.
	Left *Left `json:"left,omitempty"`
}

// Left is what is left of limits; nil where there is none.
type Left struct {
	RateLimit *struct {
		PerHour      int     `json:"per_hour"`
		Remaining    int     `json:"remaining"`
		ResetSeconds float64 `json:"reset_seconds"`
	} `json:"rate_limit"`
	Tokens *struct {
		PerMinute    int     `json:"per_minute"`
		Remaining    int     `json:"remaining"`
		ResetSeconds float64 `json:"reset_seconds"`
	} `json:"tokens"`
	Concurrency *struct {
		Max      int `json:"max"`
		InFlight int `json:"in_flight"`
	} `json:"concurrency"`
	Budget *struct {
		Budget
		Spent    json.Number `json:"spent_usd"`
		Reserved json.Number `json:"reserved_usd"`
		Left     json.Number `json:"left_usd"`
		ResetsAt time.Time   `json:"resets_at"`
	} `json:"budget"`
}

// SetTeam puts a team's limits in place of those before; it needs the scope admin.
func (c *Client) SetTeam(ctx context.Context, name string, l TeamLimits) (*Team, error) {
	path, err := pathOf("/v1/teams", name, "")
	if err != nil {
		return nil, err
	}
	body, err := encode(l)
	if err != nil {
		return nil, err
	}
	return fetch[*Team](ctx, c, call{method: http.MethodPut, path: path, body: body, repeatable: true})
}

// Team reads a team's limits with what is left of them.
func (c *Client) Team(ctx context.Context, name string) (*Team, error) {
	path, err := pathOf("/v1/teams", name, "")
	if err != nil {
		return nil, err
	}
	return fetch[*Team](ctx, c, call{method: http.MethodGet, path: path, repeatable: true})
}

// ListTeams reads a page of the teams for which limits were set, by name.
func (c *Client) ListTeams(ctx context.Context, p Page) (*List[Team], error) {
	return fetch[*List[Team]](ctx, c, call{method: http.MethodGet, path: "/v1/teams", query: p.query(), repeatable: true})
}

// Teams reads every such team, page by page.
func (c *Client) Teams(ctx context.Context) iter.Seq2[Team, error] { return every(ctx, c.ListTeams) }

// Recommendation is a model to use in place of another one for a schema, with the evidence for both.
type Recommendation struct {
	// Kind is cheaper or better.
	Kind      string        `json:"kind"`
	Schema    string        `json:"schema"`
	Use       ModelEvidence `json:"use"`
	InsteadOf ModelEvidence `json:"instead_of"`
	// SavesPer1000 is what a thousand valid answers cost less; empty where a price is not known.
	SavesPer1000 json.Number `json:"saves_usd_per_1000"`
	// Text says the same in a sentence.
	Text string `json:"text"`
}

// ModelEvidence is how a model has done for a schema of late.
type ModelEvidence struct {
	Provider string  `json:"provider"`
	Model    string  `json:"model"`
	Attempts int64   `json:"attempts"`
	PassRate float64 `json:"pass_rate"`
	// PassRateAtLeast is the lower end of the interval in which the true rate lies with 95 % confidence.
	PassRateAtLeast float64 `json:"pass_rate_at_least"`
	// CostUSD is that of an attempt on average; empty where it is not known.
	CostUSD json.Number `json:"cost_usd"`
}
