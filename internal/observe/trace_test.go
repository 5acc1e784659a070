package observe

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a trace collector.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	spans  map[string]*traces.Span
	paths  []string
	about  map[string]any
	refuse bool
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{spans: map[string]*traces.Span{}, about: map[string]any{}}
	r.Server = httptest.NewServer(http.HandlerFunc(r.take))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		w.WriteHeader(http.StatusBadRequest) // Not retried by the exporter.
		return
	}
	r.paths = append(r.paths, req.URL.Path)
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(req.Body)
	}
	raw, err := io.ReadAll(body)
	var m collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(raw, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for _, rs := range m.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			r.about[a.Key] = plain(a.Value)
		}
		for _, ss := range rs.ScopeSpans {
			for _, s := range ss.Spans {
				r.spans[s.Name] = s
			}
		}
	}
}

func plain(v *common.AnyValue) any {
	switch x := v.Value.(type) {
	case *common.AnyValue_StringValue:
		return x.StringValue
	case *common.AnyValue_IntValue:
		return x.IntValue
	case *common.AnyValue_DoubleValue:
		return x.DoubleValue
	case *common.AnyValue_BoolValue:
		return x.BoolValue
	case *common.AnyValue_ArrayValue:
		var out []any
		for _, e := range x.ArrayValue.Values {
			out = append(out, plain(e))
		}
		return out
	}
	return nil
}

func attributes(s *traces.Span) map[string]any {
	out := map[string]any{}
	for _, a := range s.GetAttributes() {
		out[a.Key] = plain(a.Value)
	}
	return out
}

func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	seen, err := New(Config{Service: "promptd", Version: "1.2.3", OTLPEndpoint: r.URL, Out: &output{}})
	if err != nil {
		t.Fatal(err)
	}
	in := http.Header{"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
	ctx := seen.Tracer.Extract(t.Context(), in)
	ctx, request := seen.Tracer.StartServer(ctx, "POST /v1/analyze")
	inner, step := seen.Tracer.Start(ctx, "validate")
	step.Fail("VALIDATION_FAILED", errors.New("with Bearer abcdefghijkl inside"))
	step.End()
	_ = inner
	callCtx, call := seen.Tracer.StartClient(ctx, GenAIName("gpt-4.1-mini"))
	temperature := 0.1
	call.GenAI(GenAI{
		Provider: "openai", Model: "gpt-4.1-mini", ResponseModel: "gpt-4.1-mini-2025-04-14", ResponseID: "c1", Server: "api.openai.com", Mode: "strict",
		Outcome: "ok", FinishReason: "stop", MaxTokens: 2048, Temperature: &temperature, InputTokens: 100, CachedInputTokens: -1, OutputTokens: 20,
	})
	out := http.Header{}
	seen.Tracer.Inject(callCtx, out)
	traceID, spanID := TraceIDs(callCtx)
	call.Bool("b", true)
	call.Float("f", 1.5)
	call.Event("first token")
	call.End()
	request.End()
	if err := seen.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.paths) != 1 || r.paths[0] != "/v1/traces" {
		t.Errorf("the collector was called at %v, want one batch at /v1/traces", r.paths)
	}
	if r.about["service.name"] != "promptd" || r.about["service.version"] != "1.2.3" {
		t.Errorf("the resource is %v", r.about)
	}
	req, val, chat := r.spans["POST /v1/analyze"], r.spans["validate"], r.spans["chat gpt-4.1-mini"]
	if req == nil || val == nil || chat == nil {
		t.Fatalf("spans %v are not the three that were made", r.spans)
	}
	if got := hexOf(req.TraceId); got != "0af7651916cd43dd8448eb211c80319c" || hexOf(req.ParentSpanId) != "b7ad6b7169203331" || req.Kind != traces.Span_SPAN_KIND_SERVER {
		t.Errorf("the request's span %v does not go on with the caller's trace", req)
	}
	if !bytes.Equal(val.ParentSpanId, req.SpanId) || !bytes.Equal(chat.ParentSpanId, req.SpanId) || chat.Kind != traces.Span_SPAN_KIND_CLIENT {
		t.Error("the inner spans are not children of the request's")
	}
	if val.Status.GetCode() != traces.Status_STATUS_CODE_ERROR || strings.Contains(val.Status.Message, "abcdef") || attributes(val)["error.type"] != "VALIDATION_FAILED" {
		t.Errorf("the failed span has status %v and attributes %v", val.Status, attributes(val))
	}
	want := map[string]any{
		"gen_ai.operation.name": "chat", "gen_ai.output.type": "json", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1-mini",
		"gen_ai.response.model": "gpt-4.1-mini-2025-04-14", "gen_ai.response.id": "c1", "server.address": "api.openai.com", "promptd.mode": "strict", "promptd.outcome": "ok",
		"gen_ai.response.finish_reasons": []any{"stop"}, "gen_ai.request.max_tokens": int64(2048), "gen_ai.request.temperature": 0.1,
		"gen_ai.usage.input_tokens": int64(100), "gen_ai.usage.output_tokens": int64(20), "b": true, "f": 1.5,
	}
	if diff := cmp.Diff(want, attributes(chat)); diff != "" {
		t.Errorf("attributes of the call (-want +got):\n%s", diff)
	}
	if want := "00-" + traceID + "-" + spanID + "-01"; out.Get("Traceparent") != want || hexOf(chat.SpanId) != spanID {
		t.Errorf("traceparent of the call is %q, want %q of the span %x", out.Get("Traceparent"), want, chat.SpanId)
	}
}

