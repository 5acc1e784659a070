package providertest

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// chat is chat completions in any of its forms: everything that one of them knows is taken. It is what a server speaks that was not told to be one of them.
type chat struct{}

func (chat) traits() traits {
	return traits{name: OpenAI, streamType: "text/event-stream", keyed: bearer, refuses: true, filters: true, header: openAILimits}
}

// openAILimits are the headers of a service far from its limits.
func openAILimits(id string) http.Header {
	return http.Header{
		"X-Request-Id": {id}, "X-Ratelimit-Limit-Requests": {"10000"}, "X-Ratelimit-Remaining-Requests": {"9999"}, "X-Ratelimit-Reset-Requests": {"6ms"},
	}
}

func (chat) read(p *parsed, _ *http.Request) { p.chat() }

// chatHead begins an answer or an event.
func chatHead(m *message, dst []byte, object string) []byte {
	dst = append(dst, `{"id":"chatcmpl-`...)
	const idBytes = 9
	dst = hex.AppendEncode(dst, m.request.digest[:idBytes])
	dst = append(append(dst, `","object":"`...), object...)
	dst = strconv.AppendInt(append(dst, `","created":`...), created, 10)
	return quoted(append(dst, `,"model":`...), m.model())
}

func appendChatUsage(dst []byte, u *Usage) []byte {
	dst = strconv.AppendInt(append(dst, `,"usage":{"prompt_tokens":`...), int64(u.PromptTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.CompletionTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.PromptTokens+u.CompletionTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), int64(u.CachedTokens), 10)
	if u.WrittenTokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"cache_write_tokens":`...), int64(u.WrittenTokens), 10)
	}
	dst = strconv.AppendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), int64(u.ReasoningTokens), 10)
	return append(dst, `}}`...)
}

func (chat) whole(m *message) []byte {
	dst := chatHead(m, make([]byte, 0, 1024), "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	switch {
	case m.refusal != "":
		dst = append(dst, `null,"refusal":`...)
		dst = quoted(dst, m.refusal)
	case m.called():
		dst = quoted(append(dst, `null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":`...), m.tool())
		dst = append(quoted(append(dst, `,"arguments":`...), m.text()), `}}]`...)
	default:
		dst = append(quoted(dst, m.text()), `,"refusal":null`...)
	}
	if m.reply.Thought != "" {
		dst = quoted(append(dst, `,"reasoning_content":`...), m.reply.Thought)
	}
	dst = append(dst, `},"logprobs":`...)
	dst = appendChatLogprobs(m, dst, m.tokens)
	dst = quoted(append(dst, `,"finish_reason":`...), m.stop)
	dst = append(dst, `}]`...)
	if m.usage != nil {
		dst = appendChatUsage(dst, m.usage)
	}
	return append(dst, '}')
}

func appendChatLogprobs(m *message, dst []byte, tokens []string) []byte {
	if m.surprise == nil || m.refusal != "" {
		return append(dst, "null"...)
	}
	return append(appendTokens(m, append(dst, `{"content":`...), tokens), `,"refusal":null}`...)
}

// appendTokens writes a list of tokens with what the model thought of each.
func appendTokens(m *message, dst []byte, tokens []string) []byte {
	dst = append(dst, '[')
	for i, token := range tokens {
		if i > 0 {
			dst = append(dst, ',')
		}
		p := m.logprob()
		dst = quoted(append(dst, `{"token":`...), token)
		dst = strconv.AppendFloat(append(dst, `,"logprob":`...), p, 'f', 6, 64)
		dst = append(dst, `,"top_logprobs":[`...)
		if m.request.topLogprobs > 0 {
			dst = quoted(append(dst, `{"token":`...), token)
			dst = append(strconv.AppendFloat(append(dst, `,"logprob":`...), p, 'f', 6, 64), '}')
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, ']')
}

// stream writes the answer as events, the last of which is [DONE].
func (chat) stream(m *message) [][]byte {
	var events [][]byte
	event := func(delta func([]byte) []byte, tokens []string, stop string) {
		dst := chatHead(m, append(make([]byte, 0, 256), "data: "...), "chat.completion.chunk")
		dst = append(dst, `,"choices":[{"index":0,"delta":{`...)
		dst = append(delta(dst), `},"logprobs":`...)
		if len(tokens) == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = appendChatLogprobs(m, dst, tokens)
		}
		dst = append(dst, `,"finish_reason":`...)
		if stop == "" {
			dst = append(dst, "null"...)
		} else {
			dst = quoted(dst, stop)
		}
		events = append(events, append(dst, "}]}\n\n"...))
	}
	event(func(dst []byte) []byte { return append(dst, `"role":"assistant","content":""`...) }, nil, "")
	for _, t := range tokens(m.reply.Thought) {
		event(func(dst []byte) []byte { return quoted(append(dst, `"reasoning_content":`...), t) }, nil, "")
	}
	if m.refusal != "" {
		for _, t := range tokens(m.refusal) {
			event(func(dst []byte) []byte { return quoted(append(dst, `"refusal":`...), t) }, nil, "")
		}
	} else {
		for i, t := range m.tokens {
			event(func(dst []byte) []byte { return chatFragment(m, dst, i, t) }, m.tokens[i:i+1], "")
		}
	}
	event(func(dst []byte) []byte { return dst }, nil, m.stop)
	if m.usage != nil && m.request.includeUsage {
		dst := chatHead(m, append(make([]byte, 0, 256), "data: "...), "chat.completion.chunk")
		events = append(events, append(appendChatUsage(append(dst, `,"choices":[]`...), m.usage), "}\n\n"...))
	}
	return append(events, []byte("data: [DONE]\n\n"))
}

