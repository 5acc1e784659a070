package key_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

func TestDollarsAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]key.Nanos{
		"0": 0, "1": 1e9, "1.5": 1.5e9, "0.000000001": 1, "-0.000000001": -1, "12.340": 12.34e9, "9223372036.854775807": 1<<63 - 1, "00.10": 1e8, "5.": 5e9, "0.0000000010": 1,
	} {
		if got, err := key.ParseDollars(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", ".", ".5", "-", "1e3", "+1", "1,5", "0.0000000001", "9223372036.854775808", "1.2.3", "1 ", "0x1", "٣", "--1", "1.-5"} {
		if got, err := key.ParseDollars(text); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := key.Nanos(rapid.Int64Range(-1<<63+1, 1<<63-1).Draw(t, "nanos"))
		if got, err := key.ParseDollars(want.String()); err != nil || got != want {
			t.Fatalf("%d is written %q and read as %d, %v", want, want.String(), got, err)
		}
		if s := want.String(); strings.Contains(s, ".") && strings.HasSuffix(s, "0") {
			t.Fatalf("%d is written with needless zeros: %q", want, s)
		}
	})
}

func TestScopesAreReadAndWrittenByName(t *testing.T) {
	t.Parallel()
	names := []string{"analyze", "jobs", "schemas", "templates", "cache", "usage", "requests", "metrics", "admin"}
	if got := key.AllScopes.Names(); !slices.Equal(got, names) {
		t.Errorf("all scopes: got %v, want %v", got, names)
	}
	if got := key.UsualScopes.Names(); !slices.Equal(got, names[:8]) {
		t.Errorf("usual scopes: got %v, want all but admin", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		want := key.Scopes(rapid.Uint16Range(0, uint16(key.AllScopes)).Draw(t, "scopes"))
		text, err := json.Marshal(want)
		var got key.Scopes
		if err == nil {
			err = json.Unmarshal(text, &got)
		}
		if err != nil || got != want {
			t.Fatalf("%s is read as %s, %v", want, got, err)
		}
	})
	_, err := key.ParseScopes([]string{"analyze", "root"})
	if !fault.Is(err, fault.InvalidRequest) || fault.Of(err).Entries[0].Pointer != "/scopes/1" {
		t.Errorf("an unknown scope: got %v, want INVALID_REQUEST at /scopes/1", err)
	}
	for _, s := range []key.Scope{0, 3, 1 << 12} {
		if s.String() != "unknown" {
			t.Errorf("scope %d: got %q, want unknown", s, s)
		}
	}
}

func TestABadKeyIsRefusedByField(t *testing.T) {
	t.Parallel()
	minus := -1
	for pointer, spoil := range map[string]func(*key.Key){
		"/name":                func(k *key.Key) { k.Name = "" },
		"/team":                func(k *key.Key) { k.Team = "no spaces" },
		"/rate_limit_per_hour": func(k *key.Key) { k.RateLimitPerHour = &minus },
		"/tokens_per_minute":   func(k *key.Key) { k.TokensPerMinute = -1 },
		"/max_concurrency":     func(k *key.Key) { k.MaxConcurrency = -1 },
		"/prompt_chars":        func(k *key.Key) { k.PromptChars = -1 },
		"/models":              func(k *key.Key) { k.Models = []string{""} },
		"/budget":              func(k *key.Key) { k.Budget = &key.Budget{Limit: 1, Period: "year"} },
		"/expires_at":          func(k *key.Key) { k.ExpiresAt = time.Unix(1, 0) },
	} {
		k := key.Key{Name: "fine", Team: "fine"}
		spoil(&k)
		_, _, err := (&key.Issuer{Store: openKeys(t)}).Create(t.Context(), k)
		if !fault.Is(err, fault.InvalidRequest) || fault.Of(err).Entries[0].Pointer != pointer {
			t.Errorf("%s spoiled: got %v, want INVALID_REQUEST with that pointer", pointer, err)
		}
	}
	for _, name := range []string{strings.Repeat("x", 201), "tab\t", "bad \xff", "\u0085"} {
		if err := (key.Key{Name: name, Team: "a", Scopes: 1}).Check(); err == nil {
			t.Errorf("name %q: got no error, want one", name)
		}
	}
	for _, team := range []key.TeamID{"", "ü", key.TeamID(strings.Repeat("x", 65)), "a/b", "a\n"} {
		if err := team.Check(); err == nil {
			t.Errorf("team %q: got no error, want one", team)
		}
	}
}

