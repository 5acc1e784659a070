package api_test

import (
	"encoding/json"
	"testing"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/provider/providertest"
)

func TestProvidersSayHowTheyDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := func() api.Provider {
		t.Helper()
		var list api.Providers
		if a := w.get("/v1/providers"); a.status != 200 || json.Unmarshal([]byte(a.body), &list) != nil || len(list.Data) != 1 || len(list.Data[0].Standing) != 1 {
			t.Fatalf("providers: %d %s", a.status, a.body)
		}
		return list.Data[0]
	}
	if a := w.post("/v1/analyze", `{"prompt": "x"}`); a.status != 200 {
		t.Fatal(a.status, a.body)
	}
	p := shown()
	if m := p.Standing[0]; p.Health != "healthy" || m.Calls != 1 || m.SuccessShare == nil || *m.SuccessShare != 1 || m.Latency.P95 == nil || *m.Latency.P95 < *m.Latency.P50 || m.RestMS != 0 {
		t.Errorf("after a good call: %+v", p)
	}
	w.service.Queue(providertest.Reply{Status: 429, Body: "{}", Header: map[string][]string{"Retry-After": {"30"}}})
	w.post("/v1/analyze", `{"prompt": "y", "options": {"timeout_ms": 5000}}`).problem(t, 502, "LLM_PROVIDER_ERROR")
	p = shown()
	if m := p.Standing[0]; p.Health != "degraded" || m.RestMS <= 20_000 || m.RestMS > 30_000 || p.Credentials.Resting != 1 || p.Limit >= 64 || *m.SuccessShare != 0.5 || m.Breaker != "closed" {
		t.Errorf("after a refusal: %+v", p)
	}
}
