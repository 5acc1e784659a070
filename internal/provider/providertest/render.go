package providertest

import (
	"math/rand/v2"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/value"
)

// created is when all answers were made: a clock would make them differ from run to run.
const created = 1_764_000_000

// defaultModel is named where the request names none, defaultTool where it names no tool.
const (
	defaultModel = "scripted"
	defaultTool  = "result"
)

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

// The words in which a reply says why it stops; wire forms have their own for them, and send any other as it is.
const (
	stopDone     = "stop"
	stopLength   = "length"
	stopFiltered = "content_filter"
	stopTool     = "tool_calls"
)

// message is an answer that is ready to be written in any form.
type message struct {
	request *Request
	reply   *Reply
	tokens  []string
	refusal string
	stop    string
	usage   *Usage // nil where there is none
	// surprise makes log-probabilities; nil where none are told.
	surprise *rand.Rand
}

func (s *Server) message(r *Request, reply *Reply, of traits, rng *rand.Rand) message {
	m := message{request: r, reply: reply, tokens: reply.Chunks, refusal: reply.Refusal, stop: reply.Stop}
	if m.tokens == nil {
		m.tokens = tokens(reply.Text)
	}
	if m.refusal != "" && !of.refuses {
		m.tokens, m.refusal = tokens(m.refusal), ""
	}
	if r.MaxTokens > 0 && len(m.tokens) > r.MaxTokens && reply.Chunks == nil {
		m.tokens, m.stop = m.tokens[:r.MaxTokens], stopLength
	}
	m.stop = or(m.stop, stopDone)
	if !reply.NoUsage && !s.settings.NoUsage {
		m.usage = reply.Usage
		if m.usage == nil {
			const size = 4
			thought := len(tokens(reply.Thought))
			m.usage = &Usage{
				PromptTokens: (len(r.Body) + size - 1) / size, CompletionTokens: len(m.tokens) + len(tokens(m.refusal)) + thought, ReasoningTokens: thought,
			}
		}
	}
	if r.Logprobs && !s.settings.NoLogprobs {
		m.surprise = rng
	}
	return m
}

// text is what comes out, after max_tokens.
func (m *message) text() string { return join(m.tokens) }

// called reports whether the answer is a call of the request's tool.
func (m *message) called() bool { return m.request.Form == formTool && m.refusal == "" }

func (m *message) model() string { return or(m.request.Model, defaultModel) }

func (m *message) tool() string { return or(m.request.Tool, defaultTool) }

// id names the answer, with the service's own prefix.
func (m *message) id(prefix string) string {
	return prefix + requestID(&m.request.digest)[len("req_"):]
}

// word gives the service's own word for why the answer stops; pairs are of words of a reply and of the service.
func (m *message) word(pairs ...[2]string) string {
	for _, p := range pairs {
		if p[0] == m.stop {
			return p[1]
		}
	}
	return m.stop
}

// arguments are a call's arguments as a value. A service that sends them so can't send broken ones: those are empty.
func (m *message) arguments() value.Value {
	v, err := value.DecodeString(m.text(), value.Limits{})
	if err != nil || v.Kind() != value.KindObject {
		return value.Object()
	}
	return v
}

// logprob draws how sure the model was of a token.
func (m *message) logprob() float64 {
	p := -0.05 * m.surprise.Float64()
	if m.surprise.IntN(10) == 0 {
		p -= 2 * m.surprise.Float64()
	}
	return p
}

// quoted writes a text as JSON. Text of a model may hold bytes that are no UTF-8, and goes out with them.
func quoted(dst []byte, text string) []byte { return value.AppendQuoted(dst, text) }

// member is a member of an object that is written.
func member(name string, v value.Value) value.Member { return value.Member{Name: name, Value: v} }

func object(members ...value.Member) value.Value { return value.Object(members...) }

func str(s string) value.Value { return value.String(s) }

func num(n int) value.Value { return value.Int(int64(n)) }

// named is an event of a stream that has a name, as server-sent events.
func named(name string, data value.Value) []byte {
	dst := append(append([]byte("event: "), name...), "\ndata: "...)
	return append(data.Append(dst), "\n\n"...)
}
