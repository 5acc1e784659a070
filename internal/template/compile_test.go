package template_test

import (
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/template"
	"github.com/promptd/promptd/internal/value"
)

func decode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", text, err)
	}
	return v
}

func compiled(tb testing.TB, text string) *template.Compiled {
	tb.Helper()
	c, err := template.Compile(body.Open(decode(tb, text)), schema.Limits{})
	if err != nil {
		tb.Fatalf("compile %s: %v (%v)", text, err, fault.Of(err).Entries)
	}
	return c
}

// TestEveryFaultOfATemplateHasItsPlace holds each rule to its pointer, its name, and a piece of its message.
func TestEveryFaultOfATemplateHasItsPlace(t *testing.T) {
	t.Parallel()
	const a = `"parameters": {"a": {"type": "string"}}`
	for _, c := range []struct{ content, pointer, rule, message string }{
		{`{}`, "/text", "required", "text is missing"},
		{`{"text": ""}`, "/text", "length", "1 to 100000 characters"},
		{`{"text": " \n"}`, "/text", "length", "1 to"},
		{`{"text": "a\u0000"}`, "/text", "length", "control"},
		{`{"text": 5}`, "/text", "type", "text is a number"},
		{`{"text": "x", "messages": []}`, "/messages", "exclusive", "exclude each other"},
		{`{"messages": []}`, "/messages", "items", "1 to 20"},
		{`{"messages": [{"role": "system", "content": "x"}]}`, "/messages", "user_message", "no message of the user"},
		{`{"messages": [{"role": "assistant", "content": "x"}]}`, "/messages/0/role", "enum", "role"},
		{`{"messages": [{"content": "x"}]}`, "/messages/0/role", "required", "role is missing"},
		{`{"messages": [{"role": "user"}]}`, "/messages/0/content", "required", "content is missing"},
		{`{"messages": [{"role": "user", "content": "{{ b }}"}]}`, "/messages/0/content", "unknown_parameter", "line 1, column 1: there is no parameter b"},
		{`{"text": "one\ntwö {{ b }}", ` + a + `}`, "/text", "unknown_parameter", "line 2, column 5: there is no parameter b"},
		{`{"text": "{{ a }} {{", ` + a + `}`, "/text", "unclosed", "line 1, column 9: {{ is never closed"},
		{`{"text": "{{ A }}"}`, "/text", "pattern", "not the name of a parameter"},
		{`{"text": "{{}}"}`, "/text", "pattern", "not the name of a parameter"},
		{`{"text": "{{{ a }}}", ` + a + `}`, "/text", "pattern", "not the name of a parameter"},
		{`{"text": "{{ range .Items }}"}`, "/text", "pattern", "not the name of a parameter"},
		{`{"text": "{{ a | b }}", ` + a + `}`, "/text", "pattern", "not the name"},
		{`{"text": "{{#a}} x", ` + a + `}`, "/text", "unclosed", "the section a is never closed"},
		{`{"text": "x {{/a}} {{ a }}", ` + a + `}`, "/text", "unopened", "{{/a}} closes a section that is not open"},
		{`{"text": "{{#a}}{{^b}}{{/a}}{{/b}}", ` + a + `}`, "/text", "unopened", "{{/a}}"},
		{`{"text": "{{#a}}{{ a }}{{/a}}", ` + a + `}`, "/text", "always", "always there"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "required": false}}}`, "/text", "optional", "may be absent here"},
		{`{"text": "{{^a}}{{ a }}{{/a}}", "parameters": {"a": {"type": "string", "required": false}}}`, "/text", "optional", "may be absent here"},
		{`{"text": "x", ` + a + `}`, "/parameters/a", "unused", "a is not used"},
		{`{"text": "x", "parameters": []}`, "/parameters", "type", "parameters is an array"},
		{`{"text": "x", "parameters": {"A": {"type": "string"}}}`, "/parameters/A", "pattern", "not the name"},
		{`{"text": "{{ a }}", "parameters": {"a": 5}}`, "/parameters/a", "type", "a is a number"},
		{`{"text": "{{ a }}", "parameters": {"a": {}}}`, "/parameters/a/type", "required", "type is missing"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "text"}}}`, "/parameters/a/type", "enum", "type has a value"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "lenght": 5}}}`, "/parameters/a/lenght", "unknown_field", "no field"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "max_length": 0}}}`, "/parameters/a/max_length", "range", "from 1"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "integer", "max_length": 5}}}`, "/parameters/a/max_length", "type", "belongs to parameters of the type string"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "values": ["x"]}}}`, "/parameters/a/values", "type", "belongs to parameters of the type enum"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "enum"}}}`, "/parameters/a/values", "items", "1 to 200 values"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "enum", "values": ["x", "x"]}}}`, "/parameters/a/values", "unique", "twice"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "enum", "values": ["x\u0007"]}}}`, "/parameters/a/values", "length", "control"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "schema": {}}}}`, "/parameters/a/schema", "type", "types list and object"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "list", "schema": 5}}}`, "/parameters/a/schema", "type", "JSON Schema object"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "list", "schema": {"type": "nothing"}}}}`, "/parameters/a/schema", "unknown_type", "not a JSON Schema"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "list", "schema": {"$ref": "#/$defs/none"}}}}`, "/parameters/a/schema", "dangling_reference", "not a JSON Schema"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "integer", "default": "5"}}}`, "/parameters/a/default", "type", "default does not fit"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "date", "default": "yesterday"}}}`, "/parameters/a/default", "format", "default does not fit"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "enum", "values": ["x"], "default": "y"}}}`, "/parameters/a/default", "enum", "default does not fit"},
		{`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "default": "x", "required": true}}}`, "/parameters/a/default", "exclusive", "needs no default"},
		{`{"text": "x", "schema": 5}`, "/schema", "type", "JSON Schema object, or a string"},
		{`{"text": "x", "schema": {"type": 5}}`, "/schema", "unknown_type", "not a JSON Schema"},
		{`{"text": "x", "options": {"temperature": 3}}`, "/options/temperature", "range", "0 to 2"},
		{`{"text": "x", "options": {"colour": 3}}`, "/options/colour", "unknown_field", "no field"},
		{`{"text": "x", "options": 3}`, "/options", "type", "options is a number"},
		{`{"text": "x", "tests": [{}]}`, "/tests/0/name", "length", "has a name"},
		{`{"text": "x", "tests": [{"name": "a"}, {"name": "a"}]}`, "/tests/1/name", "unique", "another test"},
		{`{"text": "x", "tests": [{"name": "a", "parameters": {"b": 1}}]}`, "/tests/0/parameters", "unknown_parameter", "do not fit"},
		{`{"text": "{{ a }}", ` + a + `, "tests": [{"name": "a"}]}`, "/tests/0/parameters", "required", "a is missing"},
		{`{"text": "x", "tests": [{"name": "a", "expect": {"equals": 1, "contains": 1}}]}`, "/tests/0/expect/contains", "exclusive", "exclude"},
		{`{"text": "x", "txet": "y"}`, "/txet", "unknown_field", "no field"},
	} {
		_, err := template.Compile(body.Open(decode(t, c.content)), schema.Limits{})
		found := false
		for _, e := range entries(err) {
			found = found || e.Pointer == c.pointer && e.Rule == c.rule && strings.Contains(e.Message, c.message)
		}
		if !found || !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("%s: got %v with %+v, want the rule %s at %s saying %q", c.content, err, fault.Of(err), c.rule, c.pointer, c.message)
		}
	}
}

