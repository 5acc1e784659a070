package prompt_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/render"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

func defaults() prompt.Defaults {
	return prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4}
}

// asRead compares prompts by their fields, schemas by their text.
func asRead() cmp.Option {
	return cmp.Transformer("schema", func(v value.Value) string { return v.String() })
}

func plainPrompt() prompt.Prompt {
	return prompt.Prompt{
		Text: "x", Format: render.JSON,
		Options: prompt.Options{
			IncludeConfidence: true, LanguageDetection: true, CacheTTL: time.Hour, Temperature: 0.1, MaxTokens: 2048, Timeout: 30 * time.Second, MaxAttempts: 4,
			Coercion: schema.Safe,
		},
	}
}

func TestReadHonoursEveryOption(t *testing.T) {
	t.Parallel()
	option := func(change func(*prompt.Options)) func(*prompt.Prompt) {
		return func(q *prompt.Prompt) { change(&q.Options) }
	}
	for _, c := range []struct {
		body string
		want func(*prompt.Prompt)
	}{
		{`{"prompt": "x"}`, func(*prompt.Prompt) {}},
		{`{"prompt": ""}`, func(q *prompt.Prompt) { q.Text = "" }},
		{`{"prompt": "x", "stream": true}`, func(q *prompt.Prompt) { q.Stream = true }},
		{`{"prompt": "x", "stream": false}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "format": "json"}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "format": "xml"}`, func(q *prompt.Prompt) { q.Format = render.XML }},
		{`{"prompt": "x", "format": "yaml"}`, func(q *prompt.Prompt) { q.Format = render.YAML }},
		{`{"prompt": "x", "format": "toon"}`, func(q *prompt.Prompt) { q.Format = render.TOON }},
		{`{"prompt": "x", "schema": "invoice@3"}`, func(q *prompt.Prompt) { q.SchemaRef = "invoice@3" }},
		{`{"prompt": "x", "schema": {"b": 1.50, "a": 2}}`, func(q *prompt.Prompt) {
			q.HasSchema = true
			q.Schema = value.Object(value.Member{Name: "b", Value: mustNumber("1.50")}, value.Member{Name: "a", Value: value.Int(2)})
		}},
		{`{"prompt": "x", "options": {}}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "options": {"include_confidence": false}}`, option(func(o *prompt.Options) { o.IncludeConfidence = false })},
		{`{"prompt": "x", "options": {"language_detection": false}}`, option(func(o *prompt.Options) { o.LanguageDetection = false })},
		{`{"prompt": "x", "options": {"provenance": false}}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "options": {"cache_ttl": 60}}`, option(func(o *prompt.Options) { o.CacheTTL = time.Minute })},
		{`{"prompt": "x", "options": {"cache_ttl": 86400}}`, option(func(o *prompt.Options) { o.CacheTTL = 24 * time.Hour })},
		{`{"prompt": "x", "options": {"bypass_cache": true}}`, option(func(o *prompt.Options) { o.BypassCache = true })},
		{`{"prompt": "x", "options": {"provider": null, "model": null}}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "options": {"provider": "here"}}`, option(func(o *prompt.Options) { o.Provider = "here" })},
		{`{"prompt": "x", "options": {"model": "small"}}`, option(func(o *prompt.Options) { o.Model = "small" })},
		{`{"prompt": "x", "options": {"model": "here/small"}}`, option(func(o *prompt.Options) { o.Model = "here/small" })},
		{`{"prompt": "x", "options": {"provider": "here", "model": "here/org/small"}}`, option(func(o *prompt.Options) { o.Provider, o.Model = "here", "org/small" })},
		{`{"prompt": "x", "options": {"provider": "here", "model": "org/small"}}`, option(func(o *prompt.Options) { o.Provider, o.Model = "here", "org/small" })},
		{`{"prompt": "x", "options": {"routing": "least-busy"}}`, option(func(o *prompt.Options) { o.Routing = "least-busy" })},
		{`{"prompt": "x", "options": {"routing": "quality"}}`, option(func(o *prompt.Options) { o.Routing = "quality" })},
		{`{"prompt": "x", "options": {"temperature": 0}}`, option(func(o *prompt.Options) { o.Temperature = 0 })},
		{`{"prompt": "x", "options": {"temperature": 2}}`, option(func(o *prompt.Options) { o.Temperature = 2 })},
		{`{"prompt": "x", "options": {"temperature": 7e-1}}`, option(func(o *prompt.Options) { o.Temperature = 0.7 })},
		{`{"prompt": "x", "options": {"max_tokens": 1}}`, option(func(o *prompt.Options) { o.MaxTokens = 1 })},
		{`{"prompt": "x", "options": {"max_tokens": 1e3}}`, option(func(o *prompt.Options) { o.MaxTokens = 1000 })},
		{`{"prompt": "x", "options": {"timeout_ms": 100}}`, option(func(o *prompt.Options) { o.Timeout = 100 * time.Millisecond })},
		{`{"prompt": "x", "options": {"timeout_ms": 600000}}`, option(func(o *prompt.Options) { o.Timeout = 10 * time.Minute })},
		{`{"prompt": "x", "options": {"max_attempts": 1}}`, option(func(o *prompt.Options) { o.MaxAttempts = 1 })},
		{`{"prompt": "x", "options": {"max_attempts": 10}}`, option(func(o *prompt.Options) { o.MaxAttempts = 10 })},
		{`{"prompt": "x", "options": {"coercion": "off"}}`, option(func(o *prompt.Options) { o.Coercion = schema.Off })},
		{`{"prompt": "x", "options": {"coercion": "safe"}}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "options": {"coercion": "lenient"}}`, option(func(o *prompt.Options) { o.Coercion = schema.Lenient })},
		{`{"prompt": "x", "options": {"missing": "null", "pii": "off"}}`, func(*prompt.Prompt) {}},
		{`{"prompt": "x", "options": {"missing": "ask"}}`, func(q *prompt.Prompt) { q.Options.Missing = prompt.MissingAsk }},
		{`{"prompt": "x", "options": {"missing": "fail"}}`, func(q *prompt.Prompt) { q.Options.Missing = prompt.MissingFail }},
		{`{"prompt": "x", "options": {"redact_logs": true}}`, option(func(o *prompt.Options) { o.RedactLogs = true })},
		{`{"messages": [{"role": "user", "content": "a"}]}`, func(q *prompt.Prompt) {
			q.Text, q.Messages = "", []prompt.Message{{Role: "user", Parts: []prompt.Part{{Text: "a"}}}}
		}},
		{`{"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url",
			"image_url": {"url": "data:image/webp;base64,AA==", "detail": "high"}}]}, {"role": "assistant", "content": "b"}]}`, func(q *prompt.Prompt) {
			q.Text, q.Messages = "", []prompt.Message{
				{Role: "system", Parts: []prompt.Part{{Text: "s"}}},
				{Role: "user", Parts: []prompt.Part{{Text: "a"}, {Image: "data:image/webp;base64,AA==", Detail: "high"}}},
				{Role: "assistant", Parts: []prompt.Part{{Text: "b"}}},
			}
		}},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			want := plainPrompt()
			c.want(&want)
			got, err := prompt.Read(decoded(t, c.body), defaults())
			if err != nil {
				t.Fatal(err)
			}
			if !value.Equal(got.Body, decoded(t, c.body)) {
				t.Errorf("Read(%s) keeps %s as the request", c.body, got.Body)
			}
			got.Body = want.Body
			if d := cmp.Diff(want, got, asRead()); d != "" {
				t.Errorf("Read(%s) (-want +got):\n%s", c.body, d)
			}
		})
	}
}

