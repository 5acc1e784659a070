package bulk_test

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

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/anthropic"
	"github.com/promptd/promptd/internal/dialect/gemini"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/limit"
	limits "github.com/promptd/promptd/internal/limit/memory"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
	"github.com/promptd/promptd/internal/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a store and a scripted service, which outlive the processes that work on them.
type world struct {
	t       *testing.T
	db      *sqlite.DB
	service *providertest.Server
	form    form
	// ahead is how far the store's clock, and that of the processes, is ahead of the real one.
	ahead   atomic.Int64
	began   time.Time
	budget  key.Budget
	history history
}

// form is a service with batches.
type form struct {
	name    string
	dialect dialect.Dialect
	base    string
	labels  bool
}

func forms() []form {
	return []form{
		{"openai", openai.New(), "/v1", true}, {"anthropic", anthropic.New(), "", false}, {"gemini", gemini.New(), "/v1beta", true},
	}
}

// eachForm runs a test over every kind of service.
func eachForm(t *testing.T, test func(t *testing.T, f form)) {
	t.Helper()
	for _, f := range forms() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			test(t, f)
		})
	}
}

func newWorld(t *testing.T, f form, s providertest.Settings) *world {
	t.Helper()
	w := &world{t: t, form: f, began: time.Now(), budget: key.Budget{Limit: 1_000_000_000_000, Period: key.Daily}}
	if s.Batches == nil {
		s.Batches = &providertest.Batches{}
	}
	w.service = providertest.New(t, s)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: t.TempDir(), Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	w.db = db
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// advance moves the clocks on.
func (w *world) advance(d time.Duration) { w.ahead.Add(int64(d)) }

// Accepted gives the caller of all jobs.
func (w *world) Accepted(context.Context, key.ID) (*key.Caller, error) {
	return &key.Caller{Key: "key_1", Team: "acme", Scopes: key.AllScopes, Budget: &w.budget}, nil
}

// history keeps what was recorded, by any process.
type history struct {
	mu      sync.Mutex
	records []usage.Record
}

// Add keeps a record.
func (h *history) Add(_ context.Context, r usage.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.records = append(h.records, r)
	return nil
}

// process is one promptd on the world's store.
type process struct {
	w       *world
	name    string
	cfg     bulk.Config
	tune    func(*bulk.Config)
	budgets *limit.Budgets
	pool    *provider.Pool
	pipe    *pipeline.Pipeline
	stop    func()
	said    errorLog
	direct  atomic.Int64 // items that the worker did itself
	// mortal, where it is set, says when the process dies.
	mortal *mortal
}

type errorLog struct {
	mu   sync.Mutex
	list []error
}

func (l *errorLog) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, err)
}

func (l *errorLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fmt.Sprint(errors.Join(l.list...))
}

// start starts a process; change says what is special about it.
func (w *world) start(name string, change ...func(*process)) *process {
	w.t.Helper()
	p := &process{w: w, name: name}
	for _, f := range change {
		f(p)
	}
	p.budgets = limit.NewBudgets(limit.BudgetsConfig{Store: w.db.Budgets(), Holder: name, Now: w.now})
	p.pool = w.pool(p)
	p.pipe = w.pipeline(p)
	bell := &job.Bell{}
	jobs := w.db.Jobs()
	finisher := job.NewFinisher(job.FinisherConfig{Queue: jobs, Bell: bell, OnError: p.said.add})
	rules := job.Rules{Worker: name, Random: func(time.Duration) time.Duration { return 0 }}
	prompts := job.NewPrompts(job.PromptsConfig{Callers: w, Pipeline: p.pipe, Defaults: func() prompt.Defaults { return prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4} }})
	var labels atomic.Int64
	p.cfg = bulk.Config{
		Store: w.db.Batches(), Jobs: jobs, Finisher: finisher, Opener: prompts, Pipeline: p.pipe, Pool: p.pool, Callers: w, Holder: name, Rules: rules,
		NewLabel: func() string { return fmt.Sprintf("pd-%s-%d", name, labels.Add(1)) },
		Window:   20 * time.Millisecond, Look: 10 * time.Millisecond, MostLook: 20 * time.Millisecond, Tick: 5 * time.Millisecond, Again: []time.Duration{time.Millisecond, time.Millisecond}, Drain: time.Second, Now: w.now, OnError: p.said.add,
	}
	if p.tune != nil {
		p.tune(&p.cfg)
	}
	if p.mortal != nil {
		p.mortal.around(&p.cfg)
	}
	c := bulk.New(p.cfg)
	worker := job.NewWorker(job.WorkerConfig{
		Queue: jobs, Doer: counted{prompts, &p.direct}, Finisher: finisher, Deferrer: c, Slots: 8, Rules: rules, Drain: 100 * time.Millisecond, OnError: p.said.add,
	})
	reaper := job.NewReaper(job.ReaperConfig{Store: jobs, Holder: name, Bell: bell, OnError: p.said.add})
	ctx, cancel := context.WithCancel(context.Background())
	money, endMoney := context.WithCancel(context.Background())
	var all, last sync.WaitGroup
	for _, run := range []func(context.Context) error{worker.Run, reaper.Run, c.Run} {
		all.Go(func() {
			if err := run(ctx); err != nil {
				p.said.add(err)
			}
		})
	}
	last.Go(func() {
		if err := p.budgets.Run(money); err != nil {
			p.said.add(err)
		}
	})
	p.stop = sync.OnceFunc(func() {
		cancel()
		all.Wait()
		endMoney()
		last.Wait()
		p.pipe.Close()
	})
	w.t.Cleanup(p.stop)
	return p
}

