package repair

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// instance is a valid instance of a real schema.
type instance struct {
	id     string
	schema value.Value
	data   value.Value
}

// validInstances gives the valid instances of the corpora of real schemas whose root is an object, an array or a string.
func validInstances(tb testing.TB) []instance {
	tb.Helper()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "jsonschemabench"), "*.jsonl"))
	files = append(files, sharedtest.Dir(tb, "data", "schemastore", "cases.jsonl"))
	var out []instance
	for _, file := range files {
		eachLine(tb, file, func(line []byte) {
			v, err := value.Decode(line, value.Limits{})
			if err != nil {
				tb.Fatalf("decode a line of %s: %v", file, err)
			}
			id, _ := v.Get("id")
			schema, _ := v.Get("schema")
			tests, _ := v.Get("tests")
			for _, test := range tests.Items() {
				valid, _ := test.Get("valid")
				data, _ := test.Get("data")
				switch data.Kind() {
				case value.KindObject, value.KindArray, value.KindString:
					if valid.Truth() {
						out = append(out, instance{id.Text(), schema, data})
					}
				}
			}
		})
	}
	return out
}

// indented writes a value over several lines, as models often do.
func indented(dst []byte, v value.Value, indent string) []byte {
	deeper := indent + "  "
	switch {
	case v.Kind() == value.KindArray && v.Len() > 0:
		dst = append(dst, '[')
		for i, item := range v.Items() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = indented(append(append(dst, '\n'), deeper...), item, deeper)
		}
		return append(append(append(dst, '\n'), indent...), ']')
	case v.Kind() == value.KindObject && v.Len() > 0:
		dst = append(dst, '{')
		i := 0
		for name, member := range v.Members() {
			if i > 0 {
				dst = append(dst, ',')
			}
			i++
			dst = append(append(dst, '\n'), deeper...)
			dst = append(value.AppendQuoted(dst, name), ':', ' ')
			dst = indented(dst, member, deeper)
		}
		return append(append(append(dst, '\n'), indent...), '}')
	default:
		return v.Append(dst)
	}
}

func TestTolerantParserReadsValidTextAsItIs(t *testing.T) {
	t.Parallel()
	read := 0
	for _, in := range validInstances(t) {
		for _, text := range []string{in.data.String(), string(indented(nil, in.data, ""))} {
			p := newParser(text, Hints{})
			got, err := p.read()
			if err != nil || got.Unfinished || len(got.Repairs) > 0 || !value.Identical(got.Value, in.data) {
				t.Errorf("%s: tolerant reading of valid text differs\ninput %.300s\ngot   %.300s, repairs %v, unfinished %v, error %v", in.id, text,
					got.Value, got.Repairs, got.Unfinished, err)
			}
			read++
		}
	}
	t.Logf("%d texts", read)
}

func TestCutTextsAreUnfinished(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	cuts, wrapped := 0, 0
	for _, in := range validInstances(t) {
		text := in.data.String()
		if rng.IntN(2) == 0 {
			text = string(indented(nil, in.data, ""))
		}
		shape := ShapeOf(in.schema)
		for range 8 {
			if len(text) < 3 {
				continue
			}
			cut := text[:1+rng.IntN(len(text)-1)]
			for _, h := range []Hints{{}, {Schema: shape}} {
				got, err := Read(cut, h)
				cuts++
				if err == nil && !got.Unfinished || err != nil {
					t.Errorf("%s: a cut text is not unfinished\ninput %q\ngot   %.300s, repairs %v, error %v", in.id, cut, got.Value, got.Repairs, err)
				}
			}
			if in.data.Kind() == value.KindString {
				continue
			}
			for _, before := range []string{"```json\n", "Here is the answer you asked for:\n\n", "<think>\nlet me {think}\n</think>\n"} {
				got, err := Read(before+cut, Hints{Schema: shape})
				wrapped++
				if err == nil && !got.Unfinished {
					t.Errorf("%s: a wrapped cut text is not unfinished\ninput %q\ngot   %.300s, repairs %v", in.id, before+cut, got.Value, got.Repairs)
				}
			}
		}
	}
	t.Logf("%d cuts, %d wrapped cuts", cuts, wrapped)
}
