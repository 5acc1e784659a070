package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/value"
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

// most is the largest limit that a key may be given.
const mostLimit = 1_000_000_000

// createKey is POST /v1/keys.
func (s *Server) createKey(c *call) error {
	asked, err := readAsked(c, false, readKey)
	if err != nil {
		return err
	}
	k := asked.what
	return c.onceHidden(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(time.Now()) {
			f := fault.New(fault.Conflict, "expires_at lies in the past: the key would expire before it is made")
			f.Remediation = "Give a time in the future."
			f.Entries = []fault.Entry{{Pointer: "/expires_at", Rule: "minimum", Message: f.Detail, Hint: f.Remediation}}
			return idempotency.Response{}, f
		}
		made, secret, err := s.deps.Keys.Create(ctx, k)
		if err != nil {
			return idempotency.Response{}, err
		}
		return newKey(http.StatusCreated, made, secret)
	})
}

func newKey(status int, k key.Key, secret key.Secret) (idempotency.Response, error) {
	raw, err := json.Marshal(NewKey{shownKey(k), secret.Reveal()})
	if err != nil {
		return idempotency.Response{}, fmt.Errorf("encode a key: %w", err)
	}
	return idempotency.Response{Status: status, ContentType: mediaJSON, Body: append(raw, '\n')}, nil
}

// shownKey has a list of models, empty where all are allowed.
func shownKey(k key.Key) key.Key {
	if k.Models == nil {
		k.Models = []string{}
	}
	return k
}

