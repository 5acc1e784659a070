package providertest

import (
	"net/http"

	"github.com/promptd/promptd/internal/value"
)

// responses is OpenAI's newer form: formats and tools are flat, and a stream is the making of a response, whose last event has all of it.
type responses struct{}

func (responses) traits() traits {
	return traits{name: Responses, streamType: "text/event-stream", keyed: bearer, refuses: true, filters: true, header: openAILimits}
}

func (responses) read(p *parsed, r *http.Request) {
	body := p.strict(Responses, r)
	p.Model, p.Stream, p.MaxTokens = text(body, "/model"), truth(body, "/stream"), count(body, "/max_output_tokens")
	if instructions := text(body, "/instructions"); instructions != "" {
		p.Messages = append(p.Messages, Message{Role: "system", Text: instructions})
	}
	input, _ := body.Get("input")
	if input.Kind() == value.KindString {
		p.Messages = append(p.Messages, Message{Role: "user", Text: input.Text()})
	}
	for _, item := range input.Items() {
		content, _ := item.Get("content")
		p.turn(text(item, "/role"), content)
	}
	include, _ := body.Get("include")
	for _, what := range include.Items() {
		p.Logprobs = p.Logprobs || what.Text() == "message.output_text.logprobs"
	}
	p.topLogprobs = count(body, "/top_logprobs")
	switch format, _ := body.Lookup("/text/format"); text(format, "/type") {
	case "json_schema":
		s, _ := format.Get("schema")
		p.form(formSchema, s)
		if truth(format, "/strict") {
			p.rejectSchema("Invalid schema for response_format '"+text(format, "/name")+"': ", openAIFault(s))
		}
	case "json_object":
		p.JSON = true
		if !p.says("json") {
			p.refuse("Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'.")
		}
	}
	if tool, ok := body.Lookup("/tools/0"); ok && text(tool, "/type") == "function" {
		s, _ := tool.Get("parameters")
		p.Tool = text(tool, "/name")
		p.form(formTool, s)
	}
}

// state is a response as far as it has come.
func (responses) state(m *message, status string, output value.Value) value.Value {
	reason, usage := value.Null(), value.Null()
	if status == "incomplete" {
		reason = object(member("reason", str(m.word([2]string{stopLength, "max_output_tokens"}))))
	}
	if m.usage != nil && status != "in_progress" {
		u := m.usage
		usage = object(
			member("input_tokens", num(u.PromptTokens)),
			member("input_tokens_details", object(member("cached_tokens", num(u.CachedTokens)), member("cache_write_tokens", num(u.WrittenTokens)))),
			member("output_tokens", num(u.CompletionTokens)), member("output_tokens_details", object(member("reasoning_tokens", num(u.ReasoningTokens)))),
			member("total_tokens", num(u.PromptTokens+u.CompletionTokens)))
	}
	return object(
		member("id", str(m.id("resp_"))), member("object", str("response")), member("created_at", num(created)), member("status", str(status)),
		member("error", value.Null()), member("incomplete_details", reason), member("model", str(m.model())), member("output", output),
		member("parallel_tool_calls", value.Bool(false)), member("store", value.Bool(false)), member("usage", usage))
}

// status is what became of the answer.
func (responses) status(m *message) string {
	switch m.stop {
	case stopDone, stopTool:
		return "completed"
	case stopLength, stopFiltered:
		return "incomplete"
	default:
		return m.stop
	}
}

// item is the item that is the answer, with that much of it: a message or a call.
func (w responses) item(m *message, status, said string, logprobs value.Value) value.Value {
	if m.called() {
		return object(
			member("id", str(m.id("fc_"))), member("type", str("function_call")), member("status", str(status)), member("arguments", str(said)),
			member("call_id", str("call_1")), member("name", str(m.tool())))
	}
	content := value.Array()
	switch {
	case m.refusal != "" && said != "":
		content = value.Array(object(member("type", str("refusal")), member("refusal", str(said))))
	case said != "" || status != "in_progress":
		content = value.Array(w.part(said, logprobs))
	}
	return object(
		member("id", str(m.id("msg_"))), member("type", str("message")), member("status", str(status)), member("role", str("assistant")), member("content", content))
}

func (responses) part(said string, logprobs value.Value) value.Value {
	return object(member("type", str("output_text")), member("annotations", value.Array()), member("logprobs", logprobs), member("text", str(said)))
}

func (responses) thought(m *message, said string) value.Value {
	summary := value.Array()
	if said != "" {
		summary = value.Array(object(member("type", str("summary_text")), member("text", str(said))))
	}
	return object(member("id", str(m.id("rs_"))), member("type", str("reasoning")), member("summary", summary))
}

