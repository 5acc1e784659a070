package compat_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

// drawn draws schemas of every keyword and values that they speak of.
type drawn struct{ r *rand.Rand }

func (d drawn) pick(texts ...string) string { return texts[d.r.IntN(len(texts))] }

// schema writes a schema; keywords stand beside each other as they come.
func (d drawn) schema(depth int) string {
	if depth == 0 {
		return d.pick(`true`, `{}`, `{"type":"string"}`, `{"type":"integer"}`, `{"enum":["a",1,null]}`, `{"minimum":1}`, `{"const":"b"}`, `false`)
	}
	sub := func() string { return d.schema(depth - 1) }
	keywords := []func() string{
		func() string {
			return `"type":` + d.pick(`"object"`, `"object"`, `"array"`, `"string"`, `"number"`, `"integer"`, `["string","null"]`, `["object","array"]`)
		},
		func() string {
			return `"enum":` + d.pick(`["a","b"]`, `["a"]`, `[1,2.0,"a"]`, `[{"a":1},[]]`, `[null,true]`)
		},
		func() string { return `"minimum":` + d.pick(`0`, `1`, `1.5`) },
		func() string { return `"exclusiveMaximum":` + d.pick(`3`, `10`, `2.5`) },
		func() string { return `"multipleOf":` + d.pick(`1`, `2`, `0.5`) },
		func() string { return `"minLength":` + d.pick(`1`, `2`) },
		func() string { return `"maxLength":` + d.pick(`1`, `2`, `3`) },
		func() string { return `"pattern":` + d.pick(`"^a"`, `"b$"`, `"^[ab]{1,2}$"`, `"^a$"`) },
		func() string { return fmt.Sprintf(`"properties":{"a":%s,"b":%s}`, sub(), sub()) },
		func() string { return fmt.Sprintf(`"properties":{"a":%s}`, sub()) },
		func() string { return `"required":` + d.pick(`["a"]`, `["a","b"]`, `["b"]`) },
		func() string { return `"additionalProperties":` + d.pick(`false`, sub()) },
		func() string { return fmt.Sprintf(`"patternProperties":{%s:%s}`, d.pick(`"^a"`, `"b"`), sub()) },
		func() string {
			return `"propertyNames":` + d.pick(`{"maxLength":1}`, `{"pattern":"^a"}`, `{"enum":["a","c"]}`)
		},
		func() string { return `"minProperties":` + d.pick(`1`, `2`) },
		func() string { return `"maxProperties":` + d.pick(`1`, `2`) },
		func() string { return fmt.Sprintf(`"items":%s`, sub()) },
		func() string { return fmt.Sprintf(`"prefixItems":[%s],"items":%s`, sub(), d.pick(`false`, sub())) },
		func() string { return `"minItems":` + d.pick(`1`, `2`) },
		func() string { return `"maxItems":` + d.pick(`1`, `2`) },
		func() string { return `"uniqueItems":true` },
		func() string {
			return fmt.Sprintf(`"contains":%s,"minContains":%s,"maxContains":%s`, sub(), d.pick(`0`, `1`, `2`), d.pick(`1`, `2`))
		},
		func() string { return fmt.Sprintf(`"anyOf":[%s,%s]`, sub(), sub()) },
		func() string { return fmt.Sprintf(`"oneOf":[%s,%s]`, sub(), sub()) },
		func() string { return fmt.Sprintf(`"allOf":[%s,%s]`, sub(), sub()) },
		func() string { return fmt.Sprintf(`"not":%s`, sub()) },
		func() string { return fmt.Sprintf(`"if":%s,"then":%s,"else":%s`, sub(), sub(), sub()) },
		func() string { return `"dependentRequired":{"a":["b"]}` },
		func() string { return fmt.Sprintf(`"dependentSchemas":{"a":%s}`, sub()) },
		func() string { return `"unevaluatedProperties":` + d.pick(`false`, sub()) },
		func() string { return `"$ref":"#"` },
	}
	var parts []string
	seen := map[string]bool{}
	for range 1 + d.r.IntN(3) {
		part := keywords[d.r.IntN(len(keywords))]()
		raw, err := value.DecodeString("{"+part+"}", value.Limits{})
		if err != nil || seen[raw.NameAt(0)] || strings.HasPrefix(part, `"prefixItems`) && seen["items"] || strings.HasPrefix(part, `"items`) && seen["prefixItems"] ||
			strings.HasPrefix(part, `"$ref`) && depth > 1 {
			continue
		}
		for name := range raw.Members() {
			seen[name] = true
		}
		parts = append(parts, part)
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// value draws a value that such schemas speak of.
func (d drawn) value(depth int) value.Value {
	if depth > 0 {
		switch d.r.IntN(4) {
		case 0:
			var items []value.Value
			for range d.r.IntN(4) {
				items = append(items, d.value(depth-1))
			}
			return value.Array(items...)
		case 1, 2:
			var members []value.Member
			for _, name := range []string{"a", "b", "c", "ab"} {
				if d.r.IntN(2) == 0 {
					members = append(members, value.Member{Name: name, Value: d.value(depth - 1)})
				}
			}
			return value.Object(members...)
		}
	}
	v, _ := value.DecodeString(d.pick(`null`, `true`, `false`, `0`, `1`, `1.5`, `2`, `2.5`, `3`, `4`, `10`, `-1`, `""`, `"a"`, `"b"`, `"ab"`, `"bb"`, `"abb"`, `"cab"`, `[]`, `{}`, `{"a":1}`), value.Limits{})
	return v
}

// compilable compiles a drawn schema; one that refers to itself at the same place is none.
func compilable(text string) (*schema.Schema, bool) {
	raw, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		return nil, false
	}
	s, err := schema.Compile(raw, schema.Options{})
	return s, err == nil
}

// TestNothingBreakingIsCalledCompatible compares drawn schemas, alike and not, with what values say of them.
func TestNothingBreakingIsCalledCompatible(t *testing.T) {
	t.Parallel()
	const pairs, values = 1_000, 150
	ctx := context.Background()
	broken, compatible, undecided, certain := 0, 0, 0, 0
	for seed := range uint64(pairs) {
		d := drawn{rand.New(rand.NewPCG(seed, 1))}
		old := d.schema(3)
		now := d.schema(3)
		if d.r.IntN(2) == 0 {
			now = edited(d, old)
		}
		a, ok := compilable(old)
		b, ok2 := compilable(now)
		if !ok || !ok2 {
			continue
		}
		r := compat.Check(ctx, a, b, compat.Backward)
		for _, f := range r.Findings {
			switch f.Verdict {
			case compat.Undecided:
				undecided++
			case compat.Breaking:
				certain++
				first, _ := a.Accept(ctx, *f.Witness)
				second, _ := b.Accept(ctx, *f.Witness)
				if !first.OK() || second.OK() {
					t.Fatalf("seed %d: %s\n%s\nthe witness %s shows nothing", seed, old, now, f.Witness)
				}
			}
		}
		if r.Compatible {
			compatible++
		}
		for range values {
			v := d.value(3)
			if first, _ := a.Accept(ctx, v); !first.OK() {
				continue
			}
			if second, _ := b.Accept(ctx, v); second.OK() {
				continue
			}
			broken++
			if r.Compatible {
				t.Errorf("seed %d: called compatible, but %s is allowed before and refused after:\n%s\n%s", seed, v, old, now)
			}
			break
		}
	}
	t.Logf("%d pairs that a value shows to be breaking, %d called compatible; %d findings with a witness, %d undecided", broken, compatible, certain, undecided)
	if broken < pairs/10 || compatible < pairs/50 {
		t.Errorf("the draws say too little: %d breaking, %d compatible", broken, compatible)
	}
}

// edited changes one text of a schema: a bound, a type, a name, a truth.
func edited(d drawn, text string) string {
	swaps := [][2]string{
		{`"minimum":1`, `"minimum":0`},
		{`"minLength":1`, `"minLength":2`},
		{`["a"]`, `["a","b"]`},
		{`"integer"`, `"number"`},
		{`"maxItems":1`, `"maxItems":2`},
		{`false`, `true`},
		{`true`, `{"type":"string"}`},
		{`"string"`, `"integer"`},
		{`"anyOf"`, `"oneOf"`},
		{`"oneOf"`, `"anyOf"`},
		{`"minProperties":2`, `"minProperties":1`},
		{`"^a"`, `"^a$"`},
		{`"a":`, `"c":`},
		{`"uniqueItems":true`, `"uniqueItems":false`},
		{`"allOf"`, `"anyOf"`},
		{`{}`, `{"maxLength":1}`},
		{`"items":false`, `"items":{}`},
		{`"multipleOf":1`, `"multipleOf":0.5`},
	}
	d.r.Shuffle(len(swaps), func(i, j int) { swaps[i], swaps[j] = swaps[j], swaps[i] })
	for _, s := range swaps {
		from, to := s[0], s[1]
		if d.r.IntN(2) == 0 {
			from, to = to, from
		}
		if strings.Contains(text, from) {
			return strings.Replace(text, from, to, 1)
		}
	}
	return text
}
