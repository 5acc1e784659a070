package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/usage"
)

// Usage is the answer of GET /v1/usage.
type Usage struct {
	Rows            []UsageRow       `json:"rows"`
	Total           UsageSums        `json:"total"`
	Recommendations []Recommendation `json:"recommendations,omitzero" doc:"With recommendations=true: models of which the evidence says that they do better, empty where there is not enough of it."`
}

// UsageRow is one group; fields that were not grouped by are left out.
type UsageRow struct {
	Key      key.ID     `json:"key,omitempty"`
	Team     key.TeamID `json:"team,omitempty"`
	Provider string     `json:"provider,omitempty"`
	Model    string     `json:"model,omitempty"`
	Schema   string     `json:"schema,omitempty"`
	Day      string     `json:"day,omitempty" doc:"A date in UTC."`
	UsageSums
}

// UsageSums are what requests did and cost.
type UsageSums struct {
	Requests     int64     `json:"requests"`
	Passed       int64     `json:"passed"`
	Cached       int64     `json:"cached"`
	Coalesced    int64     `json:"coalesced"`
	InputTokens  int64     `json:"input_tokens"`
	OutputTokens int64     `json:"output_tokens"`
	CachedInput  int64     `json:"cached_input_tokens"`
	CostUSD      key.Nanos `json:"cost_usd" doc:"What is known of the cost."`
	Unpriced     int64     `json:"unpriced_requests" doc:"Requests with a cost that is not known."`
}

func sums(s usage.Sums) UsageSums {
	return UsageSums{s.Requests, s.Passed, s.Cached, s.Coalesced, s.Tokens.Input, s.Tokens.Output, s.Tokens.CachedInput, s.Cost, s.UnpricedRequests}
}

// readUsage is GET /v1/usage. Keys with the scope admin see other teams with all_teams=true.
func (s *Server) readUsage(c *call) error {
	q := c.query()
	groups, grouped := q.text("group_by")
	if grouped && groups == "" {
		q.fault("group_by", "minItems", "it is empty", "Leave it out for the total alone, or name groups: key,model,day.")
	}
	want := usage.Query{From: q.time("from"), To: q.time("to")}
	all, advice := q.flag("all_teams"), q.flag("recommendations")
	if err := q.done(); err != nil {
		return err
	}
	var err error
	if want.GroupBy, err = usage.ParseGroups(groups); err != nil {
		return err
	}
	reach, err := c.caller.Reach(all)
	if err != nil {
		return err
	}
	if err := s.flushed(c); err != nil {
		return err
	}
	report, err := s.deps.History.Usage(c.r.Context(), reach, want)
	if err != nil {
		return err
	}
	out := Usage{Rows: make([]UsageRow, 0, len(report.Rows)), Total: sums(report.Total)}
	for _, r := range report.Rows {
		out.Rows = append(out.Rows, UsageRow{r.Key, r.Team, r.Provider, r.Model, r.Schema, r.Day, sums(r.Sums)})
	}
	if advice {
		out.Recommendations = s.advise(c.caller)
	}
	return c.json(http.StatusOK, out)
}

func docUsage() operation {
	var groups []any
	for _, g := range usage.Groups() {
		groups = append(groups, string(g))
	}
	no, one := false, 1
	return operation{
		id: "readUsage", tag: "history", summary: "Sum up usage",
		text: "Requests, tokens and cost of the caller's team, by groups. Sums are kept by the hour (UTC): from is rounded down to an hour and to up.",
		query: []*huma.Param{
			timeParameter("from", "Requests from then on."), timeParameter("to", "Requests before then."),
			{
				Name: "group_by", In: "query", Style: "form", Explode: &no, Description: "A row for each of these, separated by commas: `key,model,day`.",
				Schema: &huma.Schema{Type: huma.TypeArray, UniqueItems: true, MinItems: &one, Items: &huma.Schema{Type: huma.TypeString, Enum: groups}},
			},
			flagParameter("all_teams", "Sum up every team; for keys with the scope admin."),
			flagParameter("recommendations", "Also say which models would do better for the schemas of the caller's own team."),
		},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Usage](), "The sums.", example(`{"rows": [{"model": "gemini-2.5-flash", "day": "2026-11-24", "requests": 2, "passed": 2,
			"cached": 1, "coalesced": 0, "input_tokens": 210, "output_tokens": 48, "cached_input_tokens": 0, "cost_usd": 0.000183, "unpriced_requests": 0}],
			"total": {"requests": 2, "passed": 2, "cached": 1, "coalesced": 0, "input_tokens": 210, "output_tokens": 48, "cached_input_tokens": 0, "cost_usd": 0.000183,
			"unpriced_requests": 0}}`))},
	}
}
