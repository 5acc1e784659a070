package prompt

import (
	"cmp"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/render"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Defaults are what the configuration sets for every request.
type Defaults struct {
	CacheTTL    time.Duration
	MaxAttempts int
	// Timeout is 30 seconds where it is 0.
	Timeout time.Duration
}

// Bounds of the options (product.md section 3).
const (
	defaultTemperature = 0.1
	defaultMaxTokens   = 2048
	mostTokens         = 1_000_000
	defaultTimeout     = 30 * time.Second
	leastTimeout       = 100 * time.Millisecond
	mostTimeout        = MostTimeout
	leastTTL           = 60 * time.Second
	mostTTL            = 86_400 * time.Second
	mostAttempts       = 10
	mostMessages       = 100
)

// MostTimeout is the longest options.timeout_ms.
const MostTimeout = 600 * time.Second

// Read makes a Prompt of a request's body. The error is an INVALID_REQUEST that names every field at fault.
func Read(v value.Value, d Defaults) (Prompt, error) {
	r := body.Open(v)
	q := Prompt{Format: render.JSON, Body: v}
	if _, continues := v.Get("state"); continues {
		q.Continues = readContinuation(r, d)
		q.Stream = r.Bool("stream", false)
		return q, r.Done()
	}
	readText(r, &q, d)
	readSchema(r, &q)
	if name := r.Enum("format", "json", "json", "xml", "yaml", "toon"); name != "" {
		q.Format, _ = render.Parse(name)
	}
	q.Stream = r.Bool("stream", false)
	q.Options = readOptions(r.Object("options"), d)
	r.Value("state") // One that is given was read above.
	if _, given := r.Value("answers"); given {
		r.Fault("answers", "required", "answers belong to a state", "Send the state of the answer that asked, too.")
	}
	return q, r.Done()
}

func readText(r *body.Reader, q *Prompt, d Defaults) {
	_, hasText := r.Value("prompt")
	_, hasMessages := r.Value("messages")
	_, hasTemplate := r.Value("template")
	_, hasParameters := r.Value("parameters")
	switch {
	case hasTemplate || hasParameters:
		q.Template = readTemplate(r, d)
	case hasText && hasMessages:
		r.Fault("messages", "exclusive", "prompt and messages exclude each other", "Send one of them.")
	case hasMessages:
		q.Messages = readMessages(r)
	case !hasText:
		r.Fault("prompt", "required", "prompt is missing", "Send the text to analyse as prompt.")
	default:
		q.Text = r.String("prompt", "")
	}
}

func readMessages(r *body.Reader) []Message {
	if v, _ := r.Value("messages"); v.Kind() == value.KindArray && (v.Len() == 0 || v.Len() > mostMessages) {
		r.Fault("messages", "items", "messages must hold 1 to 100 messages", "")
		return nil
	}
	items := r.Objects("messages")
	if len(items) == 0 {
		return nil // None of them is an object, which is a fault already.
	}
	messages := make([]Message, 0, len(items))
	users := 0
	for _, item := range items {
		m := Message{Role: item.Enum("role", "", "system", "user", "assistant")}
		if _, ok := item.Value("role"); !ok {
			item.Fault("role", "required", "role is missing", "Use system, user or assistant.")
		}
		m.Parts = readParts(item)
		if m.Role == "user" {
			users++
		}
		messages = append(messages, m)
	}
	if users == 0 {
		r.Fault("messages", "user_message", "messages hold no message of the user", "Send the text to analyse in a message with the role user.")
	}
	return messages
}

func readParts(item *body.Reader) []Part {
	content, ok := item.Value("content")
	switch {
	case !ok:
		item.Fault("content", "required", "content is missing", "")
		return nil
	case content.Kind() == value.KindString:
		if content.Text() == "" {
			item.Fault("content", "min_length", "content is empty", "Send a text, or leave the message out.")
		}
		return []Part{{Text: content.Text()}}
	case content.Kind() != value.KindArray || content.Len() == 0:
		item.Fault("content", "type", "content must be a string or an array of parts", "")
		return nil
	}
	var parts []Part
	for _, part := range item.Objects("content") {
		switch part.Enum("type", "", "text", "image_url") {
		case "text":
			if text, ok := part.Value("text"); !ok {
				part.Fault("text", "required", "text is missing", "")
			} else if text.Kind() == value.KindString && text.Text() == "" {
				part.Fault("text", "min_length", "text is empty", "Send a text, or leave the part out.")
			}
			parts = append(parts, Part{Text: part.String("text", "")})
		case "image_url":
			parts = append(parts, readImage(part))
		default:
			if _, ok := part.Value("type"); !ok {
				part.Fault("type", "required", "type is missing", "Use text or image_url.")
			}
			for _, field := range []string{"text", "image_url"} {
				part.Value(field) // Which of them belongs here is not known; neither is another fault.
			}
		}
	}
	return parts
}

func readImage(part *body.Reader) Part {
	image := part.Object("image_url")
	url := image.String("url", "")
	detail := image.Enum("detail", "auto", "auto", "low", "high")
	if detail == "auto" {
		detail = ""
	}
	// Only data: URLs are taken: a provider that fetches a caller's URL is a request forgery by proxy.
	if !isDataURL(url) {
		image.Fault("url", "format", "url must be a data: URL of a PNG, JPEG, WebP or GIF image in base64", "Send data:image/png;base64,….")
	}
	return Part{Image: url, Detail: detail}
}

func isDataURL(url string) bool {
	for _, kind := range []string{"png", "jpeg", "webp", "gif"} {
		if data, ok := strings.CutPrefix(url, "data:image/"+kind+";base64,"); ok {
			return isBase64(data)
		}
	}
	return false
}

// isBase64 tells whether a text is base64 with padding, and not empty. It is not decoded: an image may be as large as the body.
func isBase64(s string) bool {
	if s == "" || len(s)%4 != 0 {
		return false
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}

func readSchema(r *body.Reader, q *Prompt) {
	v, ok := r.Value("schema")
	switch {
	case !ok:
	case v.Kind() == value.KindObject:
		q.Schema, q.HasSchema = v, true
	case v.Kind() == value.KindString && !isReference(v.Text()):
		r.Fault("schema", "pattern", "schema is a string that is not a reference to a registered schema", "Send name or name@version, such as invoice@3, or the schema itself as an object.")
	case v.Kind() == value.KindString:
		q.SchemaRef = v.Text()
	default:
		r.Fault("schema", "type", "schema must be a JSON Schema object, or a reference to a registered schema",
			"Send an object, or name or name@version as a string. Leave it out to get the default result schema.")
	}
}

// isReference tells what may be a reference from a schema that was sent as text. What it names is the registry's business.
func isReference(text string) bool {
	const most = 64 + len("@999999999")
	return text != "" && len(text) <= most && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789_.-@") == ""
}

func readOptions(r *body.Reader, d Defaults) Options {
	o := Options{
		IncludeConfidence: r.Bool("include_confidence", true),
		LanguageDetection: r.Bool("language_detection", true),
		BypassCache:       r.Bool("bypass_cache", false),
		Provider:          r.Nullable("provider"),
		Model:             r.Nullable("model"),
		Temperature:       r.Float("temperature", defaultTemperature, 0, 2),
		MaxTokens:         int(r.Int("max_tokens", defaultMaxTokens, 1, mostTokens)),
		Timeout:           milliseconds(r.Int("timeout_ms", cmp.Or(d.Timeout, defaultTimeout).Milliseconds(), leastTimeout.Milliseconds(), mostTimeout.Milliseconds())),
		MaxAttempts:       int(r.Int("max_attempts", int64(d.MaxAttempts), 1, mostAttempts)),
		CacheTTL:          time.Duration(r.Int("cache_ttl", int64(d.CacheTTL/time.Second), int64(leastTTL/time.Second), int64(mostTTL/time.Second))) * time.Second,
		RedactLogs:        r.Bool("redact_logs", false),
		Routing:           r.Enum("routing", "", "least-busy", "cost", "latency", "quality", "weighted"),
	}
	o.Missing = readMissing(r)
	o.Coercion, _ = schema.ParseMode(r.Enum("coercion", "safe", "safe", "off", "lenient"))
	refuse := func(field, hint string) {
		r.Fault(field, "unsupported", "this value of "+field+" belongs to a feature that this version of promptd does not have", hint)
	}
	if r.Bool("provenance", false) {
		refuse("provenance", "Leave it out, or send false.")
	}
	if v, ok := r.Value("pii"); ok && (v.Kind() != value.KindString || v.Text() != "off") {
		refuse("pii", "Leave it out, or send off.")
	}
	if name, model, ok := strings.Cut(o.Model, "/"); ok && o.Provider != "" && name == o.Provider {
		o.Model = model
	}
	return o
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// Check holds the prompt's text to the limit of code points after normalising; limit is the caller's limits.prompt_chars.
func Check(characters, limit int) error {
	switch {
	case characters == 0:
		return fault.Invalid("/prompt", "min_length", "the prompt is empty after invisible characters are taken out", "Send a text of 1 to "+grouped(limit)+" characters.")
	case characters > limit:
		f := fault.Invalid("/prompt", "limits.prompt_chars", "", "Send a shorter text, or raise limits.prompt_chars.")
		f.Detail = "prompt has " + grouped(characters) + " characters; this key allows " + grouped(limit) + " (limits.prompt_chars)"
		f.Entries[0].Message = f.Detail
		return f
	}
	return nil
}

// grouped writes a count with separators: 12,400.
func grouped(n int) string {
	s := value.Int(int64(n)).Text()
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
