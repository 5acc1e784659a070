package responses

import (
	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/dialect/scan"
)

// response is what the service calls so: a whole answer, or the state of one in an event of a stream.
type response struct {
	id, model string
	status    string
	reason    string // why it is incomplete
	output    bool   // there is a list of items
	text      string
	refusal   string
	args      string // arguments of the first call
	call      bool   // there is a call
	logprobs  []dialect.Token
	usage     dialect.Usage
	failure   openai.Failure
}

// readResponse reads a response. Unknown members are stepped over; members of an unexpected kind read as nothing.
func readResponse(s *scan.Scanner, r *response) {
	if !s.Object() {
		s.Skip()
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		r.member(name, s)
	}
}

func (r *response) member(name []byte, s *scan.Scanner) {
	switch string(name) {
	case "id":
		r.id = s.Text()
	case "model":
		r.model = s.Text()
	case "status":
		r.status = s.Text()
	case "incomplete_details":
		r.reason = textMember(s, "reason")
	case "output":
		r.items(s)
	case "usage":
		readUsage(s, &r.usage)
	case "error":
		r.failure = openai.ReadFailure(s)
	}
}

func (r *response) items(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	r.output = true
	for s.Item() {
		i := readItem(s)
		switch {
		case i.kind == "message" && !i.aside():
			r.text += i.text
			r.refusal += i.refusal
			r.logprobs = append(r.logprobs, i.logprobs...)
		case i.kind == "function_call" && !r.call:
			r.call, r.args = true, i.args
		}
	}
}

// item is one item of the output. Its members come in any order, so they are read before its type is known.
type item struct {
	kind, id, phase string
	text, refusal   string
	args            string
	logprobs        []dialect.Token
}

// aside reports whether a message is said on the way and is not the answer: newer models announce what they are about to do.
func (i *item) aside() bool { return i.phase == "commentary" }

func readItem(s *scan.Scanner) (i item) {
	if !s.Object() {
		return i
	}
	for {
		name, more := s.Member()
		if !more {
			return i
		}
		switch string(name) {
		case "type":
			i.kind = s.Text()
		case "id":
			i.id = s.Text()
		case "phase":
			i.phase = s.Text()
		case "arguments":
			i.args = readArguments(s)
		case "content":
			i.parts(s)
		}
	}
}

// readArguments reads a call's arguments: JSON text, or an object where a service forgot to make text of it.
func readArguments(s *scan.Scanner) string {
	switch s.Kind() {
	case '"':
		return s.Text()
	case '{', '[':
		return string(s.Raw())
	default:
		return ""
	}
}

// parts reads a message's content: parts of which text and refusals count, or a text where a service copied chat completions.
func (i *item) parts(s *scan.Scanner) {
	if s.Kind() == '"' {
		i.text += s.Text()
		return
	}
	if !s.Array() {
		return
	}
	for s.Item() {
		i.part(s)
	}
}

func (i *item) part(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	kind, text, refusal := "", "", ""
	var logprobs []dialect.Token
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "type":
			kind = s.Text()
		case "text":
			text = stringText(s)
		case "refusal":
			refusal = stringText(s)
		case "logprobs":
			logprobs = readTokens(s, nil)
		}
	}
	switch kind {
	case "output_text", "text":
		i.text += text
		i.logprobs = append(i.logprobs, logprobs...)
	case "refusal":
		i.refusal += refusal
	}
}

func readTokens(s *scan.Scanner, tokens []dialect.Token) []dialect.Token {
	if !s.Array() {
		return tokens
	}
	for s.Item() {
		if t, ok := openai.ReadToken(s); ok {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// stringText reads a string and takes nothing else for one.
func stringText(s *scan.Scanner) string {
	if s.Kind() != '"' {
		return ""
	}
	return s.Text()
}

func textMember(s *scan.Scanner, wanted string) (text string) {
	if !s.Object() {
		return ""
	}
	for {
		name, more := s.Member()
		if !more {
			return text
		}
		if string(name) == wanted {
			text = stringText(s)
		}
	}
}

// readUsage reads the count of tokens. The details are part of the counts. Both counts must be numbers: half of them would make half a cost.
func readUsage(s *scan.Scanner, u *dialect.Usage) {
	if !s.Object() {
		return
	}
	var read dialect.Usage
	input, output := false, false
	for {
		name, more := s.Member()
		if !more {
			break
		}
		number := s.Kind() == '0'
		switch string(name) {
		case "input_tokens":
			read.Input, input = s.Int(), number
		case "output_tokens":
			read.Output, output = s.Int(), number
		case "input_tokens_details", "output_tokens_details":
			readDetails(s, &read)
		}
	}
	if read.Known = input && output; read.Known {
		*u = read
	}
}

func readDetails(s *scan.Scanner, u *dialect.Usage) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "cached_tokens":
			u.CachedInput = s.Int()
		case "cache_write_tokens":
			u.CacheWrite = s.Int()
		case "reasoning_tokens":
			u.Reasoning = s.Int()
		}
	}
}
