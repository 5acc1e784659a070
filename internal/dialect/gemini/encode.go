package gemini

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/promptd/promptd/internal/dialect"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// defaultName stands for a function without a name, which the service demands; maxName is the longest name.
const (
	defaultName = "result"
	maxName     = 64
)

// Encode makes the request of a call.
func (Dialect) Encode(c dialect.Call) (dialect.Request, error) {
	if err := check(c.Output); err != nil {
		return dialect.Request{}, err
	}
	address, err := pathOf(c.Model, c.Stream)
	if err != nil {
		return dialect.Request{}, err
	}
	body, err := bodyOf(c)
	if err != nil {
		return dialect.Request{}, err
	}
	accept := "application/json"
	if c.Stream {
		accept = "text/event-stream"
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {accept}}
	return dialect.Request{Method: http.MethodPost, Path: address, Header: header, Body: body}, nil
}

func check(o dialect.Output) error {
	if len(o.Name) > maxName || strings.ContainsFunc(o.Name, notInName) {
		return errors.New("gemini: a schema's name has 1 to 64 letters, digits, _ and -")
	}
	switch o.Mode {
	case lowering.Strict, lowering.Tool:
		if o.Schema.Kind() != value.KindObject {
			return fmt.Errorf("gemini: mode %s needs a schema", o.Mode)
		}
	case lowering.JSON, lowering.Prompt, "":
	default:
		return fmt.Errorf("gemini: there is no mode %s", o.Mode)
	}
	return nil
}

func notInName(r rune) bool {
	return !(isLetter(r) || r >= '0' && r <= '9' || r == '-')
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
}

// pathOf is the path of a model below the base URL. A name with a slash is a resource's own path, such as tunedModels/orders-7.
func pathOf(model string, stream bool) (string, error) {
	segments := strings.Split(model, "/")
	for i, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "", errors.New("gemini: a model's name has no empty, . or .. part")
		}
		segments[i] = url.PathEscape(s)
	}
	p := "/" + strings.Join(segments, "/")
	if len(segments) == 1 {
		p = "/models" + p
	}
	if stream {
		return p + ":streamGenerateContent?alt=sse", nil // Without alt=sse the stream is one JSON list.
	}
	return p + ":generateContent", nil
}

func bodyOf(c dialect.Call) ([]byte, error) {
	dst := make([]byte, 0, size(c))
	dst, err := appendContents(dst, c.Messages)
	if err != nil {
		return nil, err
	}
	if c.Output.Mode == lowering.Tool {
		dst = appendFunction(dst, c.Output)
	}
	return append(appendConfig(dst, c), '}'), nil
}

// appendContents writes the turns, then what the system says, which is no turn here.
func appendContents(dst []byte, messages []dialect.Message) ([]byte, error) {
	dst = append(dst, `{"contents":[`...)
	first, system := true, false
	for _, m := range messages {
		role := ""
		switch m.Role {
		case dialect.System:
			system = system || !empty(m.Parts)
			continue
		case dialect.User:
			role = `{"role":"user","parts":[`
		case dialect.Assistant:
			role = `{"role":"model","parts":[`
		default:
			return nil, fmt.Errorf("gemini: there is no role %d", m.Role)
		}
		if empty(m.Parts) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = appendParts(append(dst, role...), m.Parts); err != nil {
			return nil, err
		}
		dst = append(dst, `]}`...)
	}
	dst = append(dst, ']')
	if !system {
		return dst, nil
	}
	return appendSystem(dst, messages)
}

// appendSystem writes what the system says, each message a part of its own.
func appendSystem(dst []byte, messages []dialect.Message) ([]byte, error) {
	dst = append(dst, `,"systemInstruction":{"parts":[`...)
	first := true
	for _, m := range messages {
		if m.Role != dialect.System || empty(m.Parts) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		var err error
		if dst, err = appendParts(dst, m.Parts); err != nil {
			return nil, err
		}
	}
	return append(dst, `]}`...), nil
}

// empty reports whether nothing is in the parts. Vertex refuses a part with an empty text, and a turn without parts.
func empty(parts []dialect.Part) bool {
	for i := range parts {
		if parts[i].Text != "" || parts[i].Image != "" {
			return false
		}
	}
	return true
}

// appendParts writes the parts of a message. Texts in a row are one part: what a model sees between two is not documented.
func appendParts(dst []byte, parts []dialect.Part) ([]byte, error) {
	first, open := true, false
	for _, p := range parts {
		if p.Text == "" && p.Image == "" {
			continue
		}
		if open && p.Image != "" {
			dst, open = append(dst, `"}`...), false
		}
		if !first && !open {
			dst = append(dst, ',')
		}
		first = false
		if p.Image != "" {
			var err error
			if dst, err = appendImage(dst, p.Image); err != nil {
				return nil, err
			}
			continue
		}
		if !open {
			dst, open = append(dst, `{"text":"`...), true
		}
		quoted := len(dst)
		dst = value.AppendQuoted(dst, p.Text)
		dst = append(dst[:quoted], dst[quoted+1:len(dst)-1]...)
	}
	if open {
		dst = append(dst, `"}`...)
	}
	return dst, nil
}

