package lint_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/value"
)

// seen is a schema with the places at which one rule speaks, and words of its message.
type seen struct {
	rule, schema string
	at           []string
	words        string
}

func cases() []seen {
	return []seen{
		{"required_unknown", `{"type":"object","required":["a","b"],"properties":{"a":{}}}`, []string{"/required"}, `"b"`},
		{"required_unknown", `{"type":"object","required":["a"],"properties":{"b":{}},"additionalProperties":false}`, []string{"/required"}, `"a"`},
		{"required_unknown", `{"type":"object","required":["a"],"additionalProperties":{"type":"string"}}`, nil, ""},
		{"required_unknown", `{"type":"object","required":["a1"],"patternProperties":{"^a":{"type":"string"}}}`, nil, ""},
		{"required_unknown", `{"type":"object","properties":{"a":{},"b":{}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`, nil, ""},
		{"required_unknown", `{"type":"object","allOf":[{"properties":{"a":{}}},{"required":["a"]}]}`, nil, ""},
		{"required_unknown", `{"type":"object","properties":{"a":{}},"if":{"required":["z"]},"not":{"required":["y"]}}`, nil, ""},

		{"enum_type", `{"type":"string","enum":["a",1,null]}`, []string{"/enum/1", "/enum/2"}, "1"},
		{"enum_type", `{"type":"integer","enum":[1,1.5,2.0]}`, []string{"/enum/1"}, "1.5"},
		{"enum_type", `{"properties":{"k":{"type":"object","const":"x"}}}`, []string{"/properties/k/const"}, `"x"`},
		{"enum_type", `{"type":["string","null"],"enum":["a",null]}`, nil, ""},

		{"open_object", `{"type":"object","properties":{"a":{"type":"object","properties":{}}}}`, []string{""}, "2 objects"},
		{"open_object", `{"type":"object","properties":{"a":{"type":"object","properties":{}}},"additionalProperties":true}`, []string{"/properties/a"}, "1 object"},
		{"open_object", `{"allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false}`, nil, ""},
		{"open_object", `{"type":"object","additionalProperties":{"type":"string"}}`, nil, ""},

		{"type_missing", `{"properties":{"a":{"minLength":1}}}`, []string{"", "/properties/a"}, "properties"},
		{"type_missing", `{"type":"object","anyOf":[{"required":["a"]}],"properties":{"a":{"enum":["x"],"minLength":1}}}`, nil, ""},
		{"type_missing", `{"type":"object","properties":{"a":{}}}`, nil, ""},

		{"unbounded", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"string","maxLength":3}}}}`, []string{"/properties/a"}, "1 string and 1 array"},
		{"unbounded", `{"type":"object","properties":{"a":{"type":"string","format":"date"},"b":{"type":"string","enum":["x"]},"c":{"type":"string","pattern":"^a$"}}}`, nil, ""},
		{"unbounded", `{"type":"array","prefixItems":[{"type":"integer"}],"items":false}`, nil, ""},
		{"unbounded", `{"type":"array","items":{"type":"integer"}}`, []string{""}, "1 array"},

		{"bounds_contradict", `{"type":"integer","minimum":5,"maximum":4}`, []string{""}, "minimum 5 and maximum 4"},
		{"bounds_contradict", `{"type":"number","exclusiveMinimum":4,"maximum":4}`, []string{""}, "exclusiveMinimum 4"},
		{"bounds_contradict", `{"$schema":"http://json-schema.org/draft-04/schema#","type":"number","minimum":4,"exclusiveMinimum":true,"maximum":4}`, []string{""}, "minimum 4"},
		{"bounds_contradict", `{"type":"string","minLength":5,"maxLength":4}`, []string{""}, "minLength 5 and maxLength 4"},
		{"bounds_contradict", `{"type":"array","minItems":2,"maxItems":2,"items":{"type":"number","minimum":4,"maximum":4}}`, nil, ""},

		{"unsatisfiable", `{"type":"object","properties":{"a":false},"required":["a"]}`, []string{""}, "every answer fails"},
		{"unsatisfiable", `{"allOf":[{"type":"string"},{"type":"integer"}]}`, []string{""}, "every answer fails"},
		{"unsatisfiable", `{"type":["object","null"],"properties":{"a":false},"required":["a"]}`, nil, ""},

		{"pattern_unanchored", `{"type":"string","pattern":"ab"}`, []string{"/pattern"}, "around it"},
		{"pattern_unanchored", `{"type":"string","pattern":"^ab"}`, []string{"/pattern"}, "behind it"},
		{"pattern_unanchored", `{"type":"string","pattern":"^a|b$"}`, []string{"/pattern"}, "around it"},
		{"pattern_unanchored", `{"type":"string","pattern":"^(?:a|b)$"}`, nil, ""},
		{"pattern_unanchored", `{"type":"string","pattern":"(^a$|^b$)"}`, nil, ""},
		{"pattern_unanchored", `{"type":"string","pattern":"^a.*"}`, nil, ""},
		{"pattern_unanchored", `{"type":"string","pattern":"^(?=a).*$"}`, nil, ""},

		{"pattern_slashes", `{"type":"string","pattern":"/^[0-9]{4}$/"}`, []string{"/pattern"}, "slashes"},
		{"pattern_slashes", `{"type":"string","pattern":"^/a/$"}`, nil, ""},

		{"pattern_lookaround", `{"type":"string","pattern":"^(?!a).*$"}`, []string{"/pattern"}, "look-ahead"},
		{"pattern_lookaround", `{"type":"string","pattern":"(?<=a)b"}`, []string{"/pattern"}, "look-behind"},
		{"pattern_lookaround", `{"type":"string","pattern":"^(a)\\1$"}`, []string{"/pattern"}, "a reference back"},
		{"pattern_lookaround", `{"type":"object","patternProperties":{"^(?!x)":{}}}`, []string{"/patternProperties/^(?!x)"}, "look-ahead"},
		{"pattern_lookaround", `{"type":"string","pattern":"^[(?=]\\(?=(?<n>a)$"}`, nil, ""},

		{"oneof_overlap", `{"oneOf":[{"type":"integer"},{"type":"string"},{"type":"number"}]}`, []string{"/oneOf"}, "1 and 3"},
		{"oneof_overlap", `{"oneOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}`, []string{"/oneOf"}, "1 and 2"},
		{"oneof_overlap", `{"oneOf":[{"type":"object","required":["k"],"properties":{"k":{"const":"x"}}},{"type":"object","required":["k"],"properties":{"k":{"enum":["y","z"]}}}]}`, nil, ""},
		{"oneof_overlap", `{"oneOf":[{"type":"object","required":["a"],"properties":{"a":{}},"additionalProperties":false},{"type":"object","required":["b"],"properties":{"b":{}}}]}`, nil, ""},
		{"oneof_overlap", `{"oneOf":[{"type":"number","maximum":0},{"type":"number","exclusiveMinimum":0}]}`, nil, ""},
		{"oneof_overlap", `{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}],"$defs":{"a":{"const":1},"b":{"enum":[2,"x"]}}}`, nil, ""},
		{"oneof_overlap", `{"oneOf":[{"enum":["a","b"]},{"type":"integer"},{"enum":["b",null]}]}`, []string{"/oneOf"}, "1 and 3"},
		{"oneof_overlap", `{"type":"object","oneOf":[{"required":["a","b"],"not":{"required":["c"]}},{"required":["c"]},{"required":["d"],"properties":{"a":false,"c":false}}]}`, nil, ""},
		{"oneof_overlap", `{"type":"object","oneOf":[{"required":["a"],"not":{"anyOf":[{"required":["b"]},{"required":["c"]}]}},{"required":["c"]}]}`, nil, ""},
		{"oneof_overlap", `{"type":"object","oneOf":[{"required":["a"],"not":{"required":["b","c"]}},{"required":["c"]}]}`, []string{"/oneOf"}, "1 and 2"},
		{"oneof_overlap", `{"anyOf":[{"type":"integer"},{"type":"number"}]}`, nil, ""},

		{"no_description", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string","description":"B."},"c":{"$ref":"#/$defs/c"}},"$defs":{"c":{"description":"C."}}}`, []string{"/properties/a"}, "1 of 3 properties"},
		{"no_description", `{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}}}`, []string{"/properties/a"}, "no property"},
		{"no_description", `{"type":"object","properties":{"a":{"title":"A"},"kind":{"const":"x"}}}`, nil, ""},

		{"deep_nesting", nested(7), []string{""}, "7 levels"},
		{"deep_nesting", nested(6), nil, ""},
		{"deep_nesting", `{"type":"object","properties":{"a":{"$ref":"#"}}}`, nil, ""},

		{"unused_definition", `{"$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"items":{"$ref":"#/$defs/a"}},"c":{}},"$ref":"#/$defs/c"}`, []string{"/$defs/a", "/$defs/b"}, `"a"`},
		{"unused_definition", `{"definitions":{"a":{"definitions":{"in":{}},"properties":{"x":{"$ref":"#/definitions/a/definitions/in"}}}},"not":{"$ref":"#/definitions/a"}}`, nil, ""},
		{"unused_definition", `{"$defs":{"a":{"$anchor":"here"},"b":{"$id":"https://example.org/b"},"c":{"$dynamicAnchor":"d"}},"allOf":[{"$ref":"#here"},{"$ref":"https://example.org/b"},{"$dynamicRef":"#d"}]}`, nil, ""},
		{"unused_definition", `{"properties":{"p":{"$id":"p.json","$defs":{"in":{},"out":{}},"items":{"$ref":"#/$defs/in"}}}}`, []string{"/properties/p/$defs/out"}, `"out"`},
		{"unused_definition", `{"properties":{"definitions":{"properties":{"x":{}}},"a b":{"$ref":"#/properties/definitions"}},"$defs":{"a%b":{}},"items":{"$ref":"#/$defs/a%25b"}}`, nil, ""},

		{"default_refused", `{"type":"object","properties":{"a":{"type":"integer","default":"1"},"b":{"enum":["x"],"default":"x"}}}`, []string{"/properties/a/default"}, `"1"`},
		{"default_refused", `{"properties":{"a":{"$ref":"#/$defs/a","default":0}},"$defs":{"a":{"minimum":1}}}`, []string{"/properties/a/default"}, "0"},

		{"default_refused", `{"type":"array","default":[],"items":{"type":"string","default":""}}`, nil, ""},

		{"examples_refused", `{"type":"string","maxLength":2,"examples":["ab","abc"]}`, []string{"/examples/1"}, `"abc"`},
		{"examples_refused", `{"type":"string","format":"date","examples":["2026-01-31"]}`, nil, ""},

		{"format_type", `{"type":"integer","format":"date"}`, []string{"/format"}, `"date"`},
		{"format_type", `{"type":["string","null"],"format":"date"}`, nil, ""},
		{"format_type", `{"format":"date"}`, nil, ""},
	}
}

