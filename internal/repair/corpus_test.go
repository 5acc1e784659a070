package repair_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// corpusCase is one case of other projects' tests: a text and the value that they expect of it.
type corpusCase struct {
	ID           string      `json:"id"`
	Source       string      `json:"source"`
	Mode         string      `json:"mode"`
	Input        string      `json:"input"`
	Expected     value.Value `json:"expected"`
	ExpectedNone bool        `json:"expected_none"`
	Error        bool        `json:"error"`
	AlreadyValid bool        `json:"already_valid"`
	Schema       value.Value `json:"schema"`
	Notes        []string    `json:"notes"`
}

// valueless reports whether the case expects no value.
func (c corpusCase) valueless() bool { return c.ExpectedNone || c.Error }

// readCorpus gives the cases, and the ids of those on which the two reference tools do not both give the expected value.
func readCorpus(t *testing.T) (cases []corpusCase, disputed map[string]bool) {
	t.Helper()
	disputed = map[string]bool{}
	eachLine(t, sharedtest.Dir(t, "data", "json-repair", "tool_disagreements.jsonl"), func(line []byte) {
		var c corpusCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		disputed[c.ID] = true
	})
	eachLine(t, sharedtest.Dir(t, "data", "json-repair", "cases.jsonl"), func(line []byte) {
		var c corpusCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	})
	return cases, disputed
}

func eachLine(tb testing.TB, path string, do func(line []byte)) {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		do(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		tb.Fatal(err)
	}
}

// share counts right answers.
type share struct{ good, all int }

func (s *share) count(good bool) {
	s.all++
	if good {
		s.good++
	}
}

func (s *share) of() float64 { return float64(s.good) / float64(max(s.all, 1)) }

// atLeast logs the share and fails the test where it is too small.
func (s *share) atLeast(t *testing.T, name string, least float64) {
	t.Helper()
	t.Logf("%-44s %4d of %4d = %.1f %%", name, s.good, s.all, 100*s.of())
	if s.of() < least {
		t.Errorf("%s: %.1f %% is less than %.1f %%", name, 100*s.of(), 100*least)
	}
}

func shorten(s string) string {
	if len(s) > 240 {
		return s[:240] + "…"
	}
	return s
}

// wanted tells what a case expects, for messages.
func (c corpusCase) wanted() string {
	if c.valueless() {
		return "no value"
	}
	return c.Expected.String()
}

func TestCorpusWithoutSchema(t *testing.T) {
	t.Parallel()
	cases, disputed := readCorpus(t)
	var agreed, complete, extract, unchanged share
	for _, c := range cases {
		if !c.Schema.IsNull() || c.Mode != "complete" && c.Mode != "extract" {
			continue
		}
		got, err := repair.Read(c.Input, repair.Hints{})
		good := err != nil
		if !c.valueless() {
			good = err == nil && value.Equal(got.Value, c.Expected)
		}
		if c.Mode == "complete" {
			complete.count(good)
		} else {
			extract.count(good)
		}
		// The list of disagreements leaves out the cases that expect no value. The tools do not agree there: on 'True' one gives true and the
		// other nothing, on '{"a":2}foo' one gives the object and the other an error. They are part of the complete share alone.
		if !disputed[c.ID] && !c.valueless() {
			agreed.count(good)
		}
		if strict, strictErr := value.DecodeString(c.Input, value.Limits{}); strictErr == nil {
			unchanged.count(err == nil && len(got.Repairs) == 0 && !got.Unfinished && value.Identical(strict, got.Value))
		}
		if !good {
			t.Logf("%s %q\n  want %s\n  got  %s %v (disputed: %v)", c.Source, shorten(c.Input), shorten(c.wanted()), shorten(got.Value.String()), err, disputed[c.ID])
		}
	}
	agreed.atLeast(t, "cases on which both reference tools agree", 0.98)
	complete.atLeast(t, "all complete cases", 0.88)
	extract.atLeast(t, "extraction from prose", 1)
	unchanged.atLeast(t, "valid JSON unchanged", 1)
}

func TestCorpusWithSchema(t *testing.T) {
	t.Parallel()
	cases, _ := readCorpus(t)
	modes := []struct {
		name  string
		mode  schema.Mode
		least float64
	}{{"safe", schema.Safe, 0.80}, {"lenient", schema.Lenient, 0.90}} // Most of the labels ask for lenient coercion.
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			var all, others, unchanged share
			for _, c := range cases {
				if c.Schema.IsNull() || c.Mode == "schema-partial" {
					continue
				}
				got, good := readWithSchema(c, m.mode)
				all.count(good)
				if !relies(c) {
					others.count(good)
				}
				if c.AlreadyValid {
					unchanged.count(keepsValid(c))
				}
				if !good {
					t.Logf("%s %s %q\n  want %s\n  got  %s", c.Source, c.Mode, shorten(c.Input), shorten(c.wanted()), shorten(got))
				}
			}
			all.atLeast(t, "cases with a schema, "+m.name, m.least)
			others.atLeast(t, "… without aliases and constraints, "+m.name, m.least)
			unchanged.atLeast(t, "… valid JSON unchanged", 1)
		})
	}
}

// relies reports whether a case needs what JSON Schema does not have: aliases of enum members or the other tool's constraints.
func relies(c corpusCase) bool { return len(c.Notes) > 0 }

// readWithSchema reads, coerces and validates a case as the repair command does.
func readWithSchema(c corpusCase, mode schema.Mode) (got string, good bool) {
	result, err := repair.Read(c.Input, repair.Hints{Schema: repair.ShapeOf(c.Schema)})
	if err != nil {
		return err.Error(), c.valueless()
	}
	compiled, err := schema.Compile(c.Schema, schema.Options{})
	if err != nil {
		return err.Error(), c.valueless()
	}
	v, _ := compiled.Coerce(result.Value, mode)
	valid, _ := compiled.Accept(context.Background(), v)
	if c.valueless() {
		return v.String(), !valid.OK()
	}
	return v.String(), value.Equal(v, c.Expected)
}

// keepsValid reports whether valid JSON comes back as it is; where JSON in a string was opened, that the schema had no room for the string.
func keepsValid(c corpusCase) bool {
	strict, strictErr := value.DecodeString(c.Input, value.Limits{})
	got, err := repair.Read(c.Input, repair.Hints{Schema: repair.ShapeOf(c.Schema)})
	if strictErr != nil || err != nil {
		return false
	}
	for _, r := range got.Repairs {
		if r.Kind == repair.KindNestedJSON {
			return strings.Contains(c.Input, `"{`) || strings.Contains(c.Input, `"[`)
		}
	}
	return value.Identical(strict, got.Value) && len(got.Repairs) == 0
}
