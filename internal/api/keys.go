package api

import (
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// NewKey is the answer that shows a key's secret, once.
type NewKey struct {
	key.Key
	Secret string `json:"key" doc:"The key itself. It is shown once and kept as a hash."`
}

// Keys is a page of keys.
type Keys struct {
	Data       []key.Key  `json:"data"`
	NextCursor key.Cursor `json:"next_cursor,omitempty"`
}

// Me is the answer of GET /v1/me.
type Me struct {
	ID        key.ID     `json:"id"`
	Name      string     `json:"name"`
	Team      key.TeamID `json:"team"`
	Scopes    key.Scopes `json:"scopes"`
	Models    []string   `json:"models"`
	RateLimit *RateLimit `json:"rate_limit" doc:"null where the key has no limit of requests."`
}

// RateLimit is what is left of a limit.
type RateLimit struct {
	PerHour   int     `json:"per_hour"`
	Remaining int     `json:"remaining"`
	ResetSec  float64 `json:"reset_seconds" doc:"Until the whole limit is there again."`
}

// most is the largest limit that a key may be given.
const mostLimit = 1_000_000_000

// createKey is POST /v1/keys.
func (s *Server) createKey(c *call) error {
	r, err := c.object(false)
	if err != nil {
		return err
	}
	k, err := readKey(r)
	if err != nil {
		return err
	}
	made, secret, err := s.deps.Keys.Create(c.r.Context(), k)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", "/v1/keys/"+string(made.ID))
	c.w.Header().Set("Cache-Control", "no-store")
	return c.json(http.StatusCreated, NewKey{made, secret.Reveal()})
}

func readKey(r *body.Reader) (key.Key, error) {
	k := key.Key{
		Name: r.String("name", ""), Team: key.TeamID(r.String("team", "")),
		TokensPerMinute: int(r.Int("tokens_per_minute", 0, 0, mostLimit)), MaxConcurrency: int(r.Int("max_concurrency", 0, 0, mostLimit)),
		PromptChars: int(r.Int("prompt_chars", 0, 0, mostLimit)), Models: r.Strings("models"),
	}
	if _, given := r.Value("name"); !given {
		r.Fault("name", "required", "name is missing", "Name the program or person that uses the key.")
	}
	if _, given := r.Value("rate_limit_per_hour"); given {
		n := int(r.Int("rate_limit_per_hour", 0, 0, mostLimit))
		k.RateLimitPerHour = &n
	}
	for _, later := range []string{"tokens_per_minute", "max_concurrency"} {
		if v, given := r.Value(later); given && v.Text() != "0" {
			r.Fault(later, "unsupported", later+" is not enforced by this version of promptd", "Leave it out.")
		}
	}
	if names := r.Strings("scopes"); names != nil {
		scopes, err := key.ParseScopes(names)
		if err != nil {
			r.Fault("scopes", "enum", "scopes holds a scope that does not exist", "Use any of "+key.AllScopes.String()+".")
		}
		k.Scopes = scopes
		if err == nil && scopes == 0 {
			r.Fault("scopes", "minItems", "scopes is empty", "Leave it out for all scopes but admin.")
		}
	}
	if v, given := r.Value("budget"); given && !v.IsNull() {
		r.Fault("budget", "unsupported", "budgets are not enforced by this version of promptd", "Leave it out.")
	}
	if text := r.Nullable("expires_at"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			r.Fault("expires_at", "format", "expires_at must be a time as RFC 3339 writes it", "For example 2027-01-31T00:00:00Z.")
		}
		k.ExpiresAt = t
	}
	return k, r.Done()
}

// listKeys is GET /v1/keys. Keys with the scope admin see those of every team.
func (s *Server) listKeys(c *call) error {
	q := c.query()
	limit := q.number("limit", key.DefaultPage, 1, key.MaxPage)
	cursor, _ := q.text("cursor")
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Keys.List(c.r.Context(), key.AllTeams(), limit, key.Cursor(cursor))
	if err != nil {
		return err
	}
	if list == nil {
		list = []key.Key{}
	}
	return c.json(http.StatusOK, Keys{list, next})
}

// revokeKey is DELETE /v1/keys/{id}.
func (s *Server) revokeKey(c *call) error {
	if err := c.query().done(); err != nil {
		return err
	}
	if _, err := s.deps.Keys.Revoke(c.r.Context(), key.AllTeams(), key.ID(c.r.PathValue("id"))); err != nil {
		return err
	}
	return c.empty()
}

// rotateKey is POST /v1/keys/{id}/rotate.
func (s *Server) rotateKey(c *call) error {
	r, err := c.object(true)
	if err != nil {
		return err
	}
	const mostGrace = 30 * 24 * 3600
	grace := time.Duration(r.Int("grace_seconds", 0, 0, mostGrace)) * time.Second
	if err := r.Done(); err != nil {
		return err
	}
	k, secret, err := s.deps.Keys.Rotate(c.r.Context(), key.AllTeams(), key.ID(c.r.PathValue("id")), grace)
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return c.json(http.StatusOK, NewKey{k, secret.Reveal()})
}

// readMe is GET /v1/me.
func (s *Server) readMe(c *call) error {
	if err := c.query().done(); err != nil {
		return err
	}
	me := Me{ID: c.caller.Key, Name: c.caller.Name, Team: c.caller.Team, Scopes: c.caller.Scopes, Models: c.caller.Models}
	if me.Models == nil {
		me.Models = []string{}
	}
	if n := c.caller.RateLimitPerHour; n > 0 {
		d, err := s.deps.Limiter.Allow(c.r.Context(), "key:"+string(c.caller.Key), 0, limit.PerHour(n))
		if err != nil {
			return err
		}
		me.RateLimit = &RateLimit{n, d.Remaining, d.ResetAfter.Seconds()}
	}
	return c.json(http.StatusOK, me)
}