// nested gives a schema of that many objects within one another.
func nested(levels int) string {
	return strings.Repeat(`{"type":"object","properties":{"a":`, levels) + `{"type":"string"}` + strings.Repeat(`}}`, levels)
}

func adviceOf(t *testing.T, text string) *lint.Report {
	t.Helper()
	raw, err := lint.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := lint.Check(t.Context(), raw, schema.Options{}, nil)
	if err != nil {
		t.Fatalf("check %s: %v", text, err)
	}
	return r
}

func TestRulesSpeakWhereTheyShould(t *testing.T) {
	t.Parallel()
	for _, c := range cases() {
		var at []string
		for _, a := range adviceOf(t, c.schema).Advice {
			if a.Rule != c.rule {
				continue
			}
			if at = append(at, a.Pointer); len(at) == 1 && !strings.Contains(a.Message, c.words) {
				t.Errorf("%s of %s: got the message %q, want %q in it", c.rule, c.schema, a.Message, c.words)
			}
			if strings.Contains(a.Message+a.Hint, "%!") || a.Hint == "" {
				t.Errorf("%s: the texts are not whole: %q, %q", c.rule, a.Message, a.Hint)
			}
		}
		if diff := cmp.Diff(c.at, at); diff != "" {
			t.Errorf("%s of %s (-want +got):\n%s", c.rule, c.schema, diff)
		}
	}
}

