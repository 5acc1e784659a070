package anthropic

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

// Path is the path of messages below a service's base URL.
const Path = "/v1/messages"

// version is the API's version, which has been the same since 2023; it is demanded.
const version = "2023-06-01"

// defaultName stands for a tool without a name, which the service demands.
const defaultName = "result"

// leastRoom is the room of an answer where neither the caller nor the catalogue says one: max_tokens is demanded, and every Claude takes this much.
const leastRoom = 4096

var errNothingSaid = errors.New("anthropic: a call needs a message that is not of the system and not blank")

// Encode makes the request of a call. Messages and parts of white space alone are left out: the service refuses them.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c.Output); err != nil {
		return dialect.Request{}, err
	}
	dst := make([]byte, 0, size(c))
	dst = value.AppendQuoted(append(dst, `{"model":`...), c.Model)
	dst = strconv.AppendInt(append(dst, `,"max_tokens":`...), int64(room(c)), 10)
	dst, err := appendSystem(dst, c.Messages)
	if err != nil {
		return dialect.Request{}, err
	}
	if dst, err = appendMessages(append(dst, `,"messages":[`...), c.Messages); err != nil {
		return dialect.Request{}, err
	}
	dst = appendOutput(append(dst, ']'), c)
	// Models that reason refuse it (400). Elsewhere it ends at 1.
	if c.Temperature != nil && !c.Capability.Reasoning {
		dst = strconv.AppendFloat(append(dst, `,"temperature":`...), min(*c.Temperature, 1), 'f', -1, 64)
	}
	accept := "application/json"
	if c.Stream {
		dst, accept = append(dst, `,"stream":true`...), "text/event-stream"
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {accept}, "Anthropic-Version": {version}}
	return dialect.Request{Method: http.MethodPost, Path: Path, Header: header, Body: append(dst, '}')}, nil
}

func check(o dialect.Output) error {
	if len(o.Name) > 64 || strings.ContainsFunc(o.Name, notInName) {
		return errors.New("anthropic: a tool's name has 1 to 64 letters, digits, _ and -")
	}
	switch o.Mode {
	case lowering.Strict, lowering.Tool:
		if o.Schema.Kind() != value.KindObject {
			return fmt.Errorf("anthropic: mode %s needs a schema", o.Mode)
		}
	case lowering.Prompt, "":
	default:
		return fmt.Errorf("anthropic: there is no mode %s", o.Mode)
	}
	return nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}

// room is the answer's room in tokens; without the caller's word it is all that the model has, as at services that do not ask.
func room(c dialect.Call) int {
	switch {
	case c.MaxTokens > 0:
		return c.MaxTokens
	case c.Capability.MaxOutput > 0:
		return c.Capability.MaxOutput
	default:
		return leastRoom
	}
}

// appendSystem writes what the system says, wherever in the conversation: one text, or a list of blocks where there are more.
func appendSystem(dst []byte, messages []dialect.Message) ([]byte, error) {
	said := 0
	for i := range messages {
		m := &messages[i]
		if m.Role != dialect.System {
			continue
		}
		if hasImage(m.Parts) {
			return nil, errors.New("anthropic: a system message has no images")
		}
		if !blank(m.Parts) {
			said++
		}
	}
	if said == 0 {
		return dst, nil
	}
	dst = append(dst, `,"system":`...)
	if said > 1 {
		dst = append(dst, '[')
	}
	first := true
	for i := range messages {
		m := &messages[i]
		if m.Role != dialect.System || blank(m.Parts) {
			continue
		}
		if said == 1 {
			return appendText(dst, m.Parts), nil
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendText(append(dst, `{"type":"text","text":`...), m.Parts), '}')
	}
	return append(dst, ']'), nil
}

