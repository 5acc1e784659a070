package render

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

func decode(tb testing.TB, text string) value.Value {
	tb.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		tb.Fatalf("decode %s: %v", text, err)
	}
	return v
}

func TestFormatsReadBackByName(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		if got, err := Parse(f.String()); err != nil || got != f {
			t.Errorf("Parse(%s) = %v, %v, want %v", f, got, err, f)
		}
		if f.MediaType() == "" {
			t.Errorf("%s has no media type", f)
		}
	}
	if got, err := Parse(""); err != nil || got != JSON {
		t.Errorf("Parse of no name = %v, %v, want json", got, err)
	}
	for _, name := range []string{"JSON", "yml", "html", " json"} {
		if _, err := Parse(name); !fault.Is(err, fault.InvalidRequest) {
			t.Errorf("Parse(%q) = %v, want an INVALID_REQUEST fault", name, err)
		}
	}
}

func TestJSONKeepsOrderAndDigits(t *testing.T) {
	t.Parallel()
	const text = `{"b":9007199254740993,"a":[1.50,1E5,"ü\n"],"c":{}}`
	if got := JSON.Text(decode(t, text)); got != text {
		t.Errorf("got %s, want %s", got, text)
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	v := decode(t, `{"a":[{"b":1},{"b":"x"}]}`)
	for _, f := range Formats() {
		if got, want := string(f.Append([]byte("before "), v)), "before "+f.Text(v); got != want {
			t.Errorf("%s: got %q, want %q", f, got, want)
		}
	}
}

// nasty are strings that some reader takes for something else.
func nasty() []string {
	return []string{
		"", " ", "a", "abc def", " lead", "trail ", "\ttab", "a\tb", "true", "True", "TRUE", "false", "yes", "Yes", "no", "on", "Off", "y", "N", "null", "Null", "~",
		"nil", "NaN", ".nan", ".inf", "-.inf", "inf", "1", "-1", "+1", "0", "00", "007", "1.", ".5", "1.5", "1e5", "1E-5", "1_000", "0x1F", "0o17", "0b11", "12:30",
		"12:30:45", "190:20:30", "2026-11-01", "2026-11-01T12:00:00Z", "2026-11-01 12:00:00", "=", "<<", "!", "!tag", "&a", "*a", "@x", "`x`", "%x", "|", ">", "-", "- a", "--",
		"---", "--- a", "...", "?", "? a", ":", ": a", "a: b", "a:", "a:b", "a #b", "#", "# a", "a#b", ",", "a,b", "[", "]", "[]", "{", "}", "{}", "[a]", "{a: b}",
		"'", "''", "\"", "\"a\"", "'a'", "a'b", "a\"b", "\\", "\\n", "a\\", "\n", "\n\n", "a\n", "a\n\n", "\na", "a\nb", "a\nb\n", "a\n b\n", " a\nb", "a \nb", "a\n\nb", "a\n  \nb", "a\n# b", "a\n- b", "a\n---\nb", "a\n...\nb",
		"a\r", "a\r\nb", "\r", "\x00", "\x01\x1f", "\x7f", "\u0085", "a\u0085b", "\u00a0", "a\u00a0", "\u2028", "a\u2028b", "\u2029", "\ufeff", "\ufeffa", "a\ufeffb", "\ufffe", "\uffff", "\ufffd", "\U0001fffe",
		"ü", "größe", "日本語", "🙂", "e\u0301", "\u0301", "\u200b", "\u202e", "<a>", "&amp;", "]]>", "<![CDATA[x]]>", "&#65;", "</result>", "key", "item", "entry", "type", "result", "xml", "XmlThing", "a.b", "a-b", "1a",
		"a[1]", "a[2]: x", "[2]: a,b", "a{b}", "a|b", "x\\u0041", "\\u0000", "__proto__", "http://a.b/c?d=e&f=g#h", "C:\\dir", "a;b", "a=b", "$x", "^x", "(x)", "a  b", "été", "ÿ", "×", "÷",
	}
}

// values generates values of every kind, with nasty texts and tables more often than chance would give them.
func values() *rapid.Generator[value.Value] { return valuesOf(numbers()) }

func valuesOf(number *rapid.Generator[value.Value]) *rapid.Generator[value.Value] {
	scalar := rapid.OneOf(
		rapid.Map(texts(), value.String),
		rapid.Map(texts(), value.String),
		number,
		rapid.Map(rapid.Bool(), value.Bool),
		rapid.Just(value.Null()),
	)
	return rapid.Custom(func(t *rapid.T) value.Value { return draw(t, scalar, rapid.IntRange(0, 4).Draw(t, "depth")) })
}

func texts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(nasty()), rapid.SampledFrom([]string{"a", "b", "c"}), rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(nasty()), 2, 3), func(s []string) string { return strings.Join(s, "") }))
}

