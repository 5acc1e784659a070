package api_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

type keyAnswer struct {
	ID, Name, Team, Prefix, Key string
	Scopes, Models              []string
	RateLimit                   *int `json:"rate_limit_per_hour"`
	RevokedAt                   *time.Time
}

func TestKeysAreMadeListedRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.post("/v1/keys", `{"name": "importer", "team": "billing", "scopes": ["analyze"], "rate_limit_per_hour": 5, "models": ["scripted/small"], "expires_at": "2199-01-01T00:00:00Z"}`)
	var made keyAnswer
	a.into(t, 201, &made)
	if !strings.HasPrefix(made.Key, "pd_live_") || made.Team != "billing" || made.RateLimit == nil || *made.RateLimit != 5 || a.header.Get("Location") != "/v1/keys/"+made.ID {
		t.Errorf("got %s at %q, want the key with its secret and place", a.body, a.header.Get("Location"))
	}
	use := func(secret string) int {
		return w.do(ask{method: "GET", path: "/v1/me", key: secret}).status
	}
	if got := use(made.Key); got != 200 {
		t.Errorf("the new key: got %d, want 200", got)
	}
	list := w.get("/v1/keys")
	if strings.Contains(list.body, made.Key) || !strings.Contains(list.body, made.ID) {
		t.Errorf("the list shows the secret or not the key: %s", list.body)
	}
	var rotated, graced keyAnswer
	w.do(ask{method: "POST", path: "/v1/keys/" + made.ID + "/rotate"}).into(t, 200, &rotated)
	if use(made.Key) != 401 || use(rotated.Key) != 200 {
		t.Errorf("after the rotation: got %d for the old secret and %d for the new one, want 401 and 200", use(made.Key), use(rotated.Key))
	}
	w.post("/v1/keys/"+made.ID+"/rotate", `{"grace_seconds": 3600}`).into(t, 200, &graced)
	if use(rotated.Key) != 200 || use(graced.Key) != 200 {
		t.Errorf("with a grace: got %d and %d, want both secrets to work", use(rotated.Key), use(graced.Key))
	}
	for range 2 {
		if got := w.do(ask{method: "DELETE", path: "/v1/keys/" + made.ID}); got.status != 204 {
			t.Errorf("revoke: got %d, want 204", got.status)
		}
	}
	if use(graced.Key) != 401 {
		t.Errorf("the revoked key: got %d, want 401", use(graced.Key))
	}
	p := w.do(ask{method: "POST", path: "/v1/keys/" + made.ID + "/rotate"}).problem(t, 409, "CONFLICT")
	if strings.Contains(p.Remediation, "Idempotency") {
		t.Errorf("got the remediation %q, which is of another conflict", p.Remediation)
	}
	w.do(ask{method: "DELETE", path: "/v1/keys/key_00000000000000000000000000000000"}).problem(t, 404, "NOT_FOUND")
	w.do(ask{method: "POST", path: "/v1/keys/nothing/rotate"}).problem(t, 404, "NOT_FOUND")
}

func TestKeysArePaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 4 {
		w.newKey(key.Key{Name: "one of many"})
	}
	type page struct {
		Data []keyAnswer
		Next string `json:"next_cursor"`
	}
	seen := map[string]bool{}
	path := "/v1/keys?limit=2"
	for range 4 {
		var p page
		w.get(path).into(t, 200, &p)
		for _, k := range p.Data {
			seen[k.ID] = true
		}
		if p.Next == "" {
			break
		}
		path = "/v1/keys?limit=2&cursor=" + p.Next
	}
	if len(seen) != 5 {
		t.Errorf("got %d keys over the pages, want 5", len(seen))
	}
}

func TestKeysAreRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		body, pointer, rule string
		status              int
		code                string
	}{
		{`{}`, "/name", "required", 400, "INVALID_REQUEST"},
		{`{"name": ""}`, "/name", "length", 400, "INVALID_REQUEST"},
		{`{"name": "a\u0007"}`, "/name", "length", 400, "INVALID_REQUEST"},
		{`{"name": "a", "team": "no team"}`, "/team", "format", 400, "INVALID_REQUEST"},
		{`{"name": "a", "scopes": []}`, "/scopes", "minItems", 400, "INVALID_REQUEST"},
		{`{"name": "a", "scopes": ["root"]}`, "/scopes", "enum", 400, "INVALID_REQUEST"},
		{`{"name": "a", "rate_limit_per_hour": -1}`, "/rate_limit_per_hour", "range", 400, "INVALID_REQUEST"},
		{`{"name": "a", "tokens_per_minute": -5}`, "/tokens_per_minute", "range", 400, "INVALID_REQUEST"},
		{`{"name": "a", "max_concurrency": 1000000001}`, "/max_concurrency", "range", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": 5}`, "/budget", "type", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 1}}`, "/budget/period", "required", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"period": "day"}}`, "/budget/usd", "required", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 1, "period": "week"}}`, "/budget/period", "enum", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": -1, "period": "day"}}`, "/budget/usd", "range", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 1000000000.1, "period": "day"}}`, "/budget/usd", "range", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": "1", "period": "day"}}`, "/budget/usd", "type", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 0.0000000001, "period": "day"}}`, "/budget/usd", "format", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 1e-10, "period": "day"}}`, "/budget/usd", "format", 400, "INVALID_REQUEST"},
		{`{"name": "a", "budget": {"usd": 1, "period": "day", "per": "key"}}`, "/budget/per", "unknown_field", 400, "INVALID_REQUEST"},
		{`{"name": "a", "expires_at": ""}`, "/expires_at", "format", 400, "INVALID_REQUEST"},
		{`{"name": "a", "expires_at": 7}`, "/expires_at", "type", 400, "INVALID_REQUEST"},
		{`{"name": "a", "expires_at": "soon"}`, "/expires_at", "format", 400, "INVALID_REQUEST"},
		{`{"name": "a", "expires_at": "2001-01-01T00:00:00Z"}`, "/expires_at", "minimum", 409, "CONFLICT"},
		{`{"name": "a", "key": "pd_live_mine"}`, "/key", "unknown_field", 400, "INVALID_REQUEST"},
	} {
		p := w.post("/v1/keys", c.body).problem(t, c.status, c.code)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != c.pointer || p.Errors[0].Rule != c.rule {
			t.Errorf("%s: got %+v, want %s at %s", c.body, p.Errors, c.rule, c.pointer)
		}
	}
	w.post("/v1/keys/key_00000000000000000000000000000000/rotate", `{"grace_seconds": 2592001}`).problem(t, 400, "INVALID_REQUEST")
	for _, body := range []string{
		`{"name": "a", "tokens_per_minute": 0.0, "max_concurrency": 0, "budget": null, "prompt_chars": 0, "expires_at": null}`, `{"name": "` + strings.Repeat("ü", 200) + `", "models": ["` + strings.Repeat("ü", 200) + `"]}`,
		`{"name": "a", "tokens_per_minute": 5, "max_concurrency": 1, "budget": {"usd": 2.5e-1, "period": "month"}}`,
	} {
		if a := w.post("/v1/keys", body); a.status != 201 {
			t.Errorf("%s: got %d, want 201: %s", body, a.status, a.body)
		}
	}
}

