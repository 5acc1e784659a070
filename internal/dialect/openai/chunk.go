package openai

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// chunk is what one JSON text of the service says: a whole answer, or one event of a stream.
type chunk struct {
	id, model string
	choices   int // how many choices there are, read or not
	text      string
	refusal   string
	args      string // arguments of the first tool call
	tool      bool   // there is a tool call
	stop      string
	logprobs  []dialect.Token
	usage     dialect.Usage
	failure   *failure
	fault     scan.Fault
}

// toolCall remembers which tool call of a stream is the first: only its arguments are an answer, and calls beside it are dropped.
type toolCall struct {
	known bool
	index int
	id    string
}

// first reports whether a fragment belongs to the first tool call. A fragment without an index belongs to the call that has its id; one without
// either belongs to the only call that there is.
func (t *toolCall) first(index int, id string) bool {
	if !t.known {
		t.known, t.index, t.id = true, index, id
		return true
	}
	if index >= 0 && t.index >= 0 {
		return index == t.index
	}
	return id == "" || id == t.id
}

// read takes one JSON text. Unknown members are stepped over; members of an unexpected kind read as nothing.
func read(body []byte, tool *toolCall) chunk {
	var c chunk
	s := scan.New(body)
	if !s.Object() {
		s.Skip()
	} else {
		c.members(&s, tool)
	}
	s.End()
	c.fault = s.Fault()
	return c
}

func (c *chunk) members(s *scan.Scanner, tool *toolCall) {
	// A flat error, as Mistral's {"object":"error","message":…}, has its members beside the others.
	flat := failure{}
	isError := false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "id":
			c.id = s.Text()
		case "model":
			c.model = s.Text()
		case "object":
			isError = s.Text() == "error"
		case "choices":
			c.readChoices(s, tool)
		case "usage":
			readUsage(s, &c.usage)
		case "x_groq":
			c.groq(s)
		case "error":
			c.failure = readFailure(s)
		case "message", "detail":
			flat.message = flatten(s)
		case "type":
			flat.kind = s.Text()
		case "code":
			flat.code = s.Text()
		}
	}
	if c.failure == nil && (isError || c.choices == 0 && flat.message != "") {
		c.failure = &flat
	}
}

// groq reads Groq's own member, which has a stream's usage.
func (c *chunk) groq(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "usage":
			if !c.usage.Known {
				readUsage(s, &c.usage)
			}
		case "error":
			if s.Kind() == '"' && c.failure == nil {
				c.failure = &failure{message: s.Text()}
			}
		}
	}
}

func (c *chunk) readChoices(s *scan.Scanner, tool *toolCall) {
	if !s.Array() {
		return
	}
	for s.Item() {
		c.choices++
		c.choice(s, tool)
	}
}

// choice reads one choice; what belongs to a choice behind the first is dropped, for promptd asks for one.
func (c *chunk) choice(s *scan.Scanner, tool *toolCall) {
	if !s.Object() {
		return
	}
	before, first := *c, true
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "index":
			first = s.Int() == 0
		case "message":
			c.message(s, tool)
		case "delta":
			// Perplexity sends the message so far beside the delta: the delta wins.
			c.text, c.refusal = before.text, before.refusal
			c.message(s, tool)
		case "text":
			if s.Kind() == '"' {
				c.text += s.Text()
			}
		case "finish_reason":
			if s.Kind() == '"' {
				c.stop = s.Text()
			}
		case "logprobs":
			c.logprobs = readLogprobs(s, c.logprobs)
		case "error":
			c.failure = readFailure(s)
		}
	}
	if !first {
		before.choices, before.failure = c.choices, c.failure
		*c = before
	}
}

func (c *chunk) message(s *scan.Scanner, tool *toolCall) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "content":
			c.text += readContent(s)
		case "refusal":
			if s.Kind() == '"' {
				c.refusal += s.Text()
			}
		case "tool_calls":
			c.toolCalls(s, tool)
		case "function_call":
			c.function(s)
		}
	}
}

// readContent reads content, which is a string, null, or a list of parts of which those of type text count. Thinking is not an answer.
func readContent(s *scan.Scanner) string {
	if s.Kind() == '"' {
		return s.Text()
	}
	if !s.Array() {
		return ""
	}
	text := ""
	for s.Item() {
		if s.Kind() == '"' {
			text += s.Text()
			continue
		}
		text += readPart(s)
	}
	return text
}

func readPart(s *scan.Scanner) string {
	if !s.Object() {
		return ""
	}
	kind, text := "", ""
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "type":
			kind = s.Text()
		case "text":
			if s.Kind() == '"' {
				text = s.Text()
			}
		}
	}
	if kind == "text" || kind == "output_text" || kind == "" {
		return text
	}
	return ""
}

func (c *chunk) toolCalls(s *scan.Scanner, tool *toolCall) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if !s.Object() {
			continue
		}
		c.tool = true
		index, id, before := -1, "", c.args
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "index":
				index = s.Int()
			case "id":
				id = s.Text()
			case "function":
				c.function(s)
			}
		}
		if !tool.first(index, id) {
			c.args = before
		}
	}
}

// function reads a call's arguments: JSON text, or an object where a service forgot to make text of it.
func (c *chunk) function(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	c.tool = true
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) != "arguments" {
			continue
		}
		switch s.Kind() {
		case '"':
			c.args += s.Text()
		case '{', '[':
			c.args += string(s.Raw())
		}
	}
}

func readLogprobs(s *scan.Scanner, tokens []dialect.Token) []dialect.Token {
	if !s.Object() {
		return tokens
	}
	for {
		name, more := s.Member()
		if !more {
			return tokens
		}
		if string(name) != "content" || !s.Array() {
			continue
		}
		for s.Item() {
			if t, ok := ReadToken(s); ok {
				tokens = append(tokens, t)
			}
		}
	}
}

// ReadToken reads one token's log-probability; ok is false where there is none.
func ReadToken(s *scan.Scanner) (t dialect.Token, ok bool) {
	if !s.Object() {
		return t, false
	}
	for {
		name, more := s.Member()
		if !more {
			return t, ok
		}
		switch string(name) {
		case "token":
			t.Text = s.Text()
		case "logprob":
			ok = s.Kind() == '0'
			t.Logprob = s.Float()
		}
	}
}
