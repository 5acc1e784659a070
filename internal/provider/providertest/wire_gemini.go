package providertest

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/promptd/promptd/internal/value"
)

// gemini is Google's generateContent. The address names the model and whether a stream is wanted, and no mark ends one: its last event has the reason. There are
// no refusals; a prompt that is blocked is a 200 without an answer.
type gemini struct{}

func (gemini) traits() traits {
	return traits{name: Gemini, streamType: "text/event-stream", filters: true, header: noHeader, keyed: func(r *http.Request, key string) bool {
		return key == "" || r.Header.Get("X-Goog-Api-Key") == key || bearer(r, key)
	}}
}

func (gemini) read(p *parsed, r *http.Request) {
	body := p.strict(Gemini, r)
	address, operation, _ := strings.Cut(path.Base(r.URL.EscapedPath()), ":")
	p.Model, p.Stream = address, operation == "streamGenerateContent"
	if model, err := url.PathUnescape(address); err == nil {
		p.Model = model
	}
	if p.Stream && r.URL.Query().Get("alt") != "sse" {
		p.refuse("Only streams of server-sent events are scripted: set the query parameter alt to sse.")
	}
	system, _ := body.Lookup("/systemInstruction/parts")
	if system.Len() > 0 {
		p.turn("system", system)
	}
	contents, _ := body.Get("contents")
	for _, c := range contents.Items() {
		parts, _ := c.Get("parts")
		role := or(text(c, "/role"), "user")
		if role == "model" {
			role = "assistant"
		}
		p.turn(role, parts)
	}
	p.MaxTokens, p.Logprobs = count(body, "/generationConfig/maxOutputTokens"), truth(body, "/generationConfig/responseLogprobs")
	p.JSON = text(body, "/generationConfig/responseMimeType") == "application/json"
	for _, name := range [...]string{"responseJsonSchema", "responseSchema"} {
		if s, ok := body.Lookup("/generationConfig/" + name); ok {
			p.form(formSchema, s)
		}
	}
	if tool, ok := body.Lookup("/tools/0/functionDeclarations/0"); ok {
		s, has := tool.Get("parametersJsonSchema")
		if !has {
			s, _ = tool.Get("parameters")
		}
		p.Tool = text(tool, "/name")
		p.form(formTool, s)
	}
}

// chunk is an answer, or an event of a stream, with some parts; stop is empty before the end.
func (gemini) chunk(m *message, parts []value.Value, tokens []string, stop string) value.Value {
	content := []value.Member{member("parts", value.Array(parts...)), member("role", str("model"))}
	if len(parts) == 0 {
		content = content[1:]
	}
	candidate := []value.Member{member("content", object(content...))}
	if stop != "" {
		candidate = append(candidate, member("finishReason", str(stop)))
	}
	if m.surprise != nil && len(tokens) > 0 {
		var chosen []value.Value
		for _, t := range tokens {
			chosen = append(chosen, object(member("token", str(t)), member("logProbability", value.Float(m.logprob()))))
		}
		candidate = append(candidate, member("logprobsResult", object(member("chosenCandidates", value.Array(chosen...)))))
	}
	members := []value.Member{member("candidates", value.Array(object(append(candidate, member("index", num(0)))...)))}
	if u := m.usage; u != nil {
		members = append(members, member("usageMetadata", object(
			member("promptTokenCount", num(u.PromptTokens)), member("cachedContentTokenCount", num(u.CachedTokens)),
			member("candidatesTokenCount", num(u.CompletionTokens-u.ReasoningTokens)), member("thoughtsTokenCount", num(u.ReasoningTokens)),
			member("totalTokenCount", num(u.PromptTokens+u.CompletionTokens)))))
	}
	return object(append(members, member("modelVersion", str(m.model())), member("responseId", str(m.id(""))))...)
}

func (gemini) stopped(m *message) string {
	return m.word([2]string{stopDone, "STOP"}, [2]string{stopTool, "STOP"}, [2]string{stopLength, "MAX_TOKENS"}, [2]string{stopFiltered, "SAFETY"})
}

func (gemini) thought(said string) value.Value {
	return object(member("text", str(said)), member("thought", value.Bool(true)))
}

// call is the whole call: its arguments come in one piece.
func (gemini) call(m *message) value.Value {
	return object(member("functionCall", object(member("name", str(m.tool())), member("args", m.arguments()))))
}

