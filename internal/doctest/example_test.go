package doctest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/value"
)

var update = flag.Bool("update", false, "rewrite the requests of the examples")

// examples are the folders of the examples: each has prompt.txt, schema.json, expected.json and request.json.
func examples(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "examples", "*", "schema.json"))
	if err != nil || len(found) < 3 {
		t.Fatalf("%d examples were found (%v)", len(found), err)
	}
	for i := range found {
		found[i] = filepath.Base(filepath.Dir(found[i]))
	}
	return found
}

// TestRequestsOfTheExamplesAreUpToDate makes each request.json of the prompt and the schema beside it.
func TestRequestsOfTheExamplesAreUpToDate(t *testing.T) {
	t.Parallel()
	for _, name := range examples(t) {
		text := strings.TrimRight(read(t, "examples/"+name+"/prompt.txt"), "\n")
		var request bytes.Buffer
		raw := value.Object(value.Member{Name: "prompt", Value: value.String(text)}).Append(nil)
		raw = append(bytes.TrimSuffix(raw, []byte("}")), `,"schema":`+read(t, "examples/"+name+"/schema.json")+`,"options":{"timeout_ms":120000}}`...)
		if err := json.Indent(&request, raw, "", "  "); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		request.WriteByte('\n')
		page := filepath.Join(root, "examples", name, "request.json")
		if *update {
			if err := os.WriteFile(page, request.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(read(t, "examples/"+name+"/request.json"), request.String()); diff != "" {
			t.Errorf("%s is stale, write it with make generate (-file +parts):\n%s", page, diff)
		}
	}
}

func TestExamplesAreRequestsWhoseExpectedAnswerPasses(t *testing.T) {
	t.Parallel()
	for _, name := range examples(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := body.Decode([]byte(read(t, "examples/"+name+"/request.json")))
			if err != nil {
				t.Fatal(err)
			}
			q, err := prompt.Read(v, prompt.Defaults{CacheTTL: time.Hour, MaxAttempts: 4})
			if err != nil {
				t.Fatalf("promptd would refuse the request: %v", err)
			}
			s, err := schema.Compile(q.Schema, schema.Options{})
			if err != nil {
				t.Fatalf("promptd would refuse the schema: %v", err)
			}
			expected, err := value.DecodeString(read(t, "examples/"+name+"/expected.json"), value.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if _, report := s.Accept(t.Context(), expected); len(report.Errors) > 0 {
				t.Errorf("the expected answer does not pass: %+v", report.Errors)
			}
			if _, report := s.Accept(t.Context(), value.Object()); len(report.Errors) == 0 {
				t.Error("the schema accepts an empty object: it shows nothing")
			}
		})
	}
}