func mustNumber(text string) value.Value {
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		panic(err)
	}
	return v
}

func TestReadTakesDefaultsFromTheConfiguration(t *testing.T) {
	t.Parallel()
	q, err := prompt.Read(decoded(t, `{"prompt": "x"}`), prompt.Defaults{CacheTTL: 90 * time.Second, MaxAttempts: 7})
	if err != nil {
		t.Fatal(err)
	}
	if q.Options.CacheTTL != 90*time.Second || q.Options.MaxAttempts != 7 {
		t.Errorf("options are %+v", q.Options)
	}
}

// Everything that is not honoured is refused, by its name and place: nothing is passed over.
func TestReadRefusesByName(t *testing.T) {
	t.Parallel()
	many := strings.TrimSuffix(strings.Repeat(`{"role":"user","content":"a"},`, 101), ",")
	for _, c := range []struct {
		body string
		// want lists pointer, rule and a part of message or hint for each fault.
		want [][3]string
	}{
		{`null`, [][3]string{{"", "type", "the body is null; it must be an object"}, {"/prompt", "required", "prompt is missing"}}},
		{`[]`, [][3]string{{"", "type", "the body is an array"}, {"/prompt", "required", "prompt is missing"}}},
		{`{}`, [][3]string{{"/prompt", "required", "prompt is missing"}}},
		{`{"prompt": 5}`, [][3]string{{"/prompt", "type", "prompt is a number; it must be a string"}}},
		{`{"prompt": null}`, [][3]string{{"/prompt", "type", "prompt is null; it must be a string"}}},
		{`{"prompt": "x", "promt": "y"}`, [][3]string{{"/promt", "unknown_field", "Did you mean prompt?"}}},
		{`{"prompt": "x", "zzzzzzzzzz": 1}`, [][3]string{{
			"/zzzzzzzzzz", "unknown_field",
			"Known fields: prompt, messages, template, parameters, schema, format, stream, options, state, answers.",
		}}},
		{`{"prompt": "x", "a/b~c": 1}`, [][3]string{{"/a~1b~0c", "unknown_field", `there is no field "a/b~c" here`}}},
		{`{"prompt": "x", "options": {"temprature": 1}}`, [][3]string{{"/options/temprature", "unknown_field", "Did you mean temperature?"}}},
		{`{"prompt": "x", "options": null}`, [][3]string{{"/options", "type", "options is null; it must be an object"}}},
		{`{"prompt": "x", "options": []}`, [][3]string{{"/options", "type", "options is an array"}}},
		{`{"prompt": "x", "stream": "yes"}`, [][3]string{{"/stream", "type", "stream is a string; it must be a boolean"}}},
		{`{"prompt": "x", "format": "csv"}`, [][3]string{{"/format", "enum", "json, xml, yaml, toon"}}},
		{`{"prompt": "x", "format": null}`, [][3]string{{"/format", "type", "format is null"}}},

		{`{"prompt": "x", "template": "t"}`, [][3]string{{"/prompt", "exclusive", "template and prompt exclude each other"}}},
		{`{"messages": [], "template": "t"}`, [][3]string{{"/messages", "exclusive", "template and messages exclude each other"}}},
		{`{"template": ""}`, [][3]string{{"/template", "pattern", "not a reference"}}},
		{`{"template": 5}`, [][3]string{{"/template", "type", "template is a number"}}},
		{`{"template": "t", "parameters": []}`, [][3]string{{"/parameters", "type", "parameters must be an object"}}},
		{`{"parameters": {}}`, [][3]string{{"/template", "required", "template is missing"}}},
		{`{"prompt": "x", "schema": ""}`, [][3]string{{"/schema", "pattern", "not a reference"}}},
		{`{"prompt": "x", "schema": "Invoice@3"}`, [][3]string{{"/schema", "pattern", "not a reference"}}},
		{`{"prompt": "x", "schema": "{\"type\": \"object\"}"}`, [][3]string{{"/schema", "pattern", "not a reference"}}},
		{`{"prompt": "x", "schema": 5}`, [][3]string{{"/schema", "type", "schema must be a JSON Schema object"}}},
		{`{"prompt": "x", "schema": null}`, [][3]string{{"/schema", "type", "schema must be a JSON Schema object"}}},
		{`{"prompt": "x", "options": {"provenance": true}}`, [][3]string{{"/options/provenance", "unsupported", "provenance"}}},
		{`{"prompt": "x", "options": {"missing": "tell"}}`, [][3]string{{"/options/missing", "enum", "missing"}}},
		{`{"state": ""}`, [][3]string{{"/state", "length", "1 to 262144 bytes"}, {"/prompt", "required", "prompt is missing"}}},
		{`{"state": 7, "prompt": "x"}`, [][3]string{{"/state", "type", "state is a number"}}},
		{`{"state": "s", "prompt": "x", "answers": {"/a": "x"}}`, [][3]string{{"/answers", "exclusive", "exclude each other"}}},
		{`{"state": "s", "prompt": "x", "schema": {}, "options": {}}`, [][3]string{{"/schema", "exclusive", "state and schema"}, {"/options", "exclusive", "state and options"}}},
		{`{"state": "s", "answers": {}}`, [][3]string{{"/answers", "type", "at least one member"}}},
		{`{"state": "s", "answers": ["x"]}`, [][3]string{{"/answers", "type", "must be an object"}}},
		{`{"state": "s", "answers": {"/a/b": 7, "/c": "\u200b"}}`, [][3]string{{"/answers/~1a~1b", "type", "a number"}, {"/answers/~1c", "min_length", "empty"}}},
		{`{"prompt": "x", "answers": {"/a": "x"}}`, [][3]string{{"/answers", "required", "belong to a state"}}},
		{`{"prompt": "x", "options": {"missing": null}}`, [][3]string{{"/options/missing", "type", "missing is null"}}},
		{`{"prompt": "x", "options": {"pii": "mask"}}`, [][3]string{{"/options/pii", "unsupported", "pii"}}},
		{`{"prompt": "x", "options": {"pii": {"mode": "mask"}}}`, [][3]string{{"/options/pii", "unsupported", "pii"}}},
		{`{"prompt": "x", "options": {"routing": "random"}}`, [][3]string{{"/options/routing", "enum", "least-busy"}}},

		{`{"prompt": "x", "options": {"temperature": -0.01}}`, [][3]string{{"/options/temperature", "range", "from 0 to 2"}}},
		{`{"prompt": "x", "options": {"temperature": 2.0000001}}`, [][3]string{{"/options/temperature", "range", "from 0 to 2"}}},
		{`{"prompt": "x", "options": {"temperature": 1e300}}`, [][3]string{{"/options/temperature", "range", "from 0 to 2"}}},
		{`{"prompt": "x", "options": {"temperature": "0.1"}}`, [][3]string{{"/options/temperature", "type", "temperature is a string; it must be a number"}}},
		{`{"prompt": "x", "options": {"max_tokens": 0}}`, [][3]string{{"/options/max_tokens", "range", "from 1 to"}}},
		{`{"prompt": "x", "options": {"max_tokens": 1.5}}`, [][3]string{{"/options/max_tokens", "range", "an integer"}}},
		{`{"prompt": "x", "options": {"max_tokens": 1e30}}`, [][3]string{{"/options/max_tokens", "range", "an integer"}}},
		{`{"prompt": "x", "options": {"timeout_ms": 99}}`, [][3]string{{"/options/timeout_ms", "range", "from 100 to 600000"}}},
		{`{"prompt": "x", "options": {"timeout_ms": 600001}}`, [][3]string{{"/options/timeout_ms", "range", "from 100 to 600000"}}},
		{`{"prompt": "x", "options": {"max_attempts": 0}}`, [][3]string{{"/options/max_attempts", "range", "from 1 to 10"}}},
		{`{"prompt": "x", "options": {"max_attempts": 11}}`, [][3]string{{"/options/max_attempts", "range", "from 1 to 10"}}},
		{`{"prompt": "x", "options": {"cache_ttl": 59}}`, [][3]string{{"/options/cache_ttl", "range", "from 60 to 86400"}}},
		{`{"prompt": "x", "options": {"cache_ttl": 86401}}`, [][3]string{{"/options/cache_ttl", "range", "from 60 to 86400"}}},
		{`{"prompt": "x", "options": {"coercion": "bold"}}`, [][3]string{{"/options/coercion", "enum", "safe, off, lenient"}}},
		{`{"prompt": "x", "options": {"bypass_cache": 1, "include_confidence": "no", "language_detection": null, "redact_logs": []}}`, [][3]string{
			{"/options/include_confidence", "type", "a boolean"},
			{"/options/language_detection", "type", "a boolean"},
			{"/options/bypass_cache", "type", "a boolean"},
			{"/options/redact_logs", "type", "a boolean"},
		}},
		{`{"prompt": "x", "options": {"provider": 1, "model": {}}}`, [][3]string{{"/options/provider", "type", "a string"}, {"/options/model", "type", "a string"}}},

		{`{"prompt": "x", "messages": []}`, [][3]string{{"/messages", "exclusive", "exclude each other"}}},
		{`{"messages": []}`, [][3]string{{"/messages", "items", "1 to 100"}}},
		{`{"messages": [` + many + `]}`, [][3]string{{"/messages", "items", "1 to 100"}}},
		{`{"messages": "a"}`, [][3]string{{"/messages", "type", "an array"}}},
		{`{"messages": [7]}`, [][3]string{{"/messages/0", "type", "it must be an object"}}},
		{`{"messages": [{"content": "a"}]}`, [][3]string{{"/messages/0/role", "required", "role is missing"}, {"/messages", "user_message", "no message of the user"}}},
		{`{"messages": [{"role": "tool", "content": "a"}]}`, [][3]string{
			{"/messages/0/role", "enum", "system, user, assistant"},
			{"/messages", "user_message", "no message of the user"},
		}},
		{`{"messages": [{"role": "assistant", "content": "a"}]}`, [][3]string{{"/messages", "user_message", "no message of the user"}}},
		{`{"messages": [{"role": "user"}]}`, [][3]string{{"/messages/0/content", "required", "content is missing"}}},
		{`{"messages": [{"role": "user", "content": null}]}`, [][3]string{{"/messages/0/content", "type", "a string or an array of parts"}}},
		{`{"messages": [{"role": "user", "content": []}]}`, [][3]string{{"/messages/0/content", "type", "a string or an array of parts"}}},
		{`{"messages": [{"role": "user", "content": "a", "name": "b"}]}`, [][3]string{{"/messages/0/name", "unknown_field", `"name"`}}},
		{`{"messages": [{"role": "user", "content": ["a"]}]}`, [][3]string{{"/messages/0/content/0", "type", "it must be an object"}}},
		{`{"messages": [{"role": "user", "content": [{"text": "a"}]}]}`, [][3]string{{"/messages/0/content/0/type", "required", "type is missing"}}},
		{`{"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}`, [][3]string{{"/messages/0/content/0/type", "enum", "text, image_url"}}},
		{`{"messages": [{"role": "user", "content": [{"type": "text"}]}]}`, [][3]string{{"/messages/0/content/0/text", "required", "text is missing"}}},
		{`{"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}`, [][3]string{{"/messages/0/content/0/text", "type", "a string"}}},
		{`{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}`, [][3]string{{"/messages/0/content/0/image_url/url", "format", "data: URL"}}},
		{
			`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}]}`,
			[][3]string{{"/messages/0/content/0/image_url/url", "format", "data: URL"}},
		},
		{
			`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AA=="}}]}]}`,
			[][3]string{{"/messages/0/content/0/image_url/url", "format", "data: URL"}},
		},
		{
			`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,not base64"}}]}]}`,
			[][3]string{{"/messages/0/content/0/image_url/url", "format", "base64"}},
		},
		{
			`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]}]}`,
			[][3]string{{"/messages/0/content/0/image_url/url", "format", "base64"}},
		},
		{
			`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "best"}}]}]}`,
			[][3]string{{"/messages/0/content/0/image_url/detail", "enum", "auto, low, high"}},
		},
	} {
		t.Run(fmt.Sprintf("%.100s", c.body), func(t *testing.T) {
			t.Parallel()
			_, err := prompt.Read(decoded(t, c.body), defaults())
			var f *fault.Fault
			if !errors.As(err, &f) || f.Code != fault.InvalidRequest {
				t.Fatalf("Read(%.200s) gives the error %v", c.body, err)
			}
			if len(f.Entries) != len(c.want) {
				t.Fatalf("Read(%.200s) gives %+v", c.body, f.Entries)
			}
			for i, want := range c.want {
				e := f.Entries[i]
				if e.Pointer != want[0] || e.Rule != want[1] || !strings.Contains(e.Message+" "+e.Hint, want[2]) {
					t.Errorf("Read(%.200s): fault %d is %+v, want %v", c.body, i, e, want)
				}
			}
		})
	}
}

