package prompt_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

func mustDecode(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTheRequestsOptionsLieOverTheTemplates(t *testing.T) {
	t.Parallel()
	defaults := prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4}
	q, err := prompt.Read(mustDecode(t, `{"template": "invoice", "parameters": {"a": 1}, "options": {"temperature": 0.7, "model": null}}`), defaults)
	if err != nil {
		t.Fatal(err)
	}
	if q.Template == nil || q.Template.Ref != "invoice" || q.Template.Parameters.String() != `{"a":1}` {
		t.Fatalf("the template is %+v", q.Template)
	}
	for _, c := range []struct {
		template string
		change   func(*prompt.Options)
	}{
		{`null`, func(*prompt.Options) {}},
		{`{"temperature": 0, "max_tokens": 9, "timeout_ms": 500}`, func(o *prompt.Options) { o.MaxTokens, o.Timeout = 9, 500*time.Millisecond }},
		{`{"model": "x", "provider": "p", "coercion": "off"}`, func(o *prompt.Options) { o.Provider, o.Coercion = "p", schema.Off }},
	} {
		want := q.Options
		c.change(&want)
		got, err := q.Template.Options(mustDecode(t, c.template))
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.template, d)
		}
	}
	if _, err := q.Template.Options(mustDecode(t, `{"max_tokens": 0}`)); !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("options out of range: got %v", err)
	}
}
