package lowering_test

import (
	"os"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/schema/lowering"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// The measurements of the engines bind the checkers in both directions: what an engine refuses, ignores or narrows is complained about, and what it
// enforces is not. Exceptions carry their reasons.

// matrixEngines are the columns of the measurements that say what a profile's engine does. outlines_core is nobody's engine here.
func matrixEngines() map[string][]string {
	return map[string][]string{
		"llamacpp":            {"llama.cpp 0c1e57098"},
		"ollama":              {"llama.cpp 0c1e57098"},
		"llamacpp:llguidance": {"llguidance 1.9.1"},
		"openai:vllm":         {"llguidance 1.9.1", "xgrammar 0.2.8 strict_mode=True", "xgrammar 0.2.8 strict_mode=False"},
	}
}

// unknowable are cases that went wrong in an engine and that no rule over the schema can tell.
func unknowable(name string) string {
	switch name {
	case "property order (keys reversed, valid JSON Schema)":
		return "the order in which a model answers; every engine keeps the declared one, and no schema says otherwise"
	case "additionalProperties absent -> extra key allowed":
		return "a narrowing that the lowering records (section 1, fact 2), not a refusal"
	default:
		return ""
	}
}

// cautious are cases that every engine of a profile enforced and that the checkers complain about all the same.
func cautious(profile, name string) string {
	switch {
	case name == "oneOf disjoint (const tag)":
		return "oneOf that overlaps is refused or not enforced; what is sent says anyOf"
	case name == "items array (draft 7 tuple)":
		return "what is sent is of draft 2020-12, where items is one schema"
	case name == "unevaluatedProperties false":
		return "enforced by llama.cpp only as it closes every object"
	case name == "format unknown (iban)":
		return "ignored by llama.cpp; the measurement has no instance that would show it"
	case name == "format uri" && profile == "llamacpp:llguidance":
		return "too large for the llguidance inside llama.cpp's server"
	default:
		return ""
	}
}

func TestCheckersAgreeWithTheMeasurements(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sharedtest.Dir(t, "data", "grammar_engine_keyword_matrix.json"))
	if err != nil {
		t.Fatal(err)
	}
	rows, _ := parsed(t, string(raw)).Get("rows")
	for profile, engines := range matrixEngines() {
		wrong, right, skipped := 0, 0, 0
		for _, row := range rows.Items() {
			field := func(name string) value.Value { v, _ := row.Get(name); return v }
			name, s := field("case").Text(), field("schema")
			if s.Kind() != value.KindObject {
				skipped++ // The largest schemas are described, not given.
				continue
			}
			bad := ""
			for _, engine := range engines {
				result, ok := field("results").Get(engine)
				if !ok {
					t.Fatalf("%s has no result of %s", name, engine)
				}
				if text := result.Text(); text != "enforced" && text != "ok" {
					bad = engine + ": " + text
				}
			}
			got := checkSubset(profile, lowering.Grammar, s)
			switch {
			case bad != "" && unknowable(name) == "":
				if wrong++; len(got) == 0 {
					t.Errorf("%s, %s: no complaint, and yet %s\n%s", profile, name, strings.TrimSpace(bad), s)
				}
			case bad == "" && cautious(profile, name) == "":
				if right++; len(got) > 0 {
					t.Errorf("%s, %s: enforced by its engines, and yet %q\n%s", profile, name, got, s)
				}
			}
		}
		t.Logf("%s: %d cases that went wrong are complained about, %d that were enforced are not; %d are not given", profile, wrong, right, skipped)
	}
}