func numbers() *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		text := rapid.OneOf(
			rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?`),
			rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?`),
			rapid.StringMatching(`-?[1-9][0-9]{0,60}(\.[0-9]{1,55})?[eE][+-]?[1-3][0-9]{2}`),
			rapid.SampledFrom([]string{"0", "-0", "-0.0", "0e9", "1e5", "1E400", "1e-400", "9007199254740993", "1e21", "1e20", "0.000001", "0.0000001", "1.0", "100"}),
		).Draw(t, "number")
		n, err := value.Number(text)
		if err != nil {
			t.Fatalf("number %s: %v", text, err)
		}
		return n
	})
}

func draw(t *rapid.T, scalar *rapid.Generator[value.Value], depth int) value.Value {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 || kind == 0 {
		return scalar.Draw(t, "scalar")
	}
	switch kind {
	case 1, 2:
		return object(t, scalar, depth)
	case 3:
		return table(t, scalar, depth)
	case 4:
		n := rapid.IntRange(0, 4).Draw(t, "scalars")
		items := make([]value.Value, n)
		for i := range items {
			items[i] = scalar.Draw(t, "item")
		}
		return value.Array(items...)
	}
	items := make([]value.Value, rapid.IntRange(0, 4).Draw(t, "items"))
	for i := range items {
		items[i] = draw(t, scalar, depth-1)
	}
	return value.Array(items...)
}

func names(t *rapid.T, least int) []string {
	return rapid.SliceOfNDistinct(texts(), least, 4, rapid.ID[string]).Draw(t, "names")
}

func object(t *rapid.T, scalar *rapid.Generator[value.Value], depth int) value.Value {
	var members []value.Member
	for _, name := range names(t, 0) {
		members = append(members, value.Member{Name: name, Value: draw(t, scalar, depth-1)})
	}
	return value.Object(members...)
}

// table draws an array or object of objects with one set of names, now and then with a fault in it.
func table(t *rapid.T, scalar *rapid.Generator[value.Value], depth int) value.Value {
	fields, group := names(t, 1), names(t, 1)
	grouped := rapid.Bool().Draw(t, "grouped")
	row := func() value.Value {
		var members []value.Member
		for i, name := range fields {
			cell := scalar.Draw(t, "cell")
			if grouped && i == 0 {
				var sub []value.Member
				for _, name := range group {
					sub = append(sub, value.Member{Name: name, Value: scalar.Draw(t, "cell")})
				}
				cell = value.Object(sub...)
			}
			members = append(members, value.Member{Name: name, Value: cell})
		}
		if rapid.IntRange(0, 9).Draw(t, "fault") == 0 {
			members[0].Value = draw(t, scalar, depth-1)
		}
		if rapid.Bool().Draw(t, "turned") {
			members[0], members[len(members)-1] = members[len(members)-1], members[0]
		}
		return value.Object(members...)
	}
	if rapid.Bool().Draw(t, "keyed") {
		var members []value.Member
		for _, name := range names(t, 1) {
			members = append(members, value.Member{Name: name, Value: row()})
		}
		return value.Object(members...)
	}
	items := make([]value.Value, rapid.IntRange(1, 4).Draw(t, "rows"))
	for i := range items {
		items[i] = row()
	}
	return value.Array(items...)
}

// eachNasty calls f for every nasty string, as a value and as a key, at the root and below.
func eachNasty(f func(v value.Value)) {
	for _, s := range nasty() {
		str := value.String(s)
		f(str)
		f(value.Array(str))
		f(value.Array(value.Array(str, value.Object()), str))
		f(value.Object(value.Member{Name: s, Value: str}))
		f(value.Object(value.Member{Name: "k", Value: str}, value.Member{Name: s + "2", Value: value.Object(value.Member{Name: s, Value: value.Array(str, value.Array())})}))
		f(value.Array(value.Object(value.Member{Name: s, Value: str}, value.Member{Name: s + "x", Value: value.Null()}), value.Object(value.Member{Name: s, Value: str}, value.Member{Name: s + "x", Value: str})))
	}
}

func invoice(lines int) value.Value {
	var items []string
	for n := range lines {
		items = append(items, fmt.Sprintf(`{"sku":"A-%d","text":"Schraube M%d, verzinkt","quantity":%d,"price":%d.50,"tax":{"rate":19,"code":"DE"}}`, n, n, n+1, n*3))
	}
	v, err := value.DecodeString(`{"number":"12345","date":"2025-01-15","customer":{"name":"Grün & Söhne GmbH","city":"Köln"},"paid":false,"note":null,"tags":["a","b"],"lines":[`+
		strings.Join(items, ",")+`],"total":1250.00,"history":[{"at":"2025-01-16","event":"sent"},{"at":"2025-01-20","event":"read","by":["x",{"y":1}]}]}`, value.Limits{})
	if err != nil {
		panic(err)
	}
	return v
}

func BenchmarkAppend(b *testing.B) {
	v := invoice(20)
	for _, f := range Formats() {
		b.Run(f.String(), func(b *testing.B) {
			buf := f.Append(nil, v)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = f.Append(buf[:0], v)
			}
		})
	}
}
