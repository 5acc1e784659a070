package api_test

import (
	"bytes"
	"net/http"
	"testing"
)

// Whatever bytes come as a body, the answer is a result or a fault of the caller, never one of the service.
func FuzzAnalyzeBody(f *testing.F) {
	for _, body := range []string{
		askNumber, streamNumber, ``, `{}`, `[]`, `null`, `{"prompt": "x"}`, `{"prompt": "x", "schema": {"type": "array", "items": {"type": "string"}}}`,
		`{"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}]}`,
		`{"prompt": "x", "format": "toon", "options": {"temperature": 0, "cache_ttl": 60, "model": "scripted/small", "coercion": "lenient", "max_attempts": 1}}`,
		`{"prompt": "x", "schema": {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}}}}}`,
		`{"prompt": "x", "schema": {"type": "string", "pattern": "^(a+)+$", "minLength": 3}}`, `{"prompt": "x", "schema": {"not": {}}}`,
		`{"prompt": "\ud83d\ude00", "options": {"timeout_ms": 100, "bypass_cache": true}}`, "{\"prompt\": \"\x00\"}", "\xef\xbb\xbf{}",
	} {
		f.Add([]byte(body))
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		here := *w
		here.tb = t
		a := here.do(ask{method: "POST", path: "/v1/analyze", reader: bytes.NewReader(body), header: http.Header{"Content-Type": {"application/json"}}})
		// A schema that no value satisfies may take its time, and so may a machine under load.
		if a.status >= 500 && a.status != http.StatusGatewayTimeout {
			t.Errorf("%q: got %d: %s", body, a.status, a.body)
		}
	})
}
