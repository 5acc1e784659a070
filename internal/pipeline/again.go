package pipeline

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/provider"
	"github.com/promptd/promptd/internal/schema"
)

// reasksHere is how often a candidate is shown its own faults before another one is asked, where there is another. The first re-ask mends most of what can be mended;
// a model that fails twice in a row fails the third time as well more often than another one does.
const reasksHere = 1

// fail notes why an attempt gave no answer, and what comes next.
func (t *series) fail(next move, err error) error {
	t.move = next
	t.failed, t.weak = err, false
	return err
}

// afterFault follows the table of outcomes for a call that gave no reply.
func (s attempts) afterFault(t *series, p planned, err error) error {
	var unpaid *Unpaid
	if errors.As(err, &unpaid) {
		return t.afterUnpaid(unpaid)
	}
	var failed *dialect.Error
	if !errors.As(err, &failed) {
		return t.fail(stop, err)
	}
	if errors.Is(err, provider.ErrNotSent) {
		return s.afterNotSent(t, p, failed)
	}
	s.tell(t) // Before the pause: who listens sees at once what happened.
	f, rule, m := providerFault(failed), provider.RuleOf(failed.Outcome), t.way.mark()
	if failed.Outcome == dialect.SchemaRejected && s.planner.demote(p.candidate, t.sent(), p.plan.lowered.Mode) {
		t.messages = nil // Another mode says the schema in other words, or at all.
		t.why = "the service refused the schema: another mode"
		return t.fail(again, f)
	}
	m.failed++
	m.again = time.Now().Add(failed.Wait)
	m.out = !rule.Repeat
	t.why = failed.Outcome.String()
	if failed.Outcome == dialect.ContextExceeded {
		window := p.candidate.Model.Capability.Context
		t.way.drop(func(c provider.Candidate) bool {
			return c.Model.Capability.Context > 0 && c.Model.Capability.Context <= window
		})
	}
	if !rule.Repeat && !rule.Next {
		return t.fail(stop, f)
	}
	return t.failWeakly(!rule.Repeat && rule.Code == fault.ProviderError, f)
}

// failWeakly goes onward. A reason that lies in the operator's account or in the request's size says little beside one that lies in the answer: where there is such a
// one already, the caller is told that.
func (t *series) failWeakly(weak bool, err error) error {
	kept, wasWeak := t.failed, t.weak
	_ = t.fail(onward, err)
	t.weak = weak
	if weak && kept != nil && !wasWeak {
		t.failed, t.weak = kept, false
	}
	return err
}

// afterNotSent goes on to the next candidate: nothing was asked, so nothing was attempted.
func (s attempts) afterNotSent(t *series, p planned, failed *dialect.Error) error {
	m := t.way.mark()
	m.unsent++
	m.again = time.Now().Add(failed.Wait)
	// To wait for a breaker is to wait for somebody else's probe; beyond a usual pause the caller is better told.
	m.out = errors.Is(failed, provider.ErrOpen) && failed.Wait > s.backoff().Cap
	why := failed.Cause.Error()
	t.skipped = append(t.skipped, provider.Skipped{Candidate: p.candidate.Name(), Why: why})
	f := fault.New(fault.ProviderError, "%s was not asked: %s", p.candidate.Name(), why).Because(failed)
	f.RetryAfter = failed.Wait
	return t.failWeakly(true, f)
}

// afterRefusal asks another model: what one declines another may answer.
func (t *series) afterRefusal(stop dialect.Stop) error {
	t.way.mark().failed++
	t.way.mark().out = true
	t.why = "refused"
	return t.fail(onward, refusal(stop))
}

// afterNothing handles a text with no JSON in it.
func (s attempts) afterNothing(t *series, r replied) error {
	if r.reply.Stop == dialect.StopTruncated {
		return s.afterTruncation(t, parsed{replied: r})
	}
	return s.reask(t, parsed{replied: r}, schema.Report{Errors: []schema.Entry{{
		Keyword: "PARSE", Expected: "one JSON value", Actual: "text without JSON", Message: "the answer holds no JSON value",
		Hint: "answer with the JSON value alone",
	}}})
}

// afterTruncation asks again with more room: of the same model while it has any, else of one that has more. What an unfinished answer holds is never judged, so
// it can never pass.
func (s attempts) afterTruncation(t *series, p parsed) error {
	s.meter.Judged("truncated")
	t.outcome(dialect.Truncated)
	report := schema.Report{Errors: []schema.Entry{{
		Keyword: "TRUNCATED", Expected: "a complete answer", Actual: "an answer that ends early", Message: "the model's answer is not finished",
		Hint: "allow more with options.max_tokens, or ask for less",
	}}}
	err := s.judgedInvalid(t, p, report)
	if s.hitCap(p) {
		t.uncapped = true
		t.why = "more room: without bounds of lengths"
		return t.fail(again, err)
	}
	const factor = 2
	t.room = p.room * factor
	t.messages = nil
	if most := p.candidate.Model.Capability.MaxOutput; most > 0 && p.room >= most {
		t.way.mark().failed++
		t.way.mark().out = true
		t.way.drop(func(c provider.Candidate) bool {
			return c.Model.Capability.MaxOutput > 0 && c.Model.Capability.MaxOutput <= most
		})
		t.why = "truncated at the model's limit"
		return t.fail(onward, err)
	}
	t.why = "more room: max_tokens " + strconv.Itoa(t.room)
	return t.fail(again, err)
}

// hitCap reports whether an answer ran into a generation cap, which is promptd's own and not the caller's.
func (s attempts) hitCap(p parsed) bool {
	return p.capped && p.plan.lowered.Hit(p.read.Value)
}

// reask shows the model its answer and what is wrong with it, or asks another model afresh where that has not helped.
func (s attempts) reask(t *series, p parsed, report schema.Report) error {
	t.outcome(dialect.Invalid)
	err := s.judgedInvalid(t, p, report)
	if _, other := t.way.fresh(); other && t.here >= reasksHere {
		t.way.mark().failed++
		t.why = dialect.Invalid.String()
		return t.fail(onward, err)
	}
	if t.form != nil {
		report = inForm(report)
	}
	messages, rendered := p.plan.meta.Reask(p.plan.meta.Messages(t.prompt), clipped(p.reply.Text), report)
	if rendered != nil {
		return t.fail(stop, rendered)
	}
	t.messages = messages
	t.here++
	t.reasked++
	t.reaskNext = true
	t.why = "re-ask with what was wrong"
	s.meter.Reasked()
	return t.fail(again, err)
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
