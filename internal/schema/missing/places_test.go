package missing_test

import (
	"cmp"
	"strconv"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/missing"
	"github.com/promptd/promptd/internal/value"
)

func compiled(t testing.TB, text string) *schema.Schema {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := schema.Compile(v, schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// TestPlacesAreThoseWithoutAnHonestValue: a place in round brackets is wanted only where what contains it is there.
func TestPlacesAreThoseWithoutAnHonestValue(t *testing.T) {
	t.Parallel()
	of := func(properties, required string) string {
		return `{"type":"object","properties":{` + properties + `},"required":[` + required + `]}`
	}
	for name, c := range map[string]struct{ schema, want string }{
		"required and not nullable":     {of(`"a":{"type":"string"},"b":{"type":"integer"}`, `"b","a"`), "/a /b"},
		"optional":                      {of(`"a":{"type":"string"}`, ``), ""},
		"nullable by type":              {of(`"a":{"type":["string","null"]}`, `"a"`), ""},
		"nullable by anyOf":             {of(`"a":{"anyOf":[{"type":"string"},{"type":"null"}]}`, `"a"`), ""},
		"null in one part of two alone": {of(`"a":{"type":["string","null"],"allOf":[{"type":"string"}]}`, `"a"`), "/a"},
		"anything":                      {of(`"a":{}`, `"a"`), ""},
		"required and not described":    {of(``, `"a"`), ""},
		"default":                       {of(`"a":{"type":"string","default":"x"}`, `"a"`), ""},
		"default behind a reference":    {`{"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"required":["a"],"$defs":{"A":{"type":"string","default":"x"}}}`, ""},
		"enum that says unknown":        {of(`"a":{"enum":["red","Not specified"]}`, `"a"`), ""},
		"enum by alternatives":          {of(`"a":{"oneOf":[{"const":"red"},{"const":"unknown"}]}`, `"a"`), ""},
		"enum":                          {of(`"a":{"enum":["red","blue"]}`, `"a"`), "/a"},
		"const":                         {of(`"a":{"const":"red"},"b":{"enum":["one"]}`, `"a","b"`), ""},
		"boolean":                       {of(`"a":{"type":"boolean"}`, `"a"`), "/a"},
		"through a reference":           {`{"$ref":"#/definitions/T","definitions":{"T":{"type":"object","properties":{"a":{"$ref":"#/definitions/A"}},"required":["a"]},"A":{"type":"string"}},"$schema":"http://json-schema.org/draft-07/schema#"}`, "/a"},
		"through allOf":                 {`{"allOf":[` + of(`"a":{"type":"string"}`, ``) + `,{"type":"object","required":["a"]}]}`, "/a"},
		"inside a required object":      {of(`"a":`+of(`"b":{"type":"string"},"c":{"type":"string"}`, `"b"`), `"a"`), "/a/b"},
		"inside an optional object":     {of(`"a":`+of(`"b":{"type":"string"}`, `"b"`), ``), "(/a/b)"},
		"an object that may be empty":   {of(`"a":{"type":"object"}`, `"a"`), ""},
		"an object that may not":        {of(`"a":{"type":"object","minProperties":1}`, `"a"`), "/a"},
		"a list that may be empty":      {of(`"a":{"type":"array","items":{"type":"string"}}`, `"a"`), "(/a/*)"},
		"a list that may not":           {of(`"a":{"type":"array","items":`+of(`"b":{"type":"string"}`, `"b"`)+`,"minItems":1}`, `"a"`), "/a (/a/*/b)"},
		"a tuple":                       {of(`"a":{"type":"array","prefixItems":[{"type":"string"},{"type":"null"}]}`, `"a"`), "(/a/0)"},
		"a dictionary":                  {of(`"a":{"type":"object","additionalProperties":`+of(`"b":{"type":"string"}`, `"b"`)+`}`, `"a"`), "(/a/*/b)"},
		"one of several forms":          {`{"oneOf":[` + of(`"kind":{"const":"card"},"number":{"type":"string"}`, `"kind","number"`) + `,` + of(`"kind":{"const":"iban"},"iban":{"type":"string"}`, `"kind","iban"`) + `]}`, "(/number) (/iban)"},
		"wanted on a condition":         {`{"type":"object","properties":{"a":{"type":"boolean"}},"required":["a"],"if":{"properties":{"a":{"const":true}}},"then":{"properties":{"b":{"type":"string"}},"required":["b"]}}`, "/a (/b)"},
		"the whole answer":              {`{"type":"string","format":"date"}`, "the whole"},
		"recursion":                     {`{"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{"v":{"type":"string"},"next":{"$ref":"#/$defs/N"}},"required":["v"]}}}`, "/v (/next/v)"},
		"names that are escaped":        {of(`"a/b~c":{"type":"string"}`, `"a/b~c"`), "/a~1b~0c"},
		"draft 4":                       {`{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`, "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range missing.Places(compiled(t, c.schema)) {
				text := cmp.Or(p.Pointer(), "the whole")
				if p.Within {
					text = "(" + text + ")"
				}
				got = append(got, text)
			}
			joined := strings.Join(got, " ")
			if joined != c.want {
				t.Errorf("%s: got %s, want %s", c.schema, joined, c.want)
			}
		})
	}
}

func TestPointersLeadToPlaces(t *testing.T) {
	t.Parallel()
	f, err := missing.New(compiled(t, `{"type":"object","properties":{
		"lines":{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"}},"required":["sku"]}},
		"by":{"type":"object","additionalProperties":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}},
		"date":{"type":"string"}},"required":["date"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]bool{
		"/date": true, "/lines/0/sku": true, "/lines/17/sku": true, "/by/Ann/n": true, "/by/a~1b/n": true,
		"": false, "date": false, "/dates": false, "/lines": false, "/lines/x/sku": false, "/lines/-1/sku": false, "/lines/01/sku": false, "/lines/0": false, "/lines/*/sku": false, "/by/Ann": false, "/~2": false,
	} {
		if _, got := f.Place(pointer); got != want {
			t.Errorf("%q leads to a place: %t, want %t", pointer, got, want)
		}
	}
}

// TestTheSearchIsBounded: schemas come from callers, and recursion through many members multiplies.
func TestTheSearchIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/N","$defs":{"N":{"type":"object","properties":{`)
	for i := range 60 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"m` + strconv.Itoa(i) + `":{"$ref":"#/$defs/N"}`)
	}
	b.WriteString(`,"v":{"type":"string"}},"required":["v"]}}}`)
	f, err := missing.New(compiled(t, b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(f.Places); n == 0 || n > 100 {
		t.Errorf("%d places, want 1 to 100", n)
	}
}
