package lowering_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// accepting compiles a schema and gives its judgement.
func accepting(t *testing.T, raw value.Value) func(value.Value) bool {
	t.Helper()
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return func(x value.Value) bool {
		v, _ := s.Accept(t.Context(), x)
		return v.OK()
	}
}

func TestKeptFindsWhatALoweringLoses(t *testing.T) {
	t.Parallel()
	same := func(v value.Value) (value.Value, error) { return v, nil }
	wrapped := func(v value.Value) (value.Value, error) {
		return value.Object(value.Member{Name: "result", Value: v}), nil
	}
	for _, c := range []struct {
		name, schema, instance, lowered string
		lower                           func(value.Value) (value.Value, error)
		lost                            []string
	}{
		{
			"all is kept", `{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"const":7}},"required":["a","b"]}`, `{"a":"x","b":7}`,
			`{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"enum":[7]}},"required":["a","b"]}`, same, nil,
		},
		{
			"all is kept in another shape", `{"type":"array","items":{"enum":[1,2,3]}}`, `[1,3]`,
			`{"type":"object","properties":{"result":{"type":"array","items":{"anyOf":[{"const":1},{"const":2},{"const":3}]}}},"required":["result"]}`, wrapped, nil,
		},
		{
			"an enum and a required member are lost", `{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"const":7}},"required":["a","b"]}`,
			`{"a":"x","b":7}`,
			`{"type":"object","properties":{"a":{"type":"string"},"b":{"const":7}},"required":["b"]}`, same,
			[]string{"/a enum", "/a required"},
		},
		{
			"a const is lost", `{"properties":{"b":{"const":7}}}`, `{"b":7}`, `{"properties":{"b":{"type":"number"}}}`, same, []string{"/b const"},
		},
		{
			"an enum of booleans is lost", `{"properties":{"b":{"enum":[true]}}}`, `{"b":true}`, `{"properties":{"b":{"type":"boolean"}}}`, same, []string{"/b enum"},
		},
		{
			"below items, prefixItems, additionalProperties, allOf and $ref",
			`{"type":"object","properties":{"t":{"prefixItems":[{"const":"k"}],"items":{"$ref":"#/$defs/E"}}},"additionalProperties":{"required":["r"]},
			  "allOf":[{"properties":{"t":{"prefixItems":[{},{"enum":["e","f"]}]}}}],"$defs":{"E":{"enum":["e"]}}}`,
			`{"t":["k","e"],"z":{"r":1}}`, `{"type":"object"}`, same,
			[]string{"/t/0 const", "/t/1 enum", "/z/r required"},
		},
		{
			"what holds on a condition is not asked for",
			`{"anyOf":[{"required":["a"]},{"required":["b"]}],"if":{"required":["a"]},"then":{"properties":{"a":{"const":1}}},
			  "not":{"required":["z"]},"dependentSchemas":{"a":{"required":["b"]}},"dependentRequired":{"a":["b"]}}`, `{"a":1,"b":2}`, `{}`, same, nil,
		},
		{
			"a tuple of draft 7", `{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"const":1}],"additionalItems":{"const":2}}`, `[1,2]`, `{}`, same,
			[]string{"/0 const", "/1 const"},
		},
		{
			"nothing beside $ref in draft 7",
			`{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/A","required":["a"],"definitions":{"A":{"required":["b"]}}}`,
			`{"a":1,"b":1}`, `{}`, same,
			[]string{"/b required"},
		},
		{
			"const is no keyword of draft 4", `{"$schema":"http://json-schema.org/draft-04/schema#","const":1}`, `1`, `{}`, same, nil,
		},
		{
			"a cycle of references",
			`{"$ref":"#/$defs/A","$defs":{"A":{"properties":{"a":{"$ref":"#/$defs/A"},"k":{"const":1}},"allOf":[{"$ref":"#/$defs/B"}]},
			  "B":{"properties":{"a":{"required":["k"]}}}}}`,
			`{"a":{"a":{"k":1},"k":1},"k":1}`, `{}`, same,
			[]string{"/a/a/k const", "/a/a/k required", "/a/k const", "/a/k required", "/k const"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := parsed(t, c.instance)
			if !accepting(t, parsed(t, c.schema))(x) {
				t.Fatalf("%s is not valid by %s", c.instance, c.schema)
			}
			got := checkKept(parsed(t, c.schema), []value.Value{x, x}, c.lower, accepting(t, parsed(t, c.lowered)))
			if slices.Sort(got); !slices.Equal(got, c.lost) {
				t.Errorf("lost are %q, want %q", got, c.lost)
			}
		})
	}
}

// A mutant must be wrong by the caller's schema, else the check accuses a lowering that keeps all.
func TestMutantsAreInvalidByTheCallersSchema(t *testing.T) {
	t.Parallel()
	raw := parsed(t, `{"type":"object","properties":{"a":{"enum":["x","x~","y"]},"n":{"enum":[1,2,3]},"f":{"enum":[0.5,1]},
	  "b":{"enum":[true,false]},"o":{"enum":[{"k":1}]},"z":{"enum":[null,1]}},
	  "required":["a","n"],"additionalProperties":{"type":"array","items":{"const":"i"}}}`)
	x := parsed(t, `{"a":"x","n":2,"f":0.5,"b":true,"o":{"k":1},"z":null,"more":["i","i"]}`)
	accepts := accepting(t, raw)
	if !accepts(x) {
		t.Fatal("the instance is not valid")
	}
	list := mutants(raw, x)
	for _, m := range list {
		if accepts(m.value) {
			t.Errorf("%s %s: the mutant %s is valid", m.pointer, m.keyword, m.value)
		}
	}
	if len(list) != 7 { // a and n by enum and required, f, and two items; no other boolean, object or null is to be had.
		t.Errorf("%d mutants: %v", len(list), list)
	}
}

func TestMutantsAreBounded(t *testing.T) {
	t.Parallel()
	x := parsed(t, "["+strings.Repeat(`1,`, 5000)+"1]")
	if n := len(mutants(parsed(t, `{"items":{"const":1}}`), x)); n != maxMutants {
		t.Errorf("%d mutants, want %d", n, maxMutants)
	}
	// Every reference doubles: the walk goes to each schema once for each value.
	var doubling strings.Builder
	doubling.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range 40 {
		fmt.Fprintf(&doubling, `"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	doubling.WriteString(`"d40":{"required":["a"]}}}`)
	if n := len(mutants(parsed(t, doubling.String()), parsed(t, `{"a":1}`))); n != 1 {
		t.Errorf("%d mutants, want 1", n)
	}
}