// One mistake is told once: the parameter at fault is not also unknown or unused.
func TestOneMistakeIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, content := range []string{
		`{"text": "{{ a }}", "parameters": {"a": {"type": "list", "schema": {"type": "nothing"}}}, "tests": [{"name": "x", "parameters": {"a": []}}]}`,
		`{"text": "{{ a }}", "parameters": {"a": {"type": "string", "colour": 1}}}`,
		`{"text": "{{ a }} {{ b }}", "parameters": {"a": {"type": "string"}}}`,
	} {
		_, err := template.Compile(body.Open(decode(t, content)), schema.Limits{})
		if n := len(entries(err)); n != 1 {
			t.Errorf("%s: got %d entries, want 1: %+v", content, n, fault.Of(err))
		}
	}
}

func TestTheHashIsOfTheContentAlone(t *testing.T) {
	t.Parallel()
	one := compiled(t, `{"text": "{{ a }}", "parameters": {"a": {"type": "string", "max_length": 5}}}`)
	for _, same := range []string{
		`{"parameters": {"a": {"max_length": 5, "type": "string"}}, "text": "{{ a }}"}`,
		`{"text": "\u007b{ a }}", "parameters": {"a": {"type": "string", "max_length": 5}}}`,
	} {
		if compiled(t, same).Hash != one.Hash {
			t.Errorf("%s: another hash for the same content", same)
		}
	}
	if compiled(t, `{"text": "{{ a }} ", "parameters": {"a": {"type": "string", "max_length": 5}}}`).Hash == one.Hash {
		t.Error("another text has the same hash")
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"", "{{", "}}", "{{ a }}", "{{#a}}x{{/a}}", "{{^a}}x{{/a}}", `\{{ a }}`, `\\{{ a }}`, "{{#a}}\n{{/a}}\n", "{{{{ a }}}}", "{{ a", "{{#a}}{{#a}}{{ a }}{{/a}}{{/a}}", "\r\n {{#a}} \r\n x",
		"{{ \u200ba }}", "{{/a}}", "{{#}}", "{{ a }}{{ a }}",
	} {
		f.Add(text, "value")
	}
	f.Fuzz(func(t *testing.T, text, given string) {
		content := value.Object(
			value.Member{Name: "text", Value: value.String(text)},
			value.Member{Name: "parameters", Value: decode(t, `{"a": {"type": "string", "required": false}}`)},
		)
		c, err := template.Compile(body.Open(content), schema.Limits{})
		if err != nil {
			if !fault.Is(err, fault.InvalidRequest) {
				t.Fatalf("%q: got the error %v", text, err)
			}
			return
		}
		for _, parameters := range []value.Value{value.Object(), value.Object(value.Member{Name: "a", Value: value.String(given)})} {
			if _, err := c.Render(t.Context(), parameters); err != nil {
				t.Fatalf("%q does not render: %v", text, err)
			}
		}
	})
}

func entries(err error) []fault.Entry {
	if err == nil {
		return nil
	}
	return fault.Of(err).Entries
}
