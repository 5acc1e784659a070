package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
)

const exampleAnswer = `{"request_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", "data": {"number": "12345", "date": "2025-01-15", "total": 1250}, "output_format": "json",
	"validation_status": "passed", "validation": {"errors": [], "repairs": [{"kind": "fence", "offset": 0}],
	"coercions": [{"kind": "string_to_number", "pointer": "/total", "before": "1250", "after": 1250}], "reasks": 0, "schema": "sha256:5f2c1d9a7b3e4f60", "dialect_mode": "strict"},
	"original_language": "en", "language_confidence": 0.98, "confidence": 0.92, "confidence_source": "logprobs", "provider_used": "gemini", "model_used": "gemini-2.5-flash",
	"attempts": [` + exampleAttempt + `], "usage": {"input_tokens": 210, "output_tokens": 48, "cached_input_tokens": 0}, "cost_usd": 0.000183, "cached": false, "coalesced": false,
	"cache_key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "processing_time_ms": 812.4, "overhead_ms": 0.41}`

// exampleAsking is an answer that needs input.
const exampleAsking = `{"request_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b6", "data": null, "output_format": "json", "validation_status": "needs_input",
	"questions": [{"pointer": "/date", "question": "For which day would you like the table?"}], "state": "pd1.yQ2mX0b8Zp4RZ1n9",
	"validation": {"errors": [], "repairs": [], "coercions": [], "reasks": 0, "schema": "booking@1", "dialect_mode": "strict"},
	"original_language": "en", "language_confidence": 0.97, "confidence": null, "confidence_source": null, "provider_used": "gemini", "model_used": "gemini-2.5-flash",
	"attempts": [` + exampleAttempt + `], "usage": {"input_tokens": 210, "output_tokens": 48, "cached_input_tokens": 0}, "cost_usd": 0.000183, "cached": false, "coalesced": false,
	"cache_key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "processing_time_ms": 812.4, "overhead_ms": 0.41}`

const exampleAttempt = `{"n": 1, "provider": "gemini", "model": "gemini-2.5-flash", "mode": "strict", "outcome": "ok", "status": 200, "started_at": "2026-11-24T08:00:00.000Z",
	"queue_ms": 0, "first_token_ms": null, "total_ms": 811.2, "input_tokens": 210, "output_tokens": 48, "cost_usd": 0.000183}`

// eventSchema describes one event of a stream, as readers of the format get it.
func eventSchema() *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"id", "event", "data"},
		Description: "Each event of the stream; a heartbeat comment comes every 15 seconds. `attempt` holds a call to a provider, `partial` what is complete and valid so far, `result` the " +
			"answer, `error` a problem document; exactly one of the last two ends the stream.",
		Properties: map[string]*huma.Schema{
			"id":    {Type: huma.TypeString, Pattern: `^[0-9]+$`, Description: "Counts from 1."},
			"event": {Type: huma.TypeString, Enum: []any{"attempt", "partial", "result", "error"}},
			"data":  {Type: huma.TypeString, Description: "JSON, by the kind of event.", Extensions: map[string]any{"contentMediaType": mediaJSON}},
		},
	}
}

func analyzeExamples() map[string]*huma.Example {
	return map[string]*huma.Example{
		"a text and a schema": {Value: example(`{"prompt": "Invoice #12345, 2025-01-15, $1,250.00", "schema": {"type": "object", "properties": {"number": {"type": "string"},
			"date": {"type": "string", "format": "date"}, "total": {"type": "number"}}, "required": ["number", "date", "total"], "additionalProperties": false}}`)},
		"a text alone": {Summary: "The default result schema holds.", Value: example(`{"prompt": "Please move my appointment with Dr. Lee to Friday."}`)},
		"messages and options": {Value: example(`{"messages": [{"role": "user", "content": [{"type": "text", "text": "Two coffees and a croissant, please."}]}],
			"schema": {"type": "array", "items": {"type": "object", "properties": {"item": {"type": "string"}, "count": {"type": "integer"}}, "required": ["item", "count"]}},
			"format": "yaml", "options": {"temperature": 0, "max_attempts": 2, "bypass_cache": true}}`)},
		"a form that asks back": {Value: example(`{"prompt": "This is Ann Lee, I would like a table for two.", "schema": {"type": "object", "properties": {"name": {"type": "string"},
			"guests": {"type": "integer"}, "date": {"type": "string", "format": "date"}}, "required": ["name", "guests", "date"]}, "options": {"missing": "ask"}}`)},
		"going on with a state":    {Summary: "What the person replied to the questions.", Value: example(`{"state": "pd1.yQ2mX0b8Zp4RZ1n9", "prompt": "On the first of December, please."}`)},
		"answers to the questions": {Value: example(`{"state": "pd1.yQ2mX0b8Zp4RZ1n9", "answers": {"/date": "On the first of December"}}`)},
	}
}

func docAnalyze() operation {
	headers := []string{"RateLimit", "RateLimit-Policy", "X-Request-ID", "Idempotent-Replayed"}
	answer := jsonReply(http.StatusOK, reflect.TypeFor[Answer](), "The validated result; with `stream: true` server-sent events. With `missing: ask` it may hold questions in place of the result.", example(exampleAnswer)).with(headers...)
	answer.contents[mediaJSON].examples["what is missing"] = &huma.Example{Value: example(exampleAsking)}
	answer.contents[mediaEvents] = content{
		schema:   eventSchema(),
		examples: examples("a partial event", `{"id": "1", "event": "partial", "data": "{\"data\":{\"number\":\"12345\"}}"}`),
		events: map[string]reflect.Type{
			"attempt": reflect.TypeFor[Attempt](), "partial": reflect.TypeFor[Partial](), "result": reflect.TypeFor[Answer](), "error": reflect.TypeFor[Problem](),
		},
	}
	return operation{
		id: "analyze", tag: "analyze", summary: "Turn a prompt into validated data",
		text: "A 200 with `passed` satisfies the whole schema; with `needs_input`, which `options.missing: ask` allows, it holds questions and a state to go on with. What can't be made valid is a 422 with the validation report, every attempt, and what it cost. With `stream: true` faults before " +
			"the first event answer with their status.",
		headers: []*huma.Param{{Ref: "#/components/parameters/RequestID"}},
		body:    &input{of: reflect.TypeFor[AnalyzeRequest](), examples: analyzeExamples()},
		answers: []reply{answer},
		codes: []fault.Code{
			fault.InvalidSchema, fault.NotFound, fault.Gone, fault.ValidationFailed, fault.ContentRefused, fault.BudgetExceeded, fault.RateLimitExceeded, fault.ProviderError, fault.Timeout,
		},
	}
}
