package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	limits "github.com/promptd/promptd/internal/limit/memory"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/usage"
	"github.com/promptd/promptd/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is a pipeline in front of a scripted provider.
type harness struct {
	*Pipeline
	service *providertest.Server
	history *kept
	counted *counts
	who     *key.Caller
}

// kept is a history in memory.
type kept struct {
	mu sync.Mutex

	records []usage.Record
	refuse  error
}

func (k *kept) Add(_ context.Context, r usage.Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.refuse != nil {
		return k.refuse
	}
	k.records = append(k.records, r)
	return nil
}

func (k *kept) last(t *testing.T) usage.Record {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.records) == 0 {
		t.Fatal("nothing was recorded")
	}
	return k.records[len(k.records)-1]
}

// counts is a meter that counts words.
type counts struct {
	mu sync.Mutex

	seen map[string]int
}

func (c *counts) add(word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[word]++
}

func (c *counts) of(word string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[word]
}

type noSpan struct{}

func (noSpan) End(error) {}

type noCall struct{ c *counts }

func (n noCall) End(a *provider.Attempt, _ error) { n.c.add("call " + a.Outcome.String()) }

type namedStep struct {
	c    *counts
	name string
}

func (s namedStep) Begin(ctx context.Context) (context.Context, Span) { return ctx, noSpan{} }
func (s namedStep) Observe(time.Duration)                             { s.c.add("step " + s.name) }

func (c *counts) Request(ctx context.Context, _ string) (context.Context, Span) { return ctx, noSpan{} }

func (c *counts) Step(name string) Measure { return namedStep{c, name} }

func (c *counts) Call(ctx context.Context, _, _ string) (context.Context, CallSpan) {
	return ctx, noCall{c}
}
func (c *counts) Cache(o string)    { c.add("cache " + o) }
func (c *counts) Judged(r string)   { c.add("judged " + r) }
func (c *counts) Repaired(k string) { c.add("repaired " + k) }
func (c *counts) Coerced(k string)  { c.add("coerced " + k) }
func (c *counts) Reasked()          { c.add("reasked") }
func (c *counts) Refused(l string)  { c.add("refused " + l) }

// rig is what a test changes of the harness.
type rig struct {
	service    providertest.Settings
	capability dialect.Capability
	account    func(*provider.Account)
	transport  http.RoundTripper
	deps       func(*Deps)
}

func setup(t testing.TB, r rig) *harness {
	t.Helper()
	service := providertest.New(t, r.service)
	if r.transport == nil {
		real := provider.Transport()
		t.Cleanup(real.CloseIdleConnections)
		r.transport = real
	}
	h := assemble(t, r, service.URL())
	h.service = service
	return h
}

// assemble makes a pipeline in front of whatever answers at the address through the rig's transport.
func assemble(t testing.TB, r rig, url string) *harness {
	t.Helper()
	h := &harness{history: &kept{}, counted: &counts{seen: map[string]int{}}}
	account := provider.Account{
		Name: "scripted", Dialect: openai.New(), BaseURL: url + "/v1", Header: http.Header{}, Timeout: 10 * time.Second, FirstByteTimeout: 5 * time.Second,
		Models: []provider.Model{{Name: "m", Capability: r.capability, Price: provider.Price{Known: true, Input: 1e9, CachedInput: 1e9, CacheWrite: 1e9, Output: 2e9}}},
	}
	if r.account != nil {
		r.account(&account)
	}
	p, err := provider.New(account, r.transport)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := prompt.NewWriter()
	if err != nil {
		t.Fatal(err)
	}
	tongues, err := language.New()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := memory.New(memory.Config{MaxBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var ids atomic.Int64
	deps := Deps{
		Pool: provider.NewPool(p), Router: router.New(router.Config{Learned: router.NewLearned()}), Schemas: schema.NewCache(0), Meta: meta, Language: tongues, Cache: answers, Limiter: limits.New(limits.Config{}),
		History: h.history, Meter: h.counted, NewID: func() string { return fmt.Sprintf("req-%d", ids.Add(1)) },
		Settings: func() Settings {
			return Settings{PromptChars: 10_000, SchemaBytes: 256 << 10, StorePrompts: true, Backoff: provider.Backoff{Base: time.Millisecond, Cap: 5 * time.Millisecond}}
		},
	}
	if r.deps != nil {
		r.deps(&deps)
	}
	if h.Pipeline, err = New(deps); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	h.who = &key.Caller{Key: "key_1", Team: "default", Scopes: key.AllScopes}
	return h
}

// ask reads a request's body as the API does and runs it.
func (h *harness) ask(t *testing.T, body string) (*Answer, error) {
	t.Helper()
	return h.askAs(t.Context(), t, h.who, body)
}

func (h *harness) askAs(ctx context.Context, t testing.TB, who *key.Caller, body string) (*Answer, error) {
	t.Helper()
	a, err := h.Admit(ctx, who, 1)
	if err != nil {
		return nil, err
	}
	return h.Run(ctx, a, read(t, body))
}

func read(t testing.TB, body string) prompt.Prompt {
	t.Helper()
	v, err := value.DecodeString(body, value.Limits{})
	if err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	q, err := prompt.Read(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
	if err != nil {
		t.Fatalf("body %s: %v", body, err)
	}
	return q
}

func (h *harness) must(t *testing.T, body string) *Answer {
	t.Helper()
	a, err := h.ask(t, body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a
}

// refused runs a request that must fail with a code.
func (h *harness) refused(t *testing.T, body string, code fault.Code) *Failure {
	t.Helper()
	a, err := h.ask(t, body)
	if err == nil {
		t.Fatalf("%s: got %s, want %s", body, a.Append(nil), code)
	}
	var f *Failure
	if !errors.As(err, &f) || f.Fault.Code != code {
		t.Fatalf("%s: got %v, want %s", body, err, code)
	}
	return f
}

func says(s string) providertest.Reply { return providertest.Reply{Text: s} }

// small is a schema with one whole number.
const small = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`

func request(schema, options string) string {
	return `{"prompt":"There are 7 apples.","schema":` + schema + `,"options":{` + options + `}}`
}

// exchanges waits until the scripted provider has kept that many exchanges: it does so a moment after the answer has arrived.
func (h *harness) exchanges(t *testing.T, n int) []providertest.Exchange {
	t.Helper()
	for {
		if list := h.service.Exchanges(); len(list) >= n {
			return list
		}
		if t.Context().Err() != nil {
			t.Fatalf("there are fewer than %d exchanges", n)
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // The scripted provider runs outside of fake time.
	}
}
