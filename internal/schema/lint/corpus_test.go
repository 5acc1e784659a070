package lint_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/lint"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// Real schemas are sloppy in ways that nobody makes up: advice on them points at something, and figures stay figures.
func TestRealSchemasAreChecked(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "jsonschemabench"), "*.jsonl"))
	step := 20
	if testing.Short() {
		step = 200
	}
	profiles, err := lint.Profiles([]string{"openai", "anthropic", "gemini:openapi", "llamacpp"}, "")
	if err != nil {
		t.Fatal(err)
	}
	n, checked, linting := 0, 0, time.Duration(0)
	rules := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if n++; n%step != 0 {
				continue
			}
			v, err := value.DecodeString(line, value.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			id, _ := v.Get("id")
			raw, _ := v.Get("schema")
			s, err := schema.Compile(raw, schema.Options{})
			if err != nil {
				continue // Whether it should compile is package schema's to prove.
			}
			checked++
			start := time.Now()
			r, err := lint.Of(t.Context(), s, nil)
			linting += time.Since(start)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range r.Advice {
				rules[a.Rule]++
				if _, ok := raw.Lookup(a.Pointer); !ok {
					t.Errorf("%s: %s points at %s, where nothing is", id.Text(), a.Rule, a.Pointer)
				}
				if strings.Contains(a.Message+a.Hint, "%!") {
					t.Errorf("%s: %s says %q, %q", id.Text(), a.Rule, a.Message, a.Hint)
				}
			}
			if rest, cut := withoutUnused(raw, r.Advice); cut {
				if _, err := schema.Compile(rest, schema.Options{}); err != nil {
					t.Errorf("%s: something refers to a definition that is said to be unused: %v", id.Text(), err)
				}
			}
			if r, err = lint.Of(t.Context(), s, profiles); err != nil {
				t.Fatal(err)
			}
			for i := range r.Dialects {
				if d := &r.Dialects[i]; d.Enforced < 0 || d.Enforced > d.Constraints || d.Constraints == 0 && len(d.Residue) > 0 {
					t.Errorf("%s with %s: %d of %d constraints, and %d in the residue", id.Text(), d.Name, d.Enforced, d.Constraints, len(d.Residue))
				}
			}
			if _, err := value.Decode(r.Value().Append(nil), value.Limits{}); err != nil {
				t.Errorf("%s: the report is no JSON: %v", id.Text(), err)
			}
		}
	}
	if checked == 0 || rules["no_description"] == 0 {
		t.Fatalf("%d schemas were checked, with the advice %v: the corpus is another one", checked, rules)
	}
	t.Logf("%d schemas, %v of advice each", checked, linting/time.Duration(checked))
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		t.Logf("%s: %d", rule, rules[rule])
	}
}

// withoutUnused takes out what is said to be unused.
func withoutUnused(v value.Value, advice []lint.Advice) (rest value.Value, cut bool) {
	for _, a := range advice {
		if a.Rule == "unused_definition" {
			tokens, _ := value.Tokens(a.Pointer)
			v, cut = without(v, tokens), true
		}
	}
	return v, cut
}

func without(v value.Value, tokens []string) value.Value {
	if len(tokens) == 1 {
		return v.Without(tokens[0])
	}
	if v.Kind() == value.KindArray {
		i, err := strconv.Atoi(tokens[0])
		if err != nil || i >= v.Len() {
			return v
		}
		return v.WithAt(i, without(v.At(i), tokens[1:]))
	}
	inner, ok := v.Get(tokens[0])
	if !ok { // It stood in a definition that is out already.
		return v
	}
	return v.With(tokens[0], without(inner, tokens[1:]))
}

func TestUnknownDialectsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := lint.Profiles([]string{"openai", "gpt", "claude"}, "/dialects")
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code != fault.InvalidRequest || len(f.Entries) != 2 || f.Entries[1].Pointer != "/dialects/2" || f.Remediation == "" {
		t.Errorf("got %v, want both names with their places and a remedy", err)
	}
	list, err := lint.Profiles([]string{"openai", "gemini", "openai"}, "")
	if err != nil || len(list) != 2 {
		t.Errorf("got %v and %v, want each name once", list, err)
	}
}
