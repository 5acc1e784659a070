package schema

import (
	"testing"

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

func compile(tb testing.TB, text string) *Schema {
	tb.Helper()
	s, err := Compile(decode(tb, text), Options{})
	if err != nil {
		tb.Fatalf("compile %s: %v", text, err)
	}
	return s
}

func TestCoercionTakesTheOneReading(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, in, safe, lenient string }{
		{"number in quotes", `{"type":"number"}`, `"12.50"`, `12.50`, ``},
		{"integer in quotes", `{"type":"object","properties":{"a":{"type":"integer"}}}`, `{"a":" 7 "}`, `{"a":7}`, ``},
		{"text is kept where a string fits", `{"type":["number","string"]}`, `"12"`, `"12"`, ``},
		{"boolean in quotes", `{"type":"boolean"}`, `"True"`, `true`, ``},
		{"yes is a word", `{"type":"boolean"}`, `"yes"`, `"yes"`, `true`},
		{"draft 4 integer", `{"$schema":"http://json-schema.org/draft-04/schema#","type":"integer"}`, `5.0`, `5`, ``},
		{"lone item", `{"type":"array","items":{"type":"string"}}`, `"a"`, `["a"]`, ``},
		{"a text with commas may be a list", `{"type":"array","items":{"type":"string"}}`, `"a, b"`, `"a, b"`, `["a, b"]`},
		{"lone object", `{"type":"array","items":{"type":"object","required":["a"]}}`, `{"a":1}`, `[{"a":1}]`, ``},
		{"enum in another case", `{"enum":["Red","Green"]}`, `" red"`, `"Red"`, ``},
		{"enum case with two members", `{"enum":["Red","RED"]}`, `"red"`, `"red"`, ``},
		{"enum in a sentence", `{"enum":["ONE","TWO"]}`, `"The answer is two."`, `"The answer is two."`, `"TWO"`},
		{"date with slashes, year first", `{"format":"date"}`, `"2025/1/5"`, `"2025-01-05"`, ``},
		{"date with one reading", `{"type":"string","format":"date"}`, `"31/12/2024"`, `"2024-12-31"`, ``},
		{"date with two readings", `{"type":"string","format":"date"}`, `"03/04/2024"`, `"03/04/2024"`, ``},
		{"date with the month's name", `{"type":"string","format":"date"}`, `"January 15th, 2025"`, `"2025-01-15"`, ``},
		{"moment with a space", `{"type":"string","format":"date-time"}`, `"2025-01-15 09:30:00Z"`, `"2025-01-15T09:30:00Z"`, ``},
		{"moment without zone stays", `{"type":"string","format":"date-time"}`, `"2025-01-15 09:30:00"`, `"2025-01-15 09:30:00"`, ``},
		{"trimmed to the pattern", `{"type":"string","pattern":"^[A-Z]{2}$"}`, `" DE\n"`, `"DE"`, ``},
		{"null of an optional member", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`, `{"a":"x","b":null}`, `{"a":"x"}`, ``},
		{"null of a required member stays", `{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, `{"a":null}`, `{"a":null}`, ``},
		{"JSON in a string", `{"type":"object","properties":{"a":{"type":"object","required":["b"]}}}`, `{"a":"{\"b\":1}"}`, `{"a":{"b":1}}`, ``},
		{"array of one", `{"type":"string"}`, `["a"]`, `"a"`, ``},
		{"first of a list", `{"type":"string"}`, `["a","b"]`, `["a","b"]`, `"a"`},
		{"unwrapped", `{"type":"array","items":{"type":"integer"}}`, `{"result":[1,2]}`, `{"result":[1,2]}`, `[1,2]`},
		{"number for a string", `{"type":"string"}`, `12.50`, `12.50`, `"12.50"`},
		{"amount", `{"type":"number"}`, `"$1,250.00"`, `"$1,250.00"`, `1250.00`},
		{"alternatives", `{"anyOf":[{"type":"object","properties":{"k":{"const":"a"},"n":{"type":"integer"}},"required":["k","n"]},{"type":"object","properties":{"k":{"const":"b"},"n":{"type":"boolean"}},"required":["k","n"]}]}`, `{"k":"b","n":"true"}`, `{"k":"b","n":true}`, ``},
		{"nullable", `{"type":"object","properties":{"a":{"anyOf":[{"type":"number"},{"type":"null"}]}}}`, `{"a":"1.0"}`, `{"a":1.0}`, ``},
		{"through a reference", `{"$defs":{"n":{"type":"integer"}},"type":"array","items":{"$ref":"#/$defs/n"}}`, `["1",2]`, `[1,2]`, ``},
		{"partial help", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}`, `{"a":"1","b":"x"}`, `{"a":1,"b":"x"}`, ``},
		{"members by another spelling", `{"type":"object","properties":{"firstName":{"type":"string"}},"required":["firstName"]}`, `{"first_name":"A"}`, `{"first_name":"A"}`, `{"firstName":"A"}`},
		{"unknown members", `{"type":"object","properties":{"a":{}},"additionalProperties":false}`, `{"a":1,"z":2}`, `{"a":1,"z":2}`, `{"a":1}`},
		{"missing nullable", `{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"]}`, `{}`, `{}`, `{"a":null}`},
		{"leading zeros are no number", `{"type":"integer"}`, `"007"`, `"007"`, `7`},
		{"huge numbers keep their digits", `{"type":"integer"}`, `"9007199254740993"`, `9007199254740993`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.lenient == "" {
				c.lenient = c.safe
			}
			s := compile(t, c.schema)
			for mode, want := range map[Mode]string{Safe: c.safe, Lenient: c.lenient, Off: c.in} {
				got, list := s.Coerce(decode(t, c.in), mode)
				if !value.Identical(got, decode(t, want)) {
					t.Errorf("mode %d of %s by %s:\n got %s %v\nwant %s", mode, c.in, c.schema, got, list, want)
				}
				if (len(list) > 0) != !value.Identical(got, decode(t, c.in)) {
					t.Errorf("mode %d of %s: the list of coercions is %v, the value is %s", mode, c.in, list, got)
				}
			}
		})
	}
}
