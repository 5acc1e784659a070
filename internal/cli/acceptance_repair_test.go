package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// repairCase is a labelled text: what others' repair tools expect of it.
type repairCase struct {
	id, text, mode string
	schema, want   value.Value
	hasSchema      bool
	none           bool // no value is expected, or one that the schema refuses
}

func repairCases(tb testing.TB) (cases []repairCase, disputed map[string]bool) {
	tb.Helper()
	root := sharedtest.Dir(tb, "data", "json-repair")
	each := func(name string, take func(value.Value)) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			v, err := value.DecodeString(line, value.Limits{})
			if err != nil {
				tb.Fatalf("decode a line of %s: %v", name, err)
			}
			take(v)
		}
	}
	member := func(v value.Value, name string) string {
		item, _ := v.Get(name)
		return item.Text()
	}
	disputed = map[string]bool{}
	each("tool_disagreements.jsonl", func(v value.Value) { disputed[member(v, "id")] = true })
	each("cases.jsonl", func(v value.Value) {
		c := repairCase{id: member(v, "id"), text: member(v, "input"), mode: member(v, "mode")}
		c.schema, c.hasSchema = v.Get("schema")
		c.want, _ = v.Get("expected")
		failed, _ := v.Get("error")
		_, none := v.Get("expected_none")
		c.none = failed.Truth() || none
		cases = append(cases, c)
	})
	return cases, disputed
}

func TestRepairCasesThroughTheCommandComeRight(t *testing.T) {
	t.Parallel()
	cases, disputed := repairCases(t)
	type share struct{ good, all int }
	shares := map[string]*share{"agreed": {}, "complete": {}, "schema": {}, "valid JSON unchanged": {}}
	count := func(name string, good bool) {
		shares[name].all++
		if good {
			shares[name].good++
		}
	}
	next := 0
	runLines(t, []string{"repair", "--jsonl"}, func(w io.Writer) error {
		for _, c := range cases {
			line := value.Object(value.Member{Name: "id", Value: value.String(c.id)}, value.Member{Name: "text", Value: value.String(c.text)})
			if c.hasSchema {
				line = line.With("schema", c.schema)
			}
			if _, err := w.Write(append(line.Append(nil), '\n')); err != nil {
				return err
			}
		}
		return nil
	}, func(line []byte) {
		answer, err := value.Decode(line, value.Limits{Depth: 2000}) // One case is nested as deep as a text may be.
		if err != nil || next == len(cases) {
			t.Fatalf("answer %d is %.200q (%v)", next, line, err)
		}
		c := cases[next]
		next++
		if id, _ := answer.Get("id"); id.Text() != c.id {
			t.Fatalf("an answer has the id %s, want %s", id, c.id)
		}
		got, read := answer.Get("value")
		valid, judged := answer.Get("valid")
		good := read && value.Equal(got, c.want)
		if c.none {
			good = !read || judged && !valid.Truth()
		}
		switch {
		case c.hasSchema && c.mode != "schema-partial":
			count("schema", good)
		case c.mode == "complete":
			count("complete", good)
		}
		if (c.mode == "complete" || c.mode == "extract") && !disputed[c.id] && !c.none {
			count("agreed", good)
		}
		if strict, err := value.DecodeString(c.text, value.Limits{}); err == nil && !c.hasSchema {
			repairs, _ := answer.Get("repairs")
			count("valid JSON unchanged", value.Identical(got, strict) && repairs.Len() == 0)
		}
	})
	for name, least := range map[string]float64{"agreed": 0.98, "complete": 0.88, "schema": 0.90, "valid JSON unchanged": 1} {
		s := shares[name]
		t.Logf("%s: %d of %d = %.1f %%", name, s.good, s.all, 100*float64(s.good)/float64(max(s.all, 1)))
		if float64(s.good) < least*float64(s.all) || s.all == 0 {
			t.Errorf("%s: %d of %d; want at least %.0f %%", name, s.good, s.all, 100*least)
		}
	}
}