// No answer holds a piece of the caller's text, not even of one that stands in the wrong place.
func TestReadEchoesNoText(t *testing.T) {
	t.Parallel()
	const secret = "Geheimnis 4711"
	for _, body := range []string{
		`{"prompt": ["` + secret + `"]}`, `{"prompt": "` + secret + `", "format": "` + secret + `"}`, `{"prompt": "x", "schema": "` + secret + `"}`,
		`{"messages": ["` + secret + `"]}`, `{"messages": [{"role": "` + secret + `", "content": "` + secret + `"}]}`,
		`{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "` + secret + `"}}]}]}`,
		`{"prompt": "x", "options": {"coercion": "` + secret + `", "routing": "` + secret + `", "pii": "` + secret + `"}}`,
	} {
		_, err := prompt.Read(decoded(t, body), defaults())
		var f *fault.Fault
		if !errors.As(err, &f) {
			t.Errorf("Read(%s) gives the error %v", body, err)
			continue
		}
		if text := fmt.Sprintf("%+v %s", *f, f.Error()); strings.Contains(text, secret) {
			t.Errorf("Read(%s) answers %s", body, text)
		}
	}
}

func TestCheckNamesTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		characters, limit int
		want              string
	}{
		{1, 10_000, ""},
		{10_000, 10_000, ""},
		{1, 1, ""},
		{12_400, 10_000, "prompt has 12,400 characters; this key allows 10,000 (limits.prompt_chars)"},
		{1_000_001, 999, "prompt has 1,000,001 characters; this key allows 999 (limits.prompt_chars)"},
		{0, 10_000, "the prompt is empty after invisible characters are taken out"},
	} {
		err := prompt.Check(c.characters, c.limit)
		if c.want == "" {
			if err != nil {
				t.Errorf("Check(%d, %d) = %v", c.characters, c.limit, err)
			}
			continue
		}
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.InvalidRequest || f.Detail != c.want || len(f.Entries) != 1 || f.Entries[0].Pointer != "/prompt" || f.Entries[0].Message != c.want {
			t.Errorf("Check(%d, %d) = %+v, want %q", c.characters, c.limit, f, c.want)
		}
	}
}

