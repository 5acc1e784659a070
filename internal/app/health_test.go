package app

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestCredentialsOfTheConfigurationAreUsedInTurn(t *testing.T) {
	t.Parallel()
	for auth, header := range map[string]string{"{}": "Authorization", "{type: header, header: api-key}": "Api-Key"} {
		service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
		r := newSetting(t, "providers: [{name: one, dialect: openai, base_url: \""+service.URL()+"/v1\", auth: "+auth+", api_key: a, api_keys: [b, c], models: [{name: m}]}]").start(t)
		var got []string
		for range 4 {
			r.ask(t)
		}
		for _, e := range service.Exchanges() {
			got = append(got, strings.TrimPrefix(e.Header.Get(header), "Bearer "))
		}
		if want := []string{"a", "b", "c", "a"}; !slices.Equal(got, want) {
			t.Errorf("%s: used were %v, want %v", auth, got, want)
		}
	}
}

// A breaker as configured opens, is shown, goes over a reload of the providers, and is changed by one.
func TestTheBreakerOfTheConfiguration(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`, Shares: providertest.Shares{Transport: 1}, Faults: []providertest.Fault{providertest.Unauthorized}})
	providers := "providers:" + account("one", service)
	s := newSetting(t, "routing: {breaker: {min_calls: 3, open_for: 1h}}\n"+providers)
	s.environ = []string{"SERVICE_KEY=sk-before"}
	r := s.start(t)
	fails := func(code string) {
		t.Helper()
		if a, err := r.do(http.MethodPost, r.URL()+"/v1/analyze", r.secret, question); err != nil || !strings.Contains(a.body, code) {
			t.Fatalf("%d %s, want %s", a.status, a.body, code)
		}
	}
	shown := func(state string) {
		t.Helper()
		a := r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/metrics", r.secret, "")
		if !strings.Contains(a.body, `provider_breaker_state{model="m",provider="one"} `+state+"\n") {
			t.Errorf("%s, want state %s", lines(a.body, "provider_"), state)
		}
	}
	for range 3 {
		fails("LLM_PROVIDER_ERROR")
	}
	shown("2")
	sent := service.Requests()
	fails("LLM_PROVIDER_ERROR")
	if got := service.Requests(); got != sent {
		t.Errorf("%d calls through an open breaker", got-sent)
	}
	if a := r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/providers", r.secret, ""); !strings.Contains(a.body, `"health":"down"`) || !strings.Contains(a.body, `"breaker":"open","open_until":"20`) {
		t.Errorf("the provider is shown as %s", a.body)
	}
	d, _ := dialectNamed("openai")
	small, err := provider.New(provider.Account{Name: "small", Dialect: d, BaseURL: "http://127.0.0.1:1", Models: []provider.Model{{Name: "m"}}, LastResort: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.pool.Set(slices.Concat(r.pool.Providers(), []*provider.Provider{small})) // It is not asked in place of the others.
	if a := r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/health", "", ""); !strings.Contains(a.body, `"degraded"`) {
		t.Errorf("with nobody to ask the health is %s", a.body)
	}

	s.environ = []string{"SERVICE_KEY=sk-after"}
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	shown("2")
	s.yaml = "routing: {breaker: {min_calls: 3, open_for: 1h, failure_share: 0.9}, retries: {max_attempts: 1}}\n" + providers
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.settings.Load().api.Defaults.MaxAttempts; got != 1 {
		t.Errorf("after the reload max_attempts is %d, want 1", got)
	}
	until(t, func() bool { return strings.Contains(s.out.String(), "routing.breaker.failure_share was taken over") })
}
