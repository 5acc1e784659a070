package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
)

func TestProvidersAndModelsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.get("/v1/providers")
	if want := `{"data":[{"name":"scripted","dialect":"openai","last_resort":false,"max_concurrency":64,"in_flight":0,"models":["small"],` +
		`"health":"unknown","limit":64,"retry_budget":1,"credentials":{"total":1,"resting":0},"standing":[{"model":"small","breaker":"closed","open_until":null,` +
		`"rest_ms":0,"calls":0,"success_share":null,"latency_ms":{"p50":null,"p95":null},"first_token_ms":{"p50":null,"p95":null}}]}]}`; a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("providers: %d %s, want %s", a.status, a.body, want)
	}
	want := `{"object":"list","data":[{"id":"scripted/small","object":"model","created":0,"owned_by":"scripted","provider":"scripted","model":"small",` +
		`"capability":{"modes":["strict","json","prompt"],"vision":true,"reasoning":false,"logprobs":true},"context_window":null,"max_output_tokens":4096,` +
		`"price":{"input":0.1,"cached_input":0,"cache_write":0,"output":0.4,"reasoning":0.4,"above":[]},"tier":null,"learned":[]}]}`
	if a = w.get("/v1/models"); a.status != 200 || strings.TrimSpace(a.body) != want {
		t.Errorf("models: %d\n%s, want\n%s", a.status, a.body, want)
	}
	// What is listed can be asked for.
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatal(err)
	}
	for _, m := range list.Data {
		if a := w.post("/v1/analyze", `{"prompt": "x", "options": {"model": "`+m.ID+`"}}`); a.status != 200 {
			t.Errorf("model %s: %d %s", m.ID, a.status, a.body)
		}
	}
}

func TestWhatWasLearnedIsShownToTheTeamThatTaughtIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.post("/v1/analyze", `{"prompt": "There are 7 apples.", "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}`); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	var models struct {
		Data []struct {
			Learned []struct {
				Schema   string   `json:"schema"`
				Attempts int      `json:"attempts"`
				PassRate float64  `json:"pass_rate"`
				CostUSD  *float64 `json:"cost_usd"`
			} `json:"learned"`
		} `json:"data"`
	}
	a := w.get("/v1/models")
	if err := json.Unmarshal([]byte(a.body), &models); err != nil {
		t.Fatal(err)
	}
	if len(models.Data) != 1 || len(models.Data[0].Learned) != 1 {
		t.Fatalf("got %s, want one lesson", a.body)
	}
	if l := models.Data[0].Learned[0]; l.Attempts != 1 || l.PassRate != 1 || l.CostUSD == nil || !strings.HasPrefix(l.Schema, "sha256:") {
		t.Errorf("got %+v", l)
	}
	other := w.newKey(key.Key{Name: "other", Team: "others", Scopes: key.UsualScopes})
	if a := w.do(ask{method: "GET", path: "/v1/models", key: other}); !strings.Contains(a.body, `"learned":[]`) {
		t.Errorf("another team sees %s", a.body)
	}
}

func TestAKeySeesOnlyWhatItMayUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for models, want := range map[string]string{"small": "small", "scripted/small": "small", "another": ""} {
		secret := w.newKey(key.Key{Name: models, Scopes: key.UsualScopes, Models: []string{models}})
		for _, path := range []string{"/v1/providers", "/v1/models"} {
			a := w.do(ask{method: "GET", path: path, key: secret})
			if a.status != 200 || strings.Contains(a.body, "small") != (want != "") {
				t.Errorf("a key for %s sees in %s: %d %s", models, path, a.status, a.body)
			}
		}
	}
	for _, path := range []string{"/v1/providers", "/v1/models"} {
		w.do(ask{method: "GET", path: path, key: "-"}).problem(t, 401, "UNAUTHORIZED")
		w.get(path+"?limit=1").problem(t, 400, "INVALID_REQUEST")
	}
}
