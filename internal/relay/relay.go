// Package relay is the gateway for requests without a schema: it hands a body in a format of OpenAI's to a service that speaks it, and the service's bytes back.
//
// Nothing is judged here, so nothing is called passed; requests with a schema are package pipeline's. What stays the same is all around: candidates and the keys
// that may use them, fallback as long as nothing was sent to the caller, slots, breakers, time limits and credentials of providers, history, cost and metrics. A
// candidate whose dialect has another format gets the conversation, translated, where the request has nothing in it that gets lost on the way; else
// it is passed over, and where nobody is left the fault names what stood in the way.
//
// hold.go is what a key's limits make of that, counted.go counts the tokens of streams whose callers do not ask for it.
//
// The main type is [Relay]; [Relay.Do] reads as the way of one request.
package relay

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dropin"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Deps are the relay's collaborators; all of them are wanted.
type Deps struct {
	Pool    *provider.Pool
	Router  *router.Router
	History pipeline.History
	Meter   pipeline.Meter
	// Purse is what calls are paid from; nil is for programs where nobody has limits of that kind.
	Purse    *pipeline.Purse
	NewID    func() string
	Settings func() pipeline.Settings
}

// Relay hands requests on. It is safe for concurrent use.
type Relay struct {
	deps Deps
	// text stands for the schema of answers that have none.
	text *schema.Schema
}

// New makes a relay.
func New(d Deps) *Relay {
	text, err := schema.Compile(value.Object(value.Member{Name: "type", Value: value.String("string")}), schema.Options{})
	if err != nil {
		panic("relay: the schema of texts does not compile: " + err.Error()) // It is a constant.
	}
	return &Relay{d, text}
}

// Out takes a streamed answer.
type Out interface {
	// Begin comes once, before the first Write: from then on no other candidate can be asked.
	Begin(h Head)
	// Write sends bytes on at once.
	Write(b []byte) error
}

// Head is what is known when an answer begins.
type Head struct {
	RequestID, Provider, Model string
	// ContentType is that of the body.
	ContentType string
}

// Answer is what came of a request.
type Answer struct {
	Head
	// Status is 200, or that of a service which says what is wrong with the request.
	Status int
	// Body is a whole answer; a streamed one went to the Out.
	Body []byte
	// Cost is what all attempts cost.
	Cost     provider.Cost
	Attempts int
}

// exchange is one request under way.
type exchange struct {
	*dropin.Request
	id       string
	who      *key.Caller
	started  time.Time
	out      Out // nil where the answer is wanted whole
	began    bool
	attempts []provider.Attempt
	asked    time.Duration
	reply    dialect.Reply
	why      string // of the attempt under way
	question *router.Question
	// said is what the user says, for the router and the history.
	said string
	// hurry ends the attempt under way when its part of the time is over; nil where it has all of it.
	hurry *time.Timer
}

// Do hands on one admitted request. The answer is streamed to out where that is not nil. The error is a *pipeline.Failure; began tells whether something of the
// answer was sent before.
func (r *Relay) Do(ctx context.Context, who *key.Caller, q *dropin.Request, out Out) (a *Answer, began bool, err error) {
	x := &exchange{Request: q, id: r.deps.NewID(), who: who, started: time.Now(), out: out, said: q.Texts()}
	client := ctx
	ctx, span := r.deps.Meter.Request(ctx, x.id)
	ctx, cancel := context.WithTimeout(ctx, q.Prompt.Options.Timeout)
	defer cancel()
	a, err = r.walk(ctx, x)
	if err != nil {
		err = x.failure(ctx, client, err)
	}
	// The record is wanted even where the caller has gone: what was spent was spent.
	if lost := r.record(context.WithoutCancel(ctx), x, a, err); lost != nil && err == nil {
		a, err = nil, x.failure(ctx, client, lost)
	}
	span.End(err)
	return a, x.began, err
}

// walk asks one candidate after the other until one has answered, or has begun to. When all have failed it begins again with those that may do better now.
func (r *Relay) walk(ctx context.Context, x *exchange) (*Answer, error) {
	order, err := r.order(x)
	if err != nil {
		return nil, err
	}
	failed, why := nobody(&order), ""
	seen := make([]error, len(order.Choices)) // What became of each candidate the last time.
	for round := 0; ; round++ {
		asked := false
		for i := range order.Choices {
			if len(x.attempts) >= x.Prompt.Options.MaxAttempts {
				return nil, failed
			}
			c := order.Choices[i].Candidate
			if round > 0 && !r.mayRepeat(ctx, x, c, round, seen[i]) {
				continue
			}
			if x.why = order.Explain(i); why != "" {
				x.why = "after " + why + "; " + x.why
			}
			part, done := x.part(ctx, another(seen, i))
			a, err := r.ask(part, x, c)
			done()
			if err == nil {
				return a, nil
			}
			failed, seen[i], asked = reason(failed, err), err, true
			if ctx.Err() != nil || x.began || !next(err) {
				return nil, failed
			}
			why = outcomeOf(err)
		}
		if !asked {
			return nil, failed
		}
	}
}

// another says whether somebody else could still be asked after the i-th candidate.
func another(seen []error, i int) bool {
	for j, err := range seen {
		if j != i && (err == nil || repeats(err)) {
			return true
		}
	}
	return false
}

