// Package app is the wiring: the only package that knows every implementation and puts the program together.
//
// It is not for behaviour: what the parts do is theirs. The main type is [App]: [New] builds everything from top to bottom and can be read in one go,
// [App.Run] runs the owners until the context ends and then drains, [App.Reload] takes over what a running program can change, [App.Stop] undoes what New
// built. Nothing is global, so that a test runs the real program in its own process, several at a time.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/api"
	"github.com/promptd/promptd/internal/cache/memory"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/provider/googletoken"
	"github.com/promptd/promptd/internal/redis"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/usage"
)

// Env is what the program gets of the process around it.
type Env struct {
	// Out takes the log lines.
	Out io.Writer
	// Version and Revision tell which build this is.
	Version, Revision string
	// Local asks for the local model.
	Local bool
	// Load reads the configuration again, for Reload; nil where there is nothing to reload.
	Load func() (*config.Loaded, error)
	// Hurry, where it is set, collects batches for so long and looks at them as often, instead of for minutes: tests wait for them.
	Hurry time.Duration
	// Patience is how long New waits for a store that is away; 0 means a minute.
	Patience time.Duration
}

// App is the program. New makes it, Run runs it, Stop ends what New began where Run was never called.
type App struct {
	lifecycle
	env    Env
	holder string // this process among those that work on the same store
	redis  []*redis.Client
	// carried says whether the broker is there; nil where it is a part of this process.
	carried func(context.Context) error
	owners  []owner
	fronts  []owner

	seen      *observe.Telemetry
	log       *slog.Logger
	db        *kept
	verifier  *key.Verifier
	pool      *provider.Pool
	learned   *router.Learned
	router    *router.Router
	transport *http.Transport
	tokens    *googletoken.Tokens
	local     *localModel
	door      *limit.Door
	pipe      *pipeline.Pipeline
	jobs      *job.Service
	server    *api.Server
	public    *listening
	admin     *listening

	written  atomic.Int64 // records of the history
	config   atomic.Pointer[config.Config]
	settings atomic.Pointer[settings]

	// reloading lets one reload at a time through.
	reloading sync.Mutex
}

// settings are what requests read of the configuration; a reload exchanges them.
type settings struct {
	pipeline pipeline.Settings
	api      api.Settings
}

func settingsOf(c *config.Config) *settings {
	return &settings{
		pipeline: pipeline.Settings{
			PromptChars: c.Limits.PromptChars, SchemaBytes: int(c.Limits.SchemaBytes), StorePrompts: c.Privacy.StorePrompts,
			Backoff:  provider.Backoff{Base: c.Routing.Retries.Base, Cap: c.Routing.Retries.Cap},
			Strategy: c.Routing.Strategy, HedgeAfter: c.Routing.HedgeAfter,
		},
		api: api.Settings{
			BodyBytes: int64(c.Limits.BodyBytes), UploadBytes: int64(c.Limits.UploadBytes), SchemaBytes: int(c.Limits.SchemaBytes), Origins: c.CORS.Origins, Anyone: c.Auth.Mode == "none",
			Defaults: prompt.Defaults{CacheTTL: c.Cache.TTL, MaxAttempts: c.Routing.Retries.MaxAttempts},
		},
	}
}

