// Package pipeline turns one prompt into one validated answer: the order of the steps, and the steps.
//
// It is the same for every front door (HTTP, command line, later jobs and batches) and knows none of them. The main type is [Pipeline]; [Pipeline.Run] reads
// as the list of steps. Each step is a small type with one job in a file of its own, measured by a span and a histogram around it. What travels
// grows by typed phases (admitted, checked, resolved, planned, replied, parsed, judged), each holding only what is known by then, so that a
// wrong order does not compile; and an [Answer] holds a schema.Valid, which only the schema's judgement makes (promise 1).
package pipeline

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/language"
	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/usage"
)

// History takes the record of every finished request. It waits rather than lose one.
type History interface {
	Add(ctx context.Context, r usage.Record) error
}

// Deps are the pipeline's collaborators; all of them are wanted.
type Deps struct {
	Pool *provider.Pool
	// Router orders those that can answer.
	Router   *router.Router
	Schemas  *schema.Cache
	Registry Registry
	// Templates are those that requests refer to.
	Templates Templates
	Meta      *prompt.Writer
	Language  *language.Detector
	Cache     cache.Tier
	// Turns are those of several processes; nil is for programs that are one.
	Turns   *cache.Turns
	Limiter limit.Limiter
	History History
	Meter   Meter
	// Latest gives a caller as its key and team are now; nil is for programs where they never change.
	Latest func(*key.Caller) *key.Caller
	// Budgets holds what calls may cost; nil is for programs where nobody has a budget.
	Budgets *limit.Budgets
	// NewID makes request ids.
	NewID func() string
	// Settings gives the settings in force; a reload exchanges them.
	Settings func() Settings
	// StateKey seals what requests go on with: StateKeyBytes bytes that outlive the process. Without it no other process takes the states of this one.
	StateKey []byte
}

// Settings are the configured bounds that a reload may change.
type Settings struct {
	// PromptChars is limits.prompt_chars, for keys that have no limit of their own.
	PromptChars int
	// SchemaBytes is limits.schema_bytes.
	SchemaBytes int
	// Backoff is routing.retries.
	Backoff provider.Backoff
	// Strategy is routing.strategy, HedgeAfter routing.hedge_after; 0 is never.
	Strategy   string
	HedgeAfter time.Duration
	// StorePrompts is privacy.store_prompts.
	StorePrompts bool
}

// Pipeline is the way of one request. It is safe for concurrent use; Close ends the calls it still shares.
type Pipeline struct {
	deps Deps

	admit     admit
	purse     *Purse
	expand    expand
	check     check
	normalise normalise
	resolve   resolve
	lookup    lookup
	coalesce  coalesce
	across    across
	detect    detect
	attempts  attempts
	report    report
	record    record

	states  states
	steps   steps
	batched chan struct{} // one for each item of a batch under way: its capacity is mostBatched
}

// New makes a pipeline.
func New(d Deps) (*Pipeline, error) {
	schemas, err := newSchemas(d.Schemas)
	if err != nil {
		return nil, err
	}
	states, err := newStates(d.StateKey)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{
		deps:      d,
		admit:     admit{limiter: d.Limiter, latest: d.Latest, meter: d.Meter},
		expand:    expand{templates: d.Templates, settings: d.Settings},
		check:     check{settings: d.Settings},
		resolve:   resolve{schemas: schemas, pool: d.Pool, settings: d.Settings, registry: d.Registry, forms: newForms()},
		lookup:    lookup{tier: d.Cache, meter: d.Meter},
		detect:    detect{detector: d.Language},
		record:    record{history: d.History, settings: d.Settings},
		steps:     newSteps(d.Meter),
		coalesce:  coalesce{},
		normalise: normalise{},
		report:    report{states},
		states:    states,
		batched:   make(chan struct{}, mostBatched),
	}
	p.purse = &Purse{limiter: d.Limiter, budgets: d.Budgets, latest: d.Latest, meter: d.Meter}
	p.attempts = newAttempts(d, &p.steps, p.purse)
	p.across = across{turns: d.Turns, lookup: p.lookup, steps: &p.steps}
	return p, nil
}

// Purse is what calls are paid from, for those that are not made here.
func (p *Pipeline) Purse() *Purse { return p.purse }

// Close cancels calls that are still shared and waits for them.
func (p *Pipeline) Close() { p.coalesce.group.Close() }

// Admit lets a caller's n prompts in, or refuses them by its limits. The decision is for the caller's headers either way.
func (p *Pipeline) Admit(ctx context.Context, who *key.Caller, n int) (Admission, error) {
	return do(ctx, &p.steps.admit, p.admit.do, arrival{who: who, prompts: n})
}

// Run gives the answer of one admitted prompt. The error is a *Failure.
func (p *Pipeline) Run(ctx context.Context, a Admission, q prompt.Prompt) (*Answer, error) {
	return p.run(ctx, a, q, nil)
}

