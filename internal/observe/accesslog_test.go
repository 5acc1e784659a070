package observe

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func access() *Access {
	return &Access{
		Time: time.Date(2026, 11, 24, 10, 20, 30, 123e6, time.UTC), Duration: 1500 * time.Microsecond,
		Method: "POST", Path: "/v1/analyze", Route: "/v1/analyze", Protocol: "1.1", Status: 200, RequestBytes: 512, ResponseBytes: 2048,
		RequestID: "0193-abc", ClientRequestID: "mine-1", TraceID: "0af7651916cd43dd8448eb211c80319c", SpanID: "b7ad6b7169203331",
		Client: "10.0.0.7", UserAgent: "curl/8.5.0", KeyID: "key_1", Team: "blue", Provider: "openai", Model: "gpt-4.1-mini",
		Schema: "invoice@3", Validation: "passed", Attempts: 2, Streamed: true, Overhead: 200 * time.Microsecond,
	}
}

func TestAccessLineIsInTheElasticCommonSchema(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	seen.Access.Write(access())
	want := map[string]any{
		"@timestamp": "2026-11-24T10:20:30.123Z", "log.level": "info", "message": "POST /v1/analyze 200 1.500 ms",
		"ecs.version": ecsVersion, "service.name": "promptd", "service.version": "1.2.3",
		"event.dataset": "promptd.access", "event.kind": "event", "event.category": []any{"web"}, "event.type": []any{"access"}, "event.outcome": "success", "event.duration": 1.5e6,
		"http.request.method": "POST", "http.request.id": "0193-abc", "http.request.body.bytes": 512.0, "http.response.status_code": 200.0, "http.response.body.bytes": 2048.0,
		"http.version": "1.1", "url.path": "/v1/analyze", "client.address": "10.0.0.7", "user_agent.original": "curl/8.5.0",
		"trace.id": "0af7651916cd43dd8448eb211c80319c", "span.id": "b7ad6b7169203331", "user.id": "key_1", "user.group.name": "blue",
		"promptd.route": "/v1/analyze", "promptd.client_request_id": "mine-1", "promptd.provider": "openai", "promptd.model": "gpt-4.1-mini",
		"promptd.schema": "invoice@3", "promptd.validation_status": "passed", "promptd.attempts": 2.0, "promptd.streamed": true, "promptd.overhead": 2e5,
	}
	if diff := cmp.Diff([]map[string]any{want}, records(t, out.String())); diff != "" {
		t.Errorf("the access line (-want +got):\n%s", diff)
	}
}

func TestAccessLineSaysHowItFailed(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	seen.Access.Write(&Access{Time: time.Unix(0, 0), Method: "GET", Path: "/x", Status: 503, Code: "OVERLOADED", RequestID: "r"})
	got := records(t, out.String())[0]
	for name, want := range map[string]any{"event.outcome": "failure", "error.code": "OVERLOADED", "log.level": "error", "message": "GET - 503 0.000 ms"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for _, name := range []string{"user.id", "trace.id", "promptd.model", "promptd.cached", "promptd.attempts"} {
		if _, there := got[name]; there {
			t.Errorf("%s is there, and nothing is known of it", name)
		}
	}
}

// FuzzAccess holds that whatever a caller sends, the line is one line of JSON that gives the same text back.
func FuzzAccess(f *testing.F) {
	f.Add("POST", "/v1/analyze", "curl/8")
	f.Add("G\"T", "/\x00\n\u2028\\", "\xff\xfe\x7f")
	f.Add("", "\x80", "\xe6\xbc") // Neither is valid, what they make together is.
	f.Add("", "\xed\xa0\x80", "\u2029é漢😀\ufffd")
	f.Fuzz(func(t *testing.T, method, path, agent string) {
		a := access()
		a.Method, a.Route, a.Path, a.UserAgent = method, path, path, agent
		line := string(a.appendJSON(nil, nil))
		if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "}\n") || strings.ContainsAny(line, "\u2028\u2029\r") {
			t.Fatalf("%q is not one line", line)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q is no JSON: %v", line, err)
		}
		for name, want := range map[string]string{"http.request.method": method, "url.path": path, "user_agent.original": agent} {
			if utf8.ValidString(want) && want != "" && got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
	})
}

func BenchmarkAccess(b *testing.B) {
	a := access()
	b.Run("line", func(b *testing.B) {
		line := make([]byte, 0, 2048)
		b.ReportAllocs()
		for b.Loop() {
			line = a.appendJSON(line[:0], nil)
		}
	})
	for _, running := range []bool{false, true} {
		b.Run(map[bool]string{false: "unbuffered", true: "running"}[running], func(b *testing.B) {
			seen, err := New(Config{Service: "promptd", Version: "1", Out: &discard{}})
			if err != nil {
				b.Fatal(err)
			}
			if running {
				go func() { _ = seen.Run(b.Context()) }()
			}
			b.ReportAllocs()
			for b.Loop() {
				seen.Access.Write(a)
			}
		})
	}
}
