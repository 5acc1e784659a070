// Package engine has a real grammar engine, llguidance, compile what real schemas are lowered to, and follow their valid instances.
package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
	"github.com/promptd/promptd/test/independent"
)

// TestTheEngineTakesRealSchemas is the law of completeness with the engine in our judge's place: every grammar compiles, and every valid instance that can be given
// is one that it lets a model write. PROMPTD_FULL=1 takes every schema.
func TestTheEngineTakesRealSchemas(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short leaves out the real grammar engine")
	}
	step := 9
	if os.Getenv("PROMPTD_FULL") != "" {
		step = 1
	}
	engine := independent.NewEngine(t)
	paths, err := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "jsonschemabench"), "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files of the corpus: %v", len(paths), err)
	}
	paths = append(paths, filepath.Join(sharedtest.Dir(t, "data", "schemastore"), "cases.jsonl"))
	var grammars []independent.Grammar
	n := 0
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			if n++; n%step == 0 {
				grammars = append(grammars, grammarsOf(t, line)...)
			}
		}
	}
	totals := engine.Follow(t, grammars)
	t.Logf("%d grammars compile, %d are refused; %d instances can be written, %d cannot", totals.Compiled, totals.Refused, totals.Followed, totals.Stopped)
	if totals.Followed < totals.Compiled/4 {
		t.Errorf("%d instances for %d grammars", totals.Followed, totals.Compiled)
	}
}

// grammarsOf gives what a schema of the corpus is lowered to, with and without generation caps, and its valid instances.
func grammarsOf(t *testing.T, line string) []independent.Grammar {
	t.Helper()
	v, err := value.DecodeString(line, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	id, _ := v.Get("id")
	raw, _ := v.Get("schema")
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		return nil
	}
	l := lowering.Lower(s, lowering.LlamaCpp())
	if l.Schema.IsNull() {
		return nil
	}
	// The engine has one order of members: that of what it is sent.
	sent, err := schema.Compile(l.Schema, schema.Options{Limits: schema.Limits{Bytes: 16 << 20, Subschemas: 100_000, Depth: 500}})
	if err != nil {
		t.Fatalf("%s: %v", id.Text(), err)
	}
	whole := independent.Grammar{ID: id.Text(), Schema: json.RawMessage(l.Schema.String())}
	tests, _ := v.Get("tests")
	for _, test := range tests.Items() {
		x, _ := test.Get("data")
		if valid, _ := s.Accept(t.Context(), x); !valid.OK() || len(x.String()) > 20_000 {
			continue
		}
		if lowered, err := l.Lower(x); err == nil {
			whole.Texts = append(whole.Texts, plain(sent.Reorder(lowered)).String())
		}
	}
	return []independent.Grammar{whole, {ID: id.Text() + ", capped", Schema: json.RawMessage(l.Capped().String())}}
}

// plain writes whole numbers without a fraction: 5.0 is an integer, and the engine has one spelling of it.
func plain(v value.Value) value.Value {
	if v.Kind() == value.KindNumber && v.Decimal().IsInteger() {
		if n, ok := v.Decimal().Int64(); ok {
			return value.Int(n)
		}
	}
	for i := range v.Len() {
		v = v.WithAt(i, plain(v.At(i)))
	}
	return v
}
