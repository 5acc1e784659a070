package observe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// output collects what is written, for reading in between.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// records parses every line as a JSON object.
func records(t *testing.T, text string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("the line %q is no JSON: %v", line, err)
		}
		// A name that is there twice would be lost in the map.
		if n := strings.Count(line, `"http.request.id":`); n > 1 {
			t.Errorf("a name is there %d times: %s", n, line)
		}
		out = append(out, m)
	}
	return out
}

func logger(t *testing.T, format string) (*Telemetry, *output) {
	t.Helper()
	out := &output{}
	seen, err := New(Config{Service: "promptd", Version: "1.2.3", LogFormat: format, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	return seen, out
}

func TestLogLinesAreInTheElasticCommonSchema(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	ctx := WithRequestID(context.Background(), "req-1")
	ctx = seen.Tracer.Resume(ctx, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	seen.Log.WarnContext(ctx, "provider is slow", "provider", "openai", "error", errors.New("timeout"), "took", time.Second, slog.Group("limits", "rpm", 5), "event.dataset", "promptd.provider")
	seen.Log.With("step", "call").Info("plain")
	got := records(t, out.String())
	if len(got) != 2 {
		t.Fatalf("%d lines, want 2: %s", len(got), out)
	}
	for name, want := range map[string]any{
		"log.level": "warn", "message": "provider is slow", "ecs.version": ecsVersion, "service.name": "promptd", "service.version": "1.2.3",
		"trace.id": "0af7651916cd43dd8448eb211c80319c", "span.id": "b7ad6b7169203331", "http.request.id": "req-1", "error.message": "timeout",
		"promptd.provider": "openai", "promptd.took": 1e9, "event.dataset": "promptd.provider",
	} {
		if got[0][name] != want {
			t.Errorf("%s is %v, want %v", name, got[0][name], want)
		}
	}
	stamp, ok := got[0]["@timestamp"].(string)
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", stamp); !ok || err != nil {
		t.Errorf("@timestamp is %v, want a time in UTC with milliseconds", got[0]["@timestamp"])
	}
	for _, name := range []string{"time", "level", "msg", "error", "provider"} {
		if _, there := got[0][name]; there {
			t.Errorf("%s is not a name of the schema", name)
		}
	}
	if got[1]["promptd.step"] != "call" || got[1]["trace.id"] != nil {
		t.Errorf("the second line is %v", got[1])
	}
}

func TestTextLogIsForPeople(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "text")
	seen.Log.Info("ready", "address", "127.0.0.1:8420", "api_key", "hunter2")
	seen.Access.Write(access())
	if s := out.String(); !strings.Contains(s, "msg=ready") || strings.Contains(s, "hunter2") || !strings.Contains(s, "POST /v1/analyze 200") || strings.Contains(s, "{") {
		t.Errorf("the text log is %q", s)
	}
}

func TestLevelChangesAtOnce(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	seen.Log.Debug("one")
	if err := seen.SetLevel("debug"); err != nil {
		t.Fatal(err)
	}
	seen.Log.Debug("two")
	if err := seen.SetLevel("error"); err != nil {
		t.Fatal(err)
	}
	seen.Log.Warn("three")
	seen.Access.Write(&Access{Status: 200, Path: "/four"})
	seen.Access.Write(&Access{Status: 500, Path: "/five"})
	if s := out.String(); strings.Contains(s, "one") || !strings.Contains(s, "two") || strings.Contains(s, "three") || strings.Contains(s, "four") || !strings.Contains(s, "five") {
		t.Errorf("the log is %q, want two and five alone", s)
	}
	if err := seen.SetLevel("loud"); err == nil {
		t.Error("the level loud was taken")
	}
	for _, c := range []Config{{LogLevel: "loud"}, {LogFormat: "xml"}, {OTLPEndpoint: "nowhere"}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) found nothing wrong", c)
		}
	}
}

func TestSecretsAreMaskedInLogs(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	const secret = "s3cr3t-s3cr3t-s3cr3t"
	for _, key := range []string{"api_key", "apiKey", "X-Api-Key", "authorization", "Authorization", "password", "db_password", "client_secret", "session_token", "token", "cookie", "prompt", "messages", "secret_key", "access_key"} {
		seen.Log.Info("m", key, secret)
		seen.Log.Info("m", slog.Group("g", key, secret))
		seen.Log.With(key, secret).WithGroup("h").Info("m", key, []string{secret})
	}
	seen.Log.Info("call with Bearer " + secret + " refused")
	seen.Log.Info("m", "error", errors.New(`Post "https://user:`+secret+`@host/v1": key pd_live_`+secret+" or sk-"+secret))
	seen.Log.Info("m", "url", "redis://:"+secret+"@host:6379/0", "struct", struct{ A string }{"pd_live_" + secret})
	if strings.Contains(out.String(), secret) {
		for line := range strings.Lines(out.String()) {
			if strings.Contains(line, secret) {
				t.Errorf("a secret was logged: %s", line)
			}
		}
	}
	records(t, out.String())
}

func TestOrdinaryWordsAreNotMasked(t *testing.T) {
	t.Parallel()
	seen, out := logger(t, "json")
	seen.Log.Info("task-queue-of-the-worker-is-long", "input_tokens", 5, "first_token", "1s", "max_tokens", 7, "url", "http://127.0.0.1:8080/v1", "key_id", "k1", "path", "/a/b@c", "prompt_chars", 3, "mail", "bearer of news")
	if strings.Contains(out.String(), masked) {
		t.Errorf("something ordinary was masked: %s", out)
	}
}

func BenchmarkLog(b *testing.B) {
	seen, err := New(Config{Service: "promptd", Out: &discard{}})
	if err != nil {
		b.Fatal(err)
	}
	ctx := WithRequestID(context.Background(), "req-1")
	b.ReportAllocs()
	for b.Loop() {
		seen.Log.InfoContext(ctx, "something happened", "provider", "openai", "model", "gpt", "attempt", 3, "took", time.Second)
	}
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }
