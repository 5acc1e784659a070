package providertest

import (
	"net/http"

	"github.com/promptd/promptd/internal/value"
)

// ollama is Ollama's own chat: a stream is JSON, one object a line, and is what comes where nothing is said of it. There are no refusals and no filters.
type ollama struct{}

func (ollama) traits() traits {
	return traits{name: Ollama, streamType: "application/x-ndjson", keyed: bearer, header: noHeader}
}

func (ollama) read(p *parsed, r *http.Request) {
	body := p.strict(Ollama, r)
	p.Model, p.Stream, p.MaxTokens = text(body, "/model"), true, max(0, count(body, "/options/num_predict"))
	if stream, ok := body.Get("stream"); ok {
		p.Stream = stream.Truth()
	}
	messages, _ := body.Get("messages")
	for _, m := range messages.Items() {
		content, _ := m.Get("content")
		p.turn(text(m, "/role"), content)
		images, _ := m.Get("images")
		p.Images += images.Len()
	}
	p.Logprobs, p.topLogprobs = truth(body, "/logprobs"), count(body, "/top_logprobs")
	switch format, _ := body.Get("format"); format.Kind() {
	case value.KindObject:
		p.form(formGrammar, format)
	case value.KindString:
		p.JSON = format.Text() == "json"
	}
	if tool, ok := body.Lookup("/tools/0/function"); ok {
		s, _ := tool.Get("parameters")
		p.Tool = text(tool, "/name")
		p.form(formTool, s)
	}
}

// line is one object: a piece of the answer, or with an end the last one.
func (ollama) line(m *message, said, thought string, call, ended bool, tokens []string) value.Value {
	message := []value.Member{member("role", str("assistant")), member("content", str(said))}
	if thought != "" {
		message = append(message, member("thinking", str(thought)))
	}
	if call {
		function := object(member("name", str(m.tool())), member("arguments", m.arguments()))
		message = append(message, member("tool_calls", value.Array(object(member("function", function)))))
	}
	members := []value.Member{
		member("model", str(m.model())), member("created_at", str("2025-11-24T16:00:00Z")), member("message", object(message...)), member("done", value.Bool(ended)),
	}
	if ended {
		members = append(members, member("done_reason", str(m.word([2]string{stopTool, stopDone}))), member("total_duration", num(1)))
		if m.usage != nil {
			members = append(members, member("prompt_eval_count", num(m.usage.PromptTokens)), member("eval_count", num(m.usage.CompletionTokens)))
		}
	}
	if m.surprise != nil && len(tokens) > 0 {
		if list, err := value.Decode(appendTokens(m, nil, tokens), value.Limits{}); err == nil {
			members = append(members, member("logprobs", list))
		}
	}
	return object(members...)
}

func (w ollama) whole(m *message) []byte {
	said := m.text()
	if m.called() {
		said = ""
	}
	return w.line(m, said, m.reply.Thought, m.called(), true, m.tokens).Append(nil)
}

func (w ollama) stream(m *message) [][]byte {
	var lines [][]byte
	line := func(v value.Value) { lines = append(lines, append(v.Append(nil), '\n')) }
	for _, t := range tokens(m.reply.Thought) {
		line(w.line(m, "", t, false, false, nil))
	}
	if m.called() {
		line(w.line(m, "", "", true, false, nil))
	} else {
		for i, t := range m.tokens {
			line(w.line(m, t, "", false, false, m.tokens[i:i+1]))
		}
	}
	line(w.line(m, "", "", false, true, nil))
	return lines
}

func (ollama) fail(f failure) response {
	status, message := http.StatusInternalServerError, "llama runner process has terminated: exit status 2"
	switch f.fault {
	case RateLimited:
		status, message = http.StatusTooManyRequests, waits(&f, http.Header{}, "you (EXAMPLE) have reached your hourly usage limit")
	case QuotaExceeded, Overloaded:
		status, message = http.StatusServiceUnavailable, "server busy, please try again.  maximum pending requests exceeded"
	case Unauthorized:
		status, message = http.StatusUnauthorized, "unauthorized"
	case BadRequest, ContentBlocked:
		status, message = http.StatusBadRequest, "invalid options: temperature"
	case SchemaRejected:
		status, message = http.StatusBadRequest, "invalid JSON schema in format"
	case ContextExceeded:
		status, message = http.StatusBadRequest, "the input length exceeds the context length"
	case TooLarge:
		return response{status: http.StatusRequestEntityTooLarge, contentType: "text/plain", pieces: [][]byte{[]byte("http: request body too large")}}
	}
	r := response{status: status, contentType: contentJSON, pieces: [][]byte{object(member("error", str(f.said(message)))).Append(nil)}}
	if f.fault == RateLimited {
		r.header = http.Header{}
		waits(&f, r.header, "")
	}
	return r
}

func (ollama) inside(streamed bool) []byte {
	e := object(member("error", str("an error was encountered while running the model: unexpected EOF"))).Append(nil)
	if streamed {
		return append(e, '\n')
	}
	return e
}
