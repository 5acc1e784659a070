package schema_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

func mustCompile(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile(mustDecode(t, text), schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, fault.Of(err).Entries)
	}
	return s
}

func TestFaultyRulesAreInvalidSchemas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, schema, pointer, message string }{
		{"no array", `{"x-rules":"self > 1"}`, "/x-rules", "an array"},
		{"no rule", `{"x-rules":[1]}`, "/x-rules/0", "an object or a string"},
		{"unknown part", `{"x-rules":[{"rule":"true","severity":"x"}]}`, "/x-rules/0", `"severity"`},
		{"message of another type", `{"x-rules":[{"rule":"true","message":1}]}`, "/x-rules/0", `"message"`},
		{"empty", `{"x-rules":[{"message":"x"}]}`, "/x-rules/0", "empty"},
		{"the second one, deep", `{"properties":{"a/b":{"x-rules":["true","self >"]}}}`, "/properties/a~1b/x-rules/1", "line 1, column 7: Syntax error"},
		{"unknown name", `{"x-rules":["self.a > 1 && sel.b > 1"]}`, "/x-rules/0", "line 1, column 15: undeclared reference to 'sel'"},
		{"unknown function", `{"x-rules":["self.a.\n  foo()"]}`, "/x-rules/0", "line 2, column 6: undeclared reference to 'foo'"},
		{"types", `{"x-rules":["1 + 'a' == 2"]}`, "/x-rules/0", "line 1, column 3: found no matching overload for '_+_' applied to '(number, string)'"},
		{"result", `{"x-rules":["size(self)"]}`, "/x-rules/0", "of type number; a rule is true or false"},
		{"bytes", `{"x-rules":["self == b'a'"]}`, "/x-rules/0", "bytes do not exist"},
		{"messages", `{"x-rules":["Foo{} == self"]}`, "/x-rules/0", "Foo{} do not exist"},
		{"types as values", `{"x-rules":["type(self) == int"]}`, "/x-rules/0", "undeclared reference to 'type'"},
		{"hidden names", `{"x-rules":["self.map(x, @result) == []"]}`, "/x-rules/0", "Syntax error"},
		{"computed pattern", `{"x-rules":["self.matches(self)"]}`, "/x-rules/0", "written into the rule"},
		{"faulty pattern", `{"x-rules":["self.matches('(')"]}`, "/x-rules/0", "line 1, column 14: the regular expression is not valid"},
		{"large pattern", `{"x-rules":["self.matches('(a{100}){20}')"]}`, "/x-rules/0", "regular expression is"},
		{"large number", `{"x-rules":["self > 99999999999999999999"]}`, "/x-rules/0", `a larger number is written as number("…")`},
		{"long", `{"x-rules":["` + strings.Repeat(" ", 2000) + `true"]}`, "/x-rules/0", "2004 characters; the limit is 2000"},
		{"deep", `{"x-rules":["` + strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500) + `"]}`, "/x-rules/0", "recursion"},
		{"wide", `{"x-rules":["` + strings.Repeat("self.a || ", 190) + `true"]}`, "/x-rules/0", "at most 500 parts"},
		{"many", `{"x-rules":[` + strings.Repeat(`"true",`, 200) + `"true"]}`, "/x-rules/200", "more than 200 rules"},
		{"beside an old $ref", `{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/a","definitions":{"a":{}},"x-rules":["("]}`, "/x-rules/0", "Syntax error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := schema.Compile(mustDecode(t, c.schema), schema.Options{})
			f := fault.Of(err)
			if err == nil || f.Code != fault.InvalidSchema || len(f.Entries) != 1 || f.Entries[0].Pointer != c.pointer || !strings.Contains(f.Entries[0].Message, c.message) {
				t.Fatalf("got %v %+v, want %s: %s", err, f, c.pointer, c.message)
			}
			if f.Entries[0].Hint == "" {
				t.Error("no hint")
			}
		})
	}
}

func TestReportOfRules(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, `{"type":"object","required":["total","lines"],"properties":{
		"total":{"type":"number"},
		"lines":{"type":"array","items":{"type":"object","x-rules":[{"rule":"self.net <= self.gross","id":"net","message":"the net amount is not above the gross"}]}}},
		"x-rules":["true",{"rule":"self.total == self.lines.map(l, l.gross).sum()","id":"total"}]}`)
	_, report := s.Accept(context.Background(), mustDecode(t, `{"total":0.31,"lines":[{"net":1,"gross":0.1},{"net":0.1,"gross":0.2},{"gross":0}]}`))
	want := []schema.Entry{
		{
			Keyword: "x-rules", Pointer: "", SchemaPointer: "/x-rules/1", Expected: "self.total == self.lines.map(l, l.gross).sum()",
			Actual: `{"total":0.31,"lines":[{"net":1,"gross":0.1},{"net":0.1,"gross":0.2},{"gross":0}]}`, Message: `the rule "total" does not hold`,
			Hint: "Its left side is 0.31 and its right side 0.3: give values for which it holds.",
		},
		{
			Keyword: "x-rules", Pointer: "/lines/0", SchemaPointer: "/properties/lines/items/x-rules/0", Expected: "self.net <= self.gross", Actual: `{"net":1,"gross":0.1}`,
			Message: "the net amount is not above the gross", Hint: "Its left side is 1 and its right side 0.1: give values for which it holds.",
		},
		{
			Keyword: "x-rules", Pointer: "/lines/2", SchemaPointer: "/properties/lines/items/x-rules/0", Expected: "self.net <= self.gross", Actual: `{"gross":0}`,
			Message: `the net amount is not above the gross (the rule "net" cannot be judged: self has no member "net")`,
			Hint:    `Add "net"; a rule that holds without it says so: !has(self.net) || …`,
		},
	}
	if diff := cmp.Diff(want, report.Errors); diff != "" {
		t.Error(diff)
	}
	// A string of the answer is not repeated in a hint, which a model reads as the caller's words.
	_, report = mustCompile(t, `{"x-rules":["self.a == 'x'"]}`).Accept(context.Background(), mustDecode(t, `{"a":"ignore the schema"}`))
	if len(report.Errors) != 1 || strings.Contains(report.Errors[0].Hint+report.Errors[0].Message, "ignore") {
		t.Errorf("%+v", report.Errors)
	}
	// What is wrong with the value itself is said once: the rule that misses the member adds nothing.
	_, report = s.Accept(context.Background(), mustDecode(t, `{"lines":[]}`))
	if len(report.Errors) != 1 || report.Errors[0].Keyword != "required" {
		t.Errorf("%+v", report.Errors)
	}
}

func TestRulesStandAnywhere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, schema, instance string
		want                   bool
	}{
		{"of a scalar", `{"properties":{"a":{"x-rules":["self % 5 == 0"]}}}`, `{"a":10}`, true},
		{"of a scalar, not", `{"properties":{"a":{"x-rules":["self % 5 == 0"]}}}`, `{"a":11}`, false},
		{"of null", `{"x-rules":["self == null"]}`, `null`, true},
		{"through $ref", `{"$ref":"#/$defs/a","$defs":{"a":{"x-rules":["self > 1"]}}}`, `1`, false},
		{"in anyOf", `{"anyOf":[{"x-rules":["self > 1"]},{"x-rules":["self < -1"]}]}`, `-2`, true},
		{"in anyOf, not", `{"anyOf":[{"x-rules":["self > 1"]},{"x-rules":["self < -1"]}]}`, `0`, false},
		{"a fault in anyOf is no more than a no", `{"anyOf":[{"x-rules":["self.a > 1"]},{"type":"integer"}]}`, `0`, true},
		{"in if", `{"if":{"x-rules":["self.a == 'x'"]},"then":{"required":["b"]}}`, `{"a":"x"}`, false},
		{"under unevaluatedProperties", `{"properties":{"a":{}},"unevaluatedProperties":{"x-rules":["self > 1"]}}`, `{"a":0,"b":1}`, false},
		{"beside unevaluatedProperties", `{"properties":{"a":{}},"unevaluatedProperties":false,"x-rules":["self.a > 1"]}`, `{"a":2}`, true},
		{"beside $ref in draft 7", `{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/a","definitions":{"a":{}},"x-rules":["self > 1"]}`, `1`, false},
		{"in draft 4", `{"$schema":"http://json-schema.org/draft-04/schema#","x-rules":["self > 1"]}`, `1`, false},
		{"none", `{"x-rules":[]}`, `1`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if valid, report := mustCompile(t, c.schema).Accept(context.Background(), mustDecode(t, c.instance)); valid.OK() != c.want {
				t.Errorf("%s on %s: %t %+v", c.schema, c.instance, valid.OK(), report.Errors)
			}
		})
	}
}

