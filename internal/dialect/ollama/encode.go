package ollama

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/dialect/openai"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// Path is the path of a chat below a server's address.
const Path = "/api/chat"

// Encode makes the request of a call.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c.Output); err != nil {
		return dialect.Request{}, err
	}
	dst := make([]byte, 0, openai.Size(c))
	dst = append(dst, `{"model":`...)
	dst = value.AppendQuoted(dst, c.Model)
	dst = append(dst, `,"messages":[`...)
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
	switch c.Output.Mode {
	case lowering.Grammar:
		dst = c.Output.Schema.Append(append(dst, `,"format":`...))
	case lowering.JSON:
		dst = append(dst, `,"format":"json"`...)
	}
	dst = appendOptions(dst, c)
	if c.Logprobs && c.Capability.Logprobs && !c.Capability.Reasoning {
		dst = append(dst, `,"logprobs":true`...)
	}
	// A prompt that does not fit is an error, and a full window ends the answer: by default the server forgets the beginning of either without a word.
	dst = append(dst, `,"truncate":false,"shift":false,"stream":`...) // A stream is the default.
	dst = strconv.AppendBool(dst, c.Stream)
	r := openai.Post(append(dst, '}'), c.Stream)
	r.Path = Path
	if c.Stream {
		r.Header.Set("Accept", "application/x-ndjson")
	}
	return r, nil
}

func check(o dialect.Output) error {
	if !openai.ValidName(o.Name) {
		return errors.New("ollama: a schema's name has 1 to 64 letters, digits, _ and -")
	}
	switch o.Mode {
	case lowering.Grammar:
		if o.Schema.Kind() != value.KindObject {
			return errors.New("ollama: mode grammar needs a schema that is an object")
		}
	case lowering.JSON, lowering.Prompt, "":
	default:
		return fmt.Errorf("ollama: there is no mode %s", o.Mode)
	}
	return nil
}

func appendMessage(dst []byte, m dialect.Message) ([]byte, error) {
	switch m.Role {
	case dialect.System:
		dst = append(dst, `{"role":"system","content":`...)
	case dialect.User:
		dst = append(dst, `{"role":"user","content":`...)
	case dialect.Assistant:
		dst = append(dst, `{"role":"assistant","content":`...)
	default:
		return nil, fmt.Errorf("ollama: there is no role %d", m.Role)
	}
	dst = openai.AppendText(dst, m.Parts)
	if openai.HasImage(m.Parts) {
		var err error
		if dst, err = appendImages(dst, m.Parts); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

// appendImages writes a message's images beside its text, as base64 without anything before it: the server fetches none.
func appendImages(dst []byte, parts []dialect.Part) ([]byte, error) {
	dst = append(dst, `,"images":[`...)
	comma := false
	for i := range parts {
		if parts[i].Image == "" {
			continue
		}
		head, content, _ := strings.Cut(parts[i].Image, ",")
		if !strings.HasPrefix(head, "data:") || !strings.HasSuffix(head, ";base64") {
			return nil, errors.New("ollama: an image is a data: URL in base64; the server fetches none")
		}
		if comma {
			dst = append(dst, ',')
		}
		dst, comma = value.AppendQuoted(dst, content), true
	}
	return append(dst, ']'), nil
}

// appendOptions writes the size of the context and what steers generation.
func appendOptions(dst []byte, c dialect.Call) []byte {
	dst = strconv.AppendInt(append(dst, `,"options":{"num_ctx":`...), int64(window(c)), 10)
	if c.MaxTokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"num_predict":`...), int64(c.MaxTokens), 10)
	}
	if c.Temperature != nil && !c.Capability.Reasoning {
		dst = strconv.AppendFloat(append(dst, `,"temperature":`...), *c.Temperature, 'f', -1, 64)
	}
	return append(dst, '}')
}

// Sizes of the context, in tokens.
const (
	leastWindow = 4096 // the server's own default on small machines
	mostWindow  = 1 << 20
	imageTokens = 2048
	someOutput  = 2048 // room for an answer of which nothing is known
)

// window is the size of the context to ask for: what the prompt may need at two bytes a token, and the answer, rounded up to a power of two, for
// the server loads the model anew for each size that it is asked for. More than the model's own window is of no use.
func window(c dialect.Call) int {
	need := c.MaxTokens
	if need <= 0 {
		need = someOutput
	}
	for i := range c.Messages {
		for j := range c.Messages[i].Parts {
			p := &c.Messages[i].Parts[j]
			need += len(p.Text)/2 + 16
			if p.Image != "" {
				need += imageTokens
			}
		}
	}
	size := leastWindow
	for size < need && size < mostWindow {
		size *= 2
	}
	if c.Capability.Context > 0 {
		size = min(size, c.Capability.Context)
	}
	return size
}
