package providertest

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"

	"github.com/promptd/promptd/internal/dialect/scan"
	"github.com/promptd/promptd/internal/value"
)

// Request is an answer that was asked for, in whatever form.
type Request struct {
	// N counts requests from 1, Repeat how often the same body came before.
	N, Repeat int
	Path      string
	Header    http.Header
	Body      []byte

	Model     string
	Messages  []Message
	Stream    bool
	MaxTokens int // 0 where none was said
	Logprobs  bool
	// Wire is the form of the request; Form says where the schema was: "json_schema", "tool", "grammar", "prompt", or "" where there is none.
	Wire Wire
	Form string
	// Tool is the name of the tool that is to be called.
	Tool string
	// Images counts the images of the messages.
	Images int
	// Bad says what is wrong with the request; a service refuses it, and so does this one, but for a reply of the queue.
	Bad string
	// JSON is set where the service holds the answer to be an object.
	JSON bool
	// Schema is null where there is none.
	Schema value.Value

	includeUsage bool
	topLogprobs  int
	digest       digest
}

// Message is one turn: its role and its text.
type Message struct{ Role, Text string }

// User gives the text of the last message of the user.
func (r *Request) User() string {
	for i := len(r.Messages) - 1; i >= 0; i-- {
		if r.Messages[i].Role == "user" {
			return r.Messages[i].Text
		}
	}
	return ""
}

// digest tells bodies, and schemas, apart.
type digest [sha256.Size]byte

func (d *digest) word(i int) uint64 { return binary.LittleEndian.Uint64(d[8*i:]) }

// The places of a schema.
const (
	formSchema  = "json_schema"
	formTool    = "tool"
	formGrammar = "grammar"
	formPrompt  = "prompt"
)

// parsed is a request before its schema is decoded: raw texts of the body.
type parsed struct {
	Request
	checks   *checks
	messages []byte // of chat completions, which are decoded when they are wanted
	schema   []byte
	grammar  string
	bad      string // what is wrong with the request
	fault    Fault  // what kind of wrong it is, where it is not BadRequest
}

// parse reads what matters of a request.
func (s *Server) parse(w wire, body []byte, r *http.Request) parsed {
	p := parsed{Request: Request{Body: body, digest: sha256.Sum256(body), Wire: w.traits().name, Path: r.URL.Path, Header: r.Header}, checks: &s.checks}
	w.read(&p, r)
	return p
}

// chat reads the body of a chat completion.
func (p *parsed) chat() {
	s := scan.New(p.Body)
	if !s.Object() {
		p.bad = "the body is not a JSON object"
		return
	}
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "model":
			p.Model = s.Text()
		case "messages":
			p.messages = s.Raw()
		case "stream":
			p.Stream = s.True()
		case "stream_options":
			p.streamOptions(&s)
		case "max_tokens", "max_completion_tokens":
			p.MaxTokens = s.Int()
		case "logprobs":
			p.Logprobs = s.True()
		case "top_logprobs":
			p.topLogprobs = s.Int()
		case "response_format":
			p.responseFormat(&s)
		case "json_schema":
			p.Form, p.schema = formGrammar, s.Raw()
		case "grammar":
			p.grammar = s.Text()
		case "tools":
			p.tools(&s)
		}
	}
	if !s.End() {
		p.bad = "the body is not JSON"
	} else if len(p.messages) == 0 || p.messages[0] != '[' {
		p.bad = "messages is missing"
	}
	if p.grammar != "" {
		const start = "%json "
		_, text, found := strings.Cut(p.grammar, start)
		if !found || !strings.HasPrefix(p.grammar, "%llguidance") {
			p.bad = "failed to parse grammar"
		}
		p.Form, p.schema = formGrammar, []byte(text)
	}
}

func (p *parsed) streamOptions(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		if string(name) == "include_usage" {
			p.includeUsage = s.True()
		}
	}
}

func (p *parsed) responseFormat(s *scan.Scanner) {
	if !s.Object() {
		return
	}
	for {
		name, more := s.Member()
		if !more {
			return
		}
		switch string(name) {
		case "type":
			p.JSON = s.Text() == "json_object"
		case "schema":
			p.Form, p.schema = formSchema, s.Raw()
		case "json_schema":
			if p.member(s, "schema") {
				p.Form = formSchema
			}
		}
	}
}

// member takes the schema out of an object's member.
func (p *parsed) member(s *scan.Scanner, wanted string) (found bool) {
	if !s.Object() {
		return false
	}
	for {
		name, more := s.Member()
		if !more {
			return found
		}
		switch string(name) {
		case wanted:
			p.schema, found = s.Raw(), true
		case "name":
			if wanted == parameters {
				p.Tool = s.Text()
			}
		}
	}
}

// parameters is the member of a function that has its schema.
const parameters = "parameters"

// tools takes the parameters of the first tool.
func (p *parsed) tools(s *scan.Scanner) {
	if !s.Array() {
		return
	}
	for s.Item() {
		if p.Form == formTool || !s.Object() {
			continue
		}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			if string(name) == "function" && p.member(s, parameters) {
				p.Form = formTool
			}
		}
	}
}

// readMessages decodes the messages of chat completions; parts that are no text are counted alone.
func (p *parsed) readMessages() {
	if p.messages == nil || p.Messages != nil {
		return
	}
	s := scan.New(p.messages)
	if !s.Array() {
		return
	}
	for s.Item() {
		var m Message
		if !s.Object() {
			continue
		}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "role":
				m.Role = s.Text()
			case "content":
				m.Text = p.content(&s)
			}
		}
		p.Messages = append(p.Messages, m)
	}
}

func (p *parsed) content(s *scan.Scanner) (text string) {
	if s.Kind() == '"' {
		return s.Text()
	}
	if !s.Array() {
		return ""
	}
	for s.Item() {
		if !s.Object() {
			continue
		}
		for {
			name, more := s.Member()
			if !more {
				break
			}
			switch string(name) {
			case "text":
				text += s.Text()
			case "image_url":
				p.Images++
			}
		}
	}
	return text
}

// text joins the texts of the messages of some roles.
func (r *Request) text(roles ...string) string {
	text := ""
	for _, m := range r.Messages {
		if slices.Contains(roles, m.Role) {
			text += m.Text + "\n"
		}
	}
	return text
}

// schemaIn finds the schema that a prompt shows: the first JSON object in it that looks like one.
func schemaIn(text string) (value.Value, bool) {
	const most = 64
	for range most {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			break
		}
		text = text[i:]
		if end := balanced(text); end > 0 {
			if v, err := value.DecodeString(text[:end], value.Limits{}); err == nil && looksLikeSchema(v) {
				return v, true
			}
		}
		text = text[1:]
	}
	return value.Null(), false
}

// balanced gives the length of the object that the text begins with; 0 where it does not end.
func balanced(text string) int {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func looksLikeSchema(v value.Value) bool {
	for _, keyword := range [...]string{"$ref", "anyOf", "oneOf", "allOf", "enum", "const", "properties", "items", "prefixItems", "required", "additionalProperties"} {
		if _, ok := v.Get(keyword); ok {
			return true
		}
	}
	t, _ := v.Get("type")
	switch t.Text() {
	case "object", "array", "string", "number", "integer", "boolean", "null":
		return true
	}
	return t.Len() > 0
}