// appendImage writes an image: a data: URL goes with the request, any other is the service's to fetch.
func appendImage(dst []byte, image string) ([]byte, error) {
	rest, inline := strings.CutPrefix(image, "data:")
	if !inline {
		dst = append(dst, `{"fileData":{`...)
		if kind := mediaType(image); kind != "" {
			dst = append(value.AppendQuoted(append(dst, `"mimeType":`...), kind), ',')
		}
		return append(value.AppendQuoted(append(dst, `"fileUri":`...), image), `}}`...), nil
	}
	kind, data, ok := strings.Cut(rest, ";base64,")
	if kind, _, _ = strings.Cut(kind, ";"); !ok || kind == "" {
		return nil, errors.New("gemini: a data: URL of an image names its media type and is in base64")
	}
	dst = value.AppendQuoted(append(dst, `{"inlineData":{"mimeType":`...), kind)
	return append(value.AppendQuoted(append(dst, `,"data":`...), data), `}}`...), nil
}

// mediaType guesses from a URL's ending what Vertex demands to be told; empty where the ending says nothing.
func mediaType(image string) string {
	u, err := url.Parse(image)
	if err != nil {
		return ""
	}
	switch ext := strings.ToLower(path.Ext(u.Path)); ext {
	case ".png", ".jpeg", ".webp", ".gif", ".heic", ".heif":
		return "image/" + ext[1:]
	case ".jpg":
		return "image/jpeg"
	default:
		return ""
	}
}

// appendFunction writes the one function and that it must be called. The lowered schema is JSON Schema in this mode, with any profile: the older member
// parameters would refuse most of it.
func appendFunction(dst []byte, o dialect.Output) []byte {
	called := functionName(o.Name)
	dst = value.AppendQuoted(append(dst, `,"tools":[{"functionDeclarations":[{"name":`...), called)
	dst = o.Schema.Append(append(dst, `,"description":"Gives the answer.","parametersJsonSchema":`...))
	dst = append(dst, `}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[`...)
	return append(value.AppendQuoted(dst, called), `]}}`...)
}

// functionName makes the name of a schema one of a function, which begins with a letter or _.
func functionName(s string) string {
	switch {
	case s == "":
		return defaultName
	case !isLetter(rune(s[0])):
		return "_" + s[:min(len(s), maxName-1)]
	default:
		return s
	}
}

// appendConfig writes generationConfig, if there is anything to say.
func appendConfig(dst []byte, c dialect.Call) []byte {
	whole := len(dst)
	dst = append(dst, `,"generationConfig":`...)
	first := len(dst)
	dst = appendForm(dst, c)
	if c.MaxTokens > 0 {
		dst = strconv.AppendInt(append(dst, `,"maxOutputTokens":`...), int64(c.MaxTokens), 10)
	}
	if c.Temperature != nil { // Reasoning models take it too: gemini/stream-reasoning-stop.
		dst = strconv.AppendFloat(append(dst, `,"temperature":`...), *c.Temperature, 'f', -1, 64)
	}
	if c.Logprobs && c.Capability.Logprobs { // And give these: vertex/sync-logprobs-reasoning-stop.
		dst = append(dst, `,"responseLogprobs":true`...)
	}
	switch closest(c.Messages) {
	case "low":
		dst = append(dst, `,"mediaResolution":"MEDIA_RESOLUTION_LOW"`...)
	case "high":
		dst = append(dst, `,"mediaResolution":"MEDIA_RESOLUTION_HIGH"`...)
	}
	if len(dst) == first {
		return dst[:whole]
	}
	dst[first] = '{' // in place of the first member's comma
	return append(dst, '}')
}

// appendForm writes what form the answer shall have, each member with a comma before it.
func appendForm(dst []byte, c dialect.Call) []byte {
	switch c.Output.Mode {
	case lowering.Strict:
		member := `,"responseMimeType":"application/json","responseJsonSchema":`
		if c.Capability.Profile == openAPI {
			member = `,"responseMimeType":"application/json","responseSchema":`
		}
		return c.Output.Schema.Append(append(dst, member...))
	case lowering.JSON:
		return append(dst, `,"responseMimeType":"application/json"`...)
	default:
		return dst
	}
}

// closest is the closest look that is asked for at any image: all models take one word for the whole call, and only some a word for each image.
func closest(messages []dialect.Message) string {
	detail := ""
	for i := range messages {
		for j := range messages[i].Parts {
			switch p := &messages[i].Parts[j]; {
			case p.Image == "":
			case p.Detail == "high":
				return p.Detail
			case p.Detail == "low":
				detail = p.Detail
			}
		}
	}
	return detail
}

// size estimates the body's length but for the schema's, so that a long text is copied once.
func size(c dialect.Call) int {
	n := 4096
	for i := range c.Messages {
		for j := range c.Messages[i].Parts {
			p := &c.Messages[i].Parts[j]
			n += len(p.Text) + len(p.Text)/8 + len(p.Image) + 64
		}
	}
	return n
}