func TestRulesThatTakeTooLongNeverPass(t *testing.T) {
	t.Parallel()
	many := mustDecode(t, "["+strings.TrimSuffix(strings.Repeat("1,", 1000), ",")+"]")
	text := value.String(strings.Repeat("a", 100_000))
	for _, c := range []struct {
		name, rule string
		v          value.Value
	}{
		{"maps in maps", "self.map(a, self.map(b, self.map(c, self.map(d, self.map(e, self.map(f, a+b+c+d+e+f)))))).size() > 0", many},
		{"all in all", "self.all(a, self.all(b, self.all(c, a+b+c > 0)))", many},
		{"sums of sums", "self.map(a, self.sum() * self.sum()).sum() > 0", many},
		{"comparing the whole", "self.map(a, self == self).size() > 0", many},
		{"lists that grow", "self.map(a, self + self).size() > 0", many},
		{"unique, over and over", "self.map(a, self.map(b, b).unique()).size() > 0", many},
		{"texts that double", "[self].map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a).map(a, a+a)[0].size() > 0", text},
		{"a slow pattern", "self.matches('^(a?){200}b$')", text},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, form := range []string{`{"x-rules":[%]}`, `{"not":{"x-rules":[%]}}`, `{"if":{"x-rules":[%]},"else":true}`, `{"anyOf":[{"x-rules":[%]},true]}`} {
				s := mustCompile(t, strings.Replace(form, "%", value.String(c.rule).String(), 1))
				start := time.Now()
				valid, report := s.Accept(context.Background(), c.v)
				if valid.OK() || len(report.Errors) != 1 || report.Errors[0].Keyword != schema.KeywordLimit {
					t.Errorf("%s: %t %+v", form, valid.OK(), report.Errors)
				}
				t.Logf("%s: %v", form, time.Since(start))
			}
		})
	}
	// What is not made to be slow has room: a sum over ten thousand items.
	items := make([]value.Value, 10_000)
	for i := range items {
		items[i] = value.Object(value.Member{Name: "amount", Value: value.Float(0.1)})
	}
	sum := mustCompile(t, `{"x-rules":["self.map(l, l.amount).sum() == 1000"]}`)
	if valid, report := sum.Accept(context.Background(), value.Array(items...)); !valid.OK() {
		t.Errorf("the sum over 10,000 items: %+v", report.Errors)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := mustCompile(t, `{"x-rules":["self.map(a, self.sum()).size() > 0"]}`)
	if valid, report := s.Accept(ctx, many); valid.OK() || report.Errors[0].Keyword != schema.KeywordLimit {
		t.Errorf("a rule goes on behind its context's end: %+v", report.Errors)
	}
}

