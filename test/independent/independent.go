// Package independent has answers judged by a JSON Schema validator that is not ours: python-jsonschema, with formats. It is for tests alone.
//
// [New] finds or fetches it, and skips the test loudly where it can't be had; [Validator.Judge] asks it.
package independent

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Skipf("SKIPPED: no cache directory for python-jsonschema: %v", err)
	}
	home := filepath.Join(cache, "promptd")
	v := Validator{python: filepath.Join(home, "test-jsonschema-"+version, "bin", "python")}
	if v.whole() {
		return v
	}
	// It grows beside its place and is moved there: tests of other packages may do the same at the same time.
	if err := os.MkdirAll(home, 0o755); err != nil {
		tb.Skipf("SKIPPED: no place for python-jsonschema: %v", err)
	}
	grown, err := os.MkdirTemp(home, "test-jsonschema-new-")
	if err != nil {
		tb.Skipf("SKIPPED: no place for python-jsonschema: %v", err)
	}
	defer os.RemoveAll(grown)
	python := filepath.Join(grown, "bin", "python")
	pip := []string{python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "jsonschema[format-nongpl]==" + version}
	for _, args := range [][]string{{"python3", "-m", "venv", grown}, pip} {
		if out, err := exec.CommandContext(tb.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			tb.Skipf("SKIPPED: python-jsonschema can't be had: %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	final := filepath.Dir(filepath.Dir(v.python))
	if !v.whole() {
		if err := os.RemoveAll(final); err != nil {
			tb.Fatal(err)
		}
	}
	moved := os.Rename(grown, final) // Another test may have been faster; then its own serves.
	if !v.whole() {
		tb.Fatalf("python-jsonschema is not whole in %s (%v)", final, moved)
	}
	return v
}

func (v Validator) whole() bool {
	return exec.Command(v.python, "-c", imports).Run() == nil //nolint:noctx // It ends by itself.
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
