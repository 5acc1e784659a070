package llamacpp_test

import (
	"context"
	"log/slog"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/local"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

const orderSchema = `{"type":"object","properties":{"name":{"type":"string","maxLength":20},"quantity":{"type":"integer","minimum":40,"maximum":49}},` +
	`"required":["name","quantity"],"additionalProperties":false}`

// engine starts the real engine where its parts are installed; installing them is the business of package local's own tests.
func engine(t *testing.T) local.Endpoint {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (10 s)")
	}
	choice, err := local.Find(t.Context(), local.Look{})
	if err != nil || choice.Endpoint.Source != "installed" {
		t.Skipf("SKIPPED: the local model is not installed here: %v", err)
	}
	sup := local.New(choice, local.Settings{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1) // Run returns once
	go func() { done <- sup.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
	})
	waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := sup.Wait(waiting)
	if err != nil {
		t.Fatalf("the real engine does not come up: %v", err)
	}
	return e
}

func TestRealEngineTakesWhatIsEncoded(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the real local model needs Python")
	}
	e := engine(t)
	compiled, err := schema.Compile(decode(t, orderSchema), schema.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name       string
		mode       lowering.Mode
		llguidance bool
		stream     bool
	}{
		{"grammar", lowering.Grammar, true, false},
		{"grammar streamed", lowering.Grammar, true, true},
		{"converter", lowering.Grammar, false, false},
		{"JSON mode streamed", lowering.JSON, false, true},
		{"free", lowering.Prompt, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := provider.New(provider.Account{
				Name: "local", Dialect: llamacpp.New(), BaseURL: e.BaseURL, Timeout: time.Minute, FirstByteTimeout: time.Minute,
				Header: http.Header{"Authorization": {"Bearer " + e.APIKey}},
				Models: []provider.Model{{Name: e.Model, Capability: dialect.Capability{LLGuidance: c.llguidance, Logprobs: true}}},
			}, provider.Transport())
			if err != nil {
				t.Fatal(err)
			}
			var streamed string
			var sink func(string) error
			if c.stream {
				sink = func(text string) error {
					streamed += text
					return nil
				}
			}
			reply, a, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{
				Messages: []dialect.Message{
					{Role: dialect.System, Parts: []dialect.Part{{Text: "Answer with JSON that has name and quantity."}}},
					{Role: dialect.User, Parts: []dialect.Part{{Text: "Please send 5 blue chairs to Anna."}}},
				},
				Output: dialect.Output{Mode: c.mode, Schema: decode(t, orderSchema)}, MaxTokens: 60, Logprobs: true,
			}, sink)
			if err != nil {
				t.Fatal(err)
			}
			if c.stream && streamed != reply.Text {
				t.Errorf("streamed %q, the reply has %q", streamed, reply.Text)
			}
			if !reply.Usage.Known || reply.Usage.Input == 0 || reply.Usage.Output == 0 || len(reply.Logprobs) == 0 || reply.Model == "" {
				t.Errorf("usage %+v, %d log-probabilities, model %q: all of them are told", reply.Usage, len(reply.Logprobs), reply.Model)
			}
			t.Logf("%s after %s (%d log-probabilities): %q", a.Outcome, a.Total.Round(time.Millisecond), len(reply.Logprobs), reply.Text)
			if c.mode != lowering.Grammar {
				return
			}
			if reply.Stop != dialect.StopComplete {
				t.Errorf("stop is %v (%s), want complete", reply.Stop, reply.NativeStop)
			}
			valid, report := compiled.Accept(t.Context(), decode(t, reply.Text))
			if !valid.OK() {
				t.Errorf("%s breaks the schema: %+v", reply.Text, report.Errors)
			}
		})
	}
}

// TestRealEngineCompilesEveryFormat: what it cannot compile it answers without any constraint, and nothing in the answer says so.
func TestRealEngineCompilesEveryFormat(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the real local model needs Python")
	}
	e := engine(t)
	capability := dialect.Capability{LLGuidance: true, Small: true}
	p, err := provider.New(provider.Account{
		Name: "local", Dialect: llamacpp.New(), BaseURL: e.BaseURL, Timeout: time.Minute, FirstByteTimeout: time.Minute,
		Header: http.Header{"Authorization": {"Bearer " + e.APIKey}}, Models: []provider.Model{{Name: e.Model, Capability: capability}},
	}, provider.Transport())
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "uri-reference", "regex"} {
		for _, bound := range []string{"", `,"maxLength":40`} {
			s, err := schema.Compile(decode(t, `{"type":"object","properties":{"a":{"type":"string","format":"`+format+`"`+bound+`}},"required":["a"]}`), schema.Options{})
			if err != nil {
				t.Fatal(err)
			}
			l := lowering.Lower(s, llamacpp.New().Profile(capability))
			reply, _, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{
				Messages: []dialect.Message{{Role: dialect.User, Parts: []dialect.Part{{Text: "Say hello."}}}},
				Output:   dialect.Output{Mode: l.Mode, Schema: l.Capped()}, MaxTokens: 8,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(reply.Text, `{"a":"`) {
				t.Errorf("format %s%s: the engine answers without the grammar: %q", format, bound, reply.Text)
			}
		}
	}
}

func decode(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
	return v
}
