package pipeline

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/provider"
)

// Meter watches the steps. Its methods are called on every request: what can be resolved is resolved once, in Step.
type Meter interface {
	// Request begins the span of a whole request.
	Request(ctx context.Context, id string) (context.Context, Span)
	// Step gives the measure of one named step.
	Step(name string) Measure
	// Call begins the span of one call to a provider.
	Call(ctx context.Context, provider, model string) (context.Context, CallSpan)
	// Cache counts one operation: "hit", "miss", "store", "error".
	Cache(operation string)
	// Judged counts one judgement: "passed", "failed", "truncated".
	Judged(result string)
	// Repaired and Coerced count what was put right, by kind; Reasked counts second calls that show a model its faults.
	Repaired(kind string)
	Coerced(kind string)
	Reasked()
	// Refused counts requests that a limit refused: "requests".
	Refused(limit string)
}

// Measure begins the span of a step and, at its end, observes how long it took.
type Measure interface {
	Begin(ctx context.Context) (context.Context, Span)
	Observe(d time.Duration)
}

// CallSpan is a call to a provider under way.
type CallSpan interface {
	// End ends it with the attempt's record.
	End(a *provider.Attempt, err error)
}

// Span is a piece of a trace under way.
type Span interface {
	End(err error)
}

// step is a measured step of the list.
type step struct{ measure Measure }

// do runs one step between its span's begin and end.
func do[In, Out any](ctx context.Context, s *step, f func(context.Context, In) (Out, error), in In) (Out, error) {
	ctx, span := s.measure.Begin(ctx)
	begun := time.Now()
	out, err := f(ctx, in)
	s.measure.Observe(time.Since(begun))
	span.End(err)
	return out, err
}

// steps are the measured steps by name.
type steps struct {
	admit, expand, normalise, check, resolve, lookup, store, language, attempts, report, record step
	plan, call, parse, raise, validate                                                          step
}

func newSteps(m Meter) steps {
	named := func(name string) step { return step{m.Step(name)} }
	return steps{
		admit: named("admit"), expand: named("expand"), normalise: named("normalise"), check: named("check"), resolve: named("resolve"), lookup: named("lookup"), store: named("store"),
		language: named("language"), attempts: named("attempts"), report: named("report"), record: named("record"),
		plan: named("plan"), call: named("call"), parse: named("parse"), raise: named("raise"), validate: named("validate"),
	}
}
