package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/delivery"
)

// repeated is a POST that is sent twice under one idempotency key.
type repeated struct {
	route, path, body string
	status            int
	// other is a body under the same key that is refused; empty where the route takes one body alone.
	other string
}

// TestEveryPostIsAnsweredOnce goes over every POST of the OpenAPI document: under one Idempotency-Key and with one body the second answer is the first one, and
// another body is a conflict. A route that is new has to be added here.
func TestEveryPostIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	all := w.posts(t)
	var documented, tried []string
	for path, methods := range contract(t).paths {
		if _, ok := methods["post"]; ok {
			documented = append(documented, path)
		}
	}
	for _, one := range all {
		tried = append(tried, one.route)
		send := func(body string) answer {
			return w.do(ask{method: "POST", path: one.path, body: body, header: http.Header{"Idempotency-Key": {"key-of-" + one.route}}})
		}
		first := send(one.body)
		if first.status != one.status {
			t.Errorf("%s: got %d %.300s, want %d", one.route, first.status, first.body, one.status)
			continue
		}
		again := send(one.body)
		if again.status != first.status || again.body != first.body || again.header.Get("Idempotent-Replayed") != "true" || first.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("%s again: got %d %.300s (replayed: %q), want the first answer, %d %.300s",
				one.route, again.status, again.body, again.header.Get("Idempotent-Replayed"), first.status, first.body)
		}
		if location := again.header.Get("Location"); location != first.header.Get("Location") {
			t.Errorf("%s again: got Location %q, want %q", one.route, location, first.header.Get("Location"))
		}
		if one.other != "" {
			if a := send(one.other); a.status != http.StatusConflict {
				t.Errorf("%s with another body: got %d %.300s, want 409", one.route, a.status, a.body)
			}
		}
	}
	slices.Sort(documented)
	slices.Sort(tried)
	if !slices.Equal(documented, tried) {
		t.Errorf("POST routes\ndocumented: %s\ntried:      %s", strings.Join(documented, " "), strings.Join(tried, " "))
	}
}

// posts makes what the routes need, and gives a call of each.
func (w *world) posts(t *testing.T) []repeated {
	t.Helper()
	made := func(path, body, field string) string {
		t.Helper()
		var got map[string]any
		a := w.post(path, body)
		a.into(t, a.status, &got)
		text, _ := got[field].(string)
		if a.status >= 300 || text == "" {
			t.Fatalf("POST %s: got %d %s, want a %s", path, a.status, a.body, field)
		}
		return text
	}
	gone := func(path string) {
		t.Helper()
		if a := w.do(ask{method: "DELETE", path: path}); a.status >= 300 {
			t.Fatalf("DELETE %s: got %d %s", path, a.status, a.body)
		}
	}
	for _, name := range []string{"kept", "gone", "again"} {
		made("/v1/schemas", `{"name": "`+name+`", "schema": `+numberSchema+`}`, "name")
		made("/v1/templates", `{"name": "`+name+`", "text": "How many? {{ text }}", "parameters": {"text": {"type": "string"}}, "tests": [{"name": "a", "parameters": {"text": "Three."}}]}`, "name")
	}
	for _, kind := range []string{"/v1/schemas/", "/v1/templates/"} {
		gone(kind + "gone")
		gone(kind + "again/versions/1")
	}
	hook := made("/v1/webhooks", `{"url": "`+newReceiver(t, http.StatusGone).URL+`"}`, "id")
	second := made("/v1/webhooks", `{"url": "`+newReceiver(t, http.StatusOK).URL+`"}`, "id")
	id := made("/v1/keys", `{"name": "rotated"}`, "id")
	job := made("/v1/jobs", `{"prompt": "Hi", "run_at": "`+inDays(1)+`"}`, "job_id")
	gone("/v1/jobs/" + job)
	const prompt = `{"prompt": "How many? Three.", "schema": ` + numberSchema + `}`
	const chat = `{"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}`
	const text = `{"parameters": {"text": "Three."}}`
	return []repeated{
		{"/v1/analyze", "/v1/analyze", prompt, 200, `{"prompt": "Hi"}`},
		{"/v1/analyze/batch", "/v1/analyze/batch", `{"items": [` + prompt + `]}`, 200, `{"items": [{"prompt": "Hi"}]}`},
		{"/v1/chat/completions", "/v1/chat/completions", chat, 200, strings.Replace(chat, "Hello", "Hi", 1)},
		{"/v1/responses", "/v1/responses", `{"model": "auto", "input": "Hello"}`, 200, `{"model": "auto", "input": "Hi"}`},
		{"/v1/schemas", "/v1/schemas", `{"name": "new", "schema": {"type": "array"}}`, 201, `{"name": "newer", "schema": {"type": "array"}}`},
		{"/v1/schemas/{name}/restore", "/v1/schemas/gone/restore", "", 200, ""},
		{"/v1/schemas/{name}/versions/{version}/restore", "/v1/schemas/again/versions/1/restore", "", 200, ""},
		{"/v1/schemas/{name}/compatibility", "/v1/schemas/kept/compatibility", `{"schema": true}`, 200, `{"schema": {}}`},
		{"/v1/schemas/check", "/v1/schemas/check", `{"schema": ` + numberSchema + `}`, 200, `{"schema": true}`},
		{"/v1/schemas/infer", "/v1/schemas/infer", `{"examples": [{"value": {"n": 1}}]}`, 200, `{"examples": [{"value": {"n": 2}}]}`},
		{"/v1/templates", "/v1/templates", `{"name": "new", "text": "Hello"}`, 201, `{"name": "newer", "text": "Hello"}`},
		{"/v1/templates/{name}/restore", "/v1/templates/gone/restore", "", 200, ""},
		{"/v1/templates/{name}/versions/{version}/restore", "/v1/templates/again/versions/1/restore", "", 200, ""},
		{"/v1/templates/{name}/render", "/v1/templates/kept/render", text, 200, `{"parameters": {"text": "Four."}}`},
		{"/v1/templates/{name}/versions/{version}/render", "/v1/templates/kept/versions/1/render", text, 200, `{"parameters": {"text": "Four."}}`},
		{"/v1/templates/{name}/test", "/v1/templates/kept/test", "", 200, ""},
		{"/v1/templates/{name}/versions/{version}/test", "/v1/templates/kept/versions/1/test", "", 200, ""},
		{"/v1/jobs", "/v1/jobs", `{"prompt": "Hi", "run_at": "` + inDays(1) + `"}`, 202, `{"prompt": "Hi"}`},
		{"/v1/jobs/{id}/retry", "/v1/jobs/" + job + "/retry", "", 200, ""},
		{"/v1/webhooks", "/v1/webhooks", `{"url": "https://example.com/a"}`, 201, `{"url": "https://example.com/b"}`},
		{"/v1/webhooks/{id}/rotate", "/v1/webhooks/" + second + "/rotate", "", 200, `{"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}`},
		{"/v1/webhooks/{id}/ping", "/v1/webhooks/" + hook + "/ping", "", 200, ""},
		{"/v1/deliveries/{id}/redeliver", "/v1/deliveries/" + w.deliver(t, delivery.EndpointID(second)) + "/redeliver", "", 202, ""},
		{"/v1/keys", "/v1/keys", `{"name": "a"}`, 201, `{"name": "b"}`},
		{"/v1/keys/{id}/rotate", "/v1/keys/" + id + "/rotate", "", 200, ""},
	}
}
