package providertest

import (
	"net/http"
	"time"

	"github.com/promptd/promptd/internal/value"
)

// anthropic is Anthropic's Messages. There is no end for a filter: what is blocked is an error. There are no log-probabilities.
type anthropic struct{}

func (anthropic) traits() traits {
	return traits{name: Anthropic, streamType: "text/event-stream", refuses: true, keyed: func(r *http.Request, key string) bool {
		return key == "" || r.Header.Get("X-Api-Key") == key || bearer(r, key)
	}, header: func(id string) http.Header {
		return http.Header{
			"Request-Id": {id}, "Anthropic-Ratelimit-Requests-Limit": {"50"}, "Anthropic-Ratelimit-Requests-Remaining": {"49"},
			"Anthropic-Ratelimit-Requests-Reset": {time.Unix(created, 0).UTC().Format(time.RFC3339)},
		}
	}}
}

// anthropicVersion is the version of the API, which has been the same since 2023.
const anthropicVersion = "2023-06-01"

func (anthropic) read(p *parsed, r *http.Request) {
	if v := r.Header.Get("Anthropic-Version"); v != anthropicVersion {
		p.refuse("anthropic-version: header is required, and must be " + anthropicVersion)
	}
	body := p.strict(Anthropic, r)
	p.Model, p.Stream, p.MaxTokens = text(body, "/model"), truth(body, "/stream"), count(body, "/max_tokens")
	system, _ := body.Get("system")
	if system.Kind() != value.KindNull {
		p.turn("system", system)
	}
	messages, _ := body.Get("messages")
	for _, m := range messages.Items() {
		content, _ := m.Get("content")
		p.turn(text(m, "/role"), content)
	}
	if s, ok := body.Lookup("/output_config/format/schema"); ok {
		p.form(formSchema, s)
		p.rejectSchema("output_config.format.schema: ", strictFault(s, false, "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
			"maxLength", "maxItems", "uniqueItems", "contains", "prefixItems", "minProperties", "maxProperties", "patternProperties", "propertyNames",
			"dependentRequired", "dependentSchemas", "unevaluatedProperties", "if", "not", "oneOf"))
	}
	if tool, ok := body.Lookup("/tools/0"); ok {
		s, _ := tool.Get("input_schema")
		p.Tool = text(tool, "/name")
		p.form(formTool, s)
		if _, thinks := body.Get("thinking"); thinks && text(body, "/tool_choice/type") == "tool" {
			p.refuse("Thinking may not be enabled when tool_choice forces tool use.")
		}
	}
}

// stopped are the words for why a message stops, with what goes beside them.
func (anthropic) stopped(m *message) []value.Member {
	done := "end_turn"
	if m.called() {
		done = "tool_use"
	}
	reason, details := m.word([2]string{stopDone, done}, [2]string{stopTool, "tool_use"}, [2]string{stopLength, "max_tokens"}), value.Null()
	if m.refusal != "" {
		reason = "refusal"
		details = object(member("type", str("refusal")), member("category", value.Null()), member("explanation", str(m.refusal)))
	}
	return []value.Member{member("stop_reason", str(reason)), member("stop_sequence", value.Null()), member("stop_details", details)}
}

// counted is the usage: input tokens are those beside the cache's.
func (anthropic) counted(m *message, output int) value.Value {
	u := m.usage
	return object(
		member("input_tokens", num(u.PromptTokens-u.CachedTokens-u.WrittenTokens)), member("cache_creation_input_tokens", num(u.WrittenTokens)),
		member("cache_read_input_tokens", num(u.CachedTokens)), member("output_tokens", num(output)),
		member("output_tokens_details", object(member("thinking_tokens", num(u.ReasoningTokens)))), member("service_tier", str("standard")))
}

// message is the message with that content, before its end or after it.
func (w anthropic) message(m *message, content []value.Value, ended bool) value.Value {
	members := []value.Member{
		member("id", str(m.id("msg_"))), member("type", str("message")), member("role", str("assistant")), member("model", str(m.model())),
		member("content", value.Array(content...)),
	}
	if ended {
		members = append(members, w.stopped(m)...)
	} else {
		members = append(members, member("stop_reason", value.Null()), member("stop_sequence", value.Null()))
	}
	if m.usage != nil {
		output := 1
		if ended {
			output = m.usage.CompletionTokens
		}
		members = append(members, member("usage", w.counted(m, output)))
	}
	return object(members...)
}

func (anthropic) thinking(said, signature string) value.Value {
	return object(member("type", str("thinking")), member("thinking", str(said)), member("signature", str(signature)))
}

func (anthropic) toolUse(m *message, input value.Value) value.Value {
	return object(member("type", str("tool_use")), member("id", str(m.id("toolu_"))), member("name", str(m.tool())), member("input", input))
}

