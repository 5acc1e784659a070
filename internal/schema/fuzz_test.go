package schema

import (
	"context"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// FuzzCompileAndAccept feeds schemas and values of any shape: nothing panics, nothing runs on, and what is said holds together.
func FuzzCompileAndAccept(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"required":["a"],"additionalProperties":false}`, `{"a":0,"b":[1]}`},
		{`{"$defs":{"n":{"anyOf":[{"type":"null"},{"items":{"$ref":"#/$defs/n"}}]}},"$ref":"#/$defs/n"}`, `[[null],[]]`},
		{`{"oneOf":[{"const":1},{"enum":[1,"a"]}],"not":{"type":"string"},"if":true,"then":{"maximum":3}}`, `1.0`},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","id":"http://x/","items":[{"format":"date"}],"additionalItems":{"pattern":"^(?=a)\\w+$"}}`, `["2025-01-15","ab"]`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","dependencies":{"a":["b"],"c":{"minProperties":3}},"patternProperties":{"^x|y$":{"uniqueItems":true}}}`, `{"a":1,"c":2,"xx":[1,1.0]}`},
		{`{"$dynamicAnchor":"t","properties":{"k":{"$dynamicRef":"#t"}},"unevaluatedProperties":false}`, `{"k":{"k":{},"z":1}}`},
		{`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"contains":{"$recursiveRef":"#"},"minContains":0,"unevaluatedItems":{"multipleOf":0.01}}`, `[[],0.015,1e-400]`},
		{`{"propertyNames":{"maxLength":2},"dependentSchemas":{"a":{"required":["b"]}},"prefixItems":[true,false]}`, `{"abc":null,"a":"\ud83d\ude00"}`},
		{`{"x-rules":[]}`, `0`},
		{`{"allOf":[{"$ref":"#"}]}`, `{}`},
		{`{"$id":"a","$ref":"b#/c","$defs":{"b":{"$id":"b","c":{"$anchor":"d"}}}}`, `"\u0000"`},
		{`{"format":"uri-template","contentSchema":{"type":1},"minLength":1e2}`, `"{x"`},
	} {
		f.Add(seed[0], seed[1], uint8(0))
		f.Add(seed[0], seed[1], uint8(11))
	}
	f.Fuzz(func(t *testing.T, schema, instance string, options uint8) {
		raw, err := value.DecodeString(schema, value.Limits{Depth: 100, Nodes: 20_000})
		if err != nil {
			return
		}
		v, err := value.DecodeString(instance, value.Limits{Depth: 100, Nodes: 20_000})
		if err != nil {
			return
		}
		o := Options{Draft: Draft(options % 5), AnnotateFormat: options&8 != 0, Limits: Limits{Bytes: 20_000, Subschemas: 500}}
		start := time.Now()
		s, err := Compile(raw, o)
		if err != nil {
			if bad := fault.Of(err); bad.Code != fault.InvalidSchema || len(bad.Entries) == 0 || bad.Detail == "" {
				t.Fatalf("a refusal without a reason: %v", err)
			}
			return
		}
		judge(t, s, v)
		if took := time.Since(start); took > time.Minute { // Generous: the machine may be busy. Without bounds it would be hours.
			t.Fatalf("compiling and judging took %v", took)
		}
	})
}

// judge checks that verdict, report, restoring and coercion agree with each other.
func judge(t *testing.T, s *Schema, v value.Value) {
	t.Helper()
	ctx := context.Background()
	valid, report := s.Accept(ctx, v)
	if valid.OK() != (len(report.Errors) == 0) {
		t.Fatalf("verdict %v with %d errors", valid.OK(), len(report.Errors))
	}
	for _, e := range report.Errors {
		if e.Keyword == KeywordLimit {
			return
		}
		if e.Message == "" || e.Keyword == "" {
			t.Fatalf("an entry that says nothing: %+v", e)
		}
		if _, ok := v.Lookup(e.Pointer); !ok {
			t.Fatalf("the entry's pointer %q leads nowhere: %+v", e.Pointer, e)
		}
	}
	if again, err := Restore(s, v); (err == nil) != valid.OK() || again.OK() != valid.OK() {
		t.Fatalf("judged again: %v, at first %v", err, valid.OK())
	}
	for _, mode := range []Mode{Safe, Lenient} {
		coerced, list := s.Coerce(v, mode)
		if valid.OK() && len(list) > 0 {
			t.Fatalf("a valid value was coerced: %v", list)
		}
		if len(list) == 0 && !value.Identical(coerced, v) {
			t.Fatal("a value was changed and nothing was reported")
		}
	}
	if ordered := s.Reorder(v); !value.Equal(ordered, v) {
		t.Fatalf("reordering changed the value: %s", ordered)
	}
	s.AcceptPart(ctx, "", v)
}