func (w gemini) whole(m *message) []byte {
	var parts []value.Value
	if m.reply.Thought != "" {
		parts = append(parts, w.thought(m.reply.Thought))
	}
	switch {
	case m.called() && m.stop != stopFiltered:
		parts = append(parts, w.call(m))
	case len(m.tokens) > 0:
		parts = append(parts, object(member("text", str(m.text()))))
	}
	return w.chunk(m, parts, m.tokens, w.stopped(m)).Append(nil)
}

func (w gemini) stream(m *message) [][]byte {
	var events [][]byte
	event := func(part value.Value, tokens []string) {
		events = append(events, w.event(w.chunk(m, []value.Value{part}, tokens, "")))
	}
	for _, t := range tokens(m.reply.Thought) {
		event(w.thought(t), nil)
	}
	switch {
	case m.called() && m.stop != stopFiltered:
		event(w.call(m), m.tokens)
	default:
		for i, t := range m.tokens {
			event(object(member("text", str(t))), m.tokens[i:i+1])
		}
	}
	return append(events, w.event(w.chunk(m, nil, nil, w.stopped(m))))
}

// event is one event; Google ends lines with both characters.
func (gemini) event(data value.Value) []byte {
	return append(data.Append([]byte("data: ")), "\r\n\r\n"...)
}

// errorOf is an error as Google words it.
func (gemini) errorOf(code int, status, message string, details ...value.Value) value.Value {
	members := []value.Member{member("code", num(code)), member("message", str(message)), member("status", str(status))}
	if len(details) > 0 {
		members = append(members, member("details", value.Array(details...)))
	}
	return object(member("error", object(members...)))
}

func (gemini) detail(kind string, members ...value.Member) value.Value {
	return object(append([]value.Member{member("@type", str("type.googleapis.com/google.rpc."+kind))}, members...)...)
}

func (gemini) violation(quota string) value.Member {
	return member("violations", value.Array(object(member("quotaId", str(quota)))))
}

func (w gemini) fail(f failure) response {
	r := response{contentType: contentJSON}
	body := func(code int, status, message string, details ...value.Value) response {
		r.status, r.pieces = code, [][]byte{w.errorOf(code, status, f.said(message), details...).Append(nil)}
		return r
	}
	const invalid, exhausted = "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"
	switch f.fault {
	case RateLimited:
		minute := w.detail("QuotaFailure", w.violation("GenerateRequestsPerMinutePerProjectPerModel"))
		const message = "You exceeded your current quota, please check your plan."
		if f.form%2 == 0 {
			return body(http.StatusTooManyRequests, exhausted, message, minute, w.detail("RetryInfo", member("retryDelay", str(seconds(f.wait)+"s"))))
		}
		return body(http.StatusTooManyRequests, exhausted, message+" Please retry in "+seconds(f.wait)+"s.", minute)
	case Overloaded:
		return body(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")
	case Unauthorized: // An invalid key is no 401 here.
		return body(http.StatusBadRequest, invalid, "API key not valid. Please pass a valid API key.", w.detail("ErrorInfo", member("reason", str("API_KEY_INVALID"))))
	case QuotaExceeded:
		day := w.detail("QuotaFailure", w.violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier"))
		return body(http.StatusTooManyRequests, exhausted, "You exceeded your current quota, please check your plan.", day)
	case BadRequest:
		return body(http.StatusBadRequest, invalid, "Please use a valid role: user, model.")
	case SchemaRejected:
		return body(http.StatusBadRequest, invalid, "The specified schema produces a constraint that has too many states for serving.")
	case ContextExceeded:
		return body(http.StatusBadRequest, invalid, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).")
	case ContentBlocked:
		return w.blocked(&f)
	case TooLarge:
		return body(http.StatusBadRequest, invalid, "Request payload size exceeds the limit: 20971520 bytes.")
	default:
		return body(http.StatusInternalServerError, "INTERNAL", "An internal error has occurred. Please retry.")
	}
}

// blocked is the answer to a prompt that is not let through: a 200 without candidates.
func (w gemini) blocked(f *failure) response {
	data := object(
		member("promptFeedback", object(member("blockReason", str("PROHIBITED_CONTENT")))),
		member("usageMetadata", object(member("promptTokenCount", num(1)), member("totalTokenCount", num(1)))))
	if f.streamed {
		return response{status: http.StatusOK, contentType: "text/event-stream", stream: true, pieces: [][]byte{w.event(data)}}
	}
	return response{status: http.StatusOK, contentType: contentJSON, pieces: [][]byte{data.Append(nil)}}
}

func (w gemini) inside(streamed bool) []byte {
	e := w.errorOf(http.StatusServiceUnavailable, "UNAVAILABLE", "The model is overloaded. Please try again later.")
	if streamed {
		return w.event(e)
	}
	return e.Append(nil)
}
