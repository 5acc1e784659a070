package body_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/value"
)

func open(t *testing.T, text string) *body.Reader {
	t.Helper()
	v, err := body.Decode([]byte(text))
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return body.Open(v)
}

// entries gives the faults of a body as pointer, rule and message.
func entries(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.InvalidRequest || len(f.Entries) == 0 || !strings.HasPrefix(f.Detail, f.Entries[0].Message) {
		t.Fatalf("the error is %#v", err)
	}
	var list []string
	for _, e := range f.Entries {
		list = append(list, e.Pointer+" "+e.Rule+": "+e.Message)
	}
	return list
}

func TestDecodeSaysWhereABodyIsNotJSON(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ pointer, rule, message string }{
		``:                 {"", "json_syntax", "the body is empty"},
		` `:                {"", "json_syntax", "the body is not strict JSON: the JSON text ends where a value should begin (byte 1)"},
		`{"a":`:            {"/a", "json_syntax", "the body is not strict JSON: the JSON text ends where a value should begin (byte 5)"},
		`{"a":1,"a":2}`:    {"/a", "json_duplicate_name", "the body is not strict JSON: a member name stands twice in one object (byte 7)"},
		"{\"a\":\"\xff\"}": {"", "json_utf8", "the body is not strict JSON: the text is not valid UTF-8 (byte 6)"},
		`{"a":"\ud800"}`:   {"/a", "json_surrogate", "the body is not strict JSON: half of a surrogate pair stands alone (byte 6)"},
		`{} {}`:            {"", "json_trailing_data", "the body is not strict JSON: something follows the JSON value (byte 3)"},
		`{"a":1e999}`:      {"/a", "json_number", "the body is not strict JSON: a number's exponent is beyond ±400 (byte 5)"},
		strings.Repeat("[", 129) + strings.Repeat("]", 129): {strings.Repeat("/0", 128), "json_depth", "the body is not strict JSON: the JSON text nests deeper than 128 levels (byte 128)"},
		"[" + strings.Repeat("0,", 200_000) + "0]":          {"/199999", "json_nodes", "the body is not strict JSON: the JSON text holds too many values (byte 399999)"},
	} {
		_, err := body.Decode([]byte(in))
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code != fault.InvalidRequest || len(f.Entries) != 1 {
			t.Errorf("%.40q gives the error %v", in, err)
			continue
		}
		if e := f.Entries[0]; e.Pointer != want.pointer || e.Rule != want.rule || e.Message != want.message || e.Hint == "" || f.Detail != want.message {
			t.Errorf("%.40q gives %+v", in, e)
		}
	}
	if v, err := body.Decode([]byte(`{"b":1.50,"a":[]}`)); err != nil || v.String() != `{"b":1.50,"a":[]}` {
		t.Errorf("a right body is read %s, %v", v, err)
	}
}

