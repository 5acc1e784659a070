package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/memory"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/relay"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a real server on real collaborators: only the model service is scripted, and nothing is measured.
type world struct {
	tb       testing.TB
	url      string
	client   *http.Client
	server   *api.Server
	service  *providertest.Server
	db       *sqlite.DB
	dir      string
	keys     *key.Issuer
	schemas  *registry.Registry
	library  *template.Library
	history  *usage.Log
	budgets  *limit.Budgets
	alerted  *alerted
	door     *limit.Door
	logs     *syncBuffer
	visits   *visits
	settings *atomic.Pointer[api.Settings]
	// admin is the secret of a key with every scope and no limit.
	admin string
	// sick makes the store's health check fail, bridged has the server go on without it; exploding makes the pipeline's ids panic.
	sick, bridged, exploding *atomic.Bool
}

// wish changes a world before it is made.
type wish struct {
	service     providertest.Settings
	slots       int
	promptChars int
	backoff     time.Duration
	// second adds a model without a price.
	second bool
}

func newWorld(tb testing.TB, wishes ...func(*wish)) *world {
	tb.Helper()
	want := wish{slots: 100, promptChars: 10_000, backoff: time.Millisecond}
	for _, f := range wishes {
		f(&want)
	}
	w := &world{tb: tb, dir: tb.TempDir(), alerted: &alerted{}, logs: &syncBuffer{}, visits: &visits{}, settings: &atomic.Pointer[api.Settings]{}, sick: &atomic.Bool{}, bridged: &atomic.Bool{}, exploding: &atomic.Bool{}}
	w.settings.Store(&api.Settings{BodyBytes: 1 << 20, UploadBytes: 4 << 20, SchemaBytes: 256 << 10, Defaults: prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4}})
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	var err error
	w.service = providertest.New(tb, want.service)
	w.db, err = sqlite.Open(tb.Context(), sqlite.Options{Dir: w.dir})
	must(err)
	tb.Cleanup(func() { must(w.db.Close()) })

	verifier, err := key.NewVerifier(tb.Context(), w.db.Keys(), key.VerifierConfig{DefaultRateLimitPerHour: 1000, Teams: w.db.Teams()})
	must(err)
	w.keys = &key.Issuer{Store: w.db.Keys(), Changed: verifier.Refresh}
	answers, err := memory.New(memory.Config{MaxBytes: 8 << 20})
	must(err)
	w.budgets = limit.NewBudgets(limit.BudgetsConfig{Store: w.db.Budgets(), Holder: "this process", OnError: func(err error) { tb.Errorf("budgets: %v", err) }, OnAlert: w.alerted.add})
	w.run(w.budgets.Run)
	w.history = usage.NewLog(w.db.History(), usage.LogConfig{StorePrompts: true})
	w.run(w.history.Run)
	w.door, err = limit.NewDoor(limit.DoorConfig{Slots: want.slots})
	must(err)
	meta, err := prompt.NewWriter()
	must(err)
	tongues, err := language.New()
	must(err)

	transport := provider.Transport()
	tb.Cleanup(transport.CloseIdleConnections)
	account, err := provider.New(provider.Account{
		Name: "scripted", Dialect: openai.New(), BaseURL: w.service.URL() + "/v1", Timeout: 10 * time.Second, FirstByteTimeout: 5 * time.Second,
		Models: []provider.Model{{
			Name: "small", Capability: dialect.Capability{MaxOutput: 4096, Logprobs: true, Vision: true}, Price: provider.Price{Known: true, Input: 100_000_000, Output: 400_000_000},
		}},
	}, transport)
	must(err)
	accounts := []*provider.Provider{account}
	if want.second {
		second, err := provider.New(provider.Account{
			Name: "unpriced", Dialect: openai.New(), BaseURL: w.service.URL() + "/v1", Timeout: 10 * time.Second, FirstByteTimeout: 5 * time.Second, Models: []provider.Model{{Name: "large"}},
		}, transport)
		must(err)
		accounts = append(accounts, second)
	}

	newID := func() string {
		if w.exploding.Load() {
			panic("a secret prompt text")
		}
		return uuid.Must(uuid.NewV7()).String()
	}
	limiter := limits.New(limits.Config{})
	pool := provider.NewPool(accounts...)
	compiled := schema.NewCache(0)
	w.schemas = registry.New(registry.Config{
		Store: w.db.Schemas(), Schemas: compiled, Limits: func() schema.Limits { return schema.Limits{Bytes: w.settings.Load().SchemaBytes} },
		Withdrawn: func(ctx context.Context, team key.TeamID, ref string) {
			_, err := answers.Drop(ctx, cache.SchemaTag(string(team), ref))
			must(err)
		},
	})
	w.library = template.New(template.Config{
		Store: w.db.Templates(), Limits: func() schema.Limits { return schema.Limits{Bytes: w.settings.Load().SchemaBytes} },
		Bound: func(ctx context.Context, team key.TeamID, ref string) error {
			_, err := w.schemas.Resolve(ctx, team, ref)
			return err
		},
		Withdrawn: func(ctx context.Context, team key.TeamID, ref string) {
			_, err := answers.Drop(ctx, cache.TemplateTag(string(team), ref))
			must(err)
		},
	})
	learned := router.NewLearned()
	pipe, err := pipeline.New(pipeline.Deps{
		Pool: pool, Router: router.New(router.Config{Learned: learned}), Schemas: compiled, Registry: w.schemas, Templates: w.library, Meta: meta, Language: tongues, Cache: answers, Limiter: limiter, Budgets: w.budgets, History: w.history,
		Meter: unmeasured{}, NewID: newID, Latest: verifier.Latest,
		Settings: func() pipeline.Settings {
			return pipeline.Settings{PromptChars: want.promptChars, SchemaBytes: 256 << 10, StorePrompts: true, Backoff: provider.Backoff{Base: want.backoff, Cap: want.backoff}}
		},
	})
	must(err)
	tb.Cleanup(pipe.Close)
	w.server, err = api.New(api.Deps{
		Pipeline: pipe, Relay: relay.New(relay.Deps{
			Pool: pool, Router: router.New(router.Config{Learned: router.NewLearned()}), History: w.history, Meter: unmeasured{}, Purse: pipe.Purse(), NewID: newID,
			Settings: func() pipeline.Settings {
				return pipeline.Settings{StorePrompts: true, Backoff: provider.Backoff{Base: want.backoff, Cap: want.backoff}}
			},
		}), Pool: pool, Learned: learned, Schemas: w.schemas, Templates: w.library, Keys: w.keys, Teams: &key.TeamKeeper{Store: w.db.Teams(), Changed: verifier.Refresh}, Webhooks: w.hooks(), Jobs: w.jobs(pipe, verifier), Verifier: verifier, History: w.db.History(), Recorded: w.history, Cache: answers, Limiter: limiter, Door: w.door,
		Idempotency: idempotency.New(w.db.Idempotency(), idempotency.Config{}), Watch: w.visits,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = io.WriteString(w, "up 1\n")
		}),
		Checks: []api.Check{
			{Name: "store", Needed: true, Bridged: w.bridged.Load, Ready: func(ctx context.Context) error {
				if w.sick.Load() {
					return fmt.Errorf("disk /secret/path is full")
				}
				return w.db.Ping(ctx)
			}},
		},
		Log: slog.New(slog.NewJSONHandler(w.logs, nil)), NewID: func() string { return uuid.Must(uuid.NewV7()).String() },
		Settings: func() api.Settings { return *w.settings.Load() }, Version: "test",
	})
	must(err)
	front := httptest.NewServer(w.server.Handler())
	tb.Cleanup(front.Close)
	w.url = front.URL
	w.client = &http.Client{
		Transport: &http.Transport{DisableCompression: true, ExpectContinueTimeout: time.Minute}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	tb.Cleanup(w.client.CloseIdleConnections)
	w.admin = w.newKey(key.Key{Name: "admin", Scopes: key.AllScopes, RateLimitPerHour: new(int)})
	return w
}

