package schema

import (
	"testing"

	"github.com/promptd/promptd/internal/value"
)

func TestFieldsOfAnUnfinishedAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema, pointer, field string
		mode                         Mode
		want                         string // empty where nothing may be shown
	}{
		{"as it is", `{"properties":{"a":{"type":"integer"}}}`, "/a", `1`, Off, `1`},
		{"of another type", `{"properties":{"a":{"type":"integer"}}}`, "/a", `"x"`, Safe, ``},
		{"coerced", `{"properties":{"a":{"type":"integer"}}}`, "/a", `"1"`, Safe, `1`},
		{"not coerced", `{"properties":{"a":{"type":"integer"}}}`, "/a", `"1"`, Off, ``},
		{"coerced below a reference", `{"$ref":"#/$defs/o","$defs":{"o":{"properties":{"a":{"type":"integer"}}}}}`, "/a", `"1"`, Safe, `1`},
		{"in items", `{"items":{"prefixItems":[{"type":"boolean"}],"items":{"type":"integer"}}}`, "/3/1", `"7"`, Safe, `7`},
		{"by one of two readings", `{"properties":{"a":{"enum":["x ","X"]}}}`, "/a", `"x"`, Safe, ``},
		{"coerced by one of two alternatives", `{"anyOf":[{"properties":{"a":{"type":"integer"}}},{"required":["b"],"properties":{"a":{"type":"integer"}}}]}`, "/a", `"1"`, Safe, ``},
		{"allowed by both alternatives", `{"anyOf":[{"properties":{"a":{"type":"integer"}}},{"required":["b"],"properties":{"a":{"minimum":0}}}]}`, "/a", `1`, Safe, `1`},
		{"allowed by one of two alternatives", `{"anyOf":[{"properties":{"a":{"type":"integer"}}},{"required":["b"],"properties":{"a":{"minimum":2}}}]}`, "/a", `1`, Safe, ``},
		{"coerced by the alternative for objects", `{"properties":{"o":{"oneOf":[{"type":"null"},{"type":"object","properties":{"a":{"type":"integer"}}}]}}}`, "/o/a", `"1"`, Safe, `1`},
		{"that a condition may refuse", `{"if":{"required":["b"]},"then":{"properties":{"a":{"minimum":5}}}}`, "/a", `1`, Safe, ``},
		{"that others may have judged", `{"anyOf":[{"properties":{"a":true}},{"properties":{"b":true}}],"unevaluatedProperties":false}`, "/a", `1`, Safe, ``},
		{"that another part judges in any case", `{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, "/a", `1`, Safe, `1`},
		{"of one of some listed objects", `{"anyOf":[{"const":{"a":1}},{"properties":{"a":true}}]}`, "/a", `1`, Safe, ``},
		{"of a listed object", `{"const":{"a":1}}`, "/a", `2`, Safe, ``},
		{"behind a dynamic reference", `{"$id":"https://e.org/r","$dynamicAnchor":"n","properties":{"c":{"$ref":"t"}},"$defs":{"t":{"$id":"t","$dynamicAnchor":"n","properties":{"x":{"$dynamicRef":"#n"}}}}}`, "/c/x", `1`, Safe, ``},
		{"with a name that is refused", `{"propertyNames":{"maxLength":1}}`, "/ab", `1`, Safe, ``},
		{"behind the last item", `{"maxItems":2}`, "/2", `1`, Safe, ``},
		{"in the last item", `{"maxItems":2}`, "/1", `1`, Safe, `1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := compiled(t, c.schema)
			got, ok := s.part(c.pointer, c.mode).Field(t.Context(), decode(t, c.field))
			if ok != (c.want != "") || ok && got.String() != c.want {
				t.Errorf("got %s, %v; want %q", got, ok, c.want)
			}
		})
	}
}

// All fields of an answer share one budget, however often they are asked for.
func TestTheFieldsOfAnAnswerShareABudget(t *testing.T) {
	t.Parallel()
	hard := doubled(11, `{"type":"integer","minimum":5}`)
	s := compiled(t, `{"properties":{"hard":`+hard+`,"easy":{"type":"string"}}}`)
	root := s.Unfinished(Safe)
	if _, ok := root.Member("easy").Field(t.Context(), value.String("x")); !ok {
		t.Fatal("an easy field is not shown")
	}
	asked := 0
	for asked = range 100_000 {
		if _, ok := root.Member("hard").Field(t.Context(), value.Int(1)); ok {
			t.Fatal("a wrong field is shown")
		}
		if _, ok := root.Member("easy").Field(t.Context(), value.String("x")); !ok {
			break
		}
	}
	t.Logf("the budget lasts for %d hard fields", asked)
	if most := judgeSteps >> 11; asked < 1 || asked > most {
		t.Errorf("the budget lasts for %d hard fields, want at most %d", asked, most)
	}
}

// What a container holds so far rules alternatives out, and only those that nothing to come and no coercion can save.
func TestListedValuesRuleAlternativesOut(t *testing.T) {
	t.Parallel()
	kinds := `{"oneOf":[{"properties":{"k":{"const":"a"},"n":{"type":"integer"}}},{"properties":{"k":{"$ref":"#/$defs/b"},"n":{"type":"string"}}}],"$defs":{"b":{"enum":["b",1]}}}`
	for _, c := range []struct {
		holds, field string
		mode         Mode
		want         string
	}{
		{`{}`, `1`, Safe, ``},
		{`{"k":"a"}`, `1`, Safe, `1`},
		{`{"k":"A"}`, `1`, Safe, `1`}, // Coercion makes it a.
		{`{"k":"A"}`, `"1"`, Safe, `1`},
		{`{"k":"b"}`, `"1"`, Safe, `"1"`},
		{`{"k":"b"}`, `1`, Safe, ``},
		{`{"k":"c"}`, `1`, Safe, ``},  // It can't pass.
		{`{"k":null}`, `1`, Safe, ``}, // Coercion may take it out.
		{`{"k":"b"}`, `"1"`, Lenient, ``},
	} {
		s := compiled(t, kinds)
		root := s.Unfinished(c.mode)
		root.Holds(decode(t, c.holds))
		got, ok := root.Member("n").Field(t.Context(), decode(t, c.field))
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("with %s the field %s is shown as %s, %v; want %q", c.holds, c.field, got, ok, c.want)
		}
	}
}

// An alternative that came to nothing does not speak for the others.
func TestAnAlternativeThatCameToNothingHidesNothing(t *testing.T) {
	t.Parallel()
	s := compiled(t, `{"anyOf":[{"required":["x"],"anyOf":[{"properties":{"k":{"const":"a"}}},{"properties":{"k":{"const":"b"}}}]},{"properties":{"n":{"type":"integer"}}}]}`)
	for _, holds := range []string{`{"n":1}`, `{"n":1,"k":"a"}`, `{"n":1,"k":"c"}`} {
		root := s.Unfinished(Safe)
		root.Holds(decode(t, holds))
		if _, ok := root.Member("n").Field(t.Context(), value.Int(1)); !ok {
			t.Errorf("with %s the field is hidden", holds)
		}
	}
}

func compiled(tb testing.TB, text string) *Schema {
	tb.Helper()
	s, err := Compile(decode(tb, text), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
