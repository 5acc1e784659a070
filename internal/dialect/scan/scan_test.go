package scan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/dialect/scan"
)

// tree reads everything through the scanner, as encoding/json would give it.
func tree(s *scan.Scanner) any {
	switch s.Kind() {
	case '{':
		s.Object()
		m := map[string]any{}
		for {
			name, more := s.Member()
			if !more {
				return m
			}
			m[string(name)] = tree(s)
		}
	case '[':
		s.Array()
		list := []any{}
		for s.Item() {
			list = append(list, tree(s))
		}
		return list
	case '"':
		return s.Text()
	case '0':
		return s.Float()
	case 't', 'f':
		return s.True()
	default:
		if !s.Null() {
			s.Skip()
		}
		return nil
	}
}

func texts() []string {
	return []string{
		`{}`, `[]`, `null`, `true`, `false`, `0`, `-1.5e3`, `""`, `"a\"b\\\/\b\f\n\r\t\u00e9\ud83d\ude00"`, ` { "a" : [ 1 , 2.5 , { } , [ ] , null , true , "x" ] , "b\n" : { "c" : false } } `,
		`{"a":{"b":{"c":[[[[1]]]]}}}`, `[{"a":1},{"a":2}]`, "\n\t{\r\n\"a\"\t:\n1}\n", `{"":""}`, `[0.1,1e-7,123456789012345678901234567890,-0]`,
		`{"é":"日本","emoji":"😀"}`,
	}
}

func TestTextsReadAsOthersReadThem(t *testing.T) {
	t.Parallel()
	for _, text := range texts() {
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		s := scan.New([]byte(text))
		if got := tree(&s); !reflect.DeepEqual(got, want) || !s.End() || s.Fault() != scan.None {
			t.Errorf("%s reads as %#v (fault %d), want %#v", text, got, s.Fault(), want)
		}
		s = scan.New([]byte(text))
		s.Skip()
		if !s.End() {
			t.Errorf("%s skipped has fault %d", text, s.Fault())
		}
		s = scan.New([]byte(text))
		if raw := s.Raw(); string(raw) != strings.TrimSpace(text) {
			t.Errorf("the raw text of %s is %s", text, raw)
		}
	}
}

// Whatever part of a container the caller leaves unread is stepped over, before, between and behind what it reads.
func TestUnreadElementsAreSteppedOver(t *testing.T) {
	t.Parallel()
	const text = `{"skip":{"x":[1,{"want":0}]},"want":7, "nested" : [ [1,2] , {"want":8,"rest":[]} , 3 ] ,"last":"]}"}`
	s := scan.New([]byte(text))
	if !s.Object() {
		t.Fatal("no object")
	}
	got := ""
	for {
		name, more := s.Member()
		if !more {
			break
		}
		switch string(name) {
		case "want":
			got += fmt.Sprint(s.Int(), " ")
		case "nested":
			if !s.Array() {
				t.Fatal("no array")
			}
			for s.Item() {
				if !s.Object() {
					continue
				}
				for {
					name, more := s.Member()
					if !more {
						break
					}
					if string(name) == "want" {
						got += fmt.Sprint(s.Int(), " ")
					}
				}
			}
		}
	}
	if got != "7 8 " || !s.End() {
		t.Errorf("read %q (fault %d), want 7 and 8", got, s.Fault())
	}
}

func TestUnexpectedKindsReadAsNothing(t *testing.T) {
	t.Parallel()
	const text = `{"a":[1],"b":"x","c":{"d":1},"e":null,"f":5,"g":true,"h":"12","i":1e300,"j":-1e300,"k":2.9}`
	read := func(f func(*scan.Scanner) any) []any {
		var out []any
		s := scan.New([]byte(text))
		s.Object()
		for {
			if _, more := s.Member(); !more {
				break
			}
			out = append(out, f(&s))
		}
		if !s.End() {
			t.Errorf("fault %d", s.Fault())
		}
		return out
	}
	for name, c := range map[string]struct {
		read func(*scan.Scanner) any
		want []any
	}{
		"Text": {func(s *scan.Scanner) any { return s.Text() }, []any{"", "x", "", "", "5", "", "12", "1e300", "-1e300", "2.9"}},
		"Int":  {func(s *scan.Scanner) any { return s.Int() }, []any{0, 0, 0, 0, 5, 0, 0, math.MaxInt32, 0, 2}},
		"Float": {
			func(s *scan.Scanner) any { return s.Float() },
			[]any{0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 1e300, -1e300, 2.9},
		},
		"True": {func(s *scan.Scanner) any { return s.True() }, []any{false, false, false, false, false, true, false, false, false, false}},
		"Null": {func(s *scan.Scanner) any { return s.Null() }, []any{false, false, false, true, false, false, false, false, false, false}},
		"Array": {func(s *scan.Scanner) any {
			a := s.Array()
			for a && s.Item() {
				s.Skip()
			}
			return a
		}, []any{true, false, false, false, false, false, false, false, false, false}},
		"AppendText": {func(s *scan.Scanner) any { return string(s.AppendText([]byte(">"))) }, []any{">", ">x", ">", ">", ">", ">", ">12", ">", ">", ">"}},
	} {
		if got := read(c.read); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s reads %v, want %v", name, got, c.want)
		}
	}
}

func TestFaultsAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want scan.Fault
	}{
		{``, scan.Unfinished},
		{` `, scan.Unfinished},
		{`{`, scan.Unfinished},
		{`[1`, scan.Unfinished},
		{`[1,`, scan.Unfinished},
		{`"a`, scan.Unfinished},
		{`"a\`, scan.Unfinished},
		{`{"a`, scan.Unfinished},
		{`{"a"`, scan.Unfinished},
		{`{"a":`, scan.Unfinished},
		{`tru`, scan.Unfinished},
		{`nul`, scan.Unfinished},
		{`{"a":fals`, scan.Unfinished},
		{`}`, scan.Malformed},
		{`]`, scan.Malformed},
		{`[1 2]`, scan.Malformed},
		{`{"a" 1}`, scan.Malformed},
		{`{a:1}`, scan.Malformed},
		{`[1}`, scan.Malformed},
		{`trux`, scan.Malformed},
		{`hello`, scan.Malformed},
		{`1 2`, scan.Malformed},
		{`{} x`, scan.Malformed},
		{`[[]`, scan.Unfinished},
		{`,`, scan.Malformed},
		{`<html>`, scan.Malformed},
	} {
		s := scan.New([]byte(c.text))
		_ = tree(&s)
		if s.End() || s.Fault() != c.want {
			t.Errorf("%.50q walked has fault %d, want %d", c.text, s.Fault(), c.want)
		}
		skipped := scan.New([]byte(c.text))
		skipped.Skip()
		if skipped.End() && !tolerated(c.text) {
			t.Errorf("%.50q skipped has no fault", c.text)
		}
	}
}

func TestSteppingOverIsBoundedInDepth(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]scan.Fault{900: scan.None, 1_000_000: scan.Malformed} {
		s := scan.New([]byte(strings.Repeat("[", n) + strings.Repeat("]", n)))
		s.Skip()
		if s.Fault() != want {
			t.Errorf("%d levels have fault %d, want %d", n, s.Fault(), want)
		}
	}
}

// tolerated names what stepping over does not look at: it checks brackets, strings and words alone.
func tolerated(text string) bool { return text == `[1 2]` || text == `{"a" 1}` }

func TestBrokenTextBecomesValid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"\ud800"`: "\uFFFD", `"\udc00\ud800x"`: "\uFFFD\uFFFDx", `"\ud800\u0041"`: "\uFFFDA", "\"a\xffb\"": "a\uFFFDb", `"\q\u12"`: `\q\u12`, `"\u12G4"`: `\u12G4`,
		"\"line\nbreak\"": "line\nbreak",
	} {
		s := scan.New([]byte(text))
		if got := s.Text(); got != want {
			t.Errorf("%q reads as %q, want %q", text, got, want)
		}
		s = scan.New([]byte(text))
		if got := string(s.AppendText(nil)); got != want {
			t.Errorf("%q appends as %q, want %q", text, got, want)
		}
	}
}

func TestReadingCostsLittle(t *testing.T) { // Not parallel: it counts allocations.
	body := []byte(`{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":123,"total_tokens":5}}`)
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		s := scan.New(body)
		s.Object()
		for {
			name, more := s.Member()
			if !more {
				break
			}
			if string(name) == "usage" && s.Object() {
				for {
					name, more := s.Member()
					if !more {
						break
					}
					if string(name) == "prompt_tokens" {
						n = s.Int()
					}
				}
			}
		}
	})
	if n != 123 || allocs > 0 {
		t.Errorf("read %d with %v allocations, want 123 with none", n, allocs)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range texts() {
		f.Add([]byte(text))
	}
	for _, text := range []string{`{"a`, `[1,`, `"\ud8`, `{"a":tru`, "[\xff]", `{"a":1,"a":2}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		s := scan.New(text)
		got := tree(&s)
		ended := s.End()
		if !bytes.Equal(before, text) {
			t.Fatal("the text was changed")
		}
		if !allValid(got) {
			t.Errorf("%q gives text that is no UTF-8: %#v", text, got)
		}
		if depth(text) > 900 {
			return
		}
		var want any
		if json.Unmarshal(text, &want) != nil {
			return // Tolerance may read what is no JSON.
		}
		if !ended {
			t.Errorf("%q is JSON, and has fault %d", text, s.Fault())
		}
		if utf8.Valid(text) && !reflect.DeepEqual(got, want) {
			t.Errorf("%q reads as %#v, want %#v", text, got, want)
		}
		skipped := scan.New(text)
		if skipped.Skip(); !skipped.End() {
			t.Errorf("%q is JSON, and skipped has fault %d", text, skipped.Fault())
		}
	})
}

func depth(text []byte) int { return bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")) }

func allValid(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, item := range v {
			if !allValid(item) {
				return false
			}
		}
	case map[string]any:
		for _, item := range v {
			if !allValid(item) {
				return false
			}
		}
	}
	return true
}
