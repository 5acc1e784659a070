package render

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/value"
)

// TestTOONFormsOfValues holds encoder and decoder to one table: each value has exactly this text, and the text reads back as the
// value. The section of the specification stands beside each group.
func TestTOONFormsOfValues(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		// §2, §4, §7.2: primitives and their quotes.
		{`"plain text"`, `plain text`},
		{`"Grüße 👋 an alle"`, `Grüße 👋 an alle`},
		{`"a-b #c"`, `a-b #c`},
		{`""`, `""`},
		{`" x"`, `" x"`},
		{`"x "`, `"x "`},
		{`"true"`, `"true"`},
		{`"True"`, `True`},
		{`"null"`, `"null"`},
		{`"12"`, `"12"`},
		{`"-1.5e+3"`, `"-1.5e+3"`},
		{`"+7"`, `"+7"`},
		{`"007"`, `"007"`},
		{`"1."`, `1.`},
		{`".5"`, `.5`},
		{`"0x1F"`, `0x1F`},
		{`"1_000"`, `1_000`},
		{`"-"`, `"-"`},
		{`"- a"`, `"- a"`},
		{`"#a"`, `"#a"`},
		{`"a:b"`, `"a:b"`},
		{`"a,b"`, `"a,b"`},
		{`"a|b"`, `a|b`},
		{`"[a]"`, `"[a]"`},
		{`"{a}"`, `"{a}"`},
		{`"say \"hi\" \\ bye"`, `"say \"hi\" \\ bye"`},
		{`"a\nb\tc\rd\u0000\u001f"`, `"a\nb\tc\rd\u0000\u001f"`},
		{`"\u007f\u0085\u00a0\u2028"`, "\u007f\u0085\u00a0\u2028"},
		{`"\ufeffx"`, "\"\ufeffx\""},
		{`"x\ufeff"`, "x\ufeff"},
		{`true`, `true`},
		{`null`, `null`},
		{`-42`, `-42`},
		{`9007199254740993`, `9007199254740993`},
		// §5, §8: objects.
		{`{}`, ``},
		{`{"id":1,"name":"Ada","ok":true,"none":null}`, "id: 1\nname: Ada\nok: true\nnone: null"},
		{`{"a":{"b":{"c":1}},"d":2}`, "a:\n  b:\n    c: 1\nd: 2"},
		{`{"a":{},"b":1}`, "a:\nb: 1"},
		{`{"user.name":1,"_x":2,"2x":3,"a-b":4,"":5,"a b":6,"ü":7,"a:b":8,"#":9}`, "user.name: 1\n_x: 2\n\"2x\": 3\n\"a-b\": 4\n\"\": 5\n\"a b\": 6\n\"ü\": 7\n\"a:b\": 8\n\"#\": 9"},
		{`{"__proto__":{"x":1}}`, "__proto__:\n  x: 1"},
		// §9.1: arrays of primitives.
		{`[]`, `[]`},
		{`[1,"a",true,null,"x,y",""]`, `[6]: 1,a,true,null,"x,y",""`},
		{`{"tags":["a","b"],"none":[],"one":[""]}`, "tags[2]: a,b\nnone: []\none[1]: \"\""},
		{`{"my key":[1]}`, `"my key"[1]: 1`},
		// §9.2: arrays of arrays.
		{`{"pairs":[[1,2],[],["a"]]}`, "pairs[3]:\n  - [2]: 1,2\n  - [0]:\n  - [1]: a"},
		{`[[[1]]]`, "[1]:\n  - [1]:\n    - [1]: 1"},
		// §9.3: tables.
		{`[{"id":1,"name":"Ada"},{"id":2,"name":"Bob, jr."}]`, "[2]{id,name}:\n  1,Ada\n  2,\"Bob, jr.\""},
		{`{"o":[{"id":1,"who":{"name":"Ada","at":{"city":"Oslo"}},"sum":2.5},{"id":2,"who":{"name":"Bob","at":{"city":"Rom"}},"sum":3}]}`, "o[2]{id,who{name,at{city}},sum}:\n  1,Ada,Oslo,2.5\n  2,Bob,Rom,3"},
		{`{"o":[{"a b":1,"c,d":"x:y"}]}`, "o[1]{\"a b\",\"c,d\"}:\n  1,\"x:y\""},
		{`{"o":[{"a":{"p":{"x":1},"q":{"x":2}},"b":9}]}`, "o[1]{a{p{x},q{x}},b}:\n  1,2,9"},
		// §9.4, §10: everything else.
		{`[{"a":1},{"a":1,"b":2}]`, "[2]:\n  - a: 1\n  - a: 1\n    b: 2"},
		{`{"m":[1,{"a":1},"x",[2,{"b":3}],{}]}`, "m[5]:\n  - 1\n  - a: 1\n  - x\n  - [2]:\n    - 2\n    - b: 3\n  -"},
		{`[{"a":null},{"a":{"b":1}}]`, "[2]:\n  - a: null\n  - a:\n      b: 1"},
		{`[{"a":{}},{"a":{}}]`, "[2]:\n  - a:\n  - a:"},
		{`[[{"x":1},{"x":2}]]`, "[1]:\n  - [2]:\n    - x: 1\n    - x: 2"},
		{`[{"t":[{"x":1},{"x":2}],"s":"ok"}]`, "[1]:\n  - t[2]{x}:\n      1\n      2\n    s: ok"},
		{`[{"l":[[1],[2]],"s":"ok"}]`, "[1]:\n  - l[2]:\n      - [1]: 1\n      - [1]: 2\n    s: ok"},
		{`[{"o":{"p":{"q":1},"r":2},"s":[]}]`, "[1]:\n  - o:\n      p:\n        q: 1\n      r: 2\n    s: []"},
		{`[{"o":{},"s":1}]`, "[1]:\n  - o:\n    s: 1"},
		// §9.5: keyed tables.
		{`{"u":{"alice":{"age":30,"at":{"city":"Berlin"}},"bob":{"age":25,"at":{"city":"Oslo"}}}}`, "u[2:]{age,at{city}}:\n  alice: 30,Berlin\n  bob: 25,Oslo"},
		{`{"x y":{"v":1},"2":{"v":"a:b"}}`, "[2:]{v}:\n  \"x y\": 1\n  \"2\": \"a:b\""},
		{`{"u":{"only":{"v":1}}}`, "u:\n  only:\n    v: 1"},
		{`{"u":{"a":{"v":1},"b":2}}`, "u:\n  a:\n    v: 1\n  b: 2"},
		{`{"u":{"a":{"v":[1]},"b":{"v":[2]}}}`, "u:\n  a:\n    v[1]: 1\n  b:\n    v[1]: 2"},
		{`[{"c":{"a":{"x":1},"b":{"x":2}},"s":"ok"},{"s":"down"}]`, "[2]:\n  - c[2:]{x}:\n      a: 1\n      b: 2\n    s: ok\n  - s: down"},
		{`[{"a":{"x":1},"b":{"x":2}},5]`, "[2]:\n  - a:\n      x: 1\n    b:\n      x: 2\n  - 5"},
	} {
		v := decode(t, c.in)
		if got := TOON.Text(v); got != c.want {
			t.Errorf("%s:\ngot\n%s\nwant\n%s", c.in, got, c.want)
		}
		if got, err := DecodeTOON([]byte(c.want)); err != nil || !value.Identical(got, v) {
			t.Errorf("TOON\n%s\nreads as %s, %v, want %s", c.want, got, err, c.in)
		}
	}
}

func TestTOONNumbersAreExactAndCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "0e5": "0", "-0.0e-7": "0",
		"1": "1", "1.0": "1", "1.50": "1.5", "-1.5000": "-1.5", "100": "100", "10.010": "10.01",
		"1e3": "1000", "1E+3": "1000", "12e-1": "1.2", "1.5e1": "15", "1.25E1": "12.5", "123.456e-2": "1.23456",
		"1e-6": "0.000001", "0.000001": "0.000001", "1.5e-6": "0.0000015", "1e20": "100000000000000000000", "123456789012345678901": "123456789012345678901",
		"1e21": "1e+21", "1.5e21": "1.5e+21", "-1e300": "-1e+300", "1e-7": "1e-7", "0.00000012": "1.2e-7", "-2.50e-10": "-2.5e-10",
		"9007199254740993":               "9007199254740993",
		"0.1000000000000000055511151231": "0.1000000000000000055511151231",
		"1234567890123456789012345678":   "1234567890123456789012345678",
		"2250920226207996600000":         "2.2509202262079966e+21",
		"1e400":                          "1e+400",
		"0.0001e-400":                    "0.0001e-400", // Its canonical form could not be read back.
	} {
		if got := TOON.Text(decode(t, in)); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestTOONDelimiterIsDeclaredEverywhere(t *testing.T) {
	t.Parallel()
	const in = `{"tags":["a,b","c|d","e\tf"],"t":[{"x":1,"y":{"z":"p|q"}},{"x":2,"y":{"z":"p,q"}}],"l":[[],[1,2]],"k":{"a":{"v":1,"w":2},"b":{"v":3,"w":4}},"s":"x|y,z"}`
	for delimiter, want := range map[byte]string{
		'|':  "tags[3|]: a,b|\"c|d\"|\"e\\tf\"\nt[2|]{x|y{z}}:\n  1|\"p|q\"\n  2|p,q\nl[2|]:\n  - [0|]:\n  - [2|]: 1|2\nk[2:|]{v|w}:\n  a: 1|2\n  b: 3|4\ns: \"x|y,z\"",
		'\t': "tags[3\t]: a,b\tc|d\t\"e\\tf\"\nt[2\t]{x\ty{z}}:\n  1\tp|q\n  2\tp,q\nl[2\t]:\n  - [0\t]:\n  - [2\t]: 1\t2\nk[2:\t]{v\tw}:\n  a: 1\t2\n  b: 3\t4\ns: x|y,z",
	} {
		v := decode(t, in)
		if got := string(appendTOON(nil, v, delimiter)); got != want {
			t.Errorf("delimiter %q:\ngot\n%s\nwant\n%s", delimiter, got, want)
		}
		if got, err := DecodeTOON([]byte(want)); err != nil || !value.Identical(got, v) {
			t.Errorf("delimiter %q reads back as %s, %v", delimiter, got, err)
		}
	}
}

func TestTOONTablesTakeTheFirstObjectsOrder(t *testing.T) {
	t.Parallel()
	v := decode(t, `[{"a":1,"b":{"c":2,"d":3}},{"b":{"d":5,"c":4},"a":6}]`)
	const want = "[2]{a,b{c,d}}:\n  1,2,3\n  6,4,5"
	got := TOON.Text(v)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	back, err := DecodeTOON([]byte(got))
	if err != nil || !value.Equal(back, v) || back.At(1).NameAt(0) != "a" {
		t.Errorf("reads back as %s, %v", back, err)
	}
}

// TestTOONReadsWhatOthersWrite has texts that this encoder does not write.
func TestTOONReadsWhatOthersWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		// §4, §7: tokens.
		{`a: 05`, `{"a":"05"}`},
		{`a: 1.5000`, `{"a":1.5000}`},
		{`a: -1E+03`, `{"a":-1E+03}`},
		{`a: -0e1`, `{"a":-0e1}`},
		{`a: NaN`, `{"a":"NaN"}`},
		{`a: -x`, `{"a":"-x"}`},
		{`a: "caf\u00E9 \u0041\/"`, ``},
		{`a: "caf\u00E9\u0041"`, `{"a":"caféA"}`},
		{"a: \"x\ty\"", `{"a":"x\ty"}`},
		{`a:  1  `, `{"a":1}`},
		{`a:x`, `{"a":"x"}`},
		{"a:\tx", `{"a":"\tx"}`},
		{"a: \u00a0", `{"a":"\u00a0"}`},
		{`: 1`, `{"":1}`},
		{`foo-bar: 1`, `{"foo-bar":1}`},
		{`a b : 1`, `{"a b":1}`},
		{`a: b: c`, `{"a":"b: c"}`},
		{`a:b[2]: x`, `{"a":"b[2]: x"}`},
		{`a"b:c": 1`, `{"a\"b:c\"":1}`},
		{`- a: 1`, `{"- a":1}`},
		{`"a:b"[2]: 1,2`, `{"a:b":[1,2]}`},
		{"n\u00a0[1]: y", `{"n\u00a0":["y"]}`},
		// §5: root.
		{"\ufeff42\n", `42`},
		{"\n\n", `{}`},
		{"# only a comment\n   # and another", `{}`},
		{`[2]`, `"[2]"`},
		{`a[1]{"x}:`, `"a[1]{\"x}:"`},
		{`[0]:`, `[]`},
		{"a: 1\r\nb: 2\r\n", `{"a":1,"b":2}`},
		{"a: 1\n\n   \nb: 2\n\n", `{"a":1,"b":2}`},
		{"a: 1 # no comment", `{"a":"1 # no comment"}`},
		{"a[2]{x}:\n# none\n  1\n      # none\n  2", `{"a":[{"x":1},{"x":2}]}`},
		{"a:\n# none\n  b: 1\n# none", `{"a":{"b":1}}`},
		// §9: arrays and tables.
		{`a[0]:`, `{"a":[]}`},
		{"a[2]:\n  - []\n  - [0]:", `{"a":[[],[]]}`},
		{`a[3]: x, ,"y" `, `{"a":["x","","y"]}`},
		{`a[1]: []`, `{"a":["[]"]}`},
		{"a[2]:\n  -\n  -   x", `{"a":[{},"x"]}`},
		{"a[1]:\n  -   b: 1\n    c: 2", `{"a":[{"b":1,"c":2}]}`},
		{"a[2]:\n  - [2]\n  - - x", `{"a":["[2]","- x"]}`},
		{"a[1]:\n  - \"[2]: x\"", `{"a":["[2]: x"]}`},
		{"a[2]{2key, b-c }:\n  1 , 2\n  []," + `""`, `{"a":[{"2key":1,"b-c":2},{"2key":"[]","b-c":""}]}`},
		{"a[1]{x,n{x}}:\n  1,2", `{"a":[{"x":1,"n":{"x":2}}]}`},
		{"a[1]{x,y}:\n  1,b:c", `{"a":[{"x":1,"y":"b:c"}]}`},
		{"a[1]{x:y,z[}:\n  1,2", `{"a":[{"x:y":1,"z[":2}]}`},
		{"a[1]{x}:\n  1\nb: 2", `{"a":[{"x":1}],"b":2}`},
		{"a[0]{x}:\nb: 2", `{"a":[],"b":2}`},
		{"a[2]:\n\n  - 1\n  - 2\n\nb: 1", `{"a":[1,2],"b":1}`},
		{"a[0:]{x}:", `{"a":{}}`},
		{"a[1:]{x,y}:\n  k-1 : 1, b:c", `{"a":{"k-1":{"x":1,"y":"b:c"}}}`},
		{"a[1:]{x}:\n  k: []", `{"a":{"k":{"x":"[]"}}}`},
		{"a[1]:\n  - b[2]: 1,2\n    c[1]{x}:\n      1\n    d[1:]{y}:\n      k: 2", `{"a":[{"b":[1,2],"c":[{"x":1}],"d":{"k":{"y":2}}}]}`},
	} {
		got, err := DecodeTOON([]byte(c.in))
		if c.want == "" {
			if err == nil {
				t.Errorf("TOON %q reads as %s, want an error", c.in, got)
			}
			continue
		}
		if want := decode(t, c.want); err != nil || !value.Identical(got, want) {
			t.Errorf("TOON %q reads as %s, %v, want %s", c.in, got, err, want)
		}
	}
}

func TestTOONRefusesWithTheLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		line int
	}{
		// §14.1: counts and widths.
		{"a[2]: 1,2,3", 1},
		{"a[3]: 1,2", 1},
		{"b: 1\na[1]:\n  - 1\n  - 2", 2},
		{"a[2]:\n  - 1", 1},
		{"a[2]:", 1},
		{"a[99999999999999999999999]: 1", 1},
		{"a[1]{x}:\n  1\n  2", 1},
		{"a[1]{x,y}:\n  1", 2},
		{"a[1]{x,n{y,z}}:\n  1,2", 2},
		{"a[2:]{x}:\n  k: 1", 1},
		{"a[1:]{x,y}:\n  k: 1", 2},
		{"a[1:]{x}:\n  k:", 2},
		// §14.2: syntax.
		{`a: "x`, 1},
		{`a: "x\`, 1},
		{`a: "x" y`, 1},
		{`"a"b: 1`, 1},
		{`a: "\x"`, 1},
		{`a: "\u12"`, 1},
		{`a: "\ud800"`, 1},
		{`a: "\ud83d\ude00"`, 1},
		{`a[03]: 1,2,3`, 1},
		{`a[-1]: 1`, 1},
		{`a[]: 1`, 1},
		{`a[1.0]: 1`, 1},
		{`a[#1]: 1`, 1},
		{`a[1,]: 1`, 1},
		{`a[1: 1`, 1},
		{`a[1]x: 1`, 1},
		{`a[1] : 1`, 1},
		{`a [1]: 1`, 1},
		{"a\t[1]: 1", 1},
		{`a[1][2]: 1`, 1},
		{`a[2:]: 1`, 1},
		{`a[2|:]{x}:`, 1},
		{`a[2 :]{x}:`, 1},
		{`a[2:,]{x}:`, 1},
		{`a[1]{}:`, 1},
		{`a[1]{x,}:`, 1},
		{`a[1]{x,n{}}:`, 1},
		{`a[1]{x,{y}}:`, 1},
		{`a[1]{x,n {y}}:`, 1},
		{`a[1]{x:y}`, 1},
		{`a[1]{x{y}:`, 1},
		{`a[1]{x{y}z}:`, 1},
		{`a[1]{"x"y}:`, 1},
		{`a[0]{x,x}:`, 1},
		{`a[0]{x,n{y,y}}:`, 1},
		{`a[2|]{x,y}:`, 1},
		{"a[2]{x|y}:", 1},
		{`a[1]{x}: 1`, 1},
		{`a[1]{x} :`, 1},
		{"a[1:]{x}: 1\n  k: 1", 1},
		{"a[1:]{x}:\n  k", 2},
		{"a: 1\n[1]: 2", 2},
		{"a:\n  [1]: 2", 2},
		{"a[1]:\n  - [1]{x}:\n    1", 2},
		{"a[1]:\n  - [1:]{x}:\n    k: 1", 2},
		{"a: 1\nb", 2},
		{"a\nb", 1},
		{"a:\n  b", 2},
		{"a[1]:\n  - 1\n  b", 3},
		{"a[1]:\n  - 1\n  b: 1", 3},
		{"a[1]{x,y}:\n  1,2\n  b: 1", 3},
		{"[1]: 1\na: 2", 2},
		{"[]\na: 2", 2},
		{"[1:]{x}:\n  k: 1\na: 2", 3},
		// §8, §12: indentation and blank lines.
		{"a:\n   b: 1", 2},
		{"a:\n\tb: 1", 2},
		{"a:\n  \tb: 1", 2},
		{"a: 1\n\t\nb: 2", 2},
		{"  a: 1", 1},
		{"a:\n    b: 1", 2},
		{"a: 1\n  b: 2", 2},
		{"a[1]:\n    - 1", 1},
		{"a[1]:\n  - b: 1\n      c: 1", 3},
		{"a[1]:\n  -\n    b: 1", 3},
		{"a[2]:\n  - 1\n\n  - 2", 4},
		{"a[2]{x}:\n  1\n\n  2", 4},
		{"a[2:]{x}:\n  k: 1\n\n  l: 2", 4},
		{"a[1]:\n  - b: 1\n\n    c: 2", 4},
		{"a[2]:\n  - b[1]{x}:\n\n      1\n  - 2", 4},
		{"a[2]:\n  - b[1]{x}:\n      1\n\n  - 2", 5},
		// §14.3: keys twice.
		{"a: 1\na: 2", 2},
		{"a: 1\n\"a\": 2", 2},
		{"a[1]:\n  - b: 1\n    b: 2", 3},
		{"a[2:]{x}:\n  k: 1\n  k: 2", 3},
		// §4: bytes and numbers.
		{"a: \xff", 0},
		{"a: \xed\xa0\x80", 0},
		{"a: 1e401", 1},
		{"a: " + strings.Repeat("1", 129), 1},
	} {
		got, err := DecodeTOON([]byte(c.in))
		var fault *TOONError
		if !errors.As(err, &fault) || fault.Line != c.line {
			t.Errorf("TOON %q reads as %s, %v, want an error at line %d", c.in, got, err, c.line)
		}
	}
}

func TestTOONReadingIsBounded(t *testing.T) {
	t.Parallel()
	var deep, items strings.Builder
	for n := range 600 {
		fmt.Fprintf(&deep, "%sa:\n", strings.Repeat("  ", n))
		fmt.Fprintf(&items, "%s- [1]:\n", strings.Repeat("  ", n+1))
	}
	for what, text := range map[string]string{
		"deep objects": deep.String(),
		"deep lists":   "[1]:\n" + items.String(),
		"deep groups":  "[0]" + strings.Repeat("{a", 600) + strings.Repeat("}", 600) + ":",
		"many values":  "[1100000]: " + strings.Repeat("1,", 1_099_999) + "1",
	} {
		if _, err := DecodeTOON([]byte(text)); err == nil {
			t.Errorf("%s: no error, want one", what)
		}
	}
	var many strings.Builder
	for n := range 50_000 {
		fmt.Fprintf(&many, "k%d: 1\n", n)
	}
	if v, err := DecodeTOON([]byte(many.String())); err != nil || v.Len() != 50_000 {
		t.Errorf("an object of 50000 members reads as one of %d, %v", v.Len(), err)
	}
	if _, err := DecodeTOON([]byte(many.String() + "k49999: 2")); err == nil {
		t.Error("the last of 50001 keys stands twice and is accepted")
	}
}

func TestTOONReadsBackNastyTexts(t *testing.T) {
	t.Parallel()
	eachNasty(func(v value.Value) { checkTOON(t, v) })
}

func TestTOONReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { checkTOON(t, values().Draw(t, "value")) })
}

