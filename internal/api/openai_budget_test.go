package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

// relayed is a request without a schema.
func relayed(more string) string {
	return `{"model":"small","messages":[{"role":"user","content":"Hi"}]` + more + `}`
}

// A cent is above what one answer of the model may cost, and below what each of these may.
func TestARelayedRequestReservesAllThatItMayCost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.newKey(key.Key{Name: "cent", Scopes: key.AllScopes, Budget: &key.Budget{Limit: 10_000_000, Period: key.Daily}})
	images := strings.Repeat(`,{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}`, 60)
	for name, body := range map[string]string{
		"answers without a bound":        relayed(`,"n":128`),
		"answers in another spelling":    relayed(`,"n":8.0,"max_tokens":4096`),
		"more answers than can counted":  relayed(`,"n":99999999999999999999`),
		"the larger bound":               relayed(`,"max_completion_tokens":1,"max_tokens":30000`),
		"a text that begins like a file": `{"model":"small","max_tokens":1,"messages":[{"role":"user","content":"data: ` + strings.Repeat("long ", 40_000) + `"}]}`,
		"images elsewhere":               `{"model":"small","max_tokens":1,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}` + images + `]}]}`,
	} {
		a := w.do(ask{method: "POST", path: chat, key: secret, body: body})
		if got := a.refused(t, http.StatusPaymentRequired, "budget_exceeded", ""); got.Error.Type != "insufficient_quota" {
			t.Errorf("%s: got %s, want the type that clients know", name, a.body)
		}
	}
	if n := w.service.Requests(); n != 0 {
		t.Errorf("got %d calls to the service, want none", n)
	}
	if a := w.do(ask{method: "POST", path: chat, key: secret, body: relayed("")}); a.status != http.StatusOK {
		t.Errorf("got %d %s for a request within the budget", a.status, a.body)
	}
}

func TestAStreamCostsWhatItTookAndNotAllThatItMight(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secret := w.newKey(key.Key{Name: "streams", Scopes: key.AllScopes, Budget: &key.Budget{Limit: 10_000_000, Period: key.Daily}})
	w.service.Queue(providertest.Reply{Text: "Hello yourself.", Usage: &providertest.Usage{PromptTokens: 100, CompletionTokens: 50}})
	a := w.do(ask{method: "POST", path: chat, key: secret, body: relayed(`,"stream":true`)})
	if a.status != http.StatusOK || strings.Contains(a.body, `"usage":{`) || !strings.HasSuffix(a.body, "data: [DONE]\n\n") {
		t.Errorf("got %d %s, want a stream without a count that nobody asked for", a.status, a.body)
	}
	if mine, _ := w.me(secret); nanos(t, mine.Budget.Spent) != 100*100+50*400 {
		t.Errorf("%s are spent, want the cost of 100 and 50 tokens", mine.Budget.Spent)
	}
}

func TestWhatABudgetCantReserveIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	budget := w.newKey(key.Key{Name: "budget", Scopes: key.AllScopes, Budget: &key.Budget{Limit: 1_000_000_000, Period: key.Daily}})
	listed := w.newKey(key.Key{Name: "listed", Scopes: key.AllScopes, Models: []string{"small"}, PromptChars: 5})
	long := `{"model":"small","messages":[{"role":"user","content":"Hello, hello"}],"input":"Hello, hello"}`
	for _, c := range []struct{ path, key, body, code, param string }{
		{chat, budget, relayed(`,"models":["a/b"]`), "unsupported_parameter", "models"},
		{chat, budget, relayed(`,"service_tier":"priority"`), "unsupported_parameter", "service_tier"},
		{chat, budget, relayed(`,"n":1.5`), "invalid_type", "n"},
		{chat, budget, relayed(`,"tools":[{"type":"web_search"}]`), "unsupported_parameter", "tools[0].type"},
		{responses, budget, `{"model":"small","input":"Hi","previous_response_id":"x"}`, "unsupported_parameter", "previous_response_id"},
		{chat, listed, relayed(`,"route":"fallback"`), "unsupported_parameter", "route"},
		{chat, listed, long, "string_above_max_length", "messages"},
		{responses, listed, long, "string_above_max_length", "input"},
		{chat, budget, relayed(`,"promptd":{"missing":"ask"}`), "unsupported_parameter", "promptd.missing"},
	} {
		w.do(ask{method: "POST", path: c.path, key: c.key, body: c.body}).refused(t, http.StatusBadRequest, c.code, c.param)
	}
	if n := w.service.Requests(); n != 0 {
		t.Errorf("got %d calls to the service, want none", n)
	}
	if a := w.post(chat, relayed(`,"models":["a/b"],"service_tier":"priority","promptd":null`)); a.status != http.StatusOK {
		t.Errorf("got %d %s for a key without limits, want what it sent relayed", a.status, a.body)
	}
}