// chatFragment writes the i-th piece of the answer, or of the tool's arguments.
func chatFragment(m *message, dst []byte, i int, text string) []byte {
	if !m.called() {
		return quoted(append(dst, `"content":`...), text)
	}
	dst = append(dst, `"tool_calls":[{"index":0,`...)
	if i == 0 {
		dst = append(dst, `"id":"call_1","type":"function",`...)
	}
	dst = append(dst, `"function":{`...)
	if i == 0 {
		dst = append(quoted(append(dst, `"name":`...), m.tool()), ',')
	}
	return append(quoted(append(dst, `"arguments":`...), text), `}}]`...)
}

// errorBody is an error as OpenAI words it.
func errorBody(message, kind, code string) []byte {
	dst := quoted([]byte(`{"error":{"message":`), message)
	dst = quoted(append(dst, `,"type":`...), kind)
	dst = append(dst, `,"param":null,"code":`...)
	if code == "" {
		dst = append(dst, "null"...)
	} else {
		dst = quoted(dst, code)
	}
	return append(dst, `}}`...)
}

func (chat) fail(f failure) response {
	r := response{contentType: contentJSON, header: http.Header{"X-Request-Id": {f.id}}}
	body := func(status int, message, kind, code string) response {
		r.status, r.pieces = status, [][]byte{errorBody(f.said(message), kind, code)}
		return r
	}
	const invalid = "invalid_request_error"
	switch f.fault {
	case RateLimited:
		message := waits(&f, r.header, "Rate limit reached for requests.")
		return body(http.StatusTooManyRequests, message, "requests", "rate_limit_exceeded")
	case Overloaded:
		r.header.Set("Retry-After", seconds(f.wait))
		return body(http.StatusServiceUnavailable, "The engine is currently overloaded, please try again later.", "server_error", "")
	case Unauthorized:
		return body(http.StatusUnauthorized, "Incorrect API key provided: sk-****abcd.", invalid, "invalid_api_key")
	case QuotaExceeded:
		return body(http.StatusTooManyRequests, "You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota")
	case BadRequest:
		return body(http.StatusBadRequest, "Unsupported parameter.", invalid, "unsupported_parameter")
	case SchemaRejected:
		return body(http.StatusBadRequest, "Invalid schema for response_format 'result'.", invalid, "invalid_json_schema")
	case ContextExceeded:
		return body(http.StatusBadRequest, "This model's maximum context length is 8192 tokens.", invalid, "context_length_exceeded")
	case ContentBlocked:
		return body(http.StatusBadRequest, "The response was filtered due to the prompt triggering a content management policy.", invalid, "content_filter")
	case TooLarge:
		return body(http.StatusRequestEntityTooLarge, "Request too large.", invalid, "request_too_large")
	default:
		return body(http.StatusInternalServerError, "The server had an error while processing your request.", "server_error", "")
	}
}

// waits says in one of the ways in which services of OpenAI's form do how long to wait: by a header, or at the message's end.
func waits(f *failure, header http.Header, message string) string {
	switch f.form {
	case 0:
		header.Set("Retry-After", seconds(f.wait))
	case 1:
		header.Set("Retry-After-Ms", strconv.FormatInt(max(1, f.wait.Milliseconds()), 10))
	case 2:
		header.Set("X-Ratelimit-Remaining-Requests", "0")
		header.Set("X-Ratelimit-Reset-Requests", f.wait.String())
	case 3:
		message += fmt.Sprintf(" Please try again in %s.", f.wait)
	default: // A date has whole seconds.
		now := time.Unix(created, 0).UTC()
		header.Set("Date", now.Format(http.TimeFormat))
		header.Set("Retry-After", now.Add(f.wait).Format(http.TimeFormat))
	}
	return message
}