func appendMessages(dst []byte, messages []dialect.Message) ([]byte, error) {
	said := 0
	for i := range messages {
		m := &messages[i]
		role := ""
		switch m.Role {
		case dialect.System:
			continue
		case dialect.User:
			role = `{"role":"user","content":`
		case dialect.Assistant:
			role = `{"role":"assistant","content":`
		default:
			return nil, fmt.Errorf("anthropic: there is no role %d", m.Role)
		}
		if blank(m.Parts) {
			continue
		}
		if said++; said > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, role...)
		if !hasImage(m.Parts) {
			dst = append(appendText(dst, m.Parts), '}')
			continue
		}
		if m.Role == dialect.Assistant {
			return nil, errors.New("anthropic: an assistant's message has no images")
		}
		var err error
		if dst, err = appendParts(dst, m.Parts); err != nil {
			return nil, err
		}
		dst = append(dst, '}')
	}
	if said == 0 {
		return nil, errNothingSaid
	}
	return dst, nil
}

func hasImage(parts []dialect.Part) bool {
	for i := range parts {
		if parts[i].Image != "" {
			return true
		}
	}
	return false
}

func blank(parts []dialect.Part) bool {
	for i := range parts {
		if parts[i].Image != "" || strings.TrimSpace(parts[i].Text) != "" {
			return false
		}
	}
	return true
}

// appendText writes text parts as one string.
func appendText(dst []byte, parts []dialect.Part) []byte {
	dst = append(dst, '"')
	for i := range parts {
		quoted := len(dst)
		dst = value.AppendQuoted(dst, parts[i].Text)
		dst = append(dst[:quoted], dst[quoted+1:len(dst)-1]...)
	}
	return append(dst, '"')
}

// appendParts writes text and images as blocks.
func appendParts(dst []byte, parts []dialect.Part) ([]byte, error) {
	dst = append(dst, '[')
	first := true
	for i := range parts {
		if blank(parts[i : i+1]) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if parts[i].Image == "" {
			dst = append(dst, `{"type":"text","text":`...)
			dst = append(value.AppendQuoted(dst, parts[i].Text), '}')
			continue
		}
		var err error
		if dst, err = appendImage(dst, parts[i].Image); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendOutput writes output_config.format or the tool that takes the answer. Its schema is the caller's own, beyond what strict tools accept.
func appendOutput(dst []byte, c dialect.Call) []byte {
	o := c.Output
	switch o.Mode {
	case lowering.Strict:
		dst = append(dst, `,"output_config":{"format":{"type":"json_schema","schema":`...)
		dst = append(o.Schema.Append(dst), `}}`...)
	case lowering.Tool:
		name := o.Name
		if name == "" {
			name = defaultName
		}
		dst = append(dst, `,"tools":[{"name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `,"description":"Gives the answer.","input_schema":`...)
		dst = append(o.Schema.Append(dst), `}],"tool_choice":`...)
		if c.Capability.Reasoning {
			// A model that thinks refuses to be forced. The meta-prompt asks for the answer, and text that is none is asked for again.
			return append(dst, `{"type":"auto","disable_parallel_tool_use":true}`...)
		}
		dst = append(dst, `{"type":"tool","name":`...)
		dst = append(value.AppendQuoted(dst, name), `,"disable_parallel_tool_use":true}`...)
	}
	return dst
}

// size estimates the body's length from above for ordinary texts, so that the buffer is made once.
func size(c dialect.Call) int {
	n := 512 + len(c.Model) + 2*len(c.Output.Name)
	for i := range c.Messages {
		n += 48
		for j := range c.Messages[i].Parts {
			p := &c.Messages[i].Parts[j]
			n += len(p.Text) + len(p.Text)/8 + len(p.Image) + 96
		}
	}
	return n + schemaSize(c.Output.Schema)
}

// schemaSize is the length of a value's text, but for escapes.
func schemaSize(v value.Value) int {
	n := len(v.Text()) + 6
	for i := range v.Len() {
		n += len(v.NameAt(i)) + 4 + schemaSize(v.At(i))
	}
	return n
}
