package repair_test

import (
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/value"
)

// valid reports whether all texts and names of a value are UTF-8, its numbers JSON's and its names unique, as its type promises.
func valid(v value.Value) bool {
	switch v.Kind() {
	case value.KindString:
		return utf8.ValidString(v.Text())
	case value.KindNumber:
		_, err := value.Number(v.Text())
		return err == nil
	}
	names := make(map[string]bool, v.Len())
	for i := range v.Len() {
		if name := v.NameAt(i); v.Kind() == value.KindObject {
			if names[name] || !utf8.ValidString(name) {
				return false
			}
			names[name] = true
		}
		if !valid(v.At(i)) {
			return false
		}
	}
	return true
}

func FuzzRead(f *testing.F) {
	schema := repair.ShapeOf(mustDecode(f, `{"type":"object","required":["a"],"properties":{"a":{"type":["object","array"]},"b":{"enum":["x","y"]},
		"c":{"type":"string"},"d":{"type":"boolean"},"e":{"type":"array","items":{"type":"number"}}}}`))
	hints := []repair.Hints{{}, {Schema: schema}, {XML: true, YAML: true}, {XML: true, YAML: true, Schema: schema}}
	for _, seed := range []string{
		`{"a": 1}`, "```json\n{'a': 1,}\n```", "<think>x</think>{a: [1, 2", `{"a": "say "hi" now"}`, `{"a" 1 "b": 2}`, `[1, 2`, "a: 1\nb:\n  - x\n",
		"<r><a>1</a><b c='d'/></r>", `{"a": "{\"b\": 1}"}`, `{\"a\": \"b\"}`, "[NumberLong(2), new Date(\"x\")]", "{\"a\": \"\\ud800\"}", "{\"a\": \"\xff\"}",
		`{"paging: {limit": 10}`, `{""a"": """b"""}`, "“a”", "({1, 2}, ...)", "/* c */ [1e5, .5, 0x1f] // d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, h := range hints {
			got, err := repair.Read(text, h)
			strict, strictErr := value.DecodeString(text, value.Limits{})
			if err != nil {
				var bound *value.SyntaxError
				if !errors.As(err, &bound) && !errors.Is(err, repair.ErrNoValue) {
					t.Fatalf("%q: an error of another kind: %v", text, err)
				}
				if strictErr == nil {
					t.Fatalf("%q: strict JSON is refused: %v", text, err)
				}
				continue
			}
			if !valid(got.Value) {
				t.Fatalf("%q: the value %s breaks its type's promise", text, got.Value)
			}
			for i, r := range got.Repairs {
				if r.Offset < 0 || r.Offset > len(text) || r.Kind == "" || i > 0 && r.Offset < got.Repairs[i-1].Offset {
					t.Fatalf("%q: repair %d of %v", text, i, got.Repairs)
				}
			}
			var syntax *value.SyntaxError
			switch {
			case strictErr == nil && h.Schema == nil && (!value.Identical(got.Value, strict) || len(got.Repairs) > 0 || got.Unfinished):
				t.Fatalf("%q: strict JSON comes back as %s, %v", text, got.Value, got.Repairs)
			case errors.As(strictErr, &syntax) && syntax.Unfinished && !got.Unfinished && len(got.Repairs) == 0:
				t.Fatalf("%q: a text that ends inside its value is taken as whole: %s", text, got.Value)
			case strictErr != nil && len(got.Repairs) == 0 && !got.Unfinished:
				t.Fatalf("%q: nothing is said of %v: %s", text, strictErr, got.Value)
			}
		}
	})
}

func FuzzStream(f *testing.F) {
	for _, seed := range []string{`{"a": 1, "b": [true, "x"], "c": {}}`, "```json\n{\"a\": \"b\"}\n```", "<think>{</think>[1, 2]", `{"a": "say "hi" now"}`, "Sure! {\n\"a\": [1,", `{"a":1,"a":2}`} {
		f.Add(seed, uint8(3))
	}
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		last, any, fault := streamed(text, repair.Hints{}, func() int { return int(size) })
		if fault != "" {
			t.Fatalf("%q: %s", text, fault)
		}
		if any && !valid(last) {
			t.Fatalf("%q: the snapshot %s breaks its type's promise", text, last)
		}
		if strict, err := value.DecodeString(text, value.Limits{}); err == nil && any && !value.Identical(last, strict) {
			t.Fatalf("%q: the last snapshot is %s", text, last)
		}
	})
}
