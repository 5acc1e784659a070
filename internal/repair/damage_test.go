package repair_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/repair/damage"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// realInstance is a valid instance of a real schema.
type realInstance struct{ schema, data value.Value }

// realInstances gives the valid instances of the corpora of real schemas with an object or an array at the root.
func realInstances(tb testing.TB) []value.Value {
	tb.Helper()
	pairs := realPairs(tb)
	out := make([]value.Value, len(pairs))
	for i := range pairs {
		out[i] = pairs[i].data
	}
	return out
}

func realPairs(tb testing.TB) []realInstance {
	tb.Helper()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(tb, "data", "jsonschemabench"), "*.jsonl"))
	files = append(files, sharedtest.Dir(tb, "data", "schemastore", "cases.jsonl"))
	var out []realInstance
	for _, file := range files {
		eachLine(tb, file, func(line []byte) {
			v, err := value.Decode(line, value.Limits{})
			if err != nil {
				tb.Fatalf("decode a line of %s: %v", file, err)
			}
			schema, _ := v.Get("schema")
			tests, _ := v.Get("tests")
			for _, test := range tests.Items() {
				valid, _ := test.Get("valid")
				data, _ := test.Get("data")
				if valid.Truth() && (data.Kind() == value.KindObject || data.Kind() == value.KindArray) {
					out = append(out, realInstance{schema, data})
				}
			}
		})
	}
	return out
}

func TestDamagedInstancesComeBack(t *testing.T) {
	t.Parallel()
	instances := realInstances(t)
	for _, kind := range damage.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, uint64(len(kind))))
			var kept, cut share
			for i, v := range instances {
				if i%3 != rng.IntN(3) && kind != repair.KindBadEscape && kind != repair.KindUnescapedQuote && kind != repair.KindControlCharacter {
					continue
				}
				text, keeps := damage.Apply(kind, v, rng)
				if _, err := value.DecodeString(text, value.Limits{}); err == nil {
					continue
				}
				got, err := repair.Read(text, repair.Hints{YAML: kind == repair.KindYAML, XML: kind == repair.KindXML})
				if kind == repair.KindClosed {
					cut.count(err == nil && got.Unfinished)
					continue
				}
				if !keeps {
					continue
				}
				good := err == nil && value.Equal(got.Value, v)
				kept.count(good)
				if !good && kept.all-kept.good <= 3 {
					t.Logf("%.700s\n  want %.500s\n  got  %.500s %v", text, v, got.Value, err)
				}
			}
			switch kind {
			case repair.KindClosed:
				cut.atLeast(t, "cuts are unfinished", 1)
			case repair.KindXML, repair.KindMissingValue, repair.KindSurrogate, repair.KindBadUTF8: // The damage keeps no value.
				if kept.all > 0 {
					t.Errorf("%d damaged texts claim to keep their value", kept.all)
				}
			default:
				kept.atLeast(t, "damage by "+string(kind)+" is undone", 0.99)
			}
		})
	}
}
