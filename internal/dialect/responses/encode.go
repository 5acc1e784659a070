package responses

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Path is the path of responses below a service's base URL.
const Path = "/responses"

// defaultName stands for a schema without a name, which the service demands.
const defaultName = "result"

// leastOutput is the smallest max_output_tokens that is taken.
// 2026-11: OpenAI's OpenAPI document has it as the minimum; less is a 400 integer_below_min_value.
const leastOutput = 16

// Encode makes the request of a call.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c.Output); err != nil {
		return dialect.Request{}, err
	}
	dst := make([]byte, 0, openai.Size(c)+24*len(c.Messages))
	dst = append(dst, `{"model":`...)
	dst = value.AppendQuoted(dst, c.Model)
	dst = append(dst, `,"input":[`...)
	for i, m := range c.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendMessage(dst, m); err != nil {
			return dialect.Request{}, err
		}
	}
	dst = append(dst, ']')
	dst = appendOutput(dst, c.Output)
	dst = appendSampling(dst, c)
	dst = append(dst, `,"store":false`...) // Left out it means true: the service would keep prompt and answer.
	if c.Stream {
		dst = append(dst, `,"stream":true`...)
	}
	r := openai.Post(append(dst, '}'), c.Stream)
	r.Path = Path
	return r, nil
}

func check(o dialect.Output) error {
	if !openai.ValidName(o.Name) {
		return errors.New("openai-responses: a schema's name has 1 to 64 letters, digits, _ and -")
	}
	switch o.Mode {
	case lowering.Strict, lowering.Tool:
		if o.Schema.Kind() != value.KindObject {
			return fmt.Errorf("openai-responses: mode %s needs a schema", o.Mode)
		}
	case lowering.JSON, lowering.Prompt, "":
	default:
		return fmt.Errorf("openai-responses: there is no mode %s", o.Mode)
	}
	return nil
}

// appendMessage writes a message as an input item. Instructions stay where they are among the others: the member instructions has room for one text.
func appendMessage(dst []byte, m dialect.Message) ([]byte, error) {
	switch m.Role {
	case dialect.System:
		dst = append(dst, `{"type":"message","role":"system","content":`...)
	case dialect.User:
		dst = append(dst, `{"type":"message","role":"user","content":`...)
	case dialect.Assistant:
		dst = append(dst, `{"type":"message","role":"assistant","content":`...)
	default:
		return nil, fmt.Errorf("openai-responses: there is no role %d", m.Role)
	}
	switch {
	case !openai.HasImage(m.Parts):
		dst = openai.AppendText(dst, m.Parts)
	case m.Role == dialect.Assistant:
		return nil, errors.New("openai-responses: a message of the assistant has no images")
	default:
		dst = appendParts(dst, m.Parts)
	}
	return append(dst, '}'), nil
}

func appendParts(dst []byte, parts []dialect.Part) []byte {
	dst = append(dst, '[')
	for i, p := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		if p.Image == "" {
			dst = append(dst, `{"type":"input_text","text":`...)
			dst = append(value.AppendQuoted(dst, p.Text), '}')
			continue
		}
		detail := p.Detail
		if detail == "" {
			detail = "auto" // The member is required here.
		}
		dst = append(dst, `{"type":"input_image","image_url":`...)
		dst = value.AppendQuoted(dst, p.Image)
		dst = append(dst, `,"detail":`...)
		dst = append(value.AppendQuoted(dst, detail), '}')
	}
	return append(dst, ']')
}

// appendOutput writes the text's format or the forced tool. A tool is strict unless it says that it is not, and what mode tool sends is no strict
// schema.
func appendOutput(dst []byte, o dialect.Output) []byte {
	name := o.Name
	if name == "" {
		name = defaultName
	}
	switch o.Mode {
	case lowering.Strict:
		dst = append(dst, `,"text":{"format":{"type":"json_schema","name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `,"strict":true,"schema":`...)
		dst = append(o.Schema.Append(dst), `}}`...)
	case lowering.Tool:
		dst = append(dst, `,"tools":[{"type":"function","name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `,"description":"Gives the answer.","strict":false,"parameters":`...)
		dst = append(o.Schema.Append(dst), `}],"tool_choice":{"type":"function","name":`...)
		dst = value.AppendQuoted(dst, name)
		dst = append(dst, `},"parallel_tool_calls":false`...)
	case lowering.JSON:
		dst = append(dst, `,"text":{"format":{"type":"json_object"}}`...)
	}
	return dst
}

// appendSampling writes what steers generation. Reasoning models refuse all but the limit (400 unsupported_parameter).
func appendSampling(dst []byte, c dialect.Call) []byte {
	if c.MaxTokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"max_output_tokens":`...), int64(max(c.MaxTokens, leastOutput)), 10)
	}
	if c.Capability.Reasoning {
		return dst
	}
	if c.Temperature != nil {
		dst = strconv.AppendFloat(append(dst, `,"temperature":`...), *c.Temperature, 'f', -1, 64)
	}
	if c.Logprobs && c.Capability.Logprobs {
		dst = append(dst, `,"include":["message.output_text.logprobs"]`...)
	}
	return dst
}
