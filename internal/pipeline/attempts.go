package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
)

// attempts is the loop of one request: plan, call, read, raise, judge; then the answer, or the next attempt. Every call to a provider counts against
// max_attempts, whatever it is for, and all of them share the request's deadline.
type attempts struct {
	planner  *planner
	validate validate
	backoff  func() provider.Backoff
	meter    Meter
	steps    *steps
}

func newAttempts(d Deps, s *steps) attempts {
	return attempts{
		planner: newPlanner(d.Meta), validate: validate{d.Meter}, meter: d.Meter, steps: s,
		backoff: func() provider.Backoff { return d.Settings().Backoff },
	}
}

// series is the state of the loop between two attempts.
type series struct {
	resolved
	messages []dialect.Message // the conversation of the next attempt; nil begins anew
	room     int               // max_tokens of the next attempt
	uncapped bool              // the generation caps cut an answer
	pauses   int               // repeats after faults of transport
	reasked  int
	partial  *partial // what a stream has already shown; nil without a stream
	failed   error    // why the last attempt gave no answer
}

func (s attempts) do(ctx context.Context, r resolved) (*Result, error) {
	t := &series{resolved: r, room: r.prompt.Options.MaxTokens}
	if r.emit != nil {
		t.partial = newPartial(r)
	}
	for range r.prompt.Options.MaxAttempts {
		result, again, err := s.attempt(ctx, t)
		if err == nil {
			return result, nil
		}
		t.failed = err
		if ctx.Err() != nil {
			return nil, s.ended(ctx, t)
		}
		if !again {
			return nil, err
		}
	}
	return nil, t.failed
}

// ended is the fault of a request whose time is up or whose caller is gone.
func (s attempts) ended(ctx context.Context, t *series) error {
	return faultOf(ctx, fmt.Errorf("after %d attempts: %w", len(t.exchange.attempts), errors.Join(ctx.Err(), t.failed)))
}

// attempt makes one attempt. Where it gives no result, again says whether another one is worth it.
func (s attempts) attempt(ctx context.Context, t *series) (result *Result, again bool, err error) {
	p, err := do(ctx, &s.steps.plan, s.plan, t)
	if err != nil {
		return nil, false, err
	}
	r, err := do(ctx, &s.steps.call, func(ctx context.Context, p planned) (replied, error) { return s.call(ctx, t, p) }, p)
	if err != nil {
		return s.afterFault(ctx, t, p, err)
	}
	if stop := r.reply.Stop; stop == dialect.StopError || stop == dialect.StopPaused {
		// Nobody said that the answer is complete, so it can't pass; more room would not help either.
		t.outcome(dialect.Unknown)
		return s.afterFault(ctx, t, p, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK})
	}
	defer s.tell(t)
	if stop := r.reply.Stop; stop == dialect.StopRefused || stop == dialect.StopFiltered {
		return nil, false, refusal(stop)
	}
	read, err := do(ctx, &s.steps.parse, parse{s.meter}.do, r)
	if err != nil {
		return s.afterNothing(t, r)
	}
	if read.read.Unfinished || s.hitCap(read) {
		return s.afterTruncation(t, read)
	}
	shaped, err := do(ctx, &s.steps.raise, raise{s.meter}.do, read)
	if err != nil {
		return s.reask(t, read, unraised(err))
	}
	if t.partial != nil {
		shaped.value, shaped.coercions = t.partial.keep(shaped.value, shaped.coercions)
		shaped.value = r.schema.Reorder(shaped.value)
	}
	judged, err := do(ctx, &s.steps.validate, s.validate.do, shaped)
	if err != nil {
		return nil, false, err
	}
	if !judged.valid.OK() {
		return s.reask(t, read, judged.report)
	}
	if t.partial != nil && !t.partial.heldBy(judged.valid.Value()) {
		// What a stream has shown is never taken back: an answer that contradicts it is no answer.
		return s.reask(t, read, contradiction())
	}
	return s.result(t, shaped, judged.valid), false, nil
}

// tell hands the finished attempt to a stream.
func (s attempts) tell(t *series) {
	if t.emit != nil {
		last := t.exchange.attempts[len(t.exchange.attempts)-1]
		_ = t.emit(Event{Attempt: &last}) //nolint:errcheck // A listener that went away has cancelled the context, which ends the loop.
	}
}