func (w anthropic) whole(m *message) []byte {
	var content []value.Value
	if m.reply.Thought != "" {
		content = append(content, w.thinking(m.reply.Thought, "c2lnbmVk"))
	}
	switch {
	case m.refusal != "": // A refusal's content may be empty.
	case m.called():
		content = append(content, w.toolUse(m, m.arguments()))
	default:
		content = append(content, object(member("type", str("text")), member("text", str(m.text()))))
	}
	return w.message(m, content, true).Append(nil)
}

func (w anthropic) stream(m *message) [][]byte {
	var events [][]byte
	event := func(kind string, members ...value.Member) {
		events = append(events, named(kind, object(append([]value.Member{member("type", str(kind))}, members...)...)))
	}
	index := 0
	block := func(start value.Value, deltas ...value.Value) {
		at := member("index", num(index))
		event("content_block_start", at, member("content_block", start))
		for _, d := range deltas {
			event("content_block_delta", at, member("delta", d))
		}
		event("content_block_stop", at)
		index++
	}
	pieces := func(kind, name string, tokens []string) (list []value.Value) {
		for _, t := range tokens {
			list = append(list, object(member("type", str(kind)), member(name, str(t))))
		}
		return list
	}
	event("message_start", member("message", w.message(m, nil, false)))
	event("ping")
	if m.reply.Thought != "" {
		signed := object(member("type", str("signature_delta")), member("signature", str("c2lnbmVk")))
		block(w.thinking("", ""), append(pieces("thinking_delta", "thinking", tokens(m.reply.Thought)), signed)...)
	}
	switch {
	case m.refusal != "":
	case m.called():
		block(w.toolUse(m, object()), pieces("input_json_delta", "partial_json", m.tokens)...)
	default:
		block(object(member("type", str("text")), member("text", str(""))), pieces("text_delta", "text", m.tokens)...)
	}
	ended := []value.Member{member("delta", object(w.stopped(m)...))}
	if m.usage != nil {
		ended = append(ended, member("usage", w.counted(m, m.usage.CompletionTokens)))
	}
	event("message_delta", ended...)
	event("message_stop")
	return events
}

// errorOf is an error as the service words it.
func (anthropic) errorOf(kind, message, id string) value.Value {
	return object(member("type", str("error")), member("error", object(member("type", str(kind)), member("message", str(message)))), member("request_id", str(id)))
}

func (w anthropic) fail(f failure) response {
	r := response{contentType: contentJSON, header: http.Header{"Request-Id": {f.id}, "X-Should-Retry": {"false"}}}
	body := func(status int, kind, message string) response {
		r.status, r.pieces = status, [][]byte{w.errorOf(kind, f.said(message), f.id).Append(nil)}
		return r
	}
	const invalid, overloaded = "invalid_request_error", 529
	switch f.fault {
	case RateLimited:
		r.header.Set("X-Should-Retry", "true")
		if f.form%2 == 0 {
			r.header.Set("Retry-After", seconds(f.wait))
		} else { // Until the limit is full again, in whole seconds.
			now := time.Unix(created, 0).UTC()
			r.header.Set("Date", now.Format(http.TimeFormat))
			r.header.Set("Anthropic-Ratelimit-Requests-Remaining", "0")
			r.header.Set("Anthropic-Ratelimit-Requests-Reset", now.Add(f.wait).Format(time.RFC3339))
		}
		return body(http.StatusTooManyRequests, "rate_limit_error", "This request would exceed your organization's rate limit of 50 requests per minute.")
	case Overloaded:
		r.header.Set("X-Should-Retry", "true")
		return body(overloaded, "overloaded_error", "Overloaded")
	case Unauthorized:
		return body(http.StatusUnauthorized, "authentication_error", "invalid x-api-key")
	case QuotaExceeded:
		return body(http.StatusBadRequest, invalid, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.")
	case BadRequest:
		return body(http.StatusBadRequest, invalid, "temperature: range: 0..1")
	case SchemaRejected:
		return body(http.StatusBadRequest, invalid, "output_config.format.schema: For 'integer' type, property 'minimum' is not supported")
	case ContextExceeded:
		return body(http.StatusBadRequest, invalid, "prompt is too long: 210000 tokens > 200000 maximum")
	case ContentBlocked:
		return body(http.StatusBadRequest, invalid, "Output blocked by content filtering policy")
	case TooLarge:
		return body(http.StatusRequestEntityTooLarge, "request_too_large", "Request exceeds the maximum size")
	default:
		r.header.Set("X-Should-Retry", "true")
		return body(http.StatusInternalServerError, "api_error", "Internal server error")
	}
}

func (w anthropic) inside(streamed bool) []byte {
	e := w.errorOf("overloaded_error", "Overloaded", "req_0")
	if streamed {
		return named("error", e)
	}
	return e.Append(nil)
}
