package schema_test

import (
	"context"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// Whatever the rule and the value: no panic, an end within the budget, and a verdict that is the same twice. A refused rule says where and why.
func FuzzRules(f *testing.F) {
	for _, rule := range []string{
		"self.total == self.lines.map(l, l.amount).sum()", "0.1 + 0.2 == 0.3 && -self / 3 % 2 != 1e-9", "self.all(a, self.exists(b, a == b)) || has(self.a)",
		"self.map(a, self.map(b, a + b)).size() in [1, 2]", "{'a': 1, 'b': [2]}['a'] == self[0]", "self.matches('^a+$') ? self.trim() < 'b' : true",
		"round(self, -2) == floor(self) && [self].min() <= abs(self)", "date(self) + duration('1h') > timestamp('2025-01-01T00:00:00Z')",
		"self.a.b.c", "self.filter(x, x > 1, 2)", "\"\\u00e4\" + r'\\d' == ''", "1.e5 == .5", "self.unique()", "-(-1) - - 2.5 == 0x1F", "// comment\ntrue",
	} {
		f.Add(rule, `{"total":0.3,"lines":[{"amount":0.1},{"amount":0.2}],"a":null}`)
		f.Add(rule, `[1,2.50,1e400,-1e-400,"a",[[]],{}]`)
	}
	f.Fuzz(func(t *testing.T, rule, self string) {
		v, err := value.DecodeString(self, value.Limits{})
		if err != nil {
			return
		}
		s, err := schema.Compile(value.Object(value.Member{Name: "x-rules", Value: value.Array(value.String(rule))}), schema.Options{})
		if err != nil {
			if e := fault.Of(err).Entries; len(e) != 1 || e[0].Pointer != "/x-rules/0" || e[0].Message == "" {
				t.Fatalf("%q: %+v", rule, e)
			}
			return
		}
		valid, report := s.Accept(context.Background(), v)
		again, second := s.Accept(context.Background(), v)
		if valid.OK() != again.OK() || len(report.Errors) != len(second.Errors) || valid.OK() != (len(report.Errors) == 0) {
			t.Fatalf("%q on %s: %t %+v, then %t %+v", rule, self, valid.OK(), report, again.OK(), second)
		}
	})
}
