package openai

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

// Path is the path of chat completions below a service's base URL.
const Path = "/chat/completions"

// defaultName stands for a schema without a name, which the service demands.
const defaultName = "result"

// Encode makes the request of a call.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c.Output); err != nil {
		return dialect.Request{}, err
	}
	body, err := Body(c, func(dst []byte, o dialect.Output) []byte {
		return appendDeviations(appendOutput(dst, o, c.Capability), c)
	})
	if err != nil {
		return dialect.Request{}, err
	}
	return Post(body, c.Stream), nil
}

// Post is the request that carries a body. A new header is made for each: whoever sends it adds credentials.
func Post(body []byte, stream bool) dialect.Request {
	accept := "application/json"
	if stream {
		accept = "text/event-stream"
	}
	values := [2]string{"application/json", accept}
	header := make(http.Header, 4)
	header["Content-Type"], header["Accept"] = values[:1:1], values[1:]
	return dialect.Request{Method: http.MethodPost, Path: Path, Header: header, Body: body}
}

func check(o dialect.Output) error {
	if !ValidName(o.Name) {
		return errors.New("openai: a schema's name has 1 to 64 letters, digits, _ and -")
	}
	switch o.Mode {
	case lowering.Strict, lowering.Tool, lowering.Grammar:
		if o.Schema.Kind() != value.KindObject {
			return fmt.Errorf("openai: mode %s needs a schema", o.Mode)
		}
	case lowering.JSON, lowering.Prompt, "":
	default:
		return fmt.Errorf("openai: there is no mode %s", o.Mode)
	}
	return nil
}

// ValidName reports whether a schema or a tool may have the name: up to 64 letters, digits, _ and -. The empty one stands for a name that is made up.
func ValidName(s string) bool { return len(s) <= 64 && !strings.ContainsFunc(s, notInName) }

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-')
}

// Body writes a chat completions request into one buffer of about the right size. The output's own members are written by form, which begins each
// with a comma: they are where dialects of this family differ.
func Body(c dialect.Call, form func(dst []byte, o dialect.Output) []byte) ([]byte, error) {
	dst := make([]byte, 0, Size(c))
	dst = append(dst, `{"model":`...)
	dst = value.AppendQuoted(dst, c.Model)
	dst = append(dst, `,"messages":[`...)
	for i, m := range c.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendMessage(dst, m); err != nil {
			return nil, err
		}
	}
	dst = append(dst, ']')
	dst = form(dst, c.Output)
	dst = appendSampling(dst, c)
	if c.Stream {
		dst = append(dst, `,"stream":true`...)
		if !c.Capability.Deviations.NoStreamOptions {
			dst = append(dst, `,"stream_options":{"include_usage":true}`...)
		}
	}
	return append(dst, '}'), nil
}

// appendSampling writes what steers generation. Reasoning models refuse all but their own limit (400 unsupported_parameter).
func appendSampling(dst []byte, c dialect.Call) []byte {
	if c.MaxTokens > 0 {
		name, d := `,"max_tokens":`, c.Capability.Deviations
		if d.MaxCompletionTokens || c.Capability.Reasoning && !d.MaxTokens {
			name = `,"max_completion_tokens":`
		}
		dst = strconv.AppendInt(append(dst, name...), int64(c.MaxTokens), 10)
	}
	if c.Capability.Reasoning {
		return dst
	}
	if c.Temperature != nil {
		t := *c.Temperature
		if c.Capability.Deviations.TemperatureBelow2 {
			t = min(t, coolest)
		}
		dst = strconv.AppendFloat(append(dst, `,"temperature":`...), t, 'f', -1, 64)
	}
	if c.Logprobs && c.Capability.Logprobs {
		dst = append(dst, `,"logprobs":true`...)
	}
	return dst
}