func checkTOON(t interface {
	Helper()
	Errorf(string, ...any)
}, v value.Value,
) {
	t.Helper()
	for _, delimiter := range []byte{',', '\t', '|'} {
		text := appendTOON(nil, v, delimiter)
		got, err := DecodeTOON(text)
		if err != nil || !value.Equal(got, v) {
			t.Errorf("value %s\nas TOON\n%s\nreads back as %s, %v", v, text, got, err)
			continue
		}
		if again := appendTOON(nil, got, delimiter); string(again) != string(text) {
			t.Errorf("value %s\nas TOON\n%s\nand again\n%s", v, text, again)
		}
		for line := range strings.Lines(string(text)) {
			if body := strings.TrimSuffix(line, "\n"); body == "" && len(text) > 0 || strings.HasSuffix(body, " ") || strings.HasPrefix(strings.TrimLeft(body, " "), "#") {
				t.Errorf("value %s has the line %q in\n%s", v, line, text)
			}
		}
	}
}

func FuzzDecodeTOON(f *testing.F) {
	for _, text := range []string{
		"", "42", "[]", "a: 1\nb:\n  c: \"x\\u0041\"", "[2]{a,b{c}}:\n  1,2\n  3,\"x,y\"", "a[2:|]{x|y}:\n  k: 1|2\n  \"l m\": 3|4",
		"a[3]:\n  - 1\n  - b[1]: x\n    c: 2\n  - [1]:\n    - []\n", "# c\n\ufeff", "a[1\t]{x\ty}:\n  1\t2\n\nb: []", "\"a b\"[1]: \"\\\\\"",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := DecodeTOON(text)
		if err != nil {
			var fault *TOONError
			if !errors.As(err, &fault) {
				t.Errorf("error of type %T: %v", err, err)
			}
			return
		}
		got, err := DecodeTOON(TOON.Append(nil, v))
		if err != nil || !value.Equal(got, v) {
			t.Errorf("text %q is %s, written again it is %s, %v", text, v, got, err)
		}
	})
}

func BenchmarkDecodeTOON(b *testing.B) {
	text := TOON.Append(nil, invoice(20))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeTOON(text); err != nil {
			b.Fatal(err)
		}
	}
}
