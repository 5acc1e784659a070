package lowering_test

import (
	"errors"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// TestLawsHoldOverAwkwardSchemas has the laws hold, and nothing narrowed, for schemas that were once lowered wrongly.
func TestLawsHoldOverAwkwardSchemas(t *testing.T) {
	t.Parallel()
	for name, c := range map[string][2]string{
		"dictionaries that look alike":     {`{"type":"object","properties":{"r":{"anyOf":[{"type":"object","additionalProperties":{"type":"string"}},{"type":"object","additionalProperties":{}}]}},"required":["r"]}`, `{"r":{"k":{"x":1}}}`},
		"open objects that look alike":     {`{"anyOf":[{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}},{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":true}]}`, `{"a":1,"b":[1]}`},
		"alternatives in alternatives":     {`{"type":"object","properties":{"o":{"$ref":"#/$defs/o"}},"$defs":{"o":{"anyOf":[{"type":"array","items":{"$ref":"#/$defs/u"}},{"type":"array","items":{}}]},"u":{"anyOf":[{"$ref":"#/$defs/o"},{"type":"object","additionalProperties":{}}]}}}`, `{"o":[{"array_2":[[],{"a":1}]}]}`},
		"unevaluated beside anyOf":         {`{"type":"object","anyOf":[{"properties":{"a":{"type":"integer"}}},{"properties":{"b":{"type":"integer"}}}],"unevaluatedProperties":false}`, `{"a":1,"b":2}`},
		"unevaluated beside if":            {`{"type":"object","properties":{"a":{"type":"integer"}},"if":{"properties":{"b":{"type":"string"}}},"unevaluatedProperties":false}`, `{"a":1,"b":"x"}`},
		"contains judges items":            {`{"type":"array","prefixItems":[{"type":"integer"}],"contains":{"type":"string"},"unevaluatedItems":false}`, `[1,"a"]`},
		"unevaluated items":                {`{"type":"array","prefixItems":[{"type":"integer"}],"unevaluatedItems":{"type":"string"}}`, `[1,"a"]`},
		"two sets of patterns":             {`{"type":"object","allOf":[{"patternProperties":{"^a":{"type":"integer"}},"additionalProperties":false},{"patternProperties":{"^ab":{"type":"integer"}},"additionalProperties":false}]}`, `{"abc":1}`},
		"patterns beside silence":          {`{"type":"object","properties":{"a":{"type":"integer"}},"patternProperties":{"^x-":{"type":"string"}}}`, `{"a":1,"x-b":"s"}`},
		"more items than places":           {`{"type":"array","prefixItems":[{"type":"string"}],"minItems":2}`, `["a",1]`},
		"a member that another brings":     {`{"type":"object","properties":{"b":{"type":"string"}},"required":["b"],"dependentRequired":{"b":["c"]}}`, `{"b":"x","c":[1]}`},
		"more members than names":          {`{"type":"object","properties":{"b":{"type":"string"}},"minProperties":2}`, `{"b":"x","z":null}`},
		"an object that can't be, or null": {`{"type":"object","properties":{"p":{"type":["object","null"],"additionalProperties":false,"required":["a"]}},"additionalProperties":{"type":"integer"}}`, `{"p":null}`},
		"no items":                         {`{"type":"object","properties":{"a":{"type":"array","items":false}},"required":["a"],"additionalProperties":false}`, `{"a":[]}`},
		"never, known late":                {`{"type":"object","properties":{"a":{"$ref":"#/$defs/a"},"b":{"$ref":"#/$defs/b"}},"additionalProperties":false,"$defs":{"a":{"type":"object","properties":{"b":{"$ref":"#/$defs/b"},"x":false},"required":["x"]},"b":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"},"v":{"type":"integer"}},"additionalProperties":false}}}`, `{"b":{"v":1}}`},
		"ten levels below a list":          {`{"type":"array","items":` + levelsOf(10) + `}`, `[{}]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, x := read(t, c[0]), read(t, c[1])
			if valid, report := compiled(t, raw).Accept(t.Context(), x); !valid.OK() {
				t.Fatalf("the instance is not valid: %+v", report.Errors)
			}
			for _, name := range lowering.Names() {
				p, _ := lowering.Named(name)
				o := checkLaws(t, name, p, raw, []value.Value{x}, func(format string, args ...any) { t.Errorf(format, shorten(args)...) })
				if o.instances != 1 || o.narrowed != 0 {
					t.Errorf("%s: %d of %d instances are narrowed: %v", name, o.narrowed, o.instances, o.silent)
				}
			}
		})
	}
}

func levelsOf(levels int) string {
	if levels == 0 {
		return `{"type":"string"}`
	}
	return `{"type":"object","properties":{"n":` + levelsOf(levels-1) + `},"additionalProperties":false}`
}

// TestRaiseRefusesHalfOfAForm: an answer that has the names of the provider's form, and not its shape, must not pass as the caller's own data.
func TestRaiseRefusesHalfOfAForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ profile, schema, answer string }{
		"a gap in a tuple":               {"openai", `{"type":["array","object"],"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false}`, `{"result":{"array_2":{"0":null,"1":"x"}}}`},
		"pairs without a name":           {"openai", `{"type":"object","additionalProperties":{"type":"integer"}}`, `{"result":[{"key":5,"value":1}]}`},
		"a wrapper with more":            {"openai", `{"type":"object","properties":{"a":{"type":["object","null"]}}}`, `{"a":{"value":null,"note":1}}`},
		"further members of no form":     {"openai", `{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":true}`, `{"a":1,"additional":5}`},
		"an alternative named, and more": {"anthropic", `{"type":"object","properties":{"r":{"anyOf":[{"type":"object","additionalProperties":{"type":"string"}},{"type":"object","additionalProperties":{}}]}}}`, `{"r":{"array_1":[],"array_2":[]}}`},
		"none of the alternatives":       {"anthropic", `{"type":"object","properties":{"r":{"anyOf":[{"type":"object","properties":{"a":{}},"required":["a"]},{"type":"object","properties":{"b":{}},"required":["b"]}]}}}`, `{"r":{"a":"1","c":2}}`},
		"a root with more":               {"openai", `{"anyOf":[{"type":"object"},{"type":"string"}]}`, `{"result":"x","note":"y"}`},
		"half a tree":                    {"openai", `{"type":"object","properties":{"a":{}},"required":["a"]}`, `{"a":{"members":[{"key":"a"}]}}`},
		"a name and what stands for it":  {"openai:deepseek", `{"type":"object","properties":{"a b":{"type":"integer"}},"additionalProperties":{"type":"integer"}}`, `{"a_b":1,"a b":2,"additional":[]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := lowering.Named(c.profile)
			l := lowering.Lower(compiled(t, read(t, c.schema)), p)
			up, err := l.Raise(read(t, c.answer))
			var bad *lowering.Error
			if !errors.As(err, &bad) {
				t.Errorf("%s is sent, and %s raises to %s", l.Schema, c.answer, up)
			}
		})
	}
}