func (responses) logprobs(m *message, tokens []string) value.Value {
	if m.surprise == nil || m.refusal != "" {
		return value.Array()
	}
	list, err := value.Decode(appendTokens(m, nil, tokens), value.Limits{})
	if err != nil {
		return value.Array() // Text of a model may be no UTF-8; then nothing is told of it.
	}
	return list
}

func (w responses) output(m *message) value.Value {
	var list []value.Value
	if m.reply.Thought != "" {
		list = append(list, w.thought(m, m.reply.Thought))
	}
	status := w.status(m)
	said := or(m.refusal, m.text())
	if m.stop == stopFiltered && said == "" {
		return value.Array(list...)
	}
	return value.Array(append(list, w.item(m, status, said, w.logprobs(m, m.tokens)))...)
}

func (w responses) whole(m *message) []byte { return w.state(m, w.status(m), w.output(m)).Append(nil) }

// making writes the events of a response; it counts them, as the service does.
type making struct {
	events [][]byte
	index  int // of the item in the output
	item   value.Value
}

func (s *making) event(kind string, members ...value.Member) {
	head := []value.Member{member("type", str(kind)), member("sequence_number", num(len(s.events)))}
	s.events = append(s.events, named(kind, object(append(head, members...)...)))
}

// at is an event of the item under way.
func (s *making) at(kind string, members ...value.Member) {
	place := []value.Member{member("item_id", s.item), member("output_index", num(s.index))}
	s.event(kind, append(place, members...)...)
}

func (w responses) stream(m *message) [][]byte {
	var s making
	nothing := w.state(m, "in_progress", value.Array())
	s.event("response.created", member("response", nothing))
	s.event("response.in_progress", member("response", nothing))
	if m.reply.Thought != "" {
		s.item = str(m.id("rs_"))
		s.event("response.output_item.added", member("output_index", num(s.index)), member("item", w.thought(m, "")))
		for _, t := range tokens(m.reply.Thought) {
			s.at("response.reasoning_summary_text.delta", member("summary_index", num(0)), member("delta", str(t)))
		}
		s.event("response.output_item.done", member("output_index", num(s.index)), member("item", w.thought(m, m.reply.Thought)))
		s.index++
	}
	if m.stop != stopFiltered || m.text() != "" {
		w.answer(m, &s)
	}
	status := w.status(m)
	s.event("response."+status, member("response", w.state(m, status, w.output(m))))
	return s.events
}

// answer writes the events of the item that is the answer.
func (w responses) answer(m *message, s *making) {
	none := value.Array()
	added, content := w.item(m, "in_progress", "", none), member("content_index", num(0))
	s.item, _ = added.Get("id")
	s.event("response.output_item.added", member("output_index", num(s.index)), member("item", added))
	switch {
	case m.called():
		for _, t := range m.tokens {
			s.at("response.function_call_arguments.delta", member("delta", str(t)))
		}
		s.at("response.function_call_arguments.done", member("arguments", str(m.text())))
	case m.refusal != "":
		for _, t := range tokens(m.refusal) {
			s.at("response.refusal.delta", content, member("delta", str(t)))
		}
		s.at("response.refusal.done", content, member("refusal", str(m.refusal)))
	default:
		s.at("response.content_part.added", content, member("part", w.part("", none)))
		for i, t := range m.tokens {
			s.at("response.output_text.delta", content, member("delta", str(t)), member("logprobs", w.logprobs(m, m.tokens[i:i+1])))
		}
		s.at("response.output_text.done", content, member("text", str(m.text())), member("logprobs", none))
		s.at("response.content_part.done", content, member("part", w.part(m.text(), none)))
	}
	s.event("response.output_item.done", member("output_index", num(s.index)), member("item", w.item(m, w.status(m), or(m.refusal, m.text()), none)))
}

func (responses) fail(f failure) response { return chat{}.fail(f) }

func (responses) inside(streamed bool) []byte {
	if streamed {
		return named("error", object(
			member("type", str("error")), member("sequence_number", num(2)), member("error", object(
				member("type", str("server_error")), member("code", str("server_error")),
				member("message", str("The server had an error while processing your request.")), member("param", value.Null())))))
	}
	return object(
		member("id", str("resp_0")), member("object", str("response")), member("status", str("failed")),
		member("error", object(member("code", str("server_error")), member("message", str("The server had an error while processing your request.")))),
		member("output", value.Array())).Append(nil)
}