// New builds the program; nothing answers before Run.
func New(ctx context.Context, loaded *config.Loaded, env Env) (_ *App, err error) {
	c := loaded.Config
	a := &App{env: env, holder: holderName()}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()
	a.config.Store(&c)
	a.settings.Store(settingsOf(&c))

	if a.seen, err = observe.New(observe.Config{
		Service: "promptd", Version: env.Version, Revision: env.Revision, Out: env.Out,
		LogLevel: c.Telemetry.LogLevel, LogFormat: c.Telemetry.LogFormat, OTLPEndpoint: c.Telemetry.OTLPEndpoint,
	}); err != nil {
		return nil, err
	}
	a.log = a.seen.Log
	a.own("log", a.seen.Run)
	a.atEnd("telemetry", a.seen.Close)

	if a.db, err = a.awaitStore(ctx, &c); err != nil {
		return nil, err
	}
	a.atEnd("store", func(context.Context) error { return a.db.close() })
	if a.db.run != nil {
		a.own("store", a.db.run)
	}

	if a.verifier, err = key.NewVerifier(ctx, a.db.keys, key.VerifierConfig{
		DefaultRateLimitPerHour: c.Auth.DefaultRateLimitPerHour, Teams: a.db.teams, OnError: a.complain("keys could not be read"),
	}); err != nil {
		return nil, err
	}
	a.own("keys", a.verifier.Run)

	together, err := a.share(ctx, &c)
	if err != nil {
		return nil, err
	}
	answers, counted := together.answers, together.limiter

	history := usage.NewLog(a.db.history, usage.LogConfig{
		StorePrompts: c.Privacy.StorePrompts, OnError: a.complain("the history could not be written"),
		OnWrite: func(records int, _ time.Duration) { a.written.Add(int64(records)) },
	})
	a.own("history", history.Run)
	a.watchHistory(history)
	retention := &usage.Retention{Store: a.db.history, Days: c.Privacy.RetentionDays, OnError: a.complain("old history could not be deleted")}
	a.own("retention", retention.Run)

	once := idempotency.New(a.db.idempotency, idempotency.Config{OnError: a.complain("an idempotency key could not be kept")})
	a.own("idempotency", once.Run)

	if a.door, err = limit.NewDoor(doorOf(&c)); err != nil {
		return nil, err
	}

	if err = a.listen(ctx, &c); err != nil {
		return nil, err
	}
	if err = a.providers(ctx, &c); err != nil {
		return nil, err
	}
	a.shareStanding(together)

	if err = a.learn(ctx); err != nil {
		return nil, err
	}
	meta, err := prompt.NewWriter()
	if err != nil {
		return nil, err
	}
	tongues, err := language.New()
	if err != nil {
		return nil, err
	}
	compiled := schema.NewCache(0)
	schemas := a.register(compiled, answers)
	templates := a.library(schemas, answers)
	sealing, err := a.db.states(ctx)
	if err != nil {
		return nil, err
	}
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	if a.pipe, err = pipeline.New(pipeline.Deps{
		Pool: a.pool, Router: a.router,
		Schemas: compiled, Registry: schemas, Templates: templates, Meta: meta, Language: tongues, Cache: answers, Turns: together.turns, Limiter: counted, Budgets: a.budgets(), History: history,
		Meter: meter{a.seen}, NewID: newID, Latest: a.verifier.Latest, Settings: func() pipeline.Settings { return a.settings.Load().pipeline }, StateKey: sealing,
	}); err != nil {
		return nil, err
	}
	a.atEnd("pipeline", func(context.Context) error { a.pipe.Close(); return nil })
	var hooks *delivery.Hooks
	if a.db.jobs != nil && a.db.deliveries != nil {
		hooks = a.webhooks(&c, composer{a.db.jobs}, newID)
		if err = a.work(&c, together, newID, aim{hooks}, func(job.Ended) { hooks.Wake() }); err != nil {
			return nil, err
		}
	}

	if a.server, err = api.New(api.Deps{
		Pipeline: a.pipe, Relay: a.relay(history, newID), Pool: a.pool, Learned: a.learned, Schemas: schemas, Templates: templates, Keys: &key.Issuer{Store: a.db.keys, Changed: a.verifier.Refresh}, Teams: &key.TeamKeeper{Store: a.db.teams, Changed: a.verifier.Refresh}, Verifier: a.verifier, History: a.db.history, Recorded: history,
		Webhooks: hooks, Jobs: a.jobs, Cache: answers, Limiter: counted, Door: a.door, Idempotency: once, Watch: watch{a.seen}, Metrics: a.seen.Metrics.Handler(),
		Checks: a.checks(), Log: a.log, NewID: newID, Settings: func() api.Settings { return a.settings.Load().api }, Version: env.Version,
	}); err != nil {
		return nil, err
	}
	if a.local != nil {
		a.own("local model", a.runLocal)
	}
	for _, w := range loaded.Warnings {
		a.log.Warn("configuration: " + w.String())
	}
	// What was read to begin with, such as the catalogue, is not needed any more: the system gets its memory back now and not some minutes later.
	debug.FreeOSMemory()
	return a, nil
}

// own adds an owner to those that Run runs.
func (a *App) own(name string, run func(context.Context) error) {
	a.owners = append(a.owners, owner{name, run})
}

func cacheFigures(t *memory.Tier) (entries, size func() float64) {
	read := func(pick func(e, b int64) int64) func() float64 {
		return func() float64 {
			s, err := t.Stats(context.Background(), "")
			if err != nil {
				return 0
			}
			return float64(pick(s.Entries, s.Bytes))
		}
	}
	return read(func(e, _ int64) int64 { return e }), read(func(_, b int64) int64 { return b })
}

func doorOf(c *config.Config) limit.DoorConfig {
	return limit.DoorConfig{Slots: c.Limits.MaxConcurrency, Queue: c.Limits.MaxConcurrency}
}