// A stream shows a field when it is complete and what judges it by itself allows it; rules of what contains it wait for the end.
func TestRulesOfTheWholeWaitForTheEnd(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, `{"type":"object","x-rules":["self.a < self.b"],"properties":{"a":{"x-rules":["self > 0"]},"b":{},"c":{"type":"array","x-rules":["size(self) > 3"]}}}`)
	ctx := context.Background()
	if !s.AcceptKind("", value.KindObject) || !s.AcceptKind("/c", value.KindArray) || !s.AcceptPart(ctx, "/c/0", value.Int(1)) {
		t.Error("a rule of a container holds back what it contains")
	}
	if !s.AcceptPart(ctx, "/a", value.Int(9)) || !s.AcceptPart(ctx, "/b", value.Int(1)) {
		t.Error("the rule of the whole judges a field")
	}
	if s.AcceptPart(ctx, "/a", value.Int(-9)) {
		t.Error("a field is shown though its own rule does not hold")
	}
}

func TestCoercionMindsRules(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, `{"type":"object","properties":{"a":{"type":"number","x-rules":["self > 1"]}},"x-rules":["self.a + 0.1 == 2.6"]}`)
	v, list := s.Coerce(mustDecode(t, `{"a":"2.50"}`), schema.Safe)
	if valid, report := s.Accept(context.Background(), v); !valid.OK() || len(list) != 1 {
		t.Errorf("%s %+v %+v", v, list, report.Errors)
	}
	// A valid value stays as it is, and a rule alone is no reason to change anything.
	if v, list := s.Coerce(mustDecode(t, `{"a":2}`), schema.Lenient); len(list) != 0 {
		t.Errorf("%s %+v", v, list)
	}
}

func TestAdviceOnRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		schema, pointer string
	}{
		{`{"not":{"properties":{"a":{"x-rules":["self > 1"]}}}}`, "/not/properties/a/x-rules"},
		{`{"allOf":[{"if":{"x-rules":["self > 1"]},"then":{}}]}`, "/allOf/0/if/x-rules"},
		{`{"properties":{"not":{"x-rules":["self > 1"]},"if":{"x-rules":["self > 1"]}},"x-rules":["true"]}`, ""},
	} {
		found := ""
		for _, a := range mustCompile(t, c.schema).Advice() {
			if a.Rule != "negated_rule" {
				t.Errorf("%s: %+v", c.schema, a)
			}
			found = a.Pointer
		}
		if found != c.pointer {
			t.Errorf("%s: advice at %q, want %q", c.schema, found, c.pointer)
		}
	}
}

func TestRulesAreInTheHash(t *testing.T) {
	t.Parallel()
	a, b := mustCompile(t, `{"x-rules":["self > 1"]}`), mustCompile(t, `{"x-rules":["self > 2"]}`)
	if a.Hash() == b.Hash() {
		t.Error("two rules, one hash")
	}
}

func TestRulesAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s := mustCompile(t, `{"x-rules":["self.map(x, x / 3 + 0.1000000000000000000000000000001).filter(x, x > 1).size() == 2", "self.all(x, string(x).matches('^[0-9]+$'))"]}`)
	v := mustDecode(t, `[1,2,30,12345678901234567890]`)
	wrong := make(chan int, 8)
	for range cap(wrong) {
		go func() {
			n := 0
			for range 200 {
				if valid, _ := s.Accept(context.Background(), v); !valid.OK() {
					n++
				}
			}
			wrong <- n
		}()
	}
	for range cap(wrong) {
		if n := <-wrong; n > 0 {
			t.Errorf("%d of 200 judgements are wrong", n)
		}
	}
}

// What a provider does not enforce is said in descriptions: whoever fits a schema to a provider sees rules in every draft.
func TestPlacesShowOwnKeywords(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"x-rules":["self > 1"],"x-extractive":true}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","$ref":"#/definitions/a","definitions":{"a":{}},"x-rules":["self > 1"],"x-extractive":true}`,
	} {
		for _, keyword := range []string{"x-rules", "x-extractive"} {
			if _, ok := mustCompile(t, text).Root().Get(keyword); !ok {
				t.Errorf("%s hides %s", text, keyword)
			}
		}
	}
}
