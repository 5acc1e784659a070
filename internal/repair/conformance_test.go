package repair_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/promptd/promptd/internal/repair"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// unchanged says what is wrong where strict JSON does not come back as it is; empty where all is well. A schema may open JSON in a string,
// which is the one change that is allowed, and only where the schema has no room for the string.
func unchanged(text string, h repair.Hints) string {
	strict, err := value.DecodeString(text, value.Limits{})
	if err != nil {
		return ""
	}
	got, err := repair.Read(text, h)
	switch {
	case err != nil:
		return err.Error()
	case got.Unfinished:
		return "it is said to be unfinished"
	case !value.Identical(got.Value, strict):
		return "got " + got.Value.String()
	case len(got.Repairs) > 0:
		return "repairs are reported"
	}
	return ""
}

// The suite's names say what a parser must do: y_ accept, n_ reject, i_ as it likes. Repair accepts more than a parser, but must return what
// is strict JSON unchanged, and must say that it repaired what is not.
func TestParsingSuite(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob(filepath.Join(sharedtest.Dir(t, "data", "json-parsing", "test_parsing"), "*.json"))
	var accepted, rejected share
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text, name := string(raw), filepath.Base(file)
		strict, strictErr := value.DecodeString(text, value.Limits{})
		got, readErr := repair.Read(text, repair.Hints{})
		switch name[0] {
		case 'y':
			if readErr != nil || got.Unfinished || strictErr == nil && (!value.Identical(strict, got.Value) || len(got.Repairs) > 0) {
				t.Errorf("%s: %q gives %s, %v, %v", name, text, got.Value, got.Repairs, readErr)
			}
			// Names that stand twice are JSON by RFC 8259 and a fault by RFC 7493, which is the rule here.
			if strictErr != nil && !strings.HasPrefix(name, "y_object_duplicated_key") {
				t.Errorf("%s: %q is not strict: %v", name, text, strictErr)
			}
			accepted.count(readErr == nil)
		case 'n':
			rejected.count(strictErr != nil)
			if readErr == nil && len(got.Repairs) == 0 && !got.Unfinished {
				t.Errorf("%s: %.80q is no JSON, and nothing is said of it: %.80s", name, text, got.Value)
			}
		default:
			if problem := unchanged(text, repair.Hints{}); problem != "" {
				t.Errorf("%s: %q: %s", name, text, problem)
			}
		}
	}
	accepted.atLeast(t, "texts that must be accepted", 1)
	rejected.atLeast(t, "texts that strict reading must reject", 1)
}

func TestStrictJSONIsNeverChanged(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue(4).Draw(t, "value")
		text := v.String()
		for _, h := range []repair.Hints{{}, {XML: true, YAML: true}} {
			if problem := unchanged(text, h); problem != "" {
				t.Fatalf("%q: %s", text, problem)
			}
		}
	})
}

func TestStrictJSONOfTheCorporaIsNeverChanged(t *testing.T) {
	t.Parallel()
	read := 0
	for _, in := range realPairs(t) {
		if problem := unchanged(in.data.String(), repair.Hints{Schema: repair.ShapeOf(in.schema)}); problem != "" {
			t.Errorf("%.300s: %s", in.data, problem)
		}
		read++
	}
	t.Logf("%d instances", read)
}
