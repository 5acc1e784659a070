package compat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/schema/compat"
	"github.com/promptd/promptd/internal/value"
)

func compiled(t testing.TB, text string) *schema.Schema {
	t.Helper()
	raw, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := schema.Compile(raw, schema.Options{})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// pairTest is two versions with the findings of both directions: keyword@instance, with a question mark before what is undecided.
type pairTest struct{ old, now, backward, forward string }

func found(r compat.Report, direction compat.Mode) string {
	var list []string
	for _, f := range r.Findings {
		if f.Direction != direction {
			continue
		}
		text := f.Keyword + "@" + f.Instance
		if f.Verdict == compat.Undecided {
			text = "?" + text
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func TestPairs(t *testing.T) {
	t.Parallel()
	for _, c := range pairTests() {
		t.Run(c.old+" "+c.now, func(t *testing.T) {
			t.Parallel()
			r := compat.Check(context.Background(), compiled(t, c.old), compiled(t, c.now), compat.Full)
			if got := found(r, compat.Backward); got != c.backward {
				t.Errorf("backward: got %q, want %q", got, c.backward)
			}
			if got := found(r, compat.Forward); got != c.forward {
				t.Errorf("forward: got %q, want %q", got, c.forward)
			}
			if r.Compatible != (c.backward == "" && c.forward == "") {
				t.Errorf("got compatible %t", r.Compatible)
			}
			for _, f := range r.Findings {
				if f.Message == "" || f.Hint == "" {
					t.Errorf("a finding without words: %+v", f)
				}
			}
		})
	}
}
