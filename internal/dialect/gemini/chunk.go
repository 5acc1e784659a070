package gemini

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// chunk is what one JSON text of the service says: a whole answer, or one event of a stream.
type chunk struct {
	id, model  string
	candidates int    // how many there are, read or not
	text       []byte // text and the first call's arguments, in the order in which they come
	args       []byte // the first call's arguments alone
	called     bool   // there is a function call
	stop       string
	blocked    string // why the prompt was blocked
	logprobs   []dialect.Token
	usage      dialect.Usage
	failure    *failure
	fault      scan.Fault
}

// read takes one JSON text. A list is read as one answer after the other: a stream that came without alt=sse, or an error as Google wraps it. Unknown
// members are stepped over; members of an unexpected kind read as nothing.
func read(body []byte, f *call) chunk {
	var c chunk
	s := scan.New(body)
	switch {
	case s.Object():
		c.members(&s, f)
	case s.Array():
		for s.Item() {
			if s.Object() {
				c.members(&s, f)
			}
		}
	default:
		s.Skip()
	}
	s.End()
	c.fault = s.Fault()
	return c
}

func (c *chunk) members(s *scan.Scanner, f *call) {
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "candidates":
			c.readCandidates(s, f)
		case "promptFeedback":
			c.feedback(s)
		case "usageMetadata":
			readUsage(s, &c.usage)
		case "modelVersion":
			c.model = s.Text()
		case "responseId":
			c.id = s.Text()
		case "error":
			if e := readFailure(s); e != nil {
				c.failure = e
			}
		}
	}
}

// feedback says of a prompt why it was blocked. The reason that is none is not known to be sent.
func (c *chunk) feedback(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) == "blockReason" {
			if reason := s.Text(); reason != "BLOCKED_REASON_UNSPECIFIED" {
				c.blocked = reason
			}
		}
	}
}

func (c *chunk) readCandidates(s *scan.Scanner, f *call) {
	if !s.Array() {
		return
	}
	for s.Item() {
		c.candidates++
		c.candidate(s, f)
	}
}

// candidate reads one candidate; what belongs to one behind the first is dropped, for promptd asks for one. avgLogprobs is left out: it is the mean over
// all tokens, those that a schema forces included, and tells nothing of a field.
func (c *chunk) candidate(s *scan.Scanner, f *call) {
	if !s.Object() {
		return
	}
	before, callBefore, first := *c, *f, true
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "index":
			first = s.Int() == 0
		case "content":
			c.content(s, f)
		case "finishReason":
			if s.Kind() == '"' {
				c.stop = s.Text()
			}
		case "logprobsResult":
			c.readLogprobs(s)
		}
	}
	if !first {
		before.candidates = c.candidates
		*c, *f = before, callBefore
	}
}

func (c *chunk) content(s *scan.Scanner, f *call) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) != "parts" || !s.Array() {
			continue
		}
		for s.Item() {
			c.part(s, f)
		}
	}
}

// part reads text that is no thought, and a function call. Signatures, and the service's own tools, are none of the answer.
func (c *chunk) part(s *scan.Scanner, f *call) {
	if !s.Object() {
		return
	}
	before, thought := len(c.text), false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "text":
			c.text = s.AppendText(c.text)
		case "thought":
			thought = s.True()
		case "functionCall":
			c.called = c.called || s.Kind() == '{'
			args := f.read(s)
			c.text, c.args = append(c.text, args...), append(c.args, args...)
		}
	}
	if thought {
		c.text = c.text[:before]
	}
}

func (c *chunk) readLogprobs(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) != "chosenCandidates" || !s.Array() {
			continue
		}
		for s.Item() {
			if t, ok := readToken(s); ok {
				c.logprobs = append(c.logprobs, t)
			}
		}
	}
}

func readToken(s *scan.Scanner) (t dialect.Token, ok bool) {
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
		case "logProbability":
			ok = s.Kind() == '0'
			t.Logprob = s.Float()
		}
	}
}

// readUsage reads the count of tokens. Thoughts are counted beside the candidate's tokens, and what the service's own tools fed in beside the prompt's.
func readUsage(s *scan.Scanner, u *dialect.Usage) {
	if !s.Object() {
		return
	}
	var read dialect.Usage
	for {
		name, more := s.Member()
		if !more {
			break
		}
		if s.Kind() != '0' {
			continue
		}
		switch string(name) {
		case "promptTokenCount":
			read.Input, read.Known = read.Input+s.Int(), true
		case "toolUsePromptTokenCount":
			read.Input += s.Int()
		case "cachedContentTokenCount":
			read.CachedInput = s.Int()
		case "candidatesTokenCount":
			read.Output += s.Int()
		case "thoughtsTokenCount":
			read.Reasoning = s.Int()
		}
	}
	if !read.Known { // A count of 0 is left out, but there is no prompt of none. The first events of a stream at Vertex name the traffic alone.
		return
	}
	read.Output += read.Reasoning
	*u = read
}
