package schema_test

import (
	"context"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

// ruled compiles a schema of one rule.
func ruled(t testing.TB, rule string) (*schema.Schema, error) {
	t.Helper()
	return schema.Compile(value.Object(value.Member{Name: "x-rules", Value: value.Array(value.String(rule))}), schema.Options{})
}

func mustDecode(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestRules(t *testing.T) {
	t.Parallel()
	const yes, no = "", "does not hold"
	invoice := `{"total":30.30,"lines":[{"amount":10.10,"id":"a"},{"amount":20.20,"id":"b"}],"currency":"EUR","from":"2025-01-15","to":"2025-02-01","n":null,"big":9007199254740993}`
	for _, c := range []struct{ name, rule, self, want string }{
		{"the product's example", "self.total == self.lines.map(l, l.amount).sum()", invoice, yes},
		{"the sum is off", "self.total == self.lines.map(l, l.amount).sum() + 1", invoice, no},
		{"a tenth and two tenths, written", "0.1 + 0.2 == 0.3", `null`, yes},
		{"a tenth and two tenths, given", "self[0] + self[1] == self[2]", `[0.1,0.2,0.3]`, yes},
		{"given and written", "self[0] + 0.2 == 0.3", `[0.1]`, yes},
		{"digits beyond a double", "self.big == 9007199254740993 && self.big != 9007199254740992", invoice, yes},
		{"digits beyond a double, with a fraction", "self == 9007199254740993.1 && self != 9007199254740993", `9007199254740993.1`, yes},
		{"a written number that no double holds", "self - 0.1000000000000000000000000000001 == 0.0", `0.1000000000000000000000000000001`, yes},
		{"spellings of a number", "self.all(x, x == 100)", `[100,1e2,100.00,1000E-1]`, yes},
		{"an integer and a decimal", "2 * self > 2.99 && self < 2 && self >= 1.5 && self <= 1.5", `1.5`, yes},
		{"unsigned and hexadecimal", "self == 0x10 && self == 16u", `16`, yes},
		{"negative numbers", "-self == 1.5 && self == -1.5 && self == - 1.50 && 1 - self == 2.5", `-1.5`, yes},
		{"exponents", "self == 1.5e3 && self * 1e-3 == 1.5", `1500`, yes},
		{"far ends", "self[0] + self[1] - self[0] == self[1]", `[1e400,1e-400]`, yes},
		{"division that ends", "self / 8 == 0.125 && 1 / 4 * 4 == 1", `1`, yes},
		{"division that does not", "self / 3 == 0.3333333333333333333333333333333333", `1`, yes},
		{"division, half to even", "self / 3 == 0.6666666666666666666666666666666667", `2`, yes},
		{"remainders", "self % 3 == 1.5 && -self % 3 == -1.5", `7.5`, yes},
		{"rounding", "round(self, 2) == 2.68 && round(-self, 2) == -2.68 && round(self) == 3 && round(1250, -2) == 1300", `2.675`, yes},
		{"floor, ceil, trunc, abs", "floor(self) == -3 && ceil(self) == -2 && trunc(self) == -2 && abs(self) == 2.5", `-2.5`, yes},
		{"least and greatest", "self.min() == -1.5 && self.max() == 7 && self.sum() == 7.5", `[7,-1.5,2]`, yes},
		{"a sum of nothing", "self.sum() == 0", `[]`, yes},
		{"numbers in strings", "number(self) == 1.10 && string(number(self)) == '1.1' && int(self) == 1", `"1.10"`, yes},
		{"sizes", "size(self.lines) == 2 && self.currency.size() == 3 && size(self) == 7", invoice, yes},
		{"characters, not bytes", "size(self) == 2", `"äö"`, yes},
		{"has", "has(self.total) && !has(self.tax)", invoice, yes},
		{"has guards", "!has(self.tax) || self.tax > 0", invoice, yes},
		{"null", "self.n == null && self.total != null", invoice, yes},
		{"in a list", "self.currency in ['EUR', 'USD']", invoice, yes},
		{"in an object", "'total' in self && !('tax' in self)", invoice, yes},
		{"a number in a list", "1.0 in self", `[1]`, yes},
		{"a table", "{'EUR': 2, 'JPY': 0}[self.currency] == 2", invoice, yes},
		{"members by name", "self['total'] == 30.3", invoice, yes},
		{"all, exists, exists_one", "self.lines.all(l, l.amount > 10) && self.lines.exists(l, l.id == 'a') && self.lines.exists_one(l, l.amount == 20.2)", invoice, yes},
		{"exists_one, twice", "self.exists_one(x, x == 1)", `[1,1]`, no},
		{"filter and map", "self.lines.filter(l, l.amount > 15).map(l, l.id) == ['b']", invoice, yes},
		{"map with a filter", "self.map(x, x > 1, x * 2) == [4, 6]", `[1,2,3]`, yes},
		{"macros in macros", "self.map(x, self.map(y, x * y).sum()).sum() == 36", `[1,2,3]`, yes},
		{"one name in two macros", "self.map(x, [x].map(x, x + 1)[0]) == [2, 3]", `[1,2]`, yes},
		{"over an object", "self.all(k, self[k] > 0)", `{"a":1,"b":2}`, yes},
		{"unique", "self.lines.map(l, l.id).unique() && ![1, 1.0].unique() && ![[1], [1.0]].unique() && ['1', 1].unique()", `{"lines":[{"id":1},{"id":2}]}`, yes},
		{"equal objects", "self[0] == self[1]", `[{"a":1,"b":[1.0]},{"b":[1],"a":1.0}]`, yes},
		{"different types differ", "self != '1' && self != true && self != null && self != [1]", `1`, yes},
		{"strings", "self.startsWith('ab') && self.endsWith('cd') && self.contains('bc') && self + 'e' == 'abcde' && self < 'b'", `"abcd"`, yes},
		{"case and space", "self.trim().lowerAscii() == 'äb' || self.trim().upperAscii() == 'äB'", `" äb "`, yes},
		{"patterns", "self.matches('^[A-Z]{3}$') && !matches(self, '^x')", `"EUR"`, yes},
		{"dates", "date(self.from) < date(self.to) && date(self.to) - date(self.from) == duration('408h')", invoice, yes},
		{"moments", "timestamp(self) + duration('1h') == timestamp('2025-01-15T11:00:00+01:00')", `"2025-01-15T09:00:00Z"`, yes},
		{"a choice", "self > 1 ? self < 3 : self == 0", `2`, yes},
		{"lists together", "self + [3] == [1, 2, 3]", `[1,2]`, yes},
		{"or goes on behind a fault", "self.tax > 0 || true", invoice, yes},
		{"and too", "!(self.tax > 0 && false)", invoice, yes},
		{"exists goes on behind a fault", "self.exists(x, x.a == 1)", `[{},{"a":1}]`, yes},
		{"all does not", "self.all(x, x.a == 1)", `[{},{"a":1}]`, `x has no member "a"`},
		{"a missing member", "self.tax > 0", invoice, `cannot be judged: self has no member "tax"`},
		{"a missing member, deep", "self.a.b.c > 0", `{"a":{"b":{}}}`, `self.a.b has no member "c"`},
		{"a member of a string", "self.a.b > 0", `{"a":"x"}`, `self.a is a string and has no member "b"`},
		{"types", "self.a + 1 > 0", `{"a":"x"}`, "a string is added to a number"},
		{"types compared", "self.a > 1", `{"a":"x"}`, "a string is compared with a number"},
		{"division by 0", "1 / self == 1", `0`, "divided by 0"},
		{"an item that is not there", "self[2] == 1", `[1]`, "an array of 1 items has no item 2"},
		{"half an item", "self[0.5] == 1", `[1]`, "no item 0.5"},
		{"the least of nothing", "self.min() > 0", `[]`, "empty array"},
		{"a sum with a string", "self.sum() > 0", `[1,"2"]`, "meets a string"},
		{"no truth value", "self", `1`, "gives a number"},
		{"too many digits", "self.map(x, x * x).map(x, x * x).map(x, x * x).sum() > 0", `[1e400]`, "too many digits"},
		{"no date", "date(self) > date('2025-01-01')", `"15.1.2025"`, "no date"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := ruled(t, c.rule)
			if err != nil {
				t.Fatal(fault.Of(err).Detail)
			}
			valid, report := s.Accept(context.Background(), mustDecode(t, c.self))
			switch {
			case c.want == yes && !valid.OK():
				t.Errorf("%s on %s: %+v", c.rule, c.self, report.Errors)
			case c.want != yes && (valid.OK() || len(report.Errors) != 1 || !strings.Contains(report.Errors[0].Message, c.want)):
				t.Errorf("%s on %s: valid %t, want %q: %+v", c.rule, c.self, valid.OK(), c.want, report.Errors)
			}
		})
	}
}