// part gives an attempt at most half of what is left of the time while another candidate could still be asked, so that a service that hangs never eats the request.
// Once an answer begins it has all of it: nobody else can be asked then.
func (x *exchange) part(ctx context.Context, another bool) (_ context.Context, done func()) {
	x.hurry = nil
	deadline, ok := ctx.Deadline()
	if !ok || !another || len(x.attempts)+2 > x.Prompt.Options.MaxAttempts {
		return ctx, func() {}
	}
	limited, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(time.Until(deadline)/2, func() { cancel(context.DeadlineExceeded) })
	x.hurry = timer
	return limited, func() { timer.Stop(); cancel(nil) }
}

// outcomeOf names what became of an attempt.
func outcomeOf(err error) string {
	var e *dialect.Error
	if errors.As(err, &e) {
		return e.Outcome.String()
	}
	var unpaid *pipeline.Unpaid
	if errors.As(err, &unpaid) {
		return "what it may cost is not within the budget"
	}
	return "another format"
}

// nobody is the fault of a request for which nobody can be asked now.
func nobody(o *router.Order) error {
	f := fault.New(fault.ProviderError, "no provider can be asked now")
	f.Remediation = "Try again after the time in Retry-After; promptd doctor and GET /v1/providers show what is wrong with each provider."
	for _, skipped := range o.Skipped {
		f.Detail += "; " + skipped.Candidate.Name() + ": " + skipped.Why
		if wait := skipped.Wait; wait > 0 && (f.RetryAfter == 0 || wait < f.RetryAfter) {
			f.RetryAfter = wait
		}
	}
	return f
}

// next says whether another attempt may do better than one that ended so.
func next(err error) bool {
	var e *dialect.Error
	if !errors.As(err, &e) {
		return true // The candidate could not be asked: another one may speak the format.
	}
	rule := provider.RuleOf(e.Outcome)
	return rule.Next || rule.Repeat
}

// repeats says whether a candidate may do better another time after an attempt that ended so.
func repeats(err error) bool {
	var e *dialect.Error
	return errors.As(err, &e) && provider.RuleOf(e.Outcome).Repeat
}

// mayRepeat pauses before a candidate is asked again, where that is worth it; failed is what became of it the last time.
func (r *Relay) mayRepeat(ctx context.Context, x *exchange, c provider.Candidate, round int, failed error) bool {
	const most = 8 // Rounds: a call that is not sent is no attempt.
	if round > most || !repeats(failed) || !c.Provider.AllowRetry() {
		return false
	}
	var wait time.Duration
	var e *dialect.Error
	if errors.As(failed, &e) {
		wait = e.Wait
	}
	begun := time.Now()
	defer func() { x.asked += time.Since(begun) }()
	return provider.Sleep(ctx, r.deps.Settings().Backoff.Pause(round, wait)) == nil
}

// failure makes the product's error of what ended a request.
func (x *exchange) failure(ctx, client context.Context, err error) *pipeline.Failure {
	f := &pipeline.Failure{RequestID: x.id, ClientRequestID: x.Prompt.ClientRequestID, Attempts: x.attempts, Processing: time.Since(x.started)}
	f.Usage, f.Cost = pipeline.Total(x.attempts)
	var e *dialect.Error
	switch {
	case client.Err() != nil:
		f.Fault = fault.New(fault.Timeout, "the caller went away before the answer").Because(err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		f.Fault = fault.New(fault.Timeout, "the request did not end within its promptd.timeout_ms").Because(err)
	case errors.As(err, &e):
		f.Fault = faultOf(e)
	default:
		f.Fault = fault.Of(err)
	}
	return f
}

// faultOf words what a provider did.
func faultOf(e *dialect.Error) *fault.Fault {
	rule := provider.RuleOf(e.Outcome)
	f := fault.New(rule.Code, "the last attempt ended as %s: %s", e.Outcome, rule.Means).Because(e)
	if f.Code == fault.ValidationFailed || f.Code == fault.Internal {
		f.Code = fault.ProviderError // Nothing is judged here.
	}
	f.RetryAfter = e.Wait
	switch e.Outcome {
	case dialect.Timeout:
		f.Detail = "the provider did not answer in time"
	case dialect.Filtered, dialect.Refused:
		f.Detail = "the provider refused the content"
	case dialect.Auth:
		f.Remediation = "The provider refused its credentials or permissions: check its api_key and the model's name; promptd doctor shows both."
	case dialect.Quota:
		f.Remediation = "The account at the provider has no quota or credit left: settle it there, or configure another provider."
	case dialect.ContextExceeded, dialect.TooLarge:
		f.Remediation = "Send a shorter conversation, or use a model with a larger context window."
	}
	if errors.Is(e, provider.ErrNotSent) {
		f.Detail = "no provider takes a call now: " + e.Cause.Error()
	}
	return f
}

// passes says whether a service's own words about a request go to the caller: they are about what the caller sent, and not about the account.
func passes(e *dialect.Error, raw provider.Raw) bool {
	if raw.Status < http.StatusBadRequest || raw.Status >= http.StatusInternalServerError || len(raw.Body) == 0 || raw.Body[0] != '{' {
		return false
	}
	switch e.Outcome {
	case dialect.BadRequest, dialect.TooLarge, dialect.ContextExceeded, dialect.SchemaRejected, dialect.Filtered, dialect.Refused:
		return true
	default:
		return false
	}
}
