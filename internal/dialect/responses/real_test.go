package responses_test

import (
	"context"
	"log/slog"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/responses"
	"github.com/promptd/promptd/internal/local"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestRealServerTakesWhatIsEncoded asks the local model through the responses face of its server: one more implementation of the format.
// 2026-11-26, llama.cpp's server: it takes text.format and does not hold the answer to it, and an answer that was cut at max_output_tokens is completed. So
// the answer's form is not judged here, and the dialect for that server is llamacpp.
func TestRealServerTakesWhatIsEncoded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real local model (10 s)")
	}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("SKIPPED: the real local model needs Python")
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
	raw, err := value.DecodeString(`{"type":"object","properties":{"name":{"type":"string","maxLength":20},"quantity":{"type":"integer"}},`+
		`"required":["name","quantity"],"additionalProperties":false}`, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := provider.New(provider.Account{
		Name: "local", Dialect: responses.New(), BaseURL: e.BaseURL + "/v1", Timeout: time.Minute, FirstByteTimeout: time.Minute,
		Header: http.Header{"Authorization": {"Bearer " + e.APIKey}}, Models: []provider.Model{{Name: e.Model}},
	}, provider.Transport())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [...]struct {
		name string
		mode lowering.Mode
		sink bool
	}{
		{"strict", lowering.Strict, false},
		{"strict streamed", lowering.Strict, true},
		{"free", lowering.Prompt, false},
		{"free streamed", lowering.Prompt, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			streamed := ""
			var sink func(string) error
			if c.sink {
				sink = func(text string) error { streamed += text; return nil }
			}
			reply, _, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{
				Messages: []dialect.Message{
					{Role: dialect.System, Parts: []dialect.Part{{Text: "Answer with JSON that has name and quantity."}}},
					{Role: dialect.User, Parts: []dialect.Part{{Text: "Please send 5 blue chairs to Anna."}}},
				},
				Output: dialect.Output{Mode: c.mode, Schema: raw}, MaxTokens: 40,
			}, sink)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %q", reply.NativeStop, reply.Text)
			if c.sink && streamed != reply.Text {
				t.Errorf("streamed %q, the reply has %q", streamed, reply.Text)
			}
			if reply.Text == "" || reply.Stop == dialect.StopError || !reply.Usage.Known || reply.Usage.Output == 0 || reply.Model == "" || reply.RequestID == "" {
				t.Errorf("not all is told: %+v", reply)
			}
		})
	}
}
