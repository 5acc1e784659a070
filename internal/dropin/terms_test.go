package dropin

import (
	"testing"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
)

func TestTermsRefuseByNameWhatCouldNotBeReserved(t *testing.T) {
	t.Parallel()
	free, listed, paid := Terms{}, Terms{Models: true}, Terms{Paid: true}
	budget := Terms{Budget: true, Paid: true}
	for _, c := range []struct {
		format dialect.Format
		terms  Terms
		body   string
		want   string
	}{
		{dialect.Chat, free, `{"models":["a"],"route":"fallback","service_tier":"priority","n":1.5,"tools":[{"type":"web_search"}]}`, ""},
		{dialect.Chat, listed, `{"models":["a/b"]}`, "/models"},
		{dialect.Chat, listed, `{"route":"fallback"}`, "/route"},
		{dialect.Chat, listed, `{"preset":"x"}`, "/preset"},
		{dialect.Chat, listed, `{"fallbacks":["a"]}`, "/fallbacks"},
		{dialect.Chat, listed, `{"service_tier":"priority","plugins":[{}],"provider":{},"prediction":{},"tools":[{"type":"web_search"}],"n":1.5}`, ""},
		{dialect.Chat, paid, `{"models":["a"],"n":2}`, ""},
		{dialect.Chat, paid, `{"n":1.5}`, "/n"},
		{dialect.Chat, paid, `{"n":"2"}`, "/n"},
		{dialect.Chat, paid, `{"n":0}`, "/n"},
		{dialect.Chat, budget, `{"n":5.0,"models":[],"plugins":null,"service_tier":"flex","modalities":["text"],"tools":[{"type":"function"},{"type":"custom"},{"function":{}}],"top_k":1}`, ""},
		{dialect.Chat, budget, `{"models":["a"]}`, "/models"},
		{dialect.Chat, budget, `{"service_tier":"priority"}`, "/service_tier"},
		{dialect.Chat, budget, `{"plugins":[{"id":"web"}]}`, "/plugins"},
		{dialect.Chat, budget, `{"provider":{"order":["a"]}}`, "/provider"},
		{dialect.Chat, budget, `{"prediction":{"type":"content","content":"x"}}`, "/prediction"},
		{dialect.Chat, budget, `{"web_search_options":{}}`, "/web_search_options"},
		{dialect.Chat, budget, `{"modalities":["text","audio"]}`, "/modalities"},
		{dialect.Chat, budget, `{"audio":{}}`, "/audio"},
		{dialect.Chat, budget, `{"tools":[{"type":"function"},{"type":"web_search"}]}`, "/tools/1/type"},
		{dialect.Chat, budget, `{"previous_response_id":"x"}`, ""}, // It is no parameter there.
		{dialect.Responses, budget, `{"previous_response_id":"x"}`, "/previous_response_id"},
		{dialect.Responses, budget, `{"conversation":"x"}`, "/conversation"},
		{dialect.Responses, budget, `{"prompt":{"id":"x"}}`, "/prompt"},
		{dialect.Responses, budget, `{"tools":[{"type":"code_interpreter"}]}`, "/tools/0/type"},
		{dialect.Responses, budget, `{"input":[{"role":"user","content":"x"},{"type":"item_reference","id":"x"}]}`, "/input/1/type"},
		{dialect.Responses, paid, `{"previous_response_id":"x","input":[{"type":"item_reference"}]}`, ""},
	} {
		q := &Request{Format: c.format, body: decoded(t, c.body)}
		got, hint := "", "some"
		if err := q.Check(c.terms); err != nil {
			entry := fault.Of(err).Entries[0]
			got, hint = entry.Pointer, entry.Hint
		}
		if got != c.want || hint == "" {
			t.Errorf("%+v: %s: got %q with the remedy %q, want %q", c.terms, c.body, got, hint, c.want)
		}
	}
}
