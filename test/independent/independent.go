// Package independent has our work judged by others: answers by python-jsonschema, with formats, and grammars by llguidance. It is for tests alone.
//
// [New] finds or fetches it, and skips the test loudly where it can't be had; [Validator.Judge] asks it. [NewEngine] does the same with llguidance, the grammar
// engine of llama.cpp and vLLM.
package independent

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"testing"
)

//go:embed judge.py
var script string

// The validator's version, and the modules whose import shows that it is whole.
const (
	version = "4.26.0"
	imports = "import jsonschema, rfc3339_validator"
)

// Validator is a Python that has the pinned python-jsonschema.
type Validator struct{ python string }

// Answer is a value that is said to satisfy a schema.
type Answer struct {
	ID     string          `json:"id"`
	Schema json.RawMessage `json:"schema"`
	Data   json.RawMessage `json:"data"`
}

// Totals counts what was judged. Skipped are answers that it can't judge: it doesn't know a pattern, or may not follow a reference.
type Totals struct{ Judged, Skipped, Rejected int }

// New gives the validator out of the user's cache, where the first call puts it in a virtual environment of its own.
func New(tb testing.TB) Validator {
	tb.Helper()
	return Validator{environment(tb, "python-jsonschema", "test-jsonschema-"+version, imports, "jsonschema[format-nongpl]=="+version)}
}

// Judge fails the test for each answer that the validator rejects, and gives the counts.
func (v Validator) Judge(tb testing.TB, answers []Answer) Totals {
	tb.Helper()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, a := range answers {
		if err := encoder.Encode(a); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.CommandContext(tb.Context(), v.python, "-c", script)
	cmd.Stdin = &lines
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("judge.py: %v\n%s", err, stderr.String())
	}
	var totals Totals
	counted := false
	skipped := map[string]int{}
	for line := range bytes.Lines(out) {
		said := struct {
			ID      string
			Errors  []string
			Skipped any // why, or how many in the last line
			Judged  *int
		}{}
		if err := json.Unmarshal(line, &said); err != nil {
			tb.Fatalf("judge.py said %q: %v", line, err)
		}
		switch {
		case said.Judged != nil:
			if err := json.Unmarshal(line, &totals); err != nil {
				tb.Fatal(err)
			}
			counted = true
		case len(said.Errors) > 0:
			tb.Errorf("passed, and python-jsonschema rejects it: %s: %v", said.ID, said.Errors)
		default:
			skipped[fmt.Sprint(said.Skipped)]++
		}
	}
	if !counted || totals.Judged+totals.Skipped != len(answers) {
		tb.Fatalf("judge.py counted %+v of %d answers", totals, len(answers))
	}
	tb.Logf("python-jsonschema judged %d answers and rejected %d; it could not judge %d: %v", totals.Judged, totals.Rejected, totals.Skipped, skipped)
	return totals
}
