package pipeline

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/router"
	"github.com/promptd/promptd/internal/schema"
)

// attempts is the loop of one request: choose a candidate, plan, call, read, raise, judge; then the answer, or the next attempt. Every call to a provider counts
// against max_attempts, whatever it is for, and all of them share the request's deadline. Each candidate gets the caller's schema lowered for itself.
//
// The file tells the loop from top to bottom; choose.go says who is asked, hedge.go how two can be asked at once, again.go what the next attempt does better,
// ends.go what the caller is told where there is none.
type attempts struct {
	router   *router.Router
	planner  *planner
	validate validate
	purse    *Purse
	settings func() Settings
	meter    Meter
	steps    *steps
}

func newAttempts(d Deps, s *steps, p *Purse) attempts {
	return attempts{router: d.Router, planner: newPlanner(d.Meta), validate: validate{d.Meter}, purse: p, meter: d.Meter, steps: s, settings: d.Settings}
}

func (s attempts) backoff() provider.Backoff { return s.settings().Backoff }

// series is the state of the loop between two attempts.
type series struct {
	resolved
	question *router.Question
	way      way
	move     move
	why      string // why the next attempt is made, where it is not the first
	messages []dialect.Message
	room     int  // max_tokens of the next attempt
	uncapped bool // the generation caps cut an answer
	pauses   int  // before repeats
	reasked  int  // in all
	here     int  // re-asks at the candidate under way
	partial  *partial
	failed   error // why there is no answer yet
	weak     bool  // failed says little: another reason counts for more
	record   int   // the place of the attempt under judgement
	learned  int   // attempts that the router has heard of
	// reasking says that the attempt under way is a re-ask, reaskNext that the next one will be.
	reasking, reaskNext bool
	skipped             []provider.Skipped // candidates that were passed over before the next attempt
}

// move says what comes after an attempt.
type move uint8

const (
	// onward asks another candidate, or the same one after a pause. Every request begins with it.
	onward move = iota
	// again asks the same candidate at once: a re-ask, more room, another mode.
	again
	// stop ends the series: no attempt can help.
	stop
)

// left counts the calls that max_attempts still allows.
func (t *series) left() int { return t.prompt.Options.MaxAttempts - len(t.exchange.attempts) }

