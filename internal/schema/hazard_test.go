package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

// doubled nests {"anyOf": [s, s]} n times around a leaf.
func doubled(n int, leaf string) string {
	for range n {
		leaf = `{"anyOf":[` + leaf + `,` + leaf + `]}`
	}
	return leaf
}

// doubledByReference doubles through $defs, so that the schema stays small.
func doubledByReference(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{"type":"string","minLength":5}}}`, n)
	return b.String()
}

func TestJudgingIsBoundedWhateverTheSchema(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 20_000)
	for _, c := range []struct{ name, schema, instance string }{
		{"anyOf doubled inline", doubled(11, `{"type":"string","minLength":5}`), `1`},
		{"anyOf doubled 22 times by reference", doubledByReference(22), `"a"`},
		{"anyOf doubled 60 times by reference", doubledByReference(60), `"a"`},
		{"oneOf within items", `{"$defs":{"a":{"oneOf":[{"items":{"$ref":"#/$defs/a"}},{"items":{"$ref":"#/$defs/a"}}]}},"$ref":"#/$defs/a"}`, strings.Repeat("[", 200) + strings.Repeat("]", 200)},
		{"nested quantifiers", `{"pattern":"^(a+)+$"}`, `"` + long + `b"`},
		{"nested quantifiers behind look-ahead", `{"pattern":"^(?!x)((a+)+)+$"}`, `"` + long + `b"`},
		{"back-reference", `{"pattern":"^(a*)*\\1(a*)*\\2b$"}`, `"` + long + `"`},
		{"large repeat", `{"pattern":"^(a{1,100}){1,100}$"}`, `"` + long + `"`},
		{"unique items", `{"uniqueItems":true}`, `[` + strings.Repeat(`{"a":[1]},`, 9000) + `{"b":2}]`},
		{"many dependencies", `{"dependentRequired":{` + strings.TrimSuffix(strings.Repeat(`"k%":["z"],`, 1), ",") + `}}`, `{` + manyMembers(20_000) + `}`},
		{"contains of contains", `{"$defs":{"c":{"contains":{"$ref":"#/$defs/c"},"minContains":0}},"$ref":"#/$defs/c"}`, strings.Repeat("[", 300) + strings.Repeat("]", 300)},
		{"exact division of far exponents", `{"multipleOf":1e-400}`, `1e400`},
		{"large bound", `{"minimum":1e400,"maximum":-1e-400}`, `0.1e-300`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			s, err := Compile(decode(t, c.schema), Options{})
			if err != nil {
				t.Logf("refused: %v", err)
			} else {
				v := decode(t, c.instance)
				s.Accept(t.Context(), v)
				s.Coerce(v, Lenient)
				s.Reorder(v)
				s.AcceptPart(t.Context(), "/0", v)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("judging took %v", d)
			}
		})
	}
}

// The two hazards that are known to hang or panic the usual validator are judged, and judged right.
func TestTheKnownHazardsAreJudgedRight(t *testing.T) {
	t.Parallel()
	for _, text := range []string{doubledByReference(18), doubledByReference(15), doubled(11, `{"type":"string","minLength":5}`)} {
		s := compile(t, text)
		start := time.Now()
		// 18 levels are more steps than a judgement has: what was given up is not valid either.
		v, report := s.Accept(t.Context(), decode(t, `"a"`))
		if v.OK() || len(report.Errors) == 0 || report.Errors[0].Keyword == KeywordLimit && text != doubledByReference(18) {
			t.Errorf("alternatives doubled: %v %+v, want not valid", v.OK(), report.Errors)
		}
		if v, _ = s.Accept(t.Context(), decode(t, `"abcde"`)); !v.OK() {
			t.Error("alternatives doubled: a valid value is refused")
		}
		took := time.Since(start)
		if t.Logf("alternatives doubled: %v", took); took > 20*time.Second {
			t.Errorf("judging took %v", took)
		}
	}
	if _, err := value.DecodeString(`1e10000000`, value.Limits{}); err == nil {
		t.Error("a number of ten million digits is read")
	}
	for _, c := range []struct {
		schema, instance string
		valid            bool
	}{
		{`{"minimum":0}`, `1e400`, true},
		{`{"minimum":0}`, `-1e400`, false},
		{`{"maximum":1e400}`, `9.9e399`, true},
		{`{"multipleOf":1e-400}`, `3e-400`, true},
		{`{"exclusiveMinimum":0}`, `1e-400`, true},
		{`{"type":"integer"}`, `1e400`, true},
		{`{"const":9007199254740993}`, `9007199254740992`, false},
	} {
		if v, report := compile(t, c.schema).Accept(t.Context(), decode(t, c.instance)); v.OK() != c.valid {
			t.Errorf("%s by %s: %v %+v, want %v", c.instance, c.schema, v.OK(), report.Errors, c.valid)
		}
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"m%d":%d,`, i, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

