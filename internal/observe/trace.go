package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TraceConfig says where spans go.
type TraceConfig struct {
	// Endpoint is the OTLP/HTTP address; /v1/traces is added where it is missing. Empty means no traces.
	Endpoint string
	// Service and Version name the source of the spans.
	Service, Version string
	// Log is told when spans can't be sent, and when they can again; nil means nobody is.
	Log *slog.Logger
	// Failed counts spans that could not be sent; may be nil.
	Failed prometheus.Counter
}

// Tracer makes spans. Without an endpoint it makes none: Start then gives its context back and a Span whose methods do nothing.
// The usual variables of OpenTelemetry (OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER, …) count as well.
type Tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	w3c      propagation.TraceContext
}

// NewTracer makes a tracer; it opens no connection before the first spans are sent.
func NewTracer(c TraceConfig) (*Tracer, error) {
	if c.Endpoint == "" {
		return &Tracer{}, nil
	}
	target, err := tracesURL(c.Endpoint)
	if err != nil {
		return nil, err
	}
	// The constructor only prepares a client, so its context bounds nothing.
	next, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(target))
	if err != nil {
		return nil, fmt.Errorf("prepare the export of traces: %w", err)
	}
	about := resource.NewSchemaless(attribute.String("service.name", c.Service), attribute.String("service.version", c.Version))
	p := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&exporter{SpanExporter: next, log: c.Log, failed: c.Failed}),
		sdktrace.WithResource(about),
	)
	return &Tracer{provider: p, tracer: p.Tracer("github.com/promptd/promptd")}, nil
}

// tracesURL adds the path of traces to a base address.
func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", errors.New("telemetry.otlp_endpoint is not an http or https URL")
	}
	if !strings.HasSuffix(u.Path, "/v1/traces") {
		u.Path = strings.TrimRight(u.Path, "/") + "/v1/traces"
	}
	return u.String(), nil
}

// Enabled reports whether spans are made.
func (t *Tracer) Enabled() bool { return t.tracer != nil }

// Start begins a span inside the program.
func (t *Tracer) Start(ctx context.Context, name string) (context.Context, Span) {
	if t.tracer == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name)
	return ctx, Span{s}
}

// StartServer begins the span of a request that came in.
func (t *Tracer) StartServer(ctx context.Context, name string) (context.Context, Span) {
	if t.tracer == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
	return ctx, Span{s}
}

// StartClient begins the span of a call that goes out.
func (t *Tracer) StartClient(ctx context.Context, name string) (context.Context, Span) {
	if t.tracer == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient))
	return ctx, Span{s}
}

// Extract takes the caller's trace context (W3C traceparent) over. It does so without an endpoint too: logs then carry
// the caller's ids, and calls that go out pass them on.
func (t *Tracer) Extract(ctx context.Context, h http.Header) context.Context {
	if len(h["Traceparent"]) == 0 {
		return ctx
	}
	return t.w3c.Extract(ctx, propagation.HeaderCarrier(h))
}

// Inject puts the trace context into the headers of a call that goes out.
func (t *Tracer) Inject(ctx context.Context, h http.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		t.w3c.Inject(ctx, propagation.HeaderCarrier(h))
	}
}

// Traceparent gives the trace context as text, to be kept with a job; empty where there is none.
func (t *Tracer) Traceparent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	t.w3c.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// Resume takes a kept trace context over.
func (t *Tracer) Resume(ctx context.Context, traceparent string) context.Context {
	if traceparent == "" {
		return ctx
	}
	return t.w3c.Extract(ctx, propagation.MapCarrier{"traceparent": traceparent})
}

// Close sends the spans that are left, as long as ctx allows.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last spans: %w", err)
	}
	return nil
}

// TraceIDs gives the ids of trace and span that a context belongs to, for logs; empty where there are none.
func TraceIDs(ctx context.Context) (traceID, spanID string) {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return "", ""
	}
	return sc.TraceID().String(), sc.SpanID().String()
}

// Span is one step of a trace. The zero Span does nothing.
type Span struct{ span trace.Span }

// Recording reports whether anything is recorded: worth asking before an attribute is computed.
func (s Span) Recording() bool { return s.span != nil && s.span.IsRecording() }

// String sets an attribute; an empty value is left out.
func (s Span) String(key, value string) {
	if s.span != nil && value != "" {
		s.span.SetAttributes(attribute.String(key, value))
	}
}

// Int sets an attribute.
func (s Span) Int(key string, value int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int64(key, value))
	}
}

// Float sets an attribute.
func (s Span) Float(key string, value float64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Float64(key, value))
	}
}

// Bool sets an attribute.
func (s Span) Bool(key string, value bool) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Bool(key, value))
	}
}

// Event adds an event at this moment.
func (s Span) Event(name string) {
	if s.span != nil {
		s.span.AddEvent(name)
	}
}

// Fail marks the span as failed; kind is a short bounded word such as a code of the product. A nil error does nothing.
func (s Span) Fail(kind string, err error) {
	if s.span == nil || err == nil {
		return
	}
	s.String("error.type", kind)
	s.span.SetStatus(codes.Error, string(redactLine([]byte(err.Error()))))
}

// End ends the span.
func (s Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// exporter reports spans that can't be sent to promptd's own log and metrics; the SDK would tell a global handler.
type exporter struct {
	sdktrace.SpanExporter
	log     *slog.Logger
	failed  prometheus.Counter
	failing atomic.Bool
}

// ExportSpans sends spans. Its error is handled here, so it returns none.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	was := e.failing.Swap(err != nil)
	if err != nil && e.failed != nil {
		e.failed.Add(float64(len(spans)))
	}
	switch {
	case e.log == nil:
	case err != nil && !was:
		e.log.WarnContext(ctx, "traces can't be sent", "error", err, "spans", len(spans))
	case err == nil && was:
		e.log.InfoContext(ctx, "traces are sent again")
	}
	return nil
}
