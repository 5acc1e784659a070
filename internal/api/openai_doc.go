package api

import (
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/promptd/promptd/internal/fault"
)

// ChatRequest is the body of POST /v1/chat/completions, as far as promptd itself acts on it.
type ChatRequest struct {
	Model          string           `json:"model" doc:"auto, a model's name, or provider/name."`
	Messages       []map[string]any `json:"messages" minItems:"1" doc:"The conversation, passed as it is meant: system and developer turns are instructions, and nothing is fenced."`
	ResponseFormat map[string]any   `json:"response_format,omitempty" doc:"With json_schema the answer satisfies the whole schema, or is an error; json_object is any JSON object."`
	Tools          []map[string]any `json:"tools,omitempty" doc:"One function that tool_choice forces is a schema too: its arguments satisfy it."`
	Stream         bool             `json:"stream,omitempty" default:"false"`
	Promptd        *Options         `json:"promptd,omitempty" doc:"promptd's own options, without model, temperature and max_tokens, which stand beside it."`
}

// TransformSchema says that the format has more parameters.
func (ChatRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	s.Properties["messages"].Items = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	s.Properties["tools"].Items = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	s.Properties["response_format"].AdditionalProperties = true
	return s
}

// ResponsesRequest is the body of POST /v1/responses, as far as promptd itself acts on it.
type ResponsesRequest struct {
	Model        string           `json:"model" doc:"auto, a model's name, or provider/name."`
	Input        any              `json:"input" doc:"A text, or messages, function calls and their outputs."`
	Instructions string           `json:"instructions,omitempty"`
	Text         map[string]any   `json:"text,omitempty" doc:"With a format of json_schema the answer satisfies the whole schema, or is an error; json_object is any JSON object."`
	Tools        []map[string]any `json:"tools,omitempty" doc:"One function that tool_choice forces is a schema too: its arguments satisfy it."`
	Stream       bool             `json:"stream,omitempty" default:"false"`
	Promptd      *Options         `json:"promptd,omitempty" doc:"promptd's own options, without model, temperature and max_tokens, which stand beside it."`
}

// TransformSchema says that the format has more parameters.
func (ResponsesRequest) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	s.Properties["tools"].Items = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	s.Properties["text"].AdditionalProperties = true
	return s
}

// OpenAIError is an error as OpenAI words it. A service that refuses a request says so in words of its own.
type OpenAIError struct {
	Error OpenAIErrorBody `json:"error"`
}

// TransformSchema lets services' own members through.
func (OpenAIError) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	return s
}

// OpenAIErrorBody is the error itself.
type OpenAIErrorBody struct {
	Message string         `json:"message" doc:"What is wrong, and what to do about it."`
	Type    string         `json:"type" doc:"invalid_request_error, requests, insufficient_quota, permission_error, validation_error or server_error."`
	Param   *string        `json:"param" doc:"The parameter at fault, as messages[0].content; null where there is none."`
	Code    *string        `json:"code" doc:"validation_failed where the model's answer could not be made valid; else the code of promptd in small letters, or the one that OpenAI has for it."`
	Promptd map[string]any `json:"promptd,omitempty" doc:"request_id, errors and remediation of the problem document, and validation, attempts, usage and cost_usd where providers were asked."`
}

// TransformSchema lets services' own members through.
func (OpenAIErrorBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.AdditionalProperties = true
	s.Properties["promptd"].AdditionalProperties = true
	s.Required = []string{"message"}
	return s
}

const exampleOurs = `{"request_id": "0199f3c2-a4b1-7c5e-9d3e-6f708192a3b4", "provider_used": "gemini", "model_used": "gemini-2.5-flash", "validation_status": "passed",
	"validation": {"errors": [], "repairs": [], "coercions": [], "reasks": 0, "schema": "sha256:5f2c1d9a7b3e4f60", "dialect_mode": "strict"},
	"cache_key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "attempts": [` + exampleAttempt + `], "cost_usd": 0.000183,
	"processing_time_ms": 812.4, "overhead_ms": 0.41}`