// Stream is Run with events on the way: attempts, partial results, then the result. The last pair holds either the result event or the error.
func (p *Pipeline) Stream(ctx context.Context, a Admission, q prompt.Prompt) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		gone := false
		answer, err := p.run(ctx, a, q, func(e Event) error {
			if !gone && !yield(e, nil) {
				gone = true
				cancel()
			}
			return ctx.Err()
		})
		switch {
		case gone:
		case err != nil:
			yield(Event{}, err)
		default:
			yield(Event{Answer: answer}, nil)
		}
	}
}

// run is the order of one request (product.md section 4).
func (p *Pipeline) run(ctx context.Context, a Admission, q prompt.Prompt, emit func(Event) error) (*Answer, error) {
	return p.runWith(ctx, a, q, emit, nil)
}

// runWith is run, for a request whose first call may have a reply already.
func (p *Pipeline) runWith(ctx context.Context, a Admission, q prompt.Prompt, emit func(Event) error, came *Came) (*Answer, error) {
	x := &exchange{id: p.deps.NewID(), who: a.caller, prompt: q, started: time.Now(), emit: emit, came: came}
	ctx, span := p.deps.Meter.Request(ctx, x.id)
	answer, err := p.answer(ctx, x)
	var failure *Failure
	if err != nil {
		failure = x.failure(err)
		err = failure
	}
	// The record is wanted even where the caller has gone: what was spent was spent.
	if _, lost := do(context.WithoutCancel(ctx), &p.steps.record, p.record.do, outcome{x, answer, failure}); lost != nil && err == nil {
		err = x.failure(lost)
		answer = nil
	}
	span.End(err)
	return answer, err
}

func (p *Pipeline) answer(client context.Context, x *exchange) (*Answer, error) {
	if x.prompt.Continues != nil {
		if err := p.resume(x); err != nil {
			return nil, ofState(x, err)
		}
	}
	if x.prompt.Template != nil {
		if _, err := do(client, &p.steps.expand, p.expand.do, x); err != nil {
			return nil, ofState(x, faultOf(client, err))
		}
	}
	if x.dialogue != nil {
		x.prompt.Messages, x.prompt.Text = x.dialogue.turns(&x.prompt), ""
	}
	ctx, cancel := context.WithTimeout(client, x.prompt.Options.Timeout)
	defer cancel()
	a, err := p.walk(client, ctx, x)
	if err != nil {
		return nil, ofState(x, faultOf(ctx, err))
	}
	return a, nil
}

// walk takes the steps one after the other; client and ctx are those of share.
func (p *Pipeline) walk(client, ctx context.Context, x *exchange) (*Answer, error) {
	plain, err := do(ctx, &p.steps.normalise, p.normalise.do, x)
	if err != nil {
		return nil, err
	}
	checked, err := do(ctx, &p.steps.check, p.check.do, plain)
	if err != nil {
		return nil, err
	}
	resolved, err := do(ctx, &p.steps.resolve, p.resolve.do, checked)
	if err != nil {
		return nil, ofTemplate(&x.prompt, err)
	}
	found := found{resolved: resolved}
	if x.came == nil { // A reply that was paid for is judged, whatever the cache has by now.
		if found, err = do(ctx, &p.steps.lookup, p.lookup.get, resolved); err != nil {
			return nil, err
		}
	}
	if found.hit {
		return do(ctx, &p.steps.report, p.report.do, found)
	}
	tongue := p.detect.begin(ctx, &p.steps.language, resolved)
	defer tongue.wait()
	if found.result, err = p.share(client, ctx, resolved, tongue); err != nil {
		return nil, err
	}
	found.language = tongue.wait()
	if _, err := do(ctx, &p.steps.store, p.lookup.put, found); err != nil {
		return nil, err
	}
	return do(ctx, &p.steps.report, p.report.do, found)
}

// share runs the attempts, together with identical requests in flight. A streamed request runs its own, since its events belong to it alone. client is
// the caller's own context, ctx the same with the request's limit of time.
func (p *Pipeline) share(client, ctx context.Context, r resolved, speech *tongue) (*Result, error) {
	try := func(ctx context.Context, r resolved) (*Result, error) {
		return do(ctx, &p.steps.attempts, p.attempts.do, r)
	}
	if r.emit != nil || r.prompt.Options.BypassCache || r.came != nil {
		return try(ctx, r)
	}
	return p.coalesce.do(client, ctx, r, p.across.share(try, speech))
}

// faultOf makes the product's error of a context's end. Where the caller has gone, what ended with it is nobody else's fault.
func faultOf(ctx context.Context, err error) error {
	gone := errors.Is(ctx.Err(), context.Canceled)
	switch {
	case fault.Is(err, fault.Timeout):
		return err
	case gone && (fault.Of(err).Code == fault.Internal || fault.Is(err, fault.ProviderError)):
		return fault.New(fault.Timeout, "the caller went away before the answer").Because(err)
	case fault.Of(err).Code != fault.Internal:
		return err
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.Timeout, "the request did not end within its options.timeout_ms").Because(err)
	default:
		return err
	}
}
