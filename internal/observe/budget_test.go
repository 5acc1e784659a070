package observe

import (
	"io"
	"testing"
	"time"
)

// TestRequestPathDoesNotAllocate holds the budgets of what runs on every request. It is not parallel, since allocations
// are counted for the whole process.
func TestRequestPathDoesNotAllocate(t *testing.T) { //nolint:paralleltest // see above
	if raceDetector {
		t.Skip("SKIPPED: the race detector allocates")
	}
	seen, err := New(Config{Service: "promptd", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	step, model, record := seen.Metrics.Step("validate"), seen.Metrics.Model("openai", "gpt"), access()
	for _, tc := range []struct {
		name string
		f    func()
	}{
		{"span without an endpoint", func() {
			_, s := seen.Tracer.Start(ctx, "step")
			s.String("a", "b")
			s.Int("c", 1)
			s.Fail("x", io.EOF)
			s.End()
		}},
		{"call span without an endpoint", func() {
			_, s := seen.Tracer.StartClient(ctx, "chat")
			s.GenAI(GenAI{Provider: "openai", Model: "gpt"})
			s.End()
		}},
		{"trace context without one", func() { _ = seen.Tracer.Extract(ctx, nil) }},
		{"request", func() {
			seen.Metrics.Arrived()
			seen.Metrics.Left("POST", "/v1/analyze", 200, time.Millisecond)
		}},
		{"step", func() { step.Observe(time.Millisecond) }},
		{"call", func() {
			model.Begin()
			model.End("ok", time.Second, time.Millisecond)
			model.Tokens(1, 0, 1)
			model.Cost(1)
		}},
		{"cache", func() { seen.Metrics.Cache("hit") }},
		{"judgement", func() { seen.Metrics.Judged("passed") }},
		{"query", func() { seen.Metrics.Query("key_by_hash", time.Millisecond, nil) }},
		{"access log", func() { seen.Access.Write(record) }},
	} {
		if n := testing.AllocsPerRun(500, tc.f); n != 0 {
			t.Errorf("%s makes %v allocations, want none", tc.name, n)
		}
	}
}
