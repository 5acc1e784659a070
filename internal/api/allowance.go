package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/pipeline"
)

// Me is the answer of GET /v1/me.
type Me struct {
	ID     key.ID     `json:"id"`
	Name   string     `json:"name"`
	Team   key.TeamID `json:"team"`
	Scopes key.Scopes `json:"scopes"`
	Models []string   `json:"models"`
	Left
	TeamLeft *Left `json:"team_left" doc:"What is left for all keys of the team together, null where the team has no limits."`
}

// Left is what is left of limits; null where there is none.
type Left struct {
	RateLimit   *RateLimit  `json:"rate_limit" doc:"Requests; null where there is no limit."`
	Tokens      *TokenLimit `json:"tokens" doc:"Tokens; null where there is no limit."`
	Concurrency *PlaceLimit `json:"concurrency" doc:"Requests at the same time; null where there is no limit."`
	Budget      *BudgetLeft `json:"budget" doc:"Money; null where there is no budget."`
}

// RateLimit is what is left of a limit of requests.
type RateLimit struct {
	PerHour   int     `json:"per_hour"`
	Remaining int     `json:"remaining"`
	ResetSec  float64 `json:"reset_seconds" doc:"Until the whole limit is there again."`
}

// TokenLimit is what is left of a limit of tokens.
type TokenLimit struct {
	PerMinute int     `json:"per_minute"`
	Remaining int     `json:"remaining" doc:"What calls under way may take is not in it."`
	ResetSec  float64 `json:"reset_seconds" doc:"Until the whole limit is there again."`
}

// PlaceLimit is what is left of a limit of requests at the same time.
type PlaceLimit struct {
	Most     int `json:"max"`
	InFlight int `json:"in_flight"`
}

// BudgetLeft is what is left of a budget.
type BudgetLeft struct {
	USD      key.Nanos `json:"usd"`
	Period   string    `json:"period" enum:"day,month"`
	Spent    key.Nanos `json:"spent_usd" doc:"What calls have cost in the period."`
	Reserved key.Nanos `json:"reserved_usd" doc:"What calls under way may cost at the most."`
	Left     key.Nanos `json:"left_usd" doc:"What calls can still cost."`
	ResetsAt time.Time `json:"resets_at" doc:"When the next period begins, in UTC."`
}

// TransformSchema lets a key without limits have none.
func (Me) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "team_left")
	return nullLeft(s)
}

// TransformSchema lets a team without some limit have none.
func (Left) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema { return nullLeft(s) }

func nullLeft(s *huma.Schema) *huma.Schema {
	for _, name := range []string{"rate_limit", "tokens", "concurrency", "budget"} {
		orNull(s, name)
	}
	return s
}

func leftOf(a pipeline.Allowance) Left {
	var l Left
	if d := a.Requests; d != nil {
		l.RateLimit = &RateLimit{d.Limit, d.Remaining, d.ResetAfter.Seconds()}
	}
	if d := a.Tokens; d != nil {
		l.Tokens = &TokenLimit{d.Limit, d.Remaining, d.ResetAfter.Seconds()}
	}
	if a.MaxConcurrency > 0 {
		l.Concurrency = &PlaceLimit{a.MaxConcurrency, a.InFlight}
	}
	if a.Budget != nil {
		l.Budget = budgetLeft(a.Budget)
	}
	return l
}

func budgetLeft(s *limit.Standing) *BudgetLeft {
	return &BudgetLeft{s.Limit, string(s.Period), s.Spent, s.Reserved, s.Left(), s.End}
}

// readMe is GET /v1/me.
func (s *Server) readMe(c *call) error {
	me := Me{ID: c.caller.Key, Name: c.caller.Name, Team: c.caller.Team, Scopes: c.caller.Scopes, Models: c.caller.Models}
	if me.Models == nil {
		me.Models = []string{}
	}
	mine, err := s.deps.Pipeline.Allowance(c.r.Context(), c.caller)
	if err != nil {
		return err
	}
	me.Left = leftOf(mine)
	if team := c.caller.Together; team != nil {
		all, err := s.deps.Pipeline.TeamAllowance(c.r.Context(), team)
		if err != nil {
			return err
		}
		left := leftOf(all)
		me.TeamLeft = &left
	}
	return c.json(http.StatusOK, me)
}

const exampleLeft = `"rate_limit": {"per_hour": 1000, "remaining": 999, "reset_seconds": 3.6}, "tokens": null, "concurrency": {"max": 8, "in_flight": 1},
	"budget": {"usd": 5, "period": "day", "spent_usd": 0.000183, "reserved_usd": 0, "left_usd": 4.999817, "resets_at": "2026-11-25T00:00:00Z"}`

func docMe() operation {
	return operation{
		id: "readMe", tag: "keys", summary: "Who am I and what is left", text: "It counts against no limit, and needs no scope.",
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Me](), "The key that asked, and what is left of its limits and of its team's.", example(`{"id": "`+exampleKeyID+
			`", "name": "invoice importer", "team": "billing", "scopes": ["analyze", "usage"], "models": [], `+exampleLeft+`, "team_left": null}`))},
	}
}
