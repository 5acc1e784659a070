package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
)

// evaluatorVersion is part of every cache key: an upgrade of the judge never serves what it would not pass itself.
const evaluatorVersion = "1"

// schemas compiles callers' schemas and holds the default result schema.
type schemas struct {
	cache   *schema.Cache
	general *schema.Schema
}

func newSchemas(c *schema.Cache) (*schemas, error) {
	general, err := schema.Default()
	if err != nil {
		return nil, fmt.Errorf("compile the default result schema: %w", err)
	}
	return &schemas{cache: c, general: general}, nil
}

// resolve finds out what the request asks of whom: the compiled schema, the providers and models that may answer, and the cache key.
type resolve struct {
	schemas  *schemas
	pool     *provider.Pool
	settings func() Settings
	registry Registry
	forms    *forms
}

func (s resolve) do(ctx context.Context, c checked) (resolved, error) {
	r := resolved{exchange: c.exchange}
	compiled, err := s.callers(ctx, c)
	if err != nil {
		return r, err
	}
	r.schema, c.exchange.schema = compiled, compiled
	if r.dialogue != nil {
		if err := r.dialogue.goesOn(compiled); err != nil {
			return r, err
		}
	}
	if c.prompt.Options.Missing != prompt.MissingNull && !c.prompt.Conversation {
		if r.form, err = s.forms.of(compiled); err != nil {
			return r, err
		}
	}
	candidates, err := candidates(s.pool, c.exchange.question(""))
	if err != nil {
		return r, err
	}
	r.candidates = candidates
	r.key = cacheKey(r)
	return r, nil
}

// cacheKey is made of everything that changes the answer. The pinned model stands in it, not the one that happens to be first, so that a hit does not
// depend on the order of the configuration.
func cacheKey(r resolved) cache.Key {
	o := &r.prompt.Options
	b := cache.NewBuilder(string(r.who.Team), len(r.prompt.Text))
	b.Text("evaluator", evaluatorVersion)
	b.Text("template", prompt.MetaPromptVersion)
	hash := r.schema.Hash()
	b.Bytes("schema", hash[:])
	if r.reference != "" { // Of its own, so that the tags of an answer name every schema that it may be dropped by.
		b.Text("reference", r.reference)
	}
	b.Text("provider", o.Provider)
	b.Text("model", o.Model)
	if len(r.who.Models) > 0 {
		b.Text("models", strings.Join(r.who.Models, "\n"))
	}
	b.Bytes("temperature", fmt.Appendf(nil, "%g", o.Temperature))
	b.Int("max_tokens", int64(o.MaxTokens))
	b.Text("coercion", o.Coercion.String())
	b.Bool("confidence", o.IncludeConfidence)
	b.Bool("language", o.LanguageDetection)
	if r.form != nil {
		b.Text("missing", o.Missing.String())
	}
	if r.prompt.Conversation {
		b.Bool("conversation", true)
	}
	templateKey(&b, &r.prompt)
	b.Text("prompt", r.prompt.Text)
	for _, m := range r.prompt.Messages {
		b.Text("role", m.Role)
		for _, part := range m.Parts {
			b.Text("text", part.Text)
			b.Text("image", part.Image)
			b.Text("detail", part.Detail)
		}
	}
	return b.Key()
}

// schemaName is how a schema without a name is called in answers: by the beginning of its content hash.
func schemaName(s *schema.Schema) string {
	if s == nil {
		return ""
	}
	hash := s.Hash()
	return "sha256:" + hex.EncodeToString(hash[:8])
}
