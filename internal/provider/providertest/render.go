package providertest

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// created is when all answers were made: a clock would make them differ from run to run.
const created = 1_764_000_000

// defaultModel is named where the request names none.
const defaultModel = "scripted"

// tokens cuts a text into pieces of four bytes, whole characters each.
func tokens(text string) []string {
	const size = 4
	list := make([]string, 0, len(text)/size+1)
	for len(text) > 0 {
		n := min(size, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n++
		}
		list = append(list, text[:n])
		text = text[n:]
	}
	return list
}

func join(tokens []string) string {
	text := ""
	for _, t := range tokens {
		text += t
	}
	return text
}

// message is an answer that is ready to be written in either form.
type message struct {
	request *Request
	reply   *Reply
	tokens  []string
	stop    string
	usage   string // its JSON; empty where there is none
	// surprise makes log-probabilities; nil where none are told.
	surprise *rand.Rand
}

func (s *Server) message(r *Request, reply *Reply, rng *rand.Rand) message {
	m := message{request: r, reply: reply, tokens: reply.Chunks, stop: reply.Stop}
	if m.tokens == nil {
		m.tokens = tokens(reply.Text)
	}
	if r.MaxTokens > 0 && len(m.tokens) > r.MaxTokens && reply.Chunks == nil {
		m.tokens, m.stop = m.tokens[:r.MaxTokens], "length"
	}
	if m.stop == "" {
		m.stop = "stop"
	}
	if !reply.NoUsage && !s.settings.NoUsage {
		u := reply.Usage
		if u == nil {
			const size = 4
			u = &Usage{PromptTokens: (len(r.Body) + size - 1) / size, CompletionTokens: len(m.tokens) + len(tokens(reply.Refusal))}
		}
		m.usage = string(u.append(nil))
	}
	if r.Logprobs && !s.settings.NoLogprobs {
		m.surprise = rng
	}
	return m
}

func (u *Usage) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"prompt_tokens":`...), int64(u.PromptTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"completion_tokens":`...), int64(u.CompletionTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"total_tokens":`...), int64(u.PromptTokens+u.CompletionTokens), 10)
	dst = strconv.AppendInt(append(dst, `,"prompt_tokens_details":{"cached_tokens":`...), int64(u.CachedTokens), 10)
	dst = strconv.AppendInt(append(dst, `},"completion_tokens_details":{"reasoning_tokens":`...), int64(u.ReasoningTokens), 10)
	return append(dst, `}}`...)
}

// text is what comes out, after max_tokens.
func (m *message) text() string { return join(m.tokens) }

// quoted writes a text as JSON. Text of a model may hold bytes that are no UTF-8, and goes out with them.
func quoted(dst []byte, text string) []byte { return value.AppendQuoted(dst, text) }

func (m *message) head(dst []byte, object string) []byte {
	dst = append(dst, `{"id":"chatcmpl-`...)
	const idBytes = 9
	dst = hex.AppendEncode(dst, m.request.digest[:idBytes])
	dst = append(append(dst, `","object":"`...), object...)
	dst = strconv.AppendInt(append(dst, `","created":`...), created, 10)
	model := m.request.Model
	if model == "" {
		model = defaultModel
	}
	return quoted(append(dst, `,"model":`...), model)
}

// whole writes the answer in one piece.
func (m *message) whole() []byte {
	dst := m.head(make([]byte, 0, 1024), "chat.completion")
	dst = append(dst, `,"choices":[{"index":0,"message":{"role":"assistant","content":`...)
	switch {
	case m.reply.Refusal != "":
		dst = append(dst, `null,"refusal":`...)
		dst = quoted(dst, m.reply.Refusal)
	case m.request.Form == "tool":
		dst = append(dst, `null,"refusal":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"result","arguments":`...)
		dst = append(quoted(dst, m.text()), `}}]`...)
	default:
		dst = append(quoted(dst, m.text()), `,"refusal":null`...)
	}
	dst = append(dst, `},"logprobs":`...)
	dst = m.logprobs(dst, m.tokens)
	dst = quoted(append(dst, `,"finish_reason":`...), m.stop)
	dst = append(dst, `}]`...)
	if m.usage != "" {
		dst = append(append(dst, `,"usage":`...), m.usage...)
	}
	return append(dst, '}')
}

func (m *message) logprobs(dst []byte, tokens []string) []byte {
	if m.surprise == nil || m.reply.Refusal != "" {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"content":[`...)
	for i, token := range tokens {
		if i > 0 {
			dst = append(dst, ',')
		}
		p := -0.05 * m.surprise.Float64()
		if m.surprise.IntN(10) == 0 {
			p -= 2 * m.surprise.Float64()
		}
		dst = quoted(append(dst, `{"token":`...), token)
		dst = strconv.AppendFloat(append(dst, `,"logprob":`...), p, 'f', 6, 64)
		dst = append(dst, `,"top_logprobs":[`...)
		if m.request.topLogprobs > 0 {
			dst = quoted(append(dst, `{"token":`...), token)
			dst = append(strconv.AppendFloat(append(dst, `,"logprob":`...), p, 'f', 6, 64), '}')
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, `],"refusal":null}`...)
}

// stream writes the answer as events, the last of which is [DONE].
func (m *message) stream() [][]byte {
	var events [][]byte
	event := func(delta func([]byte) []byte, tokens []string, stop string) {
		dst := m.head(append(make([]byte, 0, 256), "data: "...), "chat.completion.chunk")
		dst = append(dst, `,"choices":[{"index":0,"delta":{`...)
		dst = append(delta(dst), `},"logprobs":`...)
		if len(tokens) == 0 {
			dst = append(dst, "null"...)
		} else {
			dst = m.logprobs(dst, tokens)
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
	if m.reply.Refusal != "" {
		for _, t := range tokens(m.reply.Refusal) {
			event(func(dst []byte) []byte { return quoted(append(dst, `"refusal":`...), t) }, nil, "")
		}
	} else {
		for i, t := range m.tokens {
			event(func(dst []byte) []byte { return m.fragment(dst, i, t) }, m.tokens[i:i+1], "")
		}
	}
	event(func(dst []byte) []byte { return dst }, nil, m.stop)
	if m.usage != "" && m.request.includeUsage {
		dst := m.head(append(make([]byte, 0, 256), "data: "...), "chat.completion.chunk")
		dst = append(append(dst, `,"choices":[],"usage":`...), m.usage...)
		events = append(events, append(dst, "}\n\n"...))
	}
	return append(events, []byte("data: [DONE]\n\n"))
}

// fragment writes the i-th piece of the answer, or of the tool's arguments.
func (m *message) fragment(dst []byte, i int, text string) []byte {
	if m.request.Form != "tool" {
		return quoted(append(dst, `"content":`...), text)
	}
	dst = append(dst, `"tool_calls":[{"index":0,`...)
	if i == 0 {
		dst = append(dst, `"id":"call_1","type":"function",`...)
	}
	dst = append(dst, `"function":{`...)
	if i == 0 {
		dst = append(dst, `"name":"result",`...)
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
