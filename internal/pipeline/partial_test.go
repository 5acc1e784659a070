package pipeline

import (
	"slices"
	"testing"

	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/value"
)

// formOf gives a form by its name.
func formOf(t *testing.T, name string) lowering.Profile {
	t.Helper()
	_, list := lawProfiles()
	p, ok := list[name]
	if !ok {
		t.Fatalf("no form %q", name)
	}
	return p
}

// shows gives what a stream shows of a text that comes byte by byte.
func (r *reader) shows(t *testing.T, text string) (list []string) {
	t.Helper()
	e := &exchange{prompt: prompt.Prompt{Options: prompt.Options{Coercion: r.mode}}}
	e.emit = func(e Event) error { list = append(list, e.Partial.String()); return nil }
	p := newPartial(resolved{exchange: e, schema: r.schema})
	p.begin(planned{plan: r.plan})
	for i := range len(text) {
		if err := p.add(t.Context(), text[i:i+1]); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func TestWhatAStreamShows(t *testing.T) {
	t.Parallel()
	const end = `,"additionalProperties":false}`
	for _, c := range []struct {
		name, form, schema, text string
		mode                     schema.Mode
		want                     []string
	}{
		{
			"a null that stands for absence", "openai", `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}` + end,
			`{"a":null,"b":2}`, schema.Safe,
			[]string{`{"b":2}`},
		},
		{
			"a null that is meant", "openai", `{"type":"object","properties":{"a":{"type":["integer","null"]},"b":{"type":"integer"}},"required":["a","b"]` + end,
			`{"a":null,"b":2}`, schema.Safe,
			[]string{`{"a":null}`, `{"a":null,"b":2}`},
		},
		{
			"a wrapper that is not filled yet", "openai", `{"type":"object","properties":{"a":{"type":["object","null"],"properties":{"x":{"type":"integer"},"y":{"type":"integer"}},"required":["x","y"],"additionalProperties":false}}` + end,
			`{"a":{"value":{"x":1,"y":2}}}`, schema.Safe,
			[]string{`{"a":{"x":1}}`, `{"a":{"x":1,"y":2}}`},
		},
		{
			"pairs in a member", "openai", `{"type":"object","properties":{"d":{"type":"object","additionalProperties":{"type":"array","items":{"type":"integer"}}}},"required":["d"]` + end,
			`{"d":[{"key":"a","value":[1,2]},{"key":"b","value":[3]}]}`, schema.Safe,
			[]string{`{"d":{"a":[1]}}`, `{"d":{"a":[1,2]}}`, `{"d":{"a":[1,2],"b":[3]}}`},
		},
		{
			"pairs whose value comes first", "openai", `{"type":"object","properties":{"d":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["d"]` + end,
			`{"d":[{"value":1,"key":"a"},{"value":2,"key":"b"}]}`, schema.Safe,
			[]string{`{"d":{"a":1}}`, `{"d":{"a":1,"b":2}}`},
		},
		{
			"a name that comes twice in pairs", "openai", `{"type":"object","properties":{"d":{"type":"object","additionalProperties":{"type":"integer"}},"e":{"type":"integer"}},"required":["d","e"]` + end,
			`{"d":[{"key":"a","value":1},{"key":"a","value":2}],"e":3}`, schema.Safe,
			[]string{`{"d":{"a":1}}`},
		},
		{
			"a text that becomes a number", "prompt", `{"type":"object","properties":{"n":{"type":"number"},"s":{"type":"string"}}}`,
			`{"n":"12.5","s":"x"}`, schema.Safe,
			[]string{`{"n":12.5}`, `{"n":12.5,"s":"x"}`},
		},
		{
			"the same without coercion", "prompt", `{"type":"object","properties":{"n":{"type":"number"},"s":{"type":"string"}}}`,
			`{"n":"12.5","s":"x"}`, schema.Off,
			[]string{`{"s":"x"}`},
		},
		{
			"a spelling of a listed value", "prompt", `{"type":"object","properties":{"e":{"enum":["Red","Green"]},"s":{"type":"string"}}}`,
			`{"e":"RED","s":"x"}`, schema.Safe,
			[]string{`{"e":"Red"}`, `{"e":"Red","s":"x"}`},
		},
		{
			"a lone item", "prompt", `{"type":"object","properties":{"l":{"type":"array","items":{"type":"integer"}},"s":{"type":"integer"}}}`,
			`{"l":7,"s":1}`, schema.Safe,
			[]string{`{"l":[7]}`, `{"l":[7],"s":1}`},
		},
		{
			"a text that two alternatives take differently", "prompt",
			`{"type":"object","anyOf":[{"properties":{"n":{"type":"integer"}},"required":["i"]},{"properties":{"n":{"type":"boolean"}},"required":["b"]}],"properties":{"s":{"type":"string"}}}`,
			`{"n":"1","s":"x","i":1}`, schema.Safe,
			[]string{`{"s":"x"}`, `{"s":"x","i":1}`},
		},
		{
			"a member that tells alternatives apart", "prompt",
			`{"type":"object","anyOf":[{"properties":{"k":{"const":"i"},"n":{"type":"integer"}},"required":["k"]},{"properties":{"k":{"const":"b"},"n":{"type":"boolean"}},"required":["k"]}]}`,
			`{"n":"1","k":"I","m":2}`, schema.Safe,
			[]string{`{"n":1,"k":"i"}`, `{"n":1,"k":"i","m":2}`},
		},
		{
			"a member that tells alternatives in another shape apart", "openai",
			`{"type":"object","properties":{"u":{"anyOf":[{"type":"object","properties":{"k":{"const":"d"},"d":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["k","d"],"additionalProperties":false},` +
				`{"type":"object","properties":{"k":{"const":"n"},"d":{"type":"integer"}},"required":["k","d"],"additionalProperties":false}]}},"required":["u"]` + end,
			`{"u":{"k":"d","d":[{"key":"a","value":1}]}}`, schema.Safe,
			[]string{`{"u":{"k":"d"}}`, `{"u":{"k":"d","d":{"a":1}}}`},
		},
		{
			"a condition that does not hold", "prompt", `{"type":"object","if":{"properties":{"k":{"const":"x"}},"required":["k"]},"then":{"properties":{"n":{"minimum":5}}},"required":["k"]}`,
			`{"n":1,"k":"y","m":2}`, schema.Safe,
			[]string{`{"n":1,"k":"y"}`, `{"n":1,"k":"y","m":2}`},
		},
		{
			"an alternative with a name", "openai",
			`{"type":"object","properties":{"u":{"anyOf":[{"type":"object","additionalProperties":{"type":"integer"}},` +
				`{"type":"array","items":{"type":"object","properties":{"key":{"type":"string"},"value":{"type":"integer"}},"required":["key","value"],"additionalProperties":false}}]}},"required":["u"]` + end,
			`{"u":{"array_1":[{"key":"a","value":1},{"key":"b","value":2}]}}`, schema.Safe,
			[]string{`{"u":{"a":1}}`, `{"u":{"a":1,"b":2}}`},
		},
		{
			"a JSON text", "anthropic", `{"type":"object","properties":{"u":{},"n":{"type":"integer"}},"required":["u","n"]` + end,
			`{"u":"{\"a\":[1]}","n":1}`, schema.Safe,
			[]string{`{"u":{"a":[1]}}`, `{"u":{"a":[1]},"n":1}`},
		},
		{
			"a JSON text that is none", "anthropic", `{"type":"object","properties":{"m":{"type":"integer"},"u":{},"n":{"type":"integer"}},"required":["m","u","n"]` + end,
			`{"m":1,"u":"{\"a\":[1","n":1}`, schema.Safe,
			[]string{`{"m":1}`},
		},
		{
			"a tree", "openai", `{"type":"object","properties":{"u":{},"n":{"type":"integer"}},"required":["u","n"]` + end,
			`{"u":{"members":[{"key":"a","value":[1]}]},"n":1}`, schema.Safe,
			[]string{`{"u":{"a":[1]}}`, `{"u":{"a":[1]},"n":1}`},
		},
		{
			"a label", "gemini", `{"type":"object","properties":{"e":{"enum":[1,"x",null]},"n":{"type":"integer"}},"required":["e","n"]` + end,
			`{"e":"1","n":1}`, schema.Safe,
			[]string{`{"e":1}`, `{"e":1,"n":1}`},
		},
		{
			"positions of a tuple in another order", "openai",
			`{"type":"object","properties":{"t":{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false,"minItems":2},"n":{"type":"integer"}},"required":["t","n"]` + end,
			`{"n":1,"t":{"1":2,"0":"x"}}`, schema.Safe,
			[]string{`{"n":1}`, `{"t":["x",2],"n":1}`},
		},
		{
			"further members before the listed ones", "openai", `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":{"type":"integer"}}`,
			`{"additional":[{"key":"b","value":2}],"a":1}`, schema.Safe,
			[]string{`{"b":2}`, `{"a":1,"b":2}`},
		},
		{
			"a root that is no object", "openai", `{"type":"array","items":{"type":"integer"}}`, `{"result":[1,2]}`, schema.Safe, []string{`[1]`, `[1,2]`},
		},
		{
			"a text in the one alternative for objects", "prompt", `{"type":"object","properties":{"o":{"anyOf":[{"type":"object","properties":{"n":{"type":"integer"}}},{"type":"null"}]}}}`,
			`{"o":{"n":"1","m":2}}`, schema.Safe,
			[]string{`{"o":{"n":1}}`, `{"o":{"n":1,"m":2}}`},
		},
		{
			"a member that lenient coercion would rename", "prompt", `{"type":"object","properties":{"firstName":{"type":"string"},"n":{"type":"integer"}},"required":["firstName"]}`,
			`{"first_name":"x","n":1}`, schema.Lenient,
			[]string{`{"n":1}`},
		},
		{
			"a wrapper that lenient coercion would open", "prompt", `{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}`,
			`{"answer":{"n":1,"m":2}}`, schema.Lenient, nil,
		},
		{
			"a listed object", "prompt", `{"type":"object","properties":{"c":{"enum":[{"a":1},{"a":2}]},"n":{"type":"integer"}}}`,
			`{"c":{"a":3,"b":4},"n":1}`, schema.Safe,
			[]string{`{"c":{},"n":1}`},
		},
		{
			"members that only allOf knows", "prompt", `{"type":"object","allOf":[{"properties":{"a":{"type":"integer"}}}],"unevaluatedProperties":false}`,
			`{"a":1,"b":2}`, schema.Safe,
			[]string{`{"a":1}`},
		},
		{
			"names that are refused", "prompt", `{"type":"object","propertyNames":{"pattern":"^[a-z]$"}}`,
			`{"a":1,"B":2,"c":3}`, schema.Safe,
			[]string{`{"a":1}`, `{"a":1,"c":3}`},
		},
		{
			"more items than may be", "prompt", `{"type":"object","properties":{"l":{"type":"array","maxItems":1}}}`,
			`{"l":[1,2,3]}`, schema.Safe,
			[]string{`{"l":[1]}`},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			raw, err := value.DecodeString(c.schema, value.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := schema.Compile(raw, schema.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(s, formOf(t, c.form), c.mode)
			if got := r.shows(t, c.text); !slices.Equal(got, c.want) {
				t.Errorf("the stream of %s shows\n%q, want\n%q\nsent %s", c.text, got, c.want, r.plan.lowered.Schema)
			}
		})
	}
}
