package ollama

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// chunk is what one JSON object of the server says: a whole answer, or one line of a stream.
type chunk struct {
	model    string
	message  bool // there is a message
	text     string
	done     bool
	reason   string
	logprobs []dialect.Token
	usage    dialect.Usage
	failure  openai.Failure
	fault    string // the error's text, where it is one
	scan     scan.Fault
}

// read takes one JSON text. Unknown members are stepped over; members of an unexpected kind read as nothing.
func read(body []byte) chunk {
	var c chunk
	s := scan.New(body)
	if !s.Object() {
		s.Skip()
	} else {
		c.members(&s)
	}
	s.End()
	c.scan = s.Fault()
	return c
}

func (c *chunk) members(s *scan.Scanner) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "model":
			c.model = s.Text()
		case "message":
			c.readMessage(s)
		case "done":
			c.done = s.True()
		case "done_reason":
			c.reason = stringText(s)
		case "prompt_eval_count": // It is left out where the whole prompt was there from the last call.
			c.usage.Input = s.Int()
		case "eval_count":
			c.usage.Known = s.Kind() == '0'
			c.usage.Output = s.Int()
		case "logprobs":
			c.tokens(s)
		case "error":
			copied := *s
			c.fault = stringText(&copied)
			c.failure = openai.ReadFailure(s)
		}
	}
}

// readMessage reads the answer's text. Thinking has a member of its own and is no answer.
func (c *chunk) readMessage(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	c.message = true
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) == "content" {
			c.text = stringText(s)
		}
	}
}

func (c *chunk) tokens(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if t, ok := openai.ReadToken(s); ok {
			c.logprobs = append(c.logprobs, t)
		}
	}
}

// stringText reads a string and takes nothing else for one.
func stringText(s *scan.Scanner) string {
	if s.Kind() != '"' {
		return ""
	}
	return s.Text()
}
