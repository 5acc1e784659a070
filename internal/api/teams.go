package api

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// TeamRequest is the body of PUT /v1/teams/{name}. What is left out is no limit.
type TeamRequest struct {
	RateLimitPerHour int            `json:"rate_limit_per_hour,omitempty" minimum:"0" maximum:"1000000000" default:"0" doc:"Requests per hour of all keys of the team together; 0 is no limit."`
	TokensPerMinute  int            `json:"tokens_per_minute,omitempty" minimum:"0" maximum:"1000000000" default:"0" doc:"Tokens per minute of all keys together; 0 is no limit."`
	MaxConcurrency   int            `json:"max_concurrency,omitempty" minimum:"0" maximum:"1000000000" default:"0" doc:"Requests at the same time of all keys together; 0 is no limit."`
	Budget           *BudgetRequest `json:"budget,omitempty" doc:"What all keys together may spend; null is no budget."`
}

// TransformSchema lets a budget be null.
func (TeamRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	orNull(s, "budget")
	return s
}

// TeamWithLeft is a team with what is left of its limits.
type TeamWithLeft struct {
	key.Team
	Left Left `json:"left"`
}

// TransformSchema says what package key says in Go.
func (TeamWithLeft) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return describedTeam(s)
}

// Teams is a page of teams.
type Teams struct {
	Data       []key.Team `json:"data"`
	NextCursor key.Cursor `json:"next_cursor,omitempty"`
}

// TransformSchema says that a page holds described teams.
func (Teams) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	describedTeam(r.Schema(reflect.TypeFor[key.Team](), false, ""))
	return s
}

func describedTeam(s *huma.Schema) *huma.Schema {
	for name, text := range map[string]string{
		"rate_limit_per_hour": "Requests per hour of all keys together; 0 where there is no limit.",
		"tokens_per_minute":   "Tokens per minute of all keys together; 0 where there is no limit.",
		"max_concurrency":     "Requests at the same time of all keys together; 0 where there is no limit.",
	} {
		s.Properties[name].Description = text
	}
	if s.Properties["budget"].AnyOf == nil {
		orNull(s, "budget")
	}
	return s
}

// setTeam is PUT /v1/teams/{name}.
func (s *Server) setTeam(c *call) error {
	r, _, err := c.object(false)
	if err != nil {
		return err
	}
	name := key.TeamID(c.r.PathValue("name"))
	if err := name.Check(); err != nil {
		f := *fault.Of(err)
		f.Entries = []fault.Entry{{Rule: "format", Message: f.Detail, Hint: "Use a name such as billing or team-7 in the path."}}
		return &f
	}
	t, err := teamOf(r, name)
	if err != nil {
		return err
	}
	if t, err = s.deps.Teams.Set(c.r.Context(), t); err != nil {
		return err
	}
	return s.showTeam(c, t)
}

func teamOf(r *body.Reader, name key.TeamID) (key.Team, error) {
	t := key.Team{
		Name: name, RateLimitPerHour: int(r.Int("rate_limit_per_hour", 0, 0, mostLimit)), TokensPerMinute: int(r.Int("tokens_per_minute", 0, 0, mostLimit)),
		MaxConcurrency: int(r.Int("max_concurrency", 0, 0, mostLimit)), Budget: readBudget(r),
	}
	return t, r.Done()
}

func (s *Server) showTeam(c *call, t key.Team) error {
	left, err := s.deps.Pipeline.TeamAllowance(c.r.Context(), &t)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, TeamWithLeft{t, leftOf(left)})
}

// readTeam is GET /v1/teams/{name}.
func (s *Server) readTeam(c *call) error {
	t, err := s.deps.Teams.Of(c.r.Context(), key.AllTeams(), key.TeamID(c.r.PathValue("name")))
	if err != nil {
		return err
	}
	return s.showTeam(c, t)
}

// listTeams is GET /v1/teams.
func (s *Server) listTeams(c *call) error {
	q := c.query()
	most := q.number("limit", key.DefaultPage, 1, key.MaxPage)
	cursor, _ := q.text("cursor")
	if cursor != "" && key.TeamID(cursor).Check() != nil {
		q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
	}
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Teams.List(c.r.Context(), key.AllTeams(), most, key.Cursor(cursor))
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, Teams{list, next})
}

const teamNamePattern = `^[A-Za-z0-9._-]{1,64}$`

func teamName() map[string]*huma.Param {
	return map[string]*huma.Param{"name": idParameter("The team's name, as keys have it.", teamNamePattern, "billing")}
}

const exampleTeam = `{"name": "billing", "rate_limit_per_hour": 0, "tokens_per_minute": 0, "max_concurrency": 8, "budget": {"usd": 5, "period": "day"},
	"created_at": "2026-11-24T08:00:00Z", "updated_at": "2026-11-24T08:00:00Z"`

func docSetTeam() operation {
	return operation{
		id: "setTeam", tag: "keys", summary: "Set what a team may use",
		text: "The body takes the place of what was set before: what it leaves out is no limit. The limits hold for all keys of the team together, beside those of each key, and within a " +
			"second in every process. A team needs no limits to have keys.",
		path: teamName(), body: &input{of: reflect.TypeFor[TeamRequest](), examples: examples("five dollars a day", `{"budget": {"usd": 5, "period": "day"}, "max_concurrency": 8}`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[TeamWithLeft](), "The team as it is now.", example(exampleTeam+`, "left": {`+strings.Replace(exampleLeft, `{"per_hour": 1000, "remaining": 999, "reset_seconds": 3.6}`, "null", 1)+`}}`))},
	}
}

func docReadTeam() operation {
	return operation{
		id: "readTeam", tag: "keys", summary: "Show what a team may use, and what is left", text: "404 where nothing was set for the team. Keys of the team see the same of their own team in `/v1/me`.",
		path: teamName(), codes: notFound(),
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[TeamWithLeft](), "The team.", example(exampleTeam+`, "left": {`+strings.Replace(exampleLeft, `{"per_hour": 1000, "remaining": 999, "reset_seconds": 3.6}`, "null", 1)+`}}`))},
	}
}

func docListTeams() operation {
	return operation{
		id: "listTeams", tag: "keys", summary: "List the teams for which something is set", text: "By name. Teams without limits are not in it.",
		query:   []*huma.Param{limitParameter(key.DefaultPage, key.MaxPage), cursorParameter(`^[A-Za-z0-9._-]{0,64}$`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Teams](), "A page of teams.", example(`{"data": [`+exampleTeam+`}]}`))},
	}
}
