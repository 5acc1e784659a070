package dropin

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/value"
)

func TestSizeCountsWhatAServiceReadsAndWrites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		format dialect.Format
		body   string
		want   Size
	}{
		{"a text", dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"12345"}]}`, Size{Bytes: len("model" + "m" + "messages" + "role" + "user" + "content" + "12345")}},
		{"a bound", dialect.Chat, `{"max_tokens":7}`, Size{Bytes: len("max_tokens7"), Output: 7}},
		{"two bounds", dialect.Chat, `{"max_tokens":7,"max_completion_tokens":9}`, Size{Bytes: len("max_tokens7max_completion_tokens9"), Output: 9}},
		{"several answers", dialect.Chat, `{"max_tokens":7,"n":3}`, Size{Bytes: len("max_tokens7n3"), Output: 21}},
		{"responses", dialect.Responses, `{"max_output_tokens":5,"max_tokens":9}`, Size{Bytes: len("max_output_tokens5max_tokens9"), Output: 5}},
		{"an image", dialect.Chat, `["data:image/png;base64,AAAAAAAAAAAA","x"]`, Size{Bytes: 1, Files: 1}},
		{"no numbers", dialect.Chat, `{"max_tokens":"7","n":1.5}`, Size{Bytes: len("max_tokens7n1.5")}},
		{"out of bounds", dialect.Chat, `{"max_tokens":-1,"n":99999999999999999999}`, Size{Bytes: len("max_tokens-1n99999999999999999999")}},
		{"a product out of bounds", dialect.Chat, `{"max_tokens":1000000000000,"n":1000000}`, Size{Bytes: len("max_tokens1000000000000n1000000"), Output: 1000000000000}},
	} {
		q := &Request{Format: c.format, body: decoded(t, c.body)}
		if got := q.Size(); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func FuzzSizeIsBounded(f *testing.F) {
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":5,"n":2}`))
	f.Add([]byte(`{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		q, err := Read(dialect.Chat, raw, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
		if err != nil {
			return
		}
		if s := q.Size(); s.Bytes < 0 || s.Files < 0 || s.Output < 0 || s.Bytes > 8*len(raw) {
			t.Errorf("%q: got %+v, want counts within the body's size", raw, s)
		}
	})
}

func decoded(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}