func TestEveryRuleIsShownBothWays(t *testing.T) {
	t.Parallel()
	for _, rule := range lint.Rules() {
		if rule == "unfinished" { // It speaks of time; TestWhatIsGivenUpIsSaid shows it.
			continue
		}
		speaks := func(c seen) bool { return c.rule == rule && len(c.at) > 0 }
		silent := func(c seen) bool { return c.rule == rule && len(c.at) == 0 }
		if !slices.ContainsFunc(cases(), speaks) {
			t.Errorf("no case shows %s", rule)
		}
		if !slices.ContainsFunc(cases(), silent) {
			t.Errorf("no case shows where %s is silent", rule)
		}
	}
}

func TestAdviceStandsInTheOrderOfTheSchema(t *testing.T) {
	t.Parallel()
	r := adviceOf(t, `{"type":"object","properties":{"a":{"type":"string","maxLength":9,"description":"A.","pattern":"x"},"b":{"description":"B.","default":3,"type":"string","maxLenght":9,"format":"date"}},
		"additionalProperties":false,"required":["z"]}`)
	var got []string
	for _, a := range r.Advice {
		got = append(got, a.Pointer+" "+a.Rule)
	}
	want := []string{" unsatisfiable", "/properties/a/pattern pattern_unanchored", "/properties/b/default default_refused", "/properties/b/maxLenght unknown_keyword", "/required required_unknown"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestARuleSpeaksABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(value.AppendQuoted(nil, strings.Repeat("x", i+1)))
	}
	r := adviceOf(t, `{"type":"object","additionalProperties":false,"required":[`+b.String()+`]}`)
	n := 0
	for _, a := range r.Advice {
		if a.Rule == "required_unknown" {
			n++
		}
	}
	if n != 20 || r.More != 80 {
		t.Errorf("got %d entries and %d more, want 20 and 80", n, r.More)
	}
}

func TestAGoodSchemaIsLeftInPeace(t *testing.T) {
	t.Parallel()
	r := adviceOf(t, `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","additionalProperties":false,"required":["customer","lines"],"properties":{
		"customer":{"type":"string","maxLength":80,"description":"The customer's name, as written."},
		"lines":{"type":"array","maxItems":20,"description":"What is ordered.","items":{"$ref":"#/$defs/line"}}},
		"$defs":{"line":{"type":"object","additionalProperties":false,"required":["sku"],"properties":{"sku":{"type":"string","pattern":"^[A-Z]{3}$","description":"Three letters."}}}}}`)
	if len(r.Advice) > 0 {
		t.Errorf("got %v, want no advice", r.Advice)
	}
}