func docChatCompletions() operation {
	return docDropIn(operation{
		id: "createChatCompletion", summary: "Chat completions in OpenAI's format",
		body: &input{of: reflect.TypeFor[ChatRequest](), examples: map[string]*huma.Example{
			"a schema": {Value: example(`{"model": "auto", "messages": [{"role": "user", "content": "Invoice #12345, $1,250.00"}], "response_format": {"type": "json_schema",
				"json_schema": {"name": "invoice", "schema": {"type": "object", "properties": {"number": {"type": "string"}, "total": {"type": "number"}}, "required": ["number", "total"]}}},
				"promptd": {"max_attempts": 6}}`)},
			"a chat": {Summary: "Relayed to a service as it is.", Value: example(`{"model": "openai/gpt-4.1-mini", "messages": [{"role": "user", "content": "Hello"}], "stream": true}`)},
		}},
	}, `{"id": "chatcmpl-0199f3c2a4b17c5e9d3e6f708192a3b4", "object": "chat.completion", "created": 1764000000, "model": "gemini-2.5-flash", "choices": [{"index": 0,
		"message": {"role": "assistant", "content": "{\"number\":\"12345\",\"total\":1250}", "refusal": null, "annotations": []}, "logprobs": null, "finish_reason": "stop"}],
		"usage": {"prompt_tokens": 210, "completion_tokens": 48, "total_tokens": 258, "prompt_tokens_details": {"cached_tokens": 0},
		"completion_tokens_details": {"reasoning_tokens": 0}}, "promptd": `+exampleOurs+`}`)
}

func docResponses() operation {
	return docDropIn(operation{
		id: "createResponse", summary: "Responses in OpenAI's format",
		body: &input{of: reflect.TypeFor[ResponsesRequest](), examples: map[string]*huma.Example{
			"a schema": {Value: example(`{"model": "auto", "input": "Invoice #12345, $1,250.00", "text": {"format": {"type": "json_schema", "name": "invoice",
				"schema": {"type": "object", "properties": {"number": {"type": "string"}, "total": {"type": "number"}}, "required": ["number", "total"]}}}}`)},
		}},
	}, `{"id": "resp_0199f3c2a4b17c5e9d3e6f708192a3b4", "object": "response", "created_at": 1764000000, "status": "completed", "model": "gemini-2.5-flash",
		"output": [{"type": "message", "id": "msg_0199f3c2a4b17c5e9d3e6f708192a3b4", "status": "completed", "role": "assistant",
		"content": [{"type": "output_text", "text": "{\"number\":\"12345\",\"total\":1250}", "annotations": [], "logprobs": []}]}],
		"usage": {"input_tokens": 210, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 48, "output_tokens_details": {"reasoning_tokens": 0},
		"total_tokens": 258}, "promptd": `+exampleOurs+`}`)
}

// docDropIn adds what both formats share.
func docDropIn(o operation, answer string) operation {
	o.tag = "openai"
	o.text = "For programs that speak OpenAI's API: change the base URL. With a schema (a format of json_schema, or one function that the model is forced to call) the request runs " +
		"through the same pipeline as POST /v1/analyze, and promptd's own report stands beside theirs as `promptd`. Without one the body is relayed to a service that speaks the " +
		"format, and its bytes come back; X-Promptd-Provider and X-Promptd-Model name it. Errors have OpenAI's form."
	o.headers = []*huma.Param{{Ref: "#/components/parameters/RequestID"}}
	whole := objectSchema("As OpenAI documents it.")
	whole.AdditionalProperties = true
	events := textSchema("Server-sent events as OpenAI documents them. All text deltas of an answer with a schema together are its validated JSON.")
	o.answers = []reply{{
		status: http.StatusOK, text: "The answer; with `stream: true` server-sent events.", headers: []string{"RateLimit", "RateLimit-Policy", "X-Request-ID", "Idempotent-Replayed"},
		contents: map[string]content{mediaJSON: {schema: whole, examples: map[string]*huma.Example{"an answer with a schema": {Value: example(answer)}}}, mediaEvents: {schema: events}},
	}}
	o.codes = []fault.Code{
		fault.InvalidSchema, fault.NotFound, fault.ValidationFailed, fault.ContentRefused, fault.BudgetExceeded, fault.RateLimitExceeded, fault.ProviderError, fault.Timeout,
	}
	return o
}
