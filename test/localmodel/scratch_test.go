package localmodel

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/llamacpp"
	"github.com/promptd/promptd/internal/local"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
)

func TestScratch(t *testing.T) {
	choice, err := local.FindInstalled(t.Context(), local.Look{})
	if err != nil {
		t.Fatal(err)
	}
	sup := local.New(choice, local.Settings{Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	e, err := sup.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cap := dialect.Capability{LLGuidance: true, Small: true}
	p, err := provider.New(provider.Account{
		Name: "local", Dialect: llamacpp.New(), BaseURL: e.BaseURL, Timeout: time.Minute * 3, FirstByteTimeout: 3 * time.Minute,
		Header: http.Header{"Authorization": {"Bearer " + e.APIKey}},
		Models: []provider.Model{{Name: e.Model, Capability: cap}},
	}, provider.Transport())
	if err != nil {
		t.Fatal(err)
	}
	meta, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range files(t, "schemas") {
		if only := os.Getenv("ONLY"); only != "" && !strings.Contains(only, s.name[:2]) {
			continue
		}
		v := decode(t, s.text)
		compiled, _ := schema.Compile(v, schema.Options{})
		low, err := lowering.Lower(v, llamacpp.New().Profile(cap))
		if err != nil {
			t.Fatal(err)
		}
		m, err := meta.Write(compiled, low, true)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s lowered %s residue %v", s.name, low.Capped(), low.Residue)
		for i, text := range files(t, "texts") {
			if os.Getenv("TEXTS") != "" && !strings.Contains(os.Getenv("TEXTS"), string(rune('0'+i))) {
				continue
			}
			temp := 0.1
			reply, a, err := p.Call(t.Context(), &p.Models()[0], dialect.Call{
				Messages: m.Messages(&prompt.Prompt{Text: text.text}), Temperature: &temp,
				Output: dialect.Output{Mode: low.Mode, Schema: low.Capped()}, MaxTokens: 200,
			}, nil)
			if err != nil {
				t.Logf("%s %s: %v", s.name, text.name, err)
				continue
			}
			t.Logf("%s %s: %s %d+%d tokens %s: %s", s.name, text.name, reply.NativeStop, reply.Usage.Input, reply.Usage.Output, a.Total.Round(time.Millisecond), reply.Text)
		}
	}
}