func readKey(r *body.Reader) (key.Key, error) {
	k := key.Key{
		Name: r.String("name", ""), Team: key.TeamID(r.String("team", "")),
		TokensPerMinute: int(r.Int("tokens_per_minute", 0, 0, mostLimit)), MaxConcurrency: int(r.Int("max_concurrency", 0, 0, mostLimit)),
		PromptChars: int(r.Int("prompt_chars", 0, 0, mostLimit)), Models: r.Strings("models"), Budget: readBudget(r),
	}
	if _, given := r.Value("name"); !given {
		r.Fault("name", "required", "name is missing", "Name the program or person that uses the key.")
	}
	if _, given := r.Value("rate_limit_per_hour"); given {
		n := int(r.Int("rate_limit_per_hour", 0, 0, mostLimit))
		k.RateLimitPerHour = &n
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
	if v, given := r.Value("expires_at"); given && !v.IsNull() {
		t, err := time.Parse(time.RFC3339, strings.ToUpper(r.String("expires_at", "")))
		if err != nil && v.Kind() == value.KindString {
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
	if cursor != "" && !isKeyID(cursor) {
		q.fault("cursor", "cursor", "it is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
	}
	if err := q.done(); err != nil {
		return err
	}
	list, next, err := s.deps.Keys.List(c.r.Context(), key.AllTeams(), limit, key.Cursor(cursor))
	if err != nil {
		return err
	}
	page := Keys{Data: make([]key.Key, 0, len(list)), NextCursor: next}
	for _, k := range list {
		page.Data = append(page.Data, shownKey(k))
	}
	return c.json(http.StatusOK, page)
}

// isKeyID says whether a text looks like a key's id.
func isKeyID(text string) bool {
	rest, ok := strings.CutPrefix(text, "key_")
	return ok && len(rest) == 32 && strings.Trim(rest, "0123456789abcdef") == ""
}

// revokeKey is DELETE /v1/keys/{id}.
func (s *Server) revokeKey(c *call) error {
	if _, err := s.deps.Keys.Revoke(c.r.Context(), key.AllTeams(), key.ID(c.r.PathValue("id"))); err != nil {
		return err
	}
	return c.empty()
}

// rotateKey is POST /v1/keys/{id}/rotate.
func (s *Server) rotateKey(c *call) error {
	asked, err := readAsked(c, true, readGrace)
	if err != nil {
		return err
	}
	return c.onceHidden(asked.name, asked.raw, func(ctx context.Context) (idempotency.Response, error) {
		k, secret, err := s.deps.Keys.Rotate(ctx, key.AllTeams(), key.ID(c.r.PathValue("id")), asked.what)
		if f := fault.Of(err); err != nil && f.Code == fault.Conflict && f.Remediation == "" {
			revoked := *f
			revoked.Remediation = "Make another key: a revoked one stays revoked."
			return idempotency.Response{}, &revoked
		}
		if err != nil {
			return idempotency.Response{}, err
		}
		return newKey(http.StatusOK, k, secret)
	})
}

func readGrace(r *body.Reader) (time.Duration, error) {
	const mostGrace = 30 * 24 * 3600
	grace := time.Duration(r.Int("grace_seconds", 0, 0, mostGrace)) * time.Second
	return grace, r.Done()
}

const keyIDPattern = `^key_[0-9a-f]{32}$`

func keyID() map[string]*huma.Param {
	return map[string]*huma.Param{"id": idParameter("The key's id.", keyIDPattern, exampleKeyID)}
}

const exampleKeyID = "key_0199f3c2a4b17c5e9d3e6f708192a3b4"

const exampleKey = `{"id": "` + exampleKeyID + `", "name": "invoice importer", "team": "billing", "scopes": ["analyze", "usage"], "prefix": "pd_live_3kTq",
	"rate_limit_per_hour": null, "tokens_per_minute": 0, "max_concurrency": 0, "models": [], "budget": null, "created_at": "2026-11-24T08:00:00Z"`

// TransformSchema says what package key says in Go.
func (NewKey) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema { return describedKey(s) }

// TransformSchema says that a page holds described keys.
func (Keys) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	describedKey(r.Schema(reflect.TypeFor[key.Key](), false, ""))
	return s
}

func describedKey(s *huma.Schema) *huma.Schema {
	for name, text := range keyTexts() {
		s.Properties[name].Description = text
	}
	if s.Properties["budget"].AnyOf == nil {
		orNull(s, "budget")
	}
	return s
}

func docCreateKey() operation {
	return operation{
		id: "createKey", tag: "keys", summary: "Make a key",
		text: "The answer shows the secret, this once; promptd keeps its hash. Under an Idempotency-Key the answer is kept encrypted with the caller's own key, so that only " +
			"a repetition by the same caller shows it again.",
		body: &input{of: reflect.TypeFor[CreateKeyRequest](), examples: examples("a key for one team", `{"name": "invoice importer", "team": "billing", "scopes": ["analyze", "usage"]}`)},
		answers: []reply{jsonReply(http.StatusCreated, reflect.TypeFor[NewKey](), "The key with its secret.",
			example(exampleKey+`, "key": "pd_live_…"}`)).with("Location", "Idempotent-Replayed")},
	}
}

func docListKeys() operation {
	return operation{
		id: "listKeys", tag: "keys", summary: "List keys", text: "Those of every team, revoked ones too, the newest first.",
		query:   []*huma.Param{limitParameter(key.DefaultPage, key.MaxPage), cursorParameter(`^(` + strings.Trim(keyIDPattern, "^$") + `)?$`)},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[Keys](), "A page of keys.", example(`{"data": [`+exampleKey+`}]}`))},
	}
}

func docRevokeKey() operation {
	return operation{
		id: "revokeKey", tag: "keys", summary: "Revoke a key", text: "It is refused everywhere within a second, for good. A second time changes nothing.",
		path: keyID(), codes: notFound(), answers: []reply{{status: http.StatusNoContent, text: "The key is revoked."}},
	}
}

func docRotateKey() operation {
	return operation{
		id: "rotateKey", tag: "keys", summary: "Give a key another secret", text: "The answer shows the secret, this once. A revoked key is a 409.",
		path: keyID(), codes: notFound(), body: &input{
			of: reflect.TypeFor[RotateKeyRequest](), optional: true, text: "May be left out.", examples: examples("an hour of grace", `{"grace_seconds": 3600}`),
		},
		answers: []reply{jsonReply(http.StatusOK, reflect.TypeFor[NewKey](), "The key with its secret.", example(exampleKey+`, "key": "pd_live_…"}`)).with("Idempotent-Replayed")},
	}
}