// plan chooses the candidate and prepares the call.
func (s attempts) plan(_ context.Context, t *series) (planned, error) {
	p := planned{exchange: t.exchange, schema: t.schema, candidate: t.candidates[0], room: t.room}
	var err error
	if p.plan, err = s.planner.plan(p.candidate, t.schema); err != nil {
		return p, err
	}
	p.capped = !t.uncapped && p.plan.capped
	if t.messages == nil {
		t.messages = p.plan.meta.Messages(t.prompt)
	}
	p.messages = t.messages
	if most := p.candidate.Model.Capability.MaxOutput; most > 0 {
		p.room = min(p.room, most)
	}
	return p, nil
}

// call asks the model and keeps the attempt's record.
func (s attempts) call(ctx context.Context, t *series, p planned) (replied, error) {
	c := dialect.Call{
		Messages: p.messages, MaxTokens: p.room, Temperature: &p.prompt.Options.Temperature,
		Logprobs: p.prompt.Options.IncludeConfidence && p.candidate.Model.Capability.Logprobs,
		Output:   dialect.Output{Mode: p.plan.lowered.Mode, Name: "result", Schema: p.plan.sent(p.capped, t.schema.Source())},
	}
	var sink func(string) error
	if t.partial != nil {
		t.partial.begin(p)
		sink = func(text string) error { return t.partial.add(ctx, text) }
	}
	ctx, span := s.meter.Call(ctx, p.candidate.Provider.Name(), p.candidate.Model.Name)
	reply, a, err := p.candidate.Provider.Call(ctx, p.candidate.Model, c, sink)
	a.N = len(t.exchange.attempts) + 1
	t.exchange.attempts = append(t.exchange.attempts, a)
	t.exchange.asked += a.Total
	span.End(&t.exchange.attempts[a.N-1], err)
	return replied{p, reply}, err
}

// outcome corrects the record of the attempt under judgement.
func (t *series) outcome(o dialect.Outcome) {
	t.exchange.attempts[len(t.exchange.attempts)-1].Outcome = o
}

func (s attempts) afterFault(ctx context.Context, t *series, p planned, err error) (*Result, bool, error) {
	s.tell(t) // Before the pause: who listens sees at once what happened.
	var failed *dialect.Error
	if !errors.As(err, &failed) {
		return nil, false, err
	}
	f := providerFault(failed)
	switch {
	case failed.Outcome == dialect.SchemaRejected:
		t.messages = nil // Another mode says the schema in other words, or at all.
		return nil, s.planner.demote(p.candidate, t.schema, p.plan.lowered.Mode), f
	case !provider.Retryable(failed.Outcome):
		return nil, false, f
	}
	if len(t.exchange.attempts) >= t.prompt.Options.MaxAttempts {
		return nil, false, f
	}
	t.pauses++
	pause := s.backoff().Pause(t.pauses, failed.Wait)
	begun := time.Now()
	if err := provider.Sleep(ctx, pause); err != nil {
		return nil, false, f // The pause would outlast the deadline: say what happened now.
	}
	t.exchange.asked += time.Since(begun)
	return nil, true, f
}

// afterNothing handles a text with no JSON in it.
func (s attempts) afterNothing(t *series, r replied) (*Result, bool, error) {
	if r.reply.Stop == dialect.StopTruncated {
		return s.afterTruncation(t, parsed{replied: r})
	}
	return s.reask(t, parsed{replied: r}, schema.Report{Errors: []schema.Entry{{
		Keyword: "PARSE", Expected: "one JSON value", Actual: "text without JSON", Message: "the answer holds no JSON value",
		Hint: "answer with the JSON value alone",
	}}})
}

// afterTruncation asks again with more room. What an unfinished answer holds is never judged, so it can never pass.
func (s attempts) afterTruncation(t *series, p parsed) (*Result, bool, error) {
	s.meter.Judged("truncated")
	t.outcome(dialect.Truncated)
	report := schema.Report{Errors: []schema.Entry{{
		Keyword: "TRUNCATED", Expected: "a complete answer", Actual: "an answer that ends early", Message: "the model's answer is not finished",
		Hint: "allow more with options.max_tokens, or ask for less",
	}}}
	t.failed = s.judgedInvalid(t, p, report)
	if s.hitCap(p) {
		t.uncapped = true
		return nil, true, t.failed
	}
	most := p.candidate.Model.Capability.MaxOutput
	if most > 0 && p.room >= most {
		return nil, false, t.failed
	}
	const factor = 2
	t.room = p.room * factor
	t.messages = nil
	return nil, true, t.failed
}