func appendMessage(dst []byte, m dialect.Message) ([]byte, error) {
	role := ""
	switch m.Role {
	case dialect.System:
		role = `{"role":"system","content":`
	case dialect.User:
		role = `{"role":"user","content":`
	case dialect.Assistant:
		role = `{"role":"assistant","content":`
	default:
		return nil, fmt.Errorf("openai: there is no role %d", m.Role)
	}
	dst = append(dst, role...)
	if HasImage(m.Parts) {
		dst = appendParts(dst, m.Parts)
	} else {
		dst = AppendText(dst, m.Parts)
	}
	return append(dst, '}'), nil
}

// HasImage reports whether one of the parts is an image.
func HasImage(parts []dialect.Part) bool {
	for i := range parts {
		if parts[i].Image != "" {
			return true
		}
	}
	return false
}

// AppendText writes text parts as one string: a list of parts is refused by many services that copy the format.
func AppendText(dst []byte, parts []dialect.Part) []byte {
	dst = append(dst, '"')
	for i := range parts {
		quoted := len(dst)
		dst = value.AppendQuoted(dst, parts[i].Text)
		dst = append(dst[:quoted], dst[quoted+1:len(dst)-1]...)
	}
	return append(dst, '"')
}

func appendParts(dst []byte, parts []dialect.Part) []byte {
	dst = append(dst, '[')
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		if p.Image != "" {
			dst = append(dst, `{"type":"image_url","image_url":{"url":`...)
			dst = value.AppendQuoted(dst, p.Image)
			if p.Detail != "" {
				dst = value.AppendQuoted(append(dst, `,"detail":`...), p.Detail)
			}
			dst = append(dst, '}', '}')
			continue
		}
		dst = append(dst, `{"type":"text","text":`...)
		dst = append(value.AppendQuoted(dst, p.Text), '}')
	}
	return append(dst, ']')
}

// coolest is the highest temperature of services that refuse 2.
const coolest = 1.99

// appendDeviations writes what some services want besides.
func appendDeviations(dst []byte, c dialect.Call) []byte {
	d := c.Capability.Deviations
	if d.NoStore {
		dst = append(dst, `,"store":false`...)
	}
	switch c.Output.Mode {
	case lowering.Strict, lowering.Tool, lowering.JSON:
		if d.RequireParameters {
			dst = append(dst, `,"provider":{"require_parameters":true}`...)
		}
	}
	return dst
}

// appendOutput writes response_format or the forced tool. Mode grammar is that of servers which hold any answer to the schema: they know no strict.
func appendOutput(dst []byte, o dialect.Output, c dialect.Capability) []byte {
	name := o.Name
	if name == "" {
		name = defaultName
	}
	switch o.Mode {
	case lowering.Strict, lowering.Grammar:
		dst = append(dst, `,"response_format":{"type":"json_schema","json_schema":{"name":`...)
		dst = value.AppendQuoted(dst, name)
		switch {
		case o.Mode == lowering.Grammar:
		case c.Deviations.NoStrict:
			dst = append(dst, `,"strict":false`...)
		default:
			dst = append(dst, `,"strict":true`...)
		}
		dst = append(dst, `,"schema":`...)
		dst = append(o.Schema.Append(dst), `}}`...)
	case lowering.Tool:
		dst = append(dst, `,"tools":[{"type":"function","function":{"name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `,"description":"Gives the answer.","parameters":`...)
		dst = append(o.Schema.Append(dst), `}}],"tool_choice":{"type":"function","function":{"name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `}},"parallel_tool_calls":false`...)
	case lowering.JSON:
		dst = append(dst, `,"response_format":{"type":"json_object"}`...)
	}
	return dst
}

// Size estimates a request body's length from above for ordinary texts, so that the buffer is made once.
func Size(c dialect.Call) int {
	n := 512 + len(c.Model) + 2*len(c.Output.Name)
	for i := range c.Messages {
		n += 48
		for j := range c.Messages[i].Parts {
			p := &c.Messages[i].Parts[j]
			n += len(p.Text) + len(p.Text)/8 + len(p.Image) + 64
		}
	}
	if c.Output.Schema.Kind() == value.KindObject {
		n += usualSchema
	}
	return n
}

// usualSchema is the length of most schemas' text. To measure each took longer than to grow the buffer for those that are longer.
const usualSchema = 2048