func (chat) inside(streamed bool) []byte {
	body := []byte(`{"error":{"message":"Provider returned error","type":"server_error","code":502}}`)
	if !streamed {
		return body
	}
	return append(append([]byte("data: "), body...), "\n\n"...)
}

// openAI is chat completions as OpenAI takes them: strictly.
type openAI struct{ chat }

func (openAI) read(p *parsed, r *http.Request) {
	p.chat()
	body := p.strict(OpenAI, r)
	if format, ok := body.Lookup("/response_format/json_schema"); ok {
		if strict, _ := format.Get("strict"); strict.Truth() {
			s, _ := format.Get("schema")
			p.rejectSchema("Invalid schema for response_format 'result': ", openAIFault(s))
		}
	}
	if p.JSON && !p.says("json") {
		p.refuse("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.")
	}
}

// openAIFault says why a schema is none that OpenAI holds answers to (schema-subsets: the SDKs' lists and the guide, November 2026).
func openAIFault(s value.Value) string {
	if kind, _ := s.Get("type"); kind.Text() != "object" {
		return "schema must be a JSON Schema of 'type: \"object\"'"
	}
	return strictFault(s, true, "oneOf", "allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties", "unevaluatedProperties",
		"propertyNames", "minProperties", "maxProperties", "unevaluatedItems", "contains", "minContains", "maxContains", "uniqueItems", "default", "prefixItems")
}

// llamaCpp is chat completions as llama.cpp's server takes them. It has neither refusals nor filters, and names no request.
type llamaCpp struct{ chat }

func (llamaCpp) traits() traits {
	return traits{name: LlamaCpp, streamType: "text/event-stream", keyed: bearer, header: noHeader}
}

func noHeader(string) http.Header { return nil }

func (llamaCpp) read(p *parsed, r *http.Request) {
	p.chat()
	p.strict(LlamaCpp, r)
}

func (llamaCpp) fail(f failure) response {
	status, kind, message := http.StatusInternalServerError, "server_error", "an internal error"
	switch f.fault {
	case RateLimited, Overloaded, QuotaExceeded: // It has no limits; while it loads it is not there.
		status, kind, message = http.StatusServiceUnavailable, "unavailable_error", "Loading model"
	case Unauthorized:
		status, kind, message = http.StatusUnauthorized, "authentication_error", "Invalid API Key"
	case BadRequest, ContentBlocked:
		status, kind, message = http.StatusBadRequest, "invalid_request_error", "a parameter is not valid"
	case TooLarge: // By the HTTP library, before the server sees it.
		return response{status: http.StatusRequestEntityTooLarge, contentType: "text/plain"}
	case SchemaRejected:
		status, kind, message = http.StatusBadRequest, "invalid_request_error", "JSON schema conversion failed: unrecognized schema"
	case ContextExceeded:
		status, kind, message = http.StatusBadRequest, "exceed_context_size_error", "the request exceeds the available context size"
	}
	body := object(member("error", object(member("code", num(status)), member("message", str(f.said(message))), member("type", str(kind)))))
	return response{status: status, contentType: contentJSON, pieces: [][]byte{body.Append(nil)}}
}

// vLLM is chat completions as vLLM takes them.
type vLLM struct{ chat }

func (vLLM) traits() traits {
	return traits{name: VLLM, streamType: "text/event-stream", keyed: bearer, header: noHeader}
}

func (vLLM) read(p *parsed, r *http.Request) {
	p.chat()
	p.strict(VLLM, r)
}

func (vLLM) fail(f failure) response {
	status, kind, message := http.StatusInternalServerError, "InternalServerError", "EngineCore encountered an issue."
	switch f.fault {
	case RateLimited, QuotaExceeded, Overloaded:
		status, kind, message = http.StatusServiceUnavailable, "ServiceUnavailableError", "The server is overloaded."
	case Unauthorized:
		return response{status: http.StatusUnauthorized, contentType: contentJSON, pieces: [][]byte{[]byte(`{"error":"Unauthorized"}`)}}
	case BadRequest, ContentBlocked:
		status, kind, message = http.StatusBadRequest, "BadRequestError", "a parameter is not valid"
	case TooLarge:
		return response{status: http.StatusRequestEntityTooLarge, contentType: "text/plain", pieces: [][]byte{[]byte("Request Entity Too Large")}}
	case SchemaRejected:
		status, kind, message = http.StatusBadRequest, "BadRequestError", "The provided JSON schema contains features not supported by xgrammar."
	case ContextExceeded:
		status, kind, message = http.StatusBadRequest, "BadRequestError", "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
	}
	body := object(member("error", object(
		member("message", str(f.said(message))), member("type", str(kind)), member("param", value.Null()), member("code", num(status)))))
	return response{status: status, contentType: contentJSON, pieces: [][]byte{body.Append(nil)}}
}