// providers makes the pool, the local model included.
func (a *App) providers(ctx context.Context, c *config.Config) error {
	a.transport = provider.Transport()
	a.atEnd("connections to providers", func(context.Context) error { a.transport.CloseIdleConnections(); return nil })
	a.tokens = googletoken.New(googletoken.Config{Transport: a.transport})
	a.own("tokens", a.tokens.Run)
	list, err := providersOf(c, a.transport, a.tokens)
	if err != nil {
		return err
	}
	own := []string{a.public.addr()}
	if a.admin != nil {
		own = append(own, a.admin.addr())
	}
	if a.local, err = findLocal(ctx, c, a.env.Local, own, a.log, a.transport); err != nil {
		return err
	}
	a.pool = provider.NewPool(a.withLocal(list)...)
	a.watchProviders()
	for _, p := range a.pool.Providers() {
		a.log.Info("provider " + describe(p))
	}
	return nil
}

func (a *App) withLocal(list []*provider.Provider) []*provider.Provider {
	if a.local == nil || named(list, localName) { // The operator's own provider of that name wins.
		return list
	}
	return append(list, a.local.provider)
}

// runLocal runs the local model. Where it gives up, the rest of the program goes on without it and says so.
func (a *App) runLocal(ctx context.Context) error {
	if err := a.local.Run(ctx); err != nil && ctx.Err() == nil {
		a.log.Error("the local model gave up", slog.Any("error", err))
		<-ctx.Done()
	}
	return nil
}

// checks are what the health report asks.
func (a *App) checks() []api.Check {
	store := api.Check{Name: "store", Needed: true, Ready: a.db.ping}
	if a.db.apart {
		store.Bridged = a.verifier.Fresh
	}
	list := []api.Check{store}
	if len(a.redis) > 0 {
		list = append(list, api.Check{Name: "redis", Ready: a.redisReady})
	}
	if a.carried != nil {
		list = append(list, api.Check{Name: "broker", Ready: a.carried})
	}
	if a.local != nil {
		list = append(list, api.Check{Name: "local_model", Ready: a.local.ready})
	}
	return append(list, api.Check{Name: "providers", Ready: a.providersReady})
}

// Address is where the API listens, as host:port.
func (a *App) Address() string { return a.public.addr() }

// URL is the API's address for clients on this machine.
func (a *App) URL() string { return a.public.url() }

// HasKey says whether some key can be used, or none is wanted.
func (a *App) HasKey() bool { return a.settings.Load().api.Anyone || a.verifier.Any() }

// LocalModel says in words which local model was found; empty where there is none.
func (a *App) LocalModel() string {
	if a.local == nil {
		return ""
	}
	return a.local.detail
}

// LocalReady waits until the local model answers; nil at once where there is none that this program runs.
func (a *App) LocalReady(ctx context.Context) error {
	if a.local == nil || a.local.runs == nil {
		return nil
	}
	_, err := a.local.runs.Wait(ctx)
	return err
}

// Pipeline is the way of one request, for front doors in this process.
func (a *App) Pipeline() *pipeline.Pipeline { return a.pipe }

// Defaults are the configured defaults of a request's options.
func (a *App) Defaults() prompt.Defaults { return a.settings.Load().api.Defaults }

// Log is the program's logger.
func (a *App) Log() *slog.Logger { return a.log }

// Stop undoes what New built. Run does it by itself.
func (a *App) Stop(ctx context.Context) error { return a.unwind(ctx) }

// watchHistory shows the state of the history's writer as metrics.
func (a *App) watchHistory(l *usage.Log) {
	a.seen.Metrics.WatchHistory(func() float64 { return float64(l.Depth()) }, func() float64 { return float64(a.written.Load()) })
}

// listen opens the listeners, so that a taken port is told before anything runs.
func (a *App) listen(ctx context.Context, c *config.Config) (err error) {
	if a.public, err = open(ctx, c.Listen, c.TLS); err != nil {
		return err
	}
	a.atEnd("listener", func(context.Context) error { return a.public.close() })
	if c.AdminListen == "" {
		return nil
	}
	if a.admin, err = open(ctx, c.AdminListen, config.TLS{}); err != nil {
		return err
	}
	a.atEnd("admin listener", func(context.Context) error { return a.admin.close() })
	return nil
}

// taken makes a clear message of an address that can't be listened on.
func taken(address string, err error) error {
	f := fault.New(fault.Overloaded, "can't listen on %s: %s", address, plain(err)).Because(err)
	f.Remediation = "Stop what listens there, or choose another address with --listen."
	return f
}

func plain(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	text := err.Error()
	return strings.TrimSpace(text[strings.LastIndex(text, ": ")+1:])
}

// fatal is how an owner's unexpected end is told.
func fatal(name string, err error) error {
	if err == nil {
		return fmt.Errorf("%s ended by itself", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// quiet is how long Run waits for connections to end by themselves before it closes the idle ones.
const quiet = time.Second
