package independent

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os/exec"
	"testing"
)

//go:embed engine.py
var engineScript string

// engineVersion is llguidance's; llama.cpp's server has one of about its age inside.
const engineVersion = "1.9.1"

// Engine is a Python that has the pinned llguidance.
type Engine struct{ python string }

// Grammar is a schema that an engine is sent, with texts that it must let a model write.
type Grammar struct {
	ID     string          `json:"id"`
	Schema json.RawMessage `json:"schema"`
	Texts  []string        `json:"texts"`
}

// Followed counts the grammars that compile and the texts that they let pass.
type Followed struct{ Compiled, Refused, Followed, Stopped int }

// NewEngine gives the engine out of the user's cache, where the first call puts it.
func NewEngine(tb testing.TB) Engine {
	tb.Helper()
	return Engine{environment(tb, "llguidance", "test-llguidance-"+engineVersion, "import llguidance", "llguidance=="+engineVersion)}
}

// Follow fails the test for each grammar that the engine refuses and each text that it stops, and gives the counts.
func (e Engine) Follow(tb testing.TB, grammars []Grammar) Followed {
	tb.Helper()
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	encoder.SetEscapeHTML(false)
	for _, g := range grammars {
		if err := encoder.Encode(g); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.CommandContext(tb.Context(), e.python, "-c", engineScript)
	cmd.Stdin = &lines
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("engine.py: %v\n%.2000s", err, stderr.String())
	}
	var totals Followed
	for line := range bytes.Lines(out) {
		said := struct {
			ID               string
			Refused, Stopped any // why, or how many in the last line
			Compiled         *int
		}{}
		if err := json.Unmarshal(line, &said); err != nil {
			tb.Fatalf("engine.py said %q: %v", line, err)
		}
		switch {
		case said.Compiled != nil:
			if err := json.Unmarshal(line, &totals); err != nil {
				tb.Fatal(err)
			}
		case said.Refused != nil:
			tb.Errorf("llguidance refuses the grammar of %s: %v", said.ID, said.Refused)
		default:
			tb.Errorf("llguidance lets no model write a right answer to %s: %v", said.ID, said.Stopped)
		}
	}
	if totals.Compiled+totals.Refused != len(grammars) {
		tb.Fatalf("engine.py counted %+v of %d grammars", totals, len(grammars))
	}
	return totals
}