func TestFieldsAreReadOrTakeTheirDefault(t *testing.T) {
	t.Parallel()
	r := open(t, `{"s":"x","n":null,"e":"b","t":true,"i":-7,"x":5e0,"f":0.25,"l":["a","b"],"o":{"s":"inner"},"many":[{"s":"1"},{"s":"2"}],"any":[1,{"z":2}]}`)
	var got []any
	add := func(v ...any) { got = append(got, v...) }
	add(r.String("s", "-"), r.String("absent", "-"), r.Nullable("n"), r.Nullable("s"), r.Nullable("absent"))
	add(r.Enum("e", "a", "a", "b"), r.Enum("absent", "a", "a", "b"), r.Bool("t", false), r.Bool("absent", true))
	add(r.Int("i", 1, -10, 10), r.Int("x", 1, 5, 5), r.Int("absent", 3, 0, 1), r.Float("f", 1, 0, 1), r.Float("absent", 9, 0, 1))
	add(r.Strings("l"), r.Strings("absent"), r.Object("o").String("s", "-"), r.Object("absent").String("s", "-"), len(r.Objects("absent")))
	for _, item := range r.Objects("many") {
		add(item.String("s", "-"), item.Pointer("a/b"))
	}
	raw, ok := r.Value("any")
	add(raw.String(), ok)
	if err := r.Done(); err != nil {
		t.Error(err)
	}
	want := []any{
		"x", "-", "", "x", "", "b", "a", true, true, int64(-7), int64(5), int64(3), 0.25, 9.0,
		[]string{"a", "b"},
		[]string(nil), "inner", "-", 0,
		"1", "/many/0/a~1b", "2", "/many/1/a~1b", `[1,{"z":2}]`, true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestEveryFaultIsFoundInOneGo(t *testing.T) {
	t.Parallel()
	r := open(t, `{"s":1,"e":"c","t":"yes","i":11,"frac":1.5,"big":1e30,"f":true,"g":1.01,"sum":2e9,"l":["a",2,null],"o":[],"many":[{"s":false},7],"m":{},"odd":{"in":1}}`)
	r.String("s", "")
	r.Enum("e", "a", "a", "b")
	r.Bool("t", false)
	r.Int("i", 0, 0, 10)
	r.Int("frac", 0, 0, 10)
	r.Int("big", 0, 0, 10)
	r.Float("f", 0, 0, 1)
	r.Float("g", 0, 0, 1)
	r.Float("sum", 0, 0, 1e9)
	r.Strings("l")
	r.Object("o")
	for _, item := range r.Objects("many") {
		item.String("s", "")
	}
	r.Objects("m")
	r.Object("odd").Bool("inn", false)
	r.Fault("own/field", "own", "own message", "own hint")
	want := []string{
		"/s type: s is a number; it must be a string",
		"/e enum: e has a value that it does not take",
		"/t type: t is a string; it must be a boolean",
		"/i range: i must be an integer from 0 to 10",
		"/frac range: frac must be an integer from 0 to 10",
		"/big range: big must be an integer from 0 to 10",
		"/f type: f is a boolean; it must be a number",
		"/g range: g must be a number from 0 to 1",
		"/sum range: sum must be a number from 0 to 1000000000",
		"/l/1 type: an item of l is a number; it must be a string",
		"/l/2 type: an item of l is null; it must be a string",
		"/o type: o is an array; it must be an object",
		"/many/1 type: an item of many is a number; it must be an object",
		"/many/0/s type: s is a boolean; it must be a string",
		"/m type: m is an object; it must be an array",
		"/own~1field own: own message",
		`/odd/in unknown_field: there is no field "in" here`,
	}
	err := r.Done()
	if d := cmp.Diff(want, entries(t, err)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if got, want := fault.Of(err).Detail, want[0][len("/s type: "):]+", and 16 more"; got != want {
		t.Errorf("the detail is %q, want %q", got, want)
	}
}

func TestUnknownFieldsGetAHint(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"promt": "Did you mean prompt?", "Prompt": "Did you mean prompt?", "promptt": "Did you mean prompt?", "pormpt": "Did you mean prompt?",
		"quite_else": "Known fields: prompt, n.", "m": "Known fields: prompt, n.", "": "Known fields: prompt, n.", strings.Repeat("prompt", 20): "Known fields: prompt, n.",
	} {
		v := value.Object(value.Member{Name: field, Value: value.Int(1)})
		r := body.Open(v)
		r.String("prompt", "")
		r.String("prompt", "") // Reading twice does not list it twice.
		r.Nullable("n")
		err := r.Done()
		if got := entries(t, err); len(got) != 1 {
			t.Errorf("%q gives %q", field, got)
			continue
		}
		if got := fault.Of(err).Entries[0].Hint; got != want {
			t.Errorf("%q: the hint is %q, want %q", field, got, want)
		}
	}
}

// A body full of faults gives a short answer, and names that the caller invents come back clipped.
func TestAnswersStayShort(t *testing.T) {
	t.Parallel()
	members := make([]value.Member, 5_000)
	for i := range members {
		members[i] = value.Member{Name: fmt.Sprintf("%d%s", i, strings.Repeat("ä", 10_000))}
	}
	r := body.Open(value.Object(members...))
	r.String("prompt", "")
	f := fault.Of(r.Done())
	if n := len(f.Entries); n != 20 {
		t.Errorf("%d entries", n)
	}
	for _, e := range f.Entries {
		if len(e.Pointer)+len(e.Message)+len(e.Hint) > 400 {
			t.Errorf("an entry has the pointer %.100s… and %d bytes", e.Pointer, len(e.Message))
		}
	}
}

func TestABodyIsAnObject(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`null`: "null", `true`: "a boolean", `1`: "a number", `"a"`: "a string", `[]`: "an array"} {
		r := open(t, in)
		if s := r.String("a", "default"); s != "default" {
			t.Errorf("%s: a is %q", in, s)
		}
		if got, want := entries(t, r.Done()), []string{" type: the body is " + want + "; it must be an object"}; !cmp.Equal(got, want) {
			t.Errorf("%s gives %q, want %q", in, got, want)
		}
	}
}

// FuzzReader reads any body as a form with every kind of field: no panic, and faults that point into the body.
func FuzzReader(f *testing.F) {
	f.Add([]byte(`{"s":1,"l":["a"],"o":{"x":1},"many":[{"s":"1"},2],"i":1e2}`))
	f.Add([]byte(`{"":{},"~/":1}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := body.Decode(raw)
		if err != nil {
			entries(t, err)
			return
		}
		r := body.Open(v)
		r.String("s", "")
		r.Strings("l")
		r.Object("o").Int("i", 0, -5, 5)
		for _, item := range r.Objects("many") {
			item.Float("f", 0, 0, 1)
			item.Enum("e", "", "a")
			item.Nullable("n")
		}
		for _, e := range entriesOf(r.Done()) {
			if _, ok := value.Tokens(e.Pointer); !ok || e.Message == "" || e.Rule == "" {
				t.Fatalf("%q gives %+v", raw, e)
			}
		}
	})
}

func entriesOf(err error) []fault.Entry {
	if err == nil {
		return nil
	}
	return fault.Of(err).Entries
}