func TestAKeyIsMadeWithDefaults(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 10, 0, 0, 1234, time.FixedZone("", 3600))
	issuer := &key.Issuer{Store: openKeys(t), Now: func() time.Time { return at }}
	got, _, err := issuer.Create(t.Context(), key.Key{Name: "Größe 東京"})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	if got.Team != key.DefaultTeam || got.Scopes != key.UsualScopes || got.RateLimitPerHour != nil || !got.CreatedAt.Equal(at.Truncate(time.Microsecond)) {
		t.Errorf("got %+v, want the defaults", got)
	}
	kept, err := issuer.Store.Key(t.Context(), key.AllTeams(), got.ID)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	got.Models = []string{}
	if diff := cmp.Diff(got, kept); diff != "" {
		t.Errorf("what was kept differs from what was said (-said +kept):\n%s", diff)
	}
}

func TestAKeyHasTheProductsShapeInJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(key.Key{
		ID: "key_1", Name: "n", Team: "t", Scopes: key.ScopesOf(key.Analyze, key.Admin), Prefix: "pd_live_abcdef", Models: []string{},
		Budget: &key.Budget{Limit: 2_500_000_000, Period: key.Monthly}, CreatedAt: time.Unix(0, 0).UTC(),
	})
	want := `{"id":"key_1","name":"n","team":"t","scopes":["analyze","admin"],"prefix":"pd_live_abcdef","rate_limit_per_hour":null,"tokens_per_minute":0,` +
		`"max_concurrency":0,"models":[],"budget":{"usd":2.5,"period":"month"},"created_at":"1970-01-01T00:00:00Z"}`
	if err != nil || string(text) != want {
		t.Errorf("got  %s, %v\nwant %s", text, err, want)
	}
}

func TestACallerUsesTheModelsOfItsKey(t *testing.T) {
	t.Parallel()
	c := &key.Caller{Models: []string{"flash", "openai/mini"}}
	for _, m := range []struct {
		provider, model string
		want            bool
	}{{"gemini", "flash", true}, {"x", "flash", true}, {"openai", "mini", true}, {"gemini", "mini", false}, {"open", "ai/mini", false}, {"openai", "", false}} {
		if got := c.MayUse(m.provider, m.model); got != m.want {
			t.Errorf("%s/%s: got %t, want %t", m.provider, m.model, got, m.want)
		}
	}
	if !key.Anyone().MayUse("any", "model") {
		t.Errorf("a key without models: got no, want yes to all")
	}
}

func TestOnlyAdministratorsReachOtherTeams(t *testing.T) {
	t.Parallel()
	usual := &key.Caller{Team: "acme", Scopes: key.UsualScopes}
	if r, err := usual.Reach(false); err != nil || !r.Covers("acme") || r.Covers("beta") || r.Covers("") {
		t.Errorf("own team: got %+v, %v", r, err)
	}
	if _, err := usual.Reach(true); !fault.Is(err, fault.Forbidden) {
		t.Errorf("all teams without admin: got %v, want FORBIDDEN", err)
	}
	if r, err := key.Anyone().Reach(true); err != nil || !r.Covers("beta") {
		t.Errorf("all teams with admin: got %+v, %v", r, err)
	}
	if (key.Reach{}).Covers("") {
		t.Errorf("the zero reach covers a row without a team")
	}
}
