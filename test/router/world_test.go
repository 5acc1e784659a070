package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	limits "github.com/promptd/promptd/internal/limit/memory"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/usage"
	"github.com/promptd/promptd/internal/value"
)

// world is promptd in front of simulated services.
type world struct {
	*pipeline.Pipeline
	services []*service
	learned  *router.Learned
	pool     *provider.Pool
	who      *key.Caller
	began    time.Time
	hedge    time.Duration // routing.hedge_after
}

// account is what the configuration says of a service.
type account struct {
	service     *service
	concurrency int
	weight      int
	tier        int
	input       int64 // nano-dollars per million tokens; 0 is not known
	output      int64
}

// newWorld makes one; it is used inside of a bubble of virtual time.
func newWorld(t *testing.T, strategy string, seed uint64, accounts ...account) *world {
	t.Helper()
	w := &world{learned: router.NewLearned(), who: &key.Caller{Key: "key_1", Team: "default", Scopes: key.AllScopes}, began: time.Now()}
	var list []*provider.Provider
	for _, a := range accounts {
		a.service.began, a.service.seed = w.began, seed
		w.services = append(w.services, a.service)
		p, err := provider.New(provider.Account{
			Name: a.service.name, Dialect: openai.New(), BaseURL: "http://" + a.service.name + ".test/v1", Header: http.Header{}, Timeout: 30 * time.Second,
			MaxConcurrency: a.concurrency, Weight: a.weight,
			Breaker: provider.BreakerConfig{FailureShare: 0.5, MinCalls: 20, Window: 30 * time.Second, OpenFor: 30 * time.Second},
			Models: []provider.Model{{
				Name: "m", Tier: a.tier, Price: provider.Price{Known: a.input > 0, Input: a.input, CachedInput: a.input, CacheWrite: a.input, Output: a.output},
			}},
		}, a.service)
		must(t, err)
		list = append(list, p)
	}
	w.pool = provider.NewPool(list...)
	meta, err := prompt.NewWriter()
	must(t, err)
	tongues, err := language.New()
	must(t, err)
	answers, err := memory.New(memory.Config{MaxBytes: 1 << 20})
	must(t, err)
	var mu sync.Mutex
	chance := rand.New(rand.NewPCG(seed, 1))
	w.Pipeline, err = pipeline.New(pipeline.Deps{
		Pool: w.pool, Schemas: schema.NewCache(0), Meta: meta, Language: tongues, Cache: answers, Limiter: limits.New(limits.Config{}), History: forgetful{}, Meter: unmeasured{},
		Router: router.New(router.Config{Learned: w.learned, Chance: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return chance.Float64()
		}}),
		NewID: func() string { return "id" },
		Settings: func() pipeline.Settings {
			return pipeline.Settings{PromptChars: 10_000, SchemaBytes: 256 << 10, Strategy: strategy, HedgeAfter: w.hedge, Backoff: provider.Backoff{Base: 200 * time.Millisecond, Cap: 5 * time.Second}}
		},
	})
	must(t, err)
	return w
}

// done is what came of a request.
type done struct {
	at       time.Duration // when it came
	took     time.Duration
	err      error
	attempts []provider.Attempt
	cost     provider.Cost
}

const small = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`

// ask sends the n-th request.
func (w *world) ask(n int, options string) done {
	if options != "" {
		options = "," + options
	}
	d := done{at: time.Since(w.began)}
	v, err := value.DecodeString(fmt.Sprintf(`{"prompt":"This is request %d. How many?","schema":%s,"options":{"bypass_cache":true,"language_detection":false%s}}`, n, small, options), value.Limits{})
	if err != nil {
		panic(err)
	}
	q, err := prompt.Read(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
	if err != nil {
		panic(err)
	}
	a, err := w.Admit(context.Background(), w.who, 1)
	if err != nil {
		panic(err)
	}
	answer, err := w.Run(context.Background(), a, q)
	d.took, d.err = time.Since(w.began)-d.at, err
	var failure *pipeline.Failure
	switch {
	case err == nil:
		d.attempts, d.cost = answer.Attempts, answer.Cost
	case errors.As(err, &failure):
		d.attempts, d.cost = failure.Attempts, failure.Cost
	}
	return d
}

// busy sends n requests through so many workers, each beginning the next when the last has ended.
func (w *world) busy(n, workers int, options string) []done {
	out := make([]done, n)
	next := make(chan int)
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for i := range next {
				out[i] = w.ask(i, options)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return out
}

// passed counts the requests that got an answer, and calls all calls.
func passed(all []done) (ok, calls int) {
	for i := range all {
		if all[i].err == nil {
			ok++
		}
		calls += len(all[i].attempts)
	}
	return ok, calls
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// forgetful is a history that keeps nothing.
type forgetful struct{}

func (forgetful) Add(context.Context, usage.Record) error { return nil }

// unmeasured is a meter that measures nothing.
type unmeasured struct{}

func (unmeasured) Request(ctx context.Context, _ string) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}
func (unmeasured) Step(string) pipeline.Measure { return unmeasured{} }
func (unmeasured) Call(ctx context.Context, _, _ string) (context.Context, pipeline.CallSpan) {
	return ctx, uncounted{}
}
func (unmeasured) Cache(string)    {}
func (unmeasured) Judged(string)   {}
func (unmeasured) Repaired(string) {}
func (unmeasured) Coerced(string)  {}
func (unmeasured) Reasked()        {}
func (unmeasured) Refused(string)  {}
func (unmeasured) End(error)       {}
func (unmeasured) Begin(ctx context.Context) (context.Context, pipeline.Span) {
	return ctx, unmeasured{}
}
func (unmeasured) Observe(time.Duration) {}

type uncounted struct{}

func (uncounted) End(*provider.Attempt, error) {}