// hitCap reports whether an answer ran into a generation cap, which is promptd's own and not the caller's.
func (s attempts) hitCap(p parsed) bool {
	return p.capped && p.plan.lowered.Hit(p.read.Value)
}

// reask shows the model its answer and what is wrong with it.
func (s attempts) reask(t *series, p parsed, report schema.Report) (*Result, bool, error) {
	t.outcome(dialect.Invalid)
	err := s.judgedInvalid(t, p, report)
	messages, rendered := p.plan.meta.Reask(p.plan.meta.Messages(t.prompt), clipped(p.reply.Text), report)
	if rendered != nil {
		return nil, false, rendered
	}
	t.messages = messages
	t.reasked++
	s.meter.Reasked()
	return nil, true, err
}

// clipped bounds what of a broken answer is sent again: a model that runs away would fill its own context.
func clipped(text string) string {
	const most = 16 << 10
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…" // A cut character would make the request invalid.
}

// judgedInvalid keeps the report of an answer that did not pass, and makes the fault of it.
func (s attempts) judgedInvalid(t *series, p parsed, report schema.Report) error {
	t.exchange.report = &Validation{
		Errors: report.Errors, More: report.More, Repairs: p.read.Repairs, Reasks: t.reasked, Schema: schemaName(t.schema), Mode: p.plan.lowered.Mode,
	}
	f := fault.New(fault.ValidationFailed, "the model's answer does not satisfy the schema after %d of %d attempts",
		len(t.exchange.attempts), t.prompt.Options.MaxAttempts)
	if len(report.Errors) > 0 && report.Errors[0].Keyword == "TRUNCATED" {
		f.Detail = "the model's answer was not finished"
		f.Remediation = "Raise options.max_tokens, ask for less, or use a model with more room."
	}
	return f
}

func unraised(err error) schema.Report {
	return schema.Report{Errors: []schema.Entry{{
		Keyword: "SHAPE", Expected: "the form asked for", Actual: "another form", Message: "the answer does not have the form that was asked for: " + err.Error(),
	}}}
}

func contradiction() schema.Report {
	return schema.Report{Errors: []schema.Entry{{
		Keyword: "STREAM", Expected: "the values already shown", Actual: "other values", Message: "the answer contradicts values that were already streamed",
		Hint: "ask without stream: true",
	}}}
}

func refusal(stop dialect.Stop) error {
	if stop == dialect.StopFiltered {
		return fault.New(fault.ContentRefused, "the provider's content filter stopped the answer")
	}
	return fault.New(fault.ContentRefused, "the model declined to answer")
}

// providerFault makes the product's error of a provider's.
func providerFault(e *dialect.Error) error {
	f := fault.New(fault.ProviderError, "the provider's answer was %s", e.Outcome).Because(e)
	switch e.Outcome {
	case dialect.Filtered, dialect.Refused:
		f.Code = fault.ContentRefused
		f.Detail = "the provider refused the content"
	case dialect.Unknown:
		if e.Status == http.StatusOK {
			f.Detail = "the provider ended its answer without saying that it is complete"
		}
	case dialect.Timeout:
		f.Code = fault.Timeout
		f.Detail = "the provider did not answer in time"
	case dialect.Auth:
		f.Remediation = "The provider refused its credentials or permissions: check its api_key and the model's name; promptd doctor shows both."
	case dialect.Quota:
		f.Remediation = "The account at the provider has no quota or credit left: settle it there, or configure another provider."
	case dialect.ContextExceeded, dialect.TooLarge:
		f.Remediation = "Send a shorter prompt or a smaller schema, or use a model with a larger context window."
	case dialect.RateLimited, dialect.OverloadedProvider:
		f.RetryAfter = e.Wait
	}
	return f
}

// result puts together what is known of a valid answer.
func (s attempts) result(t *series, r raised, valid schema.Valid) *Result {
	res := &Result{
		valid: valid, repairs: r.read.Repairs, coercions: r.coercions, reasks: t.reasked, mode: r.plan.lowered.Mode,
		provider: r.candidate.Provider.Name(), model: r.candidate.Model.Name,
		attempts: slices.Clone(t.exchange.attempts), asked: t.exchange.asked,
	}
	t.outcome(dialect.OK)
	res.attempts[len(res.attempts)-1].Outcome = dialect.OK
	res.usage, res.cost = total(res.attempts)
	if t.prompt.Options.IncludeConfidence {
		res.confidence, res.confidenceSource = confidence(r, t.reasked)
	}
	return res
}