func hexOf(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(hex[c>>4])
		s.WriteByte(hex[c&15])
	}
	return s.String()
}

func TestTraceContextPassesThroughWithoutACollector(t *testing.T) {
	t.Parallel()
	tr, err := NewTracer(TraceConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := tr.Extract(t.Context(), http.Header{"Traceparent": {parent}})
	ctx, s := tr.Start(ctx, "a")
	defer s.End()
	out := http.Header{}
	tr.Inject(ctx, out)
	if out.Get("Traceparent") != parent || tr.Traceparent(ctx) != parent {
		t.Errorf("traceparent out is %q, want that which came in", out.Get("Traceparent"))
	}
	if id, _ := TraceIDs(tr.Resume(context.Background(), parent)); id != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the resumed trace is %q", id)
	}
	for _, bad := range []string{"", "00-zz", "00-00000000000000000000000000000000-b7ad6b7169203331-01"} {
		if id, _ := TraceIDs(tr.Extract(t.Context(), http.Header{"Traceparent": {bad}})); id != "" {
			t.Errorf("traceparent %q gave the trace %s", bad, id)
		}
	}
	if s.Recording() || tr.Enabled() {
		t.Error("something is recorded without a collector")
	}
}

func TestSpansThatCannotBeSentAreCountedAndSaid(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.refuse = true
	out := &output{}
	seen, err := New(Config{Service: "promptd", OTLPEndpoint: r.URL + "/", Out: out})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, s := seen.Tracer.Start(t.Context(), "lost")
		s.End()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := seen.Close(ctx); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if !strings.Contains(scrape(t, seen.Metrics), "trace_spans_lost_total 3\n") {
		t.Error("the metric does not say 3")
	}
	got := records(t, out.String())
	if len(got) != 1 || got[0]["message"] != "traces can't be sent" {
		t.Errorf("the log is %v, want one warning", got)
	}
}

func TestEndpointMayHaveThePathOfTraces(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://h:4318":            "http://h:4318/v1/traces",
		"http://h:4318/":           "http://h:4318/v1/traces",
		"https://h/otlp":           "https://h/otlp/v1/traces",
		"https://h/otlp/v1/traces": "https://h/otlp/v1/traces",
		"h:4318":                   "",
		"ftp://h":                  "",
	} {
		got, err := tracesURL(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("tracesURL(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}

func BenchmarkSpan(b *testing.B) {
	off, err := NewTracer(TraceConfig{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, s := off.Start(b.Context(), "step")
			s.String("a", "b")
			s.End()
		}
	})
}