// FuzzRead holds the reader to three things: no panic, either a prompt within every bound or an INVALID_REQUEST, and faults that point into the body.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`{"prompt": "x"}`, `{"prompt": "x", "schema": {"type": "object"}, "format": "toon", "stream": true, "options": {"temperature": 0.5, "max_tokens": 7, "cache_ttl": 60}}`,
		`{"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}]}`,
		`{"prompt": "x", "options": {"provider": "a", "model": "a/b", "routing": "cost", "pii": 1, "missing": "ask", "coercion": "off", "timeout_ms": 1e2}}`, `[]`, `{"":{}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		v, err := value.DecodeString(body, value.Limits{Depth: 32, Nodes: 10_000})
		if err != nil {
			return
		}
		q, err := prompt.Read(v, defaults())
		if err != nil {
			var bad *fault.Fault
			if !errors.As(err, &bad) || bad.Code != fault.InvalidRequest || len(bad.Entries) == 0 || bad.Detail == "" {
				t.Fatalf("Read(%s) gives the error %v", body, err)
			}
			for _, e := range bad.Entries {
				if e.Rule == "" || e.Message == "" || e.Pointer != "" && e.Pointer[0] != '/' {
					t.Fatalf("Read(%s) gives the fault %+v", body, e)
				}
			}
			return
		}
		o := q.Options
		if (q.Messages == nil) == (q.Text == "") && q.Messages != nil || o.Temperature < 0 || o.Temperature > 2 || o.MaxTokens < 1 || o.Timeout < 100*time.Millisecond || o.Timeout > 10*time.Minute ||
			o.MaxAttempts < 1 || o.MaxAttempts > 10 || o.CacheTTL < time.Minute || o.CacheTTL > 24*time.Hour || q.HasSchema != (q.Schema.Kind() == value.KindObject) {
			t.Fatalf("Read(%s) = %+v", body, q)
		}
		again, err := prompt.Read(v, defaults())
		if d := cmp.Diff(q, again, asRead()); err != nil || d != "" {
			t.Fatalf("Read(%s) reads another prompt the second time: %v\n%s", body, err, d)
		}
	})
}