func TestSameIdempotencyKeyGivesTheSameAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := providertest.Reply{Text: `{"n": 0}`}
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`}, bad, bad, bad, bad)
	first, second := w.post("/v1/analyze", askNumber, "Idempotency-Key", "a"), w.post("/v1/analyze", askNumber, "Idempotency-Key", "a")
	if first.status != 200 || first.body != second.body || second.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("got %d %s and then %s, want the same, the second one replayed", first.status, first.body, second.body)
	}
	w.post("/v1/analyze", strings.Replace(askNumber, "Three", "Four", 1), "Idempotency-Key", "a").problem(t, 409, "CONFLICT")

	other := strings.Replace(askNumber, "Three", "None", 1)
	failed, again := w.post("/v1/analyze", other, "Idempotency-Key", "b"), w.post("/v1/analyze", other, "Idempotency-Key", "b")
	failed.problem(t, 422, "VALIDATION_FAILED")
	if failed.body != again.body || again.status != 422 || again.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %s and then %d %s, want the same", failed.body, again.status, again.body)
	}
	if n := w.service.Requests(); n != 5 {
		t.Errorf("the service was asked %d times, want 5", n)
	}
	otherTeam := w.newKey(key.Key{Name: "x", Team: "other"})
	if a := w.do(ask{method: "POST", path: "/v1/analyze", body: askNumber, key: otherTeam, header: headers("Idempotency-Key", "a")}); a.status != 200 || a.body == first.body {
		t.Errorf("another team: got %d with the same body: %t, want an answer of its own", a.status, a.body == first.body)
	}
	for _, bad := range []string{"", strings.Repeat("x", 256), "ü", "a b"} {
		w.post("/v1/analyze", askNumber, "Idempotency-Key", bad).problem(t, 400, "INVALID_REQUEST")
	}
	w.post("/v1/keys", `{"name": "a"}`, "Idempotency-Key", "a", "Idempotency-Key", "b").problem(t, 400, "INVALID_REQUEST")
}

func TestFailuresOfTheServiceAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := providertest.Reply{Fault: providertest.ServerError}
	w.service.Queue(broken, broken, broken, broken, providertest.Reply{Text: `{"n": 3}`})
	w.post("/v1/analyze", askNumber, "Idempotency-Key", "a").problem(t, 502, "LLM_PROVIDER_ERROR")
	if a := w.post("/v1/analyze", askNumber, "Idempotency-Key", "a"); a.status != 200 {
		t.Errorf("the second try: got %d, want 200: %s", a.status, a.body)
	}
}

func TestSecondRequestWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	w.service.Queue(providertest.Reply{Text: `{"n": 3}`, Hold: hold})
	var group sync.WaitGroup
	answers := make([]answer, 4)
	for i := range answers {
		group.Go(func() {
			answers[i] = w.post("/v1/analyze", `{"prompt": "x", "options": {"bypass_cache": true}, "schema": `+numberSchema+`}`, "Idempotency-Key", "a")
		})
	}
	for w.door.Load().Inside < len(answers) || w.service.InFlight() == 0 {
		time.Sleep(time.Millisecond) //nolint:forbidigo // A poll: the requests have to be under way.
	}
	close(hold)
	group.Wait()
	for _, a := range answers {
		if a.status != 200 || a.body != answers[0].body {
			t.Errorf("got %d %s, want all the same", a.status, a.body)
		}
	}
	if n := w.service.Requests(); n != 1 {
		t.Errorf("the service was asked %d times, want once", n)
	}
}

// The answer that makes a key holds its secret. It is given again to the one who asked, and lies encrypted in the store.
func TestKeptSecretsAreTheirCallersAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first, second := w.post("/v1/keys", `{"name": "a"}`, "Idempotency-Key", "k"), w.post("/v1/keys", `{"name": "a"}`, "Idempotency-Key", "k")
	var made keyAnswer
	first.into(t, 201, &made)
	if second.status != 201 || second.body != first.body || second.header.Get("Location") != "/v1/keys/"+made.ID || second.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got %d %v %s, want the first answer again with its place", second.status, second.header, second.body)
	}
	colleague := w.newKey(key.Key{Name: "colleague", Scopes: key.AllScopes})
	a := w.do(ask{method: "POST", path: "/v1/keys", body: `{"name": "a"}`, key: colleague, header: headers("Idempotency-Key", "k")})
	a.problem(t, 409, "CONFLICT")
	if strings.Contains(a.body, "pd_live_") {
		t.Errorf("a colleague is shown the secret: %s", a.body)
	}
	var rotated, again keyAnswer
	w.post("/v1/keys/"+made.ID+"/rotate", `{}`, "Idempotency-Key", "r").into(t, 200, &rotated)
	w.post("/v1/keys/"+made.ID+"/rotate", `{}`, "Idempotency-Key", "r").into(t, 200, &again)
	if rotated.Key != again.Key || rotated.Key == made.Key {
		t.Errorf("got the secrets %q and %q after %q, want one rotation", rotated.Key, again.Key, made.Key)
	}
	if texts := w.stored(t); strings.Contains(texts, made.Key) || strings.Contains(texts, rotated.Key) {
		t.Errorf("the store holds a secret in the clear")
	}
	w.post("/v1/keys", `{"name": "a", "expires_at": "2001-01-01T00:00:00Z"}`, "Idempotency-Key", "late").problem(t, 409, "CONFLICT")
	w.post("/v1/keys", `{"name": "a", "expires_at": "2001-01-01T00:00:00Z"}`, "Idempotency-Key", "late").problem(t, 409, "CONFLICT")
}
