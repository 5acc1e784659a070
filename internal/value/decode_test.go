package value_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/value"
)

func decoded(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("decode %.200q: %v", text, err)
	}
	return v
}

func TestDecodeKeepsOrderAndSpelling(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"z":1,"a":{"c":1,"b":2},"m":[]}`:                                  ``,
		`[1.0,1.00,1e2,1E+2,-0,-0.0,0.1e-7,12345678901234567890.123456789]`: ``,
		" \t\r\n{ \"a\" : [ 1 , 2 ] } \n":                                   `{"a":[1,2]}`,
		`"\u0041\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"`:                        `"Aé😀/\b\f\n\r\t\"\\"`,
		`"\u0000\u001f\u007f"`:                                              `"\u0000\u001f\u007f"`,
		`{"":{"":""}}`:                                                      ``,
		`null`:                                                              ``,
		`[true,false,null,"",{},[]]`:                                        ``,
		"\"\u2028\u2029\"":                                                  "\"\u2028\u2029\"",
	} {
		if want == "" {
			want = in
		}
		if got := decoded(t, in).String(); got != want {
			t.Errorf("%s is written %s, want %s", in, got, want)
		}
	}
}

// Each fault has its rule, its byte and the pointer of the innermost value.
func TestDecodeNamesTheFault(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 129)
	for _, c := range []struct {
		in         string
		rule       value.Rule
		offset     int
		pointer    string
		unfinished bool
	}{
		{``, value.RuleSyntax, 0, "", true},
		{`   `, value.RuleSyntax, 3, "", true},
		{`{`, value.RuleSyntax, 1, "", true},
		{`{"a"`, value.RuleSyntax, 4, "", true},
		{`{"a":`, value.RuleSyntax, 5, "/a", true},
		{`{"a":1`, value.RuleSyntax, 6, "", true},
		{`{"a":1,`, value.RuleSyntax, 7, "", true},
		{`["a","b`, value.RuleSyntax, 7, "/1", true},
		{`["a\`, value.RuleSyntax, 4, "/0", true},
		{`["\u12`, value.RuleSyntax, 6, "/0", true},
		{`[tru`, value.RuleSyntax, 4, "/0", true},
		{`[-`, value.RuleSyntax, 2, "/0", true},
		{`[1.`, value.RuleSyntax, 3, "/0", true},
		{`[1e`, value.RuleSyntax, 3, "/0", true},
		{`{"a":[1,{"b/c~d":trux}]}`, value.RuleSyntax, 20, "/a/1/b~1c~0d", false},
		{`{"a":1,}`, value.RuleSyntax, 7, "", false},
		{`[1,]`, value.RuleSyntax, 3, "/1", false},
		{`[1 2]`, value.RuleSyntax, 3, "", false},
		{`{a:1}`, value.RuleSyntax, 1, "", false},
		{`{'a':1}`, value.RuleSyntax, 1, "", false},
		{`{"a" 1}`, value.RuleSyntax, 5, "", false},
		{`[NaN]`, value.RuleSyntax, 1, "/0", false},
		{`[Infinity]`, value.RuleSyntax, 1, "/0", false},
		{`[-Infinity]`, value.RuleSyntax, 2, "/0", false},
		{`[nan]`, value.RuleSyntax, 2, "/0", false},
		{`[+1]`, value.RuleSyntax, 1, "/0", false},
		{`[.5]`, value.RuleSyntax, 1, "/0", false},
		{`[01]`, value.RuleSyntax, 2, "/0", false},
		{`[0x1]`, value.RuleSyntax, 2, "", false},
		{`// c`, value.RuleSyntax, 0, "", false},
		{"[\"a\tb\"]", value.RuleSyntax, 3, "/0", false},
		{"[\"\\n\tb\"]", value.RuleSyntax, 4, "/0", false},
		{`["\x41"]`, value.RuleSyntax, 3, "/0", false},
		{`["\u00g0"]`, value.RuleSyntax, 6, "/0", false},
		{"\ufeff{}", value.RuleSyntax, 0, "", false},
		{"\u00a0{}", value.RuleSyntax, 0, "", false},
		{`{} {}`, value.RuleTrailing, 3, "", false},
		{`1 x`, value.RuleTrailing, 2, "", false},
		{`[]]`, value.RuleTrailing, 2, "", false},
		{`{"a":1,"b":2,"a":3}`, value.RuleDuplicate, 13, "/a", false},
		{`{"a":1,"\u0061":2}`, value.RuleDuplicate, 7, "/a", false},
		{`[{"x":{"":1,"":1}}]`, value.RuleDuplicate, 12, "/0/x/", false},
		{"[\"\xff\"]", value.RuleUTF8, 2, "", false},
		{"[\"é\xc3\"]", value.RuleUTF8, 4, "", false},
		{"[\"\xed\xa0\x80\"]", value.RuleUTF8, 2, "", false},
		{`["\ud800"]`, value.RuleSurrogate, 2, "/0", false},
		{`["\udc00"]`, value.RuleSurrogate, 2, "/0", false},
		{`["\ud800\u0041"]`, value.RuleSurrogate, 2, "/0", false},
		{`["\ud800\ud800"]`, value.RuleSurrogate, 2, "/0", false},
		{`{"\udfff":1}`, value.RuleSurrogate, 2, "", false},
		{`["a\ud800`, value.RuleSurrogate, 3, "/0", false},
		{`[` + long + `]`, value.RuleNumber, 1, "/0", false},
		{`[1e401]`, value.RuleNumber, 1, "/0", false},
		{`[1e-401]`, value.RuleNumber, 1, "/0", false},
		{`[1E+99999999999999999999]`, value.RuleNumber, 1, "/0", false},
	} {
		_, err := value.DecodeString(c.in, value.Limits{})
		var got *value.SyntaxError
		if !errors.As(err, &got) {
			t.Errorf("%.100q gives the error %v", c.in, err)
			continue
		}
		want := value.SyntaxError{Offset: c.offset, Pointer: c.pointer, Rule: c.rule, Message: got.Message, Unfinished: c.unfinished}
		if d := cmp.Diff(want, *got); d != "" || got.Message == "" || !strings.Contains(got.Error(), got.Message) {
			t.Errorf("%.100q (-want +got):\n%s", c.in, d)
		}
	}
}

// Every strict beginning of a value is unfinished, and nothing else is.
func TestDecodeTellsACutFromAFault(t *testing.T) {
	t.Parallel()
	const whole = `{"a":[1,-2.5e3,"x\u00e9\ud83d\ude00\n",{"b":true,"c":null}],"d":false,"e":{}}`
	decoded(t, whole)
	for i := range len(whole) {
		_, err := value.DecodeString(whole[:i], value.Limits{})
		var fault *value.SyntaxError
		if !errors.As(err, &fault) {
			t.Fatalf("%q gives the error %v", whole[:i], err)
		}
		// A cut between the halves of a surrogate pair is the one place where the cut looks like another fault.
		if half := strings.HasSuffix(whole[:i], `\ud83d`) || strings.HasSuffix(whole[:i], `\ud83d\`); !fault.Unfinished && !half {
			t.Errorf("%q is not said to be unfinished: %v", whole[:i], err)
		}
	}
}

func TestDecodeHoldsTheLimits(t *testing.T) {
	t.Parallel()
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	wide := func(n int) string { return "[" + strings.Repeat("0,", n-2) + "0]" } // With the array n values.
	for _, c := range []struct {
		name, in string
		limits   value.Limits
		want     value.Rule
	}{
		{"default depth", nested(512), value.Limits{}, ""},
		{"default depth, one more", nested(513), value.Limits{}, value.RuleDepth},
		{"default depth of objects", objects(512), value.Limits{}, ""},
		{"default depth of objects, one more", objects(513), value.Limits{}, value.RuleDepth},
		{"depth far beyond", nested(1_000_000), value.Limits{}, value.RuleDepth},
		{"unfinished depth", strings.Repeat("[", 1_000_000), value.Limits{}, value.RuleDepth},
		{"own depth", nested(3), value.Limits{Depth: 3}, ""},
		{"own depth, one more", nested(4), value.Limits{Depth: 3}, value.RuleDepth},
		{"scalars nest not", `1`, value.Limits{Depth: 1}, ""},
		{"own nodes", wide(10), value.Limits{Nodes: 10}, ""},
		{"own nodes, one more", wide(11), value.Limits{Nodes: 10}, value.RuleNodes},
		{"default nodes", wide(1_000_000), value.Limits{}, ""},
		{"default nodes, one more", wide(1_000_001), value.Limits{}, value.RuleNodes},
		{"number at its length", strings.Repeat("9", 128), value.Limits{}, ""},
		{"negative number at its length", "-" + strings.Repeat("9", 127), value.Limits{}, ""},
		{"number with a long fraction", "0." + strings.Repeat("1", 127), value.Limits{}, value.RuleNumber},
		{"exponent at its bound", "1e400", value.Limits{}, ""},
		{"negative exponent at its bound", "1e-400", value.Limits{}, ""},
		{"exponent with zeros before it", "1e0000400", value.Limits{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := value.DecodeString(c.in, c.limits)
			var fault *value.SyntaxError
			if got := value.Rule(""); err != nil {
				if !errors.As(err, &fault) {
					t.Fatal(err)
				}
				if got = fault.Rule; got != c.want {
					t.Errorf("got %v, want %q", err, c.want)
				}
			} else if c.want != "" {
				t.Errorf("it is accepted, want %q", c.want)
			}
		})
	}
}

// A wide object finds duplicates without comparing each name with each other.
func TestDuplicateNamesAreFoundInWideObjects(t *testing.T) {
	t.Parallel()
	const wide = 20_000
	var b strings.Builder
	b.WriteString("{")
	for i := range wide {
		fmt.Fprintf(&b, `"name%d":%d,`, i, i)
	}
	if _, err := value.DecodeString(b.String()+`"last":1}`, value.Limits{}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"name0", "name15", "name16", "name19999"} {
		_, err := value.DecodeString(b.String()+`"`+name+`":1}`, value.Limits{})
		var fault *value.SyntaxError
		if !errors.As(err, &fault) || fault.Rule != value.RuleDuplicate || fault.Pointer != "/"+name {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

func TestOffsetsLeadBackToTheText(t *testing.T) {
	t.Parallel()
	const text = ` {"a": [1, "two", {"b": null}], "c": true}`
	v := decoded(t, text)
	for pointer, want := range map[string]string{"": `{"a"`, "/a": `[1`, "/a/0": `1,`, "/a/1": `"two"`, "/a/2": `{"b"`, "/a/2/b": `null`, "/c": `true`} {
		part, ok := v.Lookup(pointer)
		offset, known := part.Offset()
		if !ok || !known || !strings.HasPrefix(text[offset:], want) {
			t.Errorf("%q: offset %d %v %v", pointer, offset, ok, known)
		}
	}
	if _, known := value.Int(1).Offset(); known {
		t.Error("a made value has an offset")
	}
	if offset, known := value.Int(1).Located(0).Offset(); offset != 0 || !known {
		t.Errorf("a located value is at %d %v", offset, known)
	}
}

// The bytes may be reused: the value keeps none of them.
func TestDecodeCopiesItsBytes(t *testing.T) {
	t.Parallel()
	src := []byte(`{"name":"text","n":12}`)
	v, err := value.Decode(src, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range src {
		src[i] = 'X'
	}
	if got := v.String(); got != `{"name":"text","n":12}` {
		t.Errorf("the value is now %s", got)
	}
}

func TestValuesTravelThroughEncodingJSON(t *testing.T) {
	t.Parallel()
	type box struct {
		V value.Value `json:"v"`
	}
	const text = `{"v":{"z":1.00,"a":[9007199254740993,"é"]}}`
	var b box
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(b)
	if err != nil || string(out) != text {
		t.Errorf("Marshal gives %s, %v; want %s", out, err, text)
	}
	if err := json.Unmarshal([]byte(`{"v":{"a":1,"a":2}}`), &b); err == nil {
		t.Error("a duplicate name is taken")
	}
}

// FuzzDecode holds the reader against the standard library's: what we accept, it accepts with the same value; what it accepts and we refuse has one of
// the reasons in which we are stricter.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.50,-3e4],"b":{"c":"d\u00e9\ud83d\ude00"},"e":null}`, `[1,]`, `{"a":1,"a":2}`, `"\ud800"`, "\"\xff\"", `1e999`, `[[[[]]]]`, `"\u0000"`, ` 1 `, `-0.0`, `{"":{"":[]}}`,
		`NaN`, `tru`, "\ufeff1", `{"a":1}x`, "\"\x7f\u2028\"", `0.` + strings.Repeat("3", 130),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := value.Decode(src, value.Limits{Depth: 100, Nodes: 100_000})
		valid := json.Valid(src)
		if err != nil {
			var fault *value.SyntaxError
			if !errors.As(err, &fault) || fault.Offset < 0 || fault.Offset > len(src) || fault.Message == "" {
				t.Fatalf("%q gives the error %#v", src, err)
			}
			if valid && (fault.Rule == value.RuleSyntax || fault.Rule == value.RuleTrailing) {
				t.Fatalf("%q is JSON and is refused: %v", src, err)
			}
			if fault.Rule == value.RuleUTF8 && utf8.Valid(src) {
				t.Fatalf("%q is UTF-8 and is refused: %v", src, err)
			}
			if _, ok := value.Tokens(fault.Pointer); !ok {
				t.Fatalf("%q: the pointer is %q", src, fault.Pointer)
			}
			return
		}
		if !valid {
			t.Fatalf("%q is no JSON and is accepted", src)
		}
		text := v.String()
		d := json.NewDecoder(strings.NewReader(string(src)))
		d.UseNumber()
		var theirs any
		if err := d.Decode(&theirs); err != nil {
			t.Fatalf("%q: %v", src, err)
		}
		d = json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var ours any
		if err := d.Decode(&ours); err != nil {
			t.Fatalf("%q is written %s: %v", src, text, err)
		}
		if diff := cmp.Diff(theirs, ours); diff != "" {
			t.Fatalf("%q (-encoding/json +value):\n%s", src, diff)
		}
		again, err := value.DecodeString(text, value.Limits{Depth: 100, Nodes: 100_000})
		if err != nil || !value.Identical(v, again) || again.String() != text {
			t.Fatalf("%q is written %s and read %s, %v", src, text, again, err)
		}
	})
}
