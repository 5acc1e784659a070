package app

import (
	"context"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/provider"
)

// meter shows the pipeline's work as metrics and spans.
type meter struct{ seen *observe.Telemetry }

// Request begins the span of a request; what is logged below carries its id.
func (m meter) Request(ctx context.Context, id string) (context.Context, pipeline.Span) {
	ctx = observe.WithRequestID(ctx, id)
	ctx, s := m.seen.Tracer.Start(ctx, "promptd.request")
	s.String("promptd.request_id", id)
	return ctx, span{s}
}

// Step resolves the timing of a step.
func (m meter) Step(name string) pipeline.Measure {
	return measure{Timing: m.seen.Metrics.Step(name), tracer: m.seen.Tracer, name: "promptd." + name}
}

// Call begins the span of a provider call.
func (m meter) Call(ctx context.Context, providerName, model string) (context.Context, pipeline.CallSpan) {
	counted := m.seen.Metrics.Model(providerName, model)
	counted.Begin()
	ctx, s := m.seen.Tracer.StartClient(ctx, observe.GenAIName(model))
	return ctx, callSpan{span: s, meter: counted}
}

// Cache counts an operation on the cache.
func (m meter) Cache(operation string) { m.seen.Metrics.Cache(operation) }

// Judged counts a judgement.
func (m meter) Judged(result string) { m.seen.Metrics.Judged(result) }

// Repaired counts a repair.
func (m meter) Repaired(kind string) { m.seen.Metrics.Repaired(kind) }

// Coerced counts a coercion.
func (m meter) Coerced(kind string) { m.seen.Metrics.Coerced(kind) }

// Reasked counts a re-ask.
func (m meter) Reasked() { m.seen.Metrics.Reasked() }

// Refused counts a refusal by a limit.
func (m meter) Refused(limit string) { m.seen.Metrics.Refused(limit) }

// span ends with the fault's code.
type span struct{ observe.Span }

// End ends the span.
func (s span) End(err error) {
	if err != nil && s.Recording() {
		f := fault.Of(err)
		s.Fail(f.Code.String(), errors.New(f.Detail)) // The cause is for logs.
	}
	s.Span.End()
}

type measure struct {
	observe.Timing
	tracer *observe.Tracer
	name   string
}

// Begin begins the span of a step.
func (m measure) Begin(ctx context.Context) (context.Context, pipeline.Span) {
	if !m.tracer.Enabled() {
		return ctx, span{}
	}
	ctx, s := m.tracer.Start(ctx, m.name)
	return ctx, span{s}
}

// Observe records how long the step took.
func (m measure) Observe(took time.Duration) { m.Timing.Observe(took) }

type callSpan struct {
	span  observe.Span
	meter *observe.ModelMeter
}

// End counts the call and ends its span.
func (c callSpan) End(a *provider.Attempt, err error) {
	if errors.Is(err, provider.ErrNotSent) {
		c.meter.Unsent()
		c.span.End()
		return
	}
	c.meter.End(a.Outcome.String(), a.Total, a.FirstToken)
	if a.Usage.Known {
		c.meter.Tokens(int64(a.Usage.Input), int64(a.Usage.CachedInput), int64(a.Usage.Output))
	}
	if a.Cost.Known {
		c.meter.Cost(a.Cost.Nano)
	}
	if c.span.Recording() {
		g := observe.GenAI{
			Provider: a.Provider, Model: a.Model, Mode: string(a.Mode), Outcome: a.Outcome.String(),
			InputTokens: -1, CachedInputTokens: -1, OutputTokens: -1,
		}
		if a.Usage.Known {
			g.InputTokens, g.CachedInputTokens, g.OutputTokens = int64(a.Usage.Input), int64(a.Usage.CachedInput), int64(a.Usage.Output)
		}
		c.span.GenAI(g)
		if err != nil {
			c.span.Fail(a.Outcome.String(), err)
		}
	}
	c.span.End()
}

var (
	_ pipeline.Meter    = meter{}
	_ pipeline.CallSpan = callSpan{}
)
