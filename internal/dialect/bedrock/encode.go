package bedrock

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// defaultName stands for a schema or a tool without a name.
const defaultName = "result"

var (
	errModel         = errors.New("bedrock: a model's name is neither empty nor . or .. alone")
	errNothingSaid   = errors.New("bedrock: a call needs a message that is not of the system and not blank")
	errName          = errors.New("bedrock: a schema's name has 1 to 64 letters, digits, _ and -")
	errSystemImage   = errors.New("bedrock: a system message has no images")
	errAssistantSees = errors.New("bedrock: an assistant's message has no images")
)

// Encode makes the request of a call. Parts of white space alone are left out: the service refuses them.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c); err != nil {
		return dialect.Request{}, err
	}
	dst, err := appendMessages(append(make([]byte, 0, size(c)), `{"messages":[`...), c.Messages)
	if err != nil {
		return dialect.Request{}, err
	}
	if dst, err = appendSystem(append(dst, ']'), c.Messages); err != nil {
		return dialect.Request{}, err
	}
	dst = append(appendOutput(appendInference(dst, c), c), '}')
	operation, accept := "/converse", "application/json"
	if c.Stream {
		operation, accept = "/converse-stream", "application/vnd.amazon.eventstream"
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {accept}}
	return dialect.Request{Method: http.MethodPost, Path: "/model/" + escape(c.Model) + operation, Header: header, Body: dst}, nil
}

func check(c dialect.Call) error {
	if c.Model == "" || c.Model == "." || c.Model == ".." {
		return errModel
	}
	o := c.Output
	if len(o.Name) > 64 || strings.ContainsFunc(o.Name, notInName) {
		return errName
	}
	switch o.Mode {
	case lowering.Strict, lowering.Tool:
		if o.Schema.Kind() != value.KindObject {
			return fmt.Errorf("bedrock: mode %s needs a schema", o.Mode)
		}
	case lowering.Prompt, "":
	default:
		return fmt.Errorf("bedrock: there is no mode %s", o.Mode)
	}
	return nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}

// escape writes a model's name as one segment of a path. All but RFC 3986's unreserved characters are escaped, as AWS's own clients do: the signature is of
// these very bytes.
func escape(model string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(model) {
		if c := model[i]; c == '.' || c == '~' || !notInName(rune(c)) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// appendMessages writes what is not the system's. The service wants turns: messages of one role that follow each other are one.
func appendMessages(dst []byte, messages []dialect.Message) ([]byte, error) {
	turn := dialect.System // none yet
	for i := range messages {
		m := &messages[i]
		if m.Role > dialect.Assistant {
			return nil, fmt.Errorf("bedrock: there is no role %d", m.Role)
		}
		if m.Role == dialect.System || blank(m.Parts) {
			continue
		}
		if m.Role == turn {
			dst = append(dst, ',')
		} else {
			if turn != dialect.System {
				dst = append(dst, `]},`...)
			}
			role := "user"
			if m.Role == dialect.Assistant {
				role = "assistant"
			}
			dst = append(append(append(dst, `{"role":"`...), role...), `","content":[`...)
			turn = m.Role
		}
		var err error
		if dst, err = appendParts(dst, m); err != nil {
			return nil, err
		}
	}
	if turn == dialect.System {
		return nil, errNothingSaid
	}
	return append(dst, `]}`...), nil
}

func blank(parts []dialect.Part) bool {
	for i := range parts {
		if parts[i].Image != "" || strings.TrimSpace(parts[i].Text) != "" {
			return false
		}
	}
	return true
}

func appendParts(dst []byte, m *dialect.Message) ([]byte, error) {
	first := true
	for i := range m.Parts {
		p := &m.Parts[i]
		if blank(m.Parts[i : i+1]) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		switch {
		case p.Image == "":
			dst = append(value.AppendQuoted(append(dst, `{"text":`...), p.Text), '}')
		case m.Role == dialect.System:
			return nil, errSystemImage
		case m.Role == dialect.Assistant:
			return nil, errAssistantSees
		default:
			var err error
			if dst, err = appendImage(dst, p.Image); err != nil {
				return nil, err
			}
		}
	}
	return dst, nil
}

// appendSystem writes what the system says, wherever in the conversation.
func appendSystem(dst []byte, messages []dialect.Message) ([]byte, error) {
	said := false
	for i := range messages {
		m := &messages[i]
		if m.Role != dialect.System || blank(m.Parts) {
			continue
		}
		if said {
			dst = append(dst, ',')
		} else {
			dst = append(dst, `,"system":[`...)
		}
		said = true
		var err error
		if dst, err = appendParts(dst, m); err != nil {
			return nil, err
		}
	}
	if said {
		dst = append(dst, ']')
	}
	return dst, nil
}

// appendInference writes room and temperature. Models that reason refuse a temperature; elsewhere it ends at 1.
func appendInference(dst []byte, c dialect.Call) []byte {
	hot := c.Temperature != nil && !c.Capability.Reasoning
	if c.MaxTokens <= 0 && !hot {
		return dst
	}
	dst = append(dst, `,"inferenceConfig":{`...)
	if c.MaxTokens > 0 {
		dst = strconv.AppendInt(append(dst, `"maxTokens":`...), int64(c.MaxTokens), 10)
		if hot {
			dst = append(dst, ',')
		}
	}
	if hot {
		dst = strconv.AppendFloat(append(dst, `"temperature":`...), min(*c.Temperature, 1), 'f', -1, 64)
	}
	return append(dst, '}')
}

// appendOutput writes outputConfig.textFormat, with the schema as a text, or the tool that takes the answer. The tool's schema is the caller's own, beyond
// what strict tools accept.
func appendOutput(dst []byte, c dialect.Call) []byte {
	o := c.Output
	name := o.Name
	if name == "" {
		name = defaultName
	}
	switch o.Mode {
	case lowering.Strict:
		dst = append(dst, `,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":`...)
		dst = append(value.AppendQuoted(dst, name), `,"schema":`...)
		dst = value.AppendQuoted(dst, string(o.Schema.Append(nil)))
		dst = append(dst, `}}}}`...)
	case lowering.Tool:
		dst = append(dst, `,"toolConfig":{"tools":[{"toolSpec":{"name":`...)
		dst = append(value.AppendQuoted(dst, name), `,"description":"Gives the answer.","inputSchema":{"json":`...)
		dst = append(o.Schema.Append(dst), `}}}],"toolChoice":{`...)
		to := choice(c.Model)
		if c.Capability.Reasoning {
			to = "auto" // A model that thinks refuses to be forced; the meta-prompt asks for the answer.
		}
		dst = append(value.AppendQuoted(dst, to), `:{`...)
		if to == "tool" {
			dst = value.AppendQuoted(append(dst, `"name":`...), name)
		}
		dst = append(dst, `}}}`...)
	}
	return dst
}

// size estimates the length of the messages from above, for ordinary texts.
func size(c dialect.Call) int {
	n := 512 + 2*len(c.Output.Name)
	for i := range c.Messages {
		n += 48
		for j := range c.Messages[i].Parts {
			p := &c.Messages[i].Parts[j]
			n += len(p.Text) + len(p.Text)/8 + len(p.Image) + 96
		}
	}
	return n
}