func TestTooManyStepsAreNotValidAndSaidSo(t *testing.T) {
	t.Parallel()
	s := compile(t, doubledByReference(40))
	v, report := s.Accept(t.Context(), decode(t, `"a"`))
	if v.OK() || len(report.Errors) != 1 || report.Errors[0].Keyword != KeywordLimit {
		t.Fatalf("got %v %+v, want not valid with one entry %s", v.OK(), report, KeywordLimit)
	}
	// "not" must not turn a judgement that was given up into a valid one.
	s = compile(t, `{"not":`+doubledByReference(40)[:1]+`"$ref":"#/$defs/d0"},`+doubledByReference(40)[len(`{"$ref":"#/$defs/d0",`):])
	if v, report = s.Accept(t.Context(), decode(t, `"a"`)); v.OK() {
		t.Fatalf("a judgement that was given up became valid: %+v", report)
	}
}

func TestAnEndedContextEndsJudging(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := compile(t, `{"items":{"type":"integer"}}`)
	v, report := s.Accept(ctx, decode(t, `[`+strings.Repeat("1,", 10_000)+`1]`))
	if v.OK() || len(report.Errors) != 1 || report.Errors[0].Keyword != KeywordLimit {
		t.Fatalf("got %v %+v, want one entry %s", v.OK(), report, KeywordLimit)
	}
}

func TestTheZeroValidIsNotValid(t *testing.T) {
	t.Parallel()
	if (Valid{}).OK() {
		t.Fatal("the zero Valid is valid")
	}
	if v := (Valid{}); !v.Value().IsNull() {
		t.Fatal("the zero Valid holds a value")
	}
}

func TestAStoredValueIsJudgedAgain(t *testing.T) {
	t.Parallel()
	s := compile(t, `{"type":"object","required":["a"]}`)
	v, _ := s.Accept(t.Context(), decode(t, `{"b":1,"a":2}`))
	again, err := Restore(s, v.Value())
	if err != nil || !again.OK() || !value.Identical(again.Value(), v.Value()) || again.SchemaHash() != s.Hash() {
		t.Fatalf("restored %v %v, want the same", again, err)
	}
	if again, err = Restore(s, decode(t, `{"b":1}`)); !errors.Is(err, ErrNotValid) || again.OK() {
		t.Fatalf("a value that is not valid was restored: %v %v", again, err)
	}
	if again, err = Restore(compile(t, doubledByReference(40)), decode(t, `"a"`)); err == nil || again.OK() {
		t.Fatalf("a judgement that was given up was restored: %v %v", again, err)
	}
}

