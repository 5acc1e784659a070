package observe

import "go.opentelemetry.io/otel/attribute"

// GenAI is what a span of a provider call says, in the names of OpenTelemetry's conventions for generative AI.
// It holds counts and names, never a prompt or an answer.
type GenAI struct {
	// Provider is the provider's name, Model the model that was asked, ResponseModel the one that says it answered.
	Provider, Model, ResponseModel string
	// ResponseID is the provider's id of the answer.
	ResponseID string
	// Server is the host that was called.
	Server string
	// Mode is promptd's mode of structured output.
	Mode string
	// Outcome is how the attempt ended, FinishReason what the provider said of it.
	Outcome, FinishReason string
	// MaxTokens is the bound of the output that was asked for.
	MaxTokens int
	// Temperature is the sampling temperature; nil where none was sent.
	Temperature *float64
	// InputTokens (cached ones included), CachedInputTokens and OutputTokens are what the provider reported; -1 means nothing.
	InputTokens, CachedInputTokens, OutputTokens int64
}

// GenAIName is the name of the span of a provider call.
func GenAIName(model string) string { return "chat " + model }

// GenAI sets the attributes of a provider call.
func (s Span) GenAI(g GenAI) {
	if !s.Recording() {
		return
	}
	attrs := make([]attribute.KeyValue, 0, 16)
	attrs = append(attrs, attribute.String("gen_ai.operation.name", "chat"), attribute.String("gen_ai.output.type", "json"))
	for _, a := range [...]struct{ key, value string }{
		{"gen_ai.provider.name", g.Provider},
		{"gen_ai.request.model", g.Model},
		{"gen_ai.response.model", g.ResponseModel},
		{"gen_ai.response.id", g.ResponseID},
		{"server.address", g.Server},
		{"promptd.mode", g.Mode},
		{"promptd.outcome", g.Outcome},
	} {
		if a.value != "" {
			attrs = append(attrs, attribute.String(a.key, a.value))
		}
	}
	if g.FinishReason != "" {
		attrs = append(attrs, attribute.StringSlice("gen_ai.response.finish_reasons", []string{g.FinishReason}))
	}
	if g.MaxTokens > 0 {
		attrs = append(attrs, attribute.Int("gen_ai.request.max_tokens", g.MaxTokens))
	}
	if g.Temperature != nil {
		attrs = append(attrs, attribute.Float64("gen_ai.request.temperature", *g.Temperature))
	}
	for _, a := range [...]struct {
		key   string
		value int64
	}{
		{"gen_ai.usage.input_tokens", g.InputTokens},
		{"gen_ai.usage.output_tokens", g.OutputTokens},
		{"gen_ai.usage.cache_read.input_tokens", g.CachedInputTokens},
	} {
		if a.value >= 0 {
			attrs = append(attrs, attribute.Int64(a.key, a.value))
		}
	}
	s.span.SetAttributes(attrs...)
}