// run runs an owner until the test ends.
func (w *world) run(owner func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := owner(ctx); err != nil {
			w.tb.Errorf("an owner ended with %v", err)
		}
	})
	w.tb.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

// newKey makes a key and gives its secret.
func (w *world) newKey(k key.Key) string {
	w.tb.Helper()
	_, secret, err := w.keys.Create(w.tb.Context(), k)
	if err != nil {
		w.tb.Fatal(err)
	}
	return secret.Reveal()
}

// ask is one request. The zero key is the admin's, "-" is none.
type ask struct {
	method, path, body, key string
	header                  http.Header
	// reader stands for body where it is set.
	reader io.Reader
	ctx    context.Context //nolint:containedctx // It is of one call alone.
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request and holds the answer to the OpenAPI document.
func (w *world) do(a ask) answer {
	w.tb.Helper()
	res, err := w.send(a)
	if err != nil {
		w.tb.Fatalf("%s %s: %v", a.method, a.path, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.tb.Fatalf("%s %s: read the answer: %v", a.method, a.path, err)
	}
	got := answer{res.StatusCode, res.Header, string(raw)}
	contract(w.tb).hold(w.tb, a.method, strings.SplitN(a.path, "?", 2)[0], got)
	return got
}

func (w *world) send(a ask) (*http.Response, error) {
	ctx := a.ctx
	if ctx == nil {
		ctx = w.tb.Context()
	}
	var body io.Reader
	if a.body != "" {
		body = strings.NewReader(a.body)
	}
	if a.reader != nil {
		body = a.reader
	}
	req, err := http.NewRequestWithContext(ctx, a.method, w.url+a.path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch a.key {
	case "-":
	case "":
		req.Header.Set("Authorization", "Bearer "+w.admin)
	default:
		req.Header.Set("Authorization", "Bearer "+a.key)
	}
	for name, values := range a.header {
		req.Header[name] = values
	}
	return w.client.Do(req)
}

func (w *world) get(path string) answer { w.tb.Helper(); return w.do(ask{method: "GET", path: path}) }

func (w *world) post(path, body string, header ...string) answer {
	w.tb.Helper()
	return w.do(ask{method: "POST", path: path, body: body, header: headers(header...)})
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := http.CanonicalHeaderKey(pairs[i])
		h[name] = append(h[name], pairs[i+1])
	}
	return h
}

// problem is a problem document.
type problem struct {
	Type, Title, Detail, Code, Remediation string
	Status                                 int
	RequestID                              string `json:"request_id"`
	ClientRequestID                        string `json:"client_request_id"`
	Errors                                 []struct{ Pointer, Rule, Message, Hint, Keyword string }
	Validation                             *json.RawMessage
	Attempts                               []json.RawMessage
	Usage                                  *struct {
		InputTokens int `json:"input_tokens"`
	}
	CostUSD *float64 `json:"cost_usd"`
}

// problem reads the answer as a problem document of that status and code.
func (a answer) problem(tb testing.TB, status int, code string) problem {
	tb.Helper()
	var p problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		tb.Fatalf("status %d: %v in %s", a.status, err, a.body)
	}
	if a.status != status || p.Status != status || p.Code != code {
		tb.Fatalf("got %d %s, want %d %s: %s", a.status, p.Code, status, code, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		tb.Errorf("Content-Type: got %q, want application/problem+json", got)
	}
	if p.RequestID == "" || p.Detail == "" || p.Title == "" || p.Remediation == "" || !strings.HasPrefix(p.Type, "/docs#") {
		tb.Errorf("got a problem without request_id, detail, title, remediation or type: %s", a.body)
	}
	return p
}

// into reads a JSON answer of that status.
func (a answer) into(tb testing.TB, status int, v any) {
	tb.Helper()
	if a.status != status {
		tb.Fatalf("got status %d, want %d: %s", a.status, status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		tb.Fatalf("read %s: %v", a.body, err)
	}
}

// visits notes what the watch is told.
type visits struct {
	mu   sync.Mutex
	list []visited
}

type visited struct {
	route  string
	status int
	id     string
	bytes  int64
}

// Arrived begins a visit.
func (v *visits) Arrived(ctx context.Context, _ *http.Request) (context.Context, api.Visit) {
	return ctx, v
}

// Left ends one.
func (v *visits) Left(route string, status int, n int64, id string, _ *key.Caller) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.list = append(v.list, visited{route, status, id, n})
}

func (v *visits) all() []visited {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]visited(nil), v.list...)
}

// syncBuffer is a buffer that handlers and tests share.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String gives all.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// unmeasured is a meter that measures nothing.
type unmeasured struct{}

func (unmeasured) Request(ctx context.Context, _ string) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}
func (unmeasured) Step(string) pipeline.Measure { return unmeasured{} }
func (unmeasured) Call(ctx context.Context, _, _ string) (context.Context, pipeline.CallSpan) {
	return ctx, unmeasuredCall{}
}
func (unmeasured) Cache(string)    {}
func (unmeasured) Judged(string)   {}
func (unmeasured) Repaired(string) {}
func (unmeasured) Coerced(string)  {}
func (unmeasured) Reasked()        {}
func (unmeasured) Refused(string)  {}
func (unmeasured) Begin(ctx context.Context) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}
func (unmeasured) Observe(time.Duration) {}
func (unmeasured) End(error)             {}

type unmeasuredCall struct{}

func (unmeasuredCall) End(*provider.Attempt, error) {}