func TestFaultySchemasAreRefusedWithAPointer(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"properties":{"a":`, 65) + `{}` + strings.Repeat(`}}`, 65)
	for _, c := range []struct{ name, schema, pointer, rule string }{
		{"no schema", `3`, "", "schema_type"},
		{"type", `{"properties":{"a":{"type":"text"}}}`, "/properties/a/type", "unknown_type"},
		{"required", `{"required":"a"}`, "/required", "keyword_type"},
		{"boolean required", `{"properties":{"a":{"required":true}}}`, "/properties/a/required", "keyword_type"},
		{"minimum", `{"minimum":"1"}`, "/minimum", "keyword_type"},
		{"negative count", `{"minItems":-1}`, "/minItems", "keyword_type"},
		{"multipleOf", `{"multipleOf":0}`, "/multipleOf", "keyword_value"},
		{"pattern", `{"pattern":"(a"}`, "/pattern", "pattern"},
		{"pattern of names", `{"patternProperties":{"[":{}}}`, "/patternProperties", "pattern"},
		{"empty anyOf", `{"anyOf":[]}`, "/anyOf", "keyword_type"},
		{"dangling pointer", `{"$ref":"#/$defs/none"}`, "/$ref", "dangling_reference"},
		{"dangling anchor", `{"items":{"$ref":"#none"}}`, "/items/$ref", "dangling_reference"},
		{"remote", `{"$ref":"https://example.org/s.json"}`, "/$ref", "dangling_reference"},
		{"a file", `{"$ref":"other.json#/a"}`, "/$ref", "dangling_reference"},
		{"reference to text", `{"title":"t","$ref":"#/title"}`, "/$ref", "dangling_reference"},
		{"endless", `{"allOf":[{"$ref":"#"}]}`, "", "endless_reference"},
		{"twice the same id", `{"$ref":"x","$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}}`, "/$ref", "dangling_reference"},
		{"x-rules", `{"properties":{"a":{"x-rules":{}}}}`, "/properties/a/x-rules", "keyword_type"},
		{"x-extractive", `{"x-extractive":1}`, "/x-extractive", "keyword_type"},
		{"deep", deep, strings.Repeat("/properties/a", 65), "schema_depth"},
		{"many", `{"allOf":[` + strings.Repeat(`{},`, 5000) + `{}]}`, "/allOf/4999", "schema_subschemas"},
		{"large", `{"description":"` + strings.Repeat("x", 256<<10) + `"}`, "", "schema_bytes"},
		{"draft 4 array in 2020-12", `{"items":[{}]}`, "/items", "keyword_type"},
		{"required vocabulary", `{"$schema":"https://example.org/m"}`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Compile(decode(t, c.schema), Options{})
			if c.rule == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			f := fault.Of(err)
			if err == nil || f.Code != fault.InvalidSchema || len(f.Entries) == 0 {
				t.Fatalf("got %v, want %s", err, fault.InvalidSchema)
			}
			if e := f.Entries[0]; e.Pointer != c.pointer || e.Rule != c.rule || e.Message == "" {
				t.Errorf("got %+v, want rule %s at %q", e, c.rule, c.pointer)
			}
		})
	}
}

func TestCommonFaultsOfRealSchemasAreTolerated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, rule string }{
		{"unknown keyword", `{"properties":{"a":{"x-order":1}}}`, "unknown_keyword"},
		{"unknown format", `{"format":"money"}`, "unknown_format"},
		{"duplicate id", `{"$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}}`, "duplicate_id"},
		{"unknown draft", `{"$schema":"http://json-schema.org/schema#"}`, "unknown_schema"},
		{"duplicate required", `{"required":["a","a"]}`, "duplicate_name"},
		{"names like keywords", `{"properties":{"x-rules":{},"$ref":{"type":"string"},"id":{},"x-extractive":{}}}`, ""},
		{"keyword of another draft", `{"$schema":"http://json-schema.org/draft-04/schema#","const":1}`, "other_draft"},
		{"sibling of $ref", `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"#","minLength":1}}}`, "ignored_sibling"},
		{"pointer from the document's root below an id", `{"$defs":{"a":{"$id":"a","properties":{"b":{"$ref":"#/$defs/c"}}},"c":{"type":"string"}}}`, "reference_base"},
		{"reserved words inside enum", `{"enum":[{"x-rules":1}],"default":{"x-rules":1}}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			advice := compile(t, c.schema).Advice()
			if (c.rule == "") != (len(advice) == 0) || c.rule != "" && advice[0].Rule != c.rule {
				t.Errorf("advice %+v, want %q", advice, c.rule)
			}
		})
	}
}