func (s attempts) do(ctx context.Context, r resolved) (*Result, error) {
	t := s.begin(r)
	s.meet(t)
	for t.left() > 0 && t.move != stop {
		if err := s.choose(ctx, t); err != nil {
			break
		}
		result, err := s.attempt(ctx, t)
		s.learn(t)
		if err == nil {
			return result, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, t.ended(ctx)
}

// attempt makes one attempt. Where it gives no result it says in t.move what comes next, and in t.failed why.
func (s attempts) attempt(ctx context.Context, t *series) (*Result, error) {
	t.reasking, t.reaskNext = t.reaskNext, false
	p, err := do(ctx, &s.steps.plan, s.plan, t)
	if err != nil {
		return nil, t.fail(stop, err)
	}
	r, err := do(ctx, &s.steps.call, func(ctx context.Context, p planned) (replied, error) { return s.call(ctx, t, p) }, p)
	if err != nil {
		return nil, s.afterFault(t, r.planned, err)
	}
	if stop := r.reply.Stop; stop == dialect.StopError || stop == dialect.StopPaused {
		// Nobody said that the answer is complete, so it can't pass; more room would not help either.
		t.outcome(dialect.Unknown)
		return nil, s.afterFault(t, r.planned, &dialect.Error{Outcome: dialect.Unknown, Status: http.StatusOK})
	}
	defer s.tell(t)
	if stop := r.reply.Stop; stop == dialect.StopRefused || stop == dialect.StopFiltered {
		return nil, t.afterRefusal(stop)
	}
	read, err := do(ctx, &s.steps.parse, parse{s.meter}.do, r)
	if err != nil {
		return nil, s.afterNothing(t, r)
	}
	if read.read.Unfinished || s.hitCap(read) {
		return nil, s.afterTruncation(t, read)
	}
	shaped, err := do(ctx, &s.steps.raise, raise{s.meter}.do, read)
	if err != nil {
		return nil, s.reask(t, read, unraised(err))
	}
	switch {
	case len(shaped.said.Questions) > 0 && t.partial != nil && t.partial.any:
		return nil, s.reask(t, read, contradiction()) // Questions in place of what was shown would take it back.
	case len(shaped.said.Questions) > 0:
		return s.incomplete(t, shaped)
	case t.form != nil && !shaped.said.Answered:
		return nil, s.reask(t, read, unasked(t.form, shaped.said))
	}
	if t.partial != nil {
		shaped.value, shaped.coercions = t.partial.keep(shaped.value, shaped.coercions)
		shaped.value = r.schema.Reorder(shaped.value)
	}
	judged, err := do(ctx, &s.steps.validate, s.validate.do, shaped)
	if err != nil {
		return nil, t.fail(stop, err)
	}
	if !judged.valid.OK() {
		return nil, s.reask(t, read, judged.report)
	}
	if t.partial != nil && !t.partial.heldBy(judged.valid.Value()) {
		// What a stream has shown is never taken back: an answer that contradicts it is no answer.
		return nil, s.reask(t, read, contradiction())
	}
	return s.result(t, shaped, judged.valid), nil
}

// incomplete ends the series where the text does not say what the schema requires: with questions, or with a fault that tells what is missing.
func (s attempts) incomplete(t *series, r raised) (*Result, error) {
	t.outcome(dialect.OK)
	if t.prompt.Options.Missing != prompt.MissingAsk || t.dialogue != nil && len(t.dialogue.Rounds) >= mostRounds {
		s.meter.Judged("failed")
		return nil, s.missed(t, r)
	}
	s.meter.Judged(NeedsInput)
	res := s.result(t, r, schema.Valid{})
	res.questions, res.confidence, res.confidenceSource = r.said.Questions, 0, ""
	return res, nil
}

// plan prepares the call to the candidate under way.
func (s attempts) plan(_ context.Context, t *series) (planned, error) {
	p, err := s.planFor(t, t.way.at, t.messages)
	t.messages = p.messages
	return p, err
}

// planFor prepares a call to a candidate: the schema lowered for it, and the conversation; nil begins anew.
func (s attempts) planFor(t *series, place int, messages []dialect.Message) (planned, error) {
	p := planned{exchange: t.exchange, schema: t.schema, form: t.form, candidate: t.way.order.Choices[place].Candidate, room: t.room, messages: messages}
	var err error
	if p.plan, err = s.planner.plan(p.candidate, t.schema, t.form); err != nil {
		return p, err
	}
	p.capped = !t.uncapped && p.plan.capped
	if p.messages == nil {
		p.messages = p.plan.meta.Messages(t.prompt)
	}
	if most := p.candidate.Model.Capability.MaxOutput; most > 0 {
		p.room = min(p.room, most)
	}
	return p, nil
}

// call asks the model, or two of them, and keeps the record. The one whose answer counts is the candidate under way afterwards.
func (s attempts) call(ctx context.Context, t *series, p planned) (replied, error) {
	if t.came != nil {
		return s.arrived(t, p)
	}
	limited, progress, done := t.limited(ctx)
	defer done()
	var a asked
	var loser *asked
	begun := time.Now()
	if t.partial != nil {
		t.partial.begin(p)
		a = s.one(limited, t.way.at, p, func(text string) error {
			progress()
			return t.partial.add(ctx, text)
		})
	} else {
		a, loser = s.hedged(limited, t, p)
	}
	t.exchange.asked += time.Since(begun)
	if loser != nil {
		s.overtaken(t, loser)
	}
	if loser != nil && loser.attempt.StartedAt.Before(a.attempt.StartedAt) {
		t.keep(loser)
		loser = nil
	}
	t.keep(&a)
	t.record = len(t.exchange.attempts) - 1
	if loser != nil {
		t.keep(loser)
	}
	t.way.at = a.place
	return replied{a.planned, a.reply}, a.err
}

// callOf is what a planned attempt asks.
func callOf(p *planned) dialect.Call {
	return dialect.Call{
		Messages: p.messages, MaxTokens: p.room, Temperature: &p.prompt.Options.Temperature,
		Logprobs: p.prompt.Options.IncludeConfidence && p.candidate.Model.Capability.Logprobs,
		Output:   dialect.Output{Mode: p.plan.lowered.Mode, Name: "result", Schema: p.plan.sent(p.capped, p.schema.Source())},
	}
}

// one makes a single call, paid for from the caller's purse; two may run beside each other.
func (s attempts) one(ctx context.Context, place int, p planned, sink func(string) error) asked {
	c := callOf(&p)
	a := asked{planned: p, place: place}
	paid, err := s.purse.Open(ctx, p.who, p.candidate.Model, expect(s.purse.latest.of(p.who), &c))
	if err != nil {
		a.err = err
		return a
	}
	defer func() { paid.Close(&a.attempt, a.err) }()
	ctx, span := s.meter.Call(ctx, p.candidate.Provider.Name(), p.candidate.Model.Name)
	a.reply, a.attempt, a.err = p.candidate.Provider.Call(ctx, p.candidate.Model, c, sink)
	span.End(&a.attempt, a.err)
	return a
}

// keep adds a call to the request's attempts, with why it was made; a call that was never sent is none.
func (t *series) keep(a *asked) {
	if errors.Is(a.err, provider.ErrNotSent) {
		return
	}
	a.attempt.N = len(t.exchange.attempts) + 1
	if a.attempt.Reason == "" {
		a.attempt.Reason = t.reason()
	}
	a.attempt.Skipped, t.skipped = t.skipped, nil
	t.exchange.attempts = append(t.exchange.attempts, a.attempt)
	t.way.last, t.why = a.place, ""
}

// outcome corrects the record of the attempt under judgement.
func (t *series) outcome(o dialect.Outcome) {
	t.exchange.attempts[t.record].Outcome = o
}

// tell hands the finished attempt to a stream.
func (s attempts) tell(t *series) {
	if t.emit != nil {
		last := t.exchange.attempts[len(t.exchange.attempts)-1]
		_ = t.emit(Event{Attempt: &last}) //nolint:errcheck // A listener that went away has cancelled the context, which ends the loop.
	}
}

// learn tells the router what came of the attempts that it has not heard of. How long a batch takes says nothing of the model.
func (s attempts) learn(t *series) {
	for ; t.learned < len(t.exchange.attempts); t.learned++ {
		if t.exchange.attempts[t.learned].Batch {
			continue
		}
		s.router.Learn(t.question, &t.exchange.attempts[t.learned], t.reasking)
	}
}

// result puts together what is known of a valid answer.
func (s attempts) result(t *series, r raised, valid schema.Valid) *Result {
	res := &Result{
		valid: valid, data: valid.Value().String(), repairs: r.read.Repairs, coercions: r.coercions, reasks: t.reasked, mode: r.plan.lowered.Mode,
		provider: r.candidate.Provider.Name(), model: r.candidate.Model.Name,
		attempts: slices.Clone(t.exchange.attempts), asked: t.exchange.asked,
	}
	t.outcome(dialect.OK)
	res.attempts[t.record].Outcome = dialect.OK
	res.usage, res.cost = total(res.attempts)
	if t.prompt.Options.IncludeConfidence {
		res.confidence, res.confidenceSource = confidence(r, t.reasked)
	}
	return res
}