// counted counts the items that a worker does itself.
type counted struct {
	job.Doer
	n *atomic.Int64
}

// Do does an item.
func (c counted) Do(ctx context.Context, w *job.Work) ([]byte, error) {
	c.n.Add(1)
	return c.Doer.Do(ctx, w)
}

func (w *world) pool(p *process) *provider.Pool {
	w.t.Helper()
	real := provider.Transport()
	w.t.Cleanup(real.CloseIdleConnections)
	var transport http.RoundTripper = real
	if p.mortal != nil {
		transport = p.mortal.transport(real)
	}
	account, err := provider.New(provider.Account{
		Name: "scripted", Dialect: w.form.dialect, BaseURL: w.service.URL() + w.form.base, Batches: true, Models: []provider.Model{{
			Name: "m", Price: provider.Price{Known: true, Input: 1_000_000_000, CachedInput: 1_000_000_000, CacheWrite: 1_000_000_000, Output: 2_000_000_000},
		}},
	}, transport)
	if err != nil {
		w.t.Fatal(err)
	}
	return provider.NewPool(account)
}

func (w *world) pipeline(p *process) *pipeline.Pipeline {
	w.t.Helper()
	meta, err := prompt.NewWriter()
	if err != nil {
		w.t.Fatal(err)
	}
	tongues, err := language.New()
	if err != nil {
		w.t.Fatal(err)
	}
	answers, err := memory.New(memory.Config{MaxBytes: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	var ids atomic.Int64
	pipe, err := pipeline.New(pipeline.Deps{
		Pool: p.pool, Router: router.New(router.Config{Learned: router.NewLearned()}), Schemas: schema.NewCache(0), Meta: meta, Language: tongues, Cache: answers,
		Limiter: limits.New(limits.Config{}), History: &w.history, Meter: silent{}, NewID: func() string { return fmt.Sprintf("%s-%d", p.name, ids.Add(1)) }, Budgets: p.budgets,
		Settings: func() pipeline.Settings {
			return pipeline.Settings{PromptChars: 10_000, SchemaBytes: 256 << 10, Backoff: provider.Backoff{Base: time.Millisecond, Cap: 5 * time.Millisecond}}
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return pipe
}

// silent is a meter that nobody reads.
type silent struct{}

type noSpan struct{}

func (noSpan) End(error) {}

type noCall struct{}

func (noCall) End(*provider.Attempt, error) {}

type noStep struct{}

func (noStep) Begin(ctx context.Context) (context.Context, pipeline.Span) { return ctx, noSpan{} }
func (noStep) Observe(time.Duration)                                      {}

func (silent) Request(ctx context.Context, _ string) (context.Context, pipeline.Span) {
	return ctx, noSpan{}
}
func (silent) Step(string) pipeline.Measure { return noStep{} }
func (silent) Call(ctx context.Context, _, _ string) (context.Context, pipeline.CallSpan) {
	return ctx, noCall{}
}
func (silent) Cache(string)    {}
func (silent) Judged(string)   {}
func (silent) Repaired(string) {}
func (silent) Coerced(string)  {}
func (silent) Reasked()        {}
func (silent) Refused(string)  {}

const small = `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`

// submit submits a job of so many prompts that may wait.
func (w *world) submit(id string, n int) job.ID {
	w.t.Helper()
	s := job.Submission{Job: job.Job{
		ID: job.ID(id), Team: "acme", Key: "key_1", Priority: job.Normal, Urgency: job.Whenever, Batch: true, Request: []byte(`{"schema":` + small + `}`),
	}}
	for i := range n {
		s.Items = append(s.Items, job.Item{Name: fmt.Sprint(i), Request: fmt.Appendf(nil, `{"id":"%d","prompt":"There are %d apples in box %s."}`, i, i, id)})
	}
	got, err := w.db.Jobs().Submit(w.t.Context(), []job.Submission{s})
	if err != nil || got[0].Err != nil {
		w.t.Fatal(err, got[0].Err)
	}
	return job.ID(id)
}

// await waits until a job is over; hurry moves the clocks on between two looks.
func (w *world) await(id job.ID, hurry time.Duration, procs ...*process) job.Job {
	w.t.Helper()
	patience := time.Now().Add(2 * time.Minute)
	for {
		j, err := w.db.Jobs().Job(w.t.Context(), key.AllTeams(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if j.State.Final() {
			return j
		}
		if time.Now().After(patience) {
			for _, p := range procs {
				w.t.Logf("%s: %s", p.name, p.said.String())
			}
			w.t.Fatalf("job %s is still %s: %+v; the service has %+v", id, j.State, j.Progress, w.service.MadeBatches())
		}
		w.advance(hurry)
		time.Sleep(2 * time.Millisecond) //nolint:forbidigo // The scripted service and the store run outside of fake time.
	}
}

// until waits until something is so.
func (w *world) until(what string, is func() bool, procs ...*process) {
	w.t.Helper()
	patience := time.Now().Add(2 * time.Minute)
	for !is() {
		if time.Now().After(patience) {
			for _, p := range procs {
				w.t.Logf("%s: %s", p.name, p.said.String())
			}
			w.t.Fatalf("in vain: %s; the service has %+v", what, w.service.MadeBatches())
		}
		time.Sleep(time.Millisecond) //nolint:forbidigo // As above.
	}
}

// results checks that every item of a job has a valid answer, and counts those whose answer came by a batch, and those of one attempt.
func (w *world) results(id job.ID, n int) (batched int) {
	w.t.Helper()
	list, err := w.db.Jobs().Items(w.t.Context(), key.AllTeams(), id, 0, n+1)
	if err != nil || len(list) != n {
		w.t.Fatalf("%d items, %v", len(list), err)
	}
	for _, i := range list {
		v, err := value.Decode(i.Result, value.Limits{})
		if err != nil || i.State != job.ItemCompleted {
			w.t.Errorf("item %d is %s: %s (%v)", i.N, i.State, i.Result, err)
			continue
		}
		if at, ok := v.Lookup("/data/n"); !ok || at.Kind() != value.KindNumber {
			w.t.Errorf("item %d has no number: %s", i.N, i.Result)
		}
		if at, ok := v.Lookup("/attempts/0/batch"); ok && at.Truth() {
			batched++
		}
	}
	return batched
}

// spent is what was booked of the budget, once the processes have stopped.
func (w *world) spent() (sum key.Nanos) {
	w.t.Helper()
	for day := w.began; ; day = day.AddDate(0, 0, 1) { // The clock is moved on, over midnight too.
		span := limit.SpanOf(key.Daily, day)
		b, err := w.db.Budgets().Balance(w.t.Context(), limit.KeyPayer("key_1", "acme"), span.Label)
		if err != nil {
			w.t.Fatal(err)
		}
		if sum += b.Spent; w.now().Before(span.End) {
			return sum
		}
	}
}

// recorded is the sum of what the history says that all requests cost.
func (w *world) recorded() (sum key.Nanos) {
	w.history.mu.Lock()
	defer w.history.mu.Unlock()
	for i := range w.history.records {
		sum += w.history.records[i].Cost.Nanos
	}
	return sum
}
