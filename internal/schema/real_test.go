package schema

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/sharedtest"
	"github.com/promptd/promptd/internal/value"
)

// realSchema is a schema that somebody wrote for use.
type realSchema struct {
	id     string
	schema value.Value
}

// realSchemas gives every schema of the corpora: those with instances, those that others refer to, and the parameters of functions.
func realSchemas(tb testing.TB) ([]realSchema, Remotes) {
	tb.Helper()
	lines, remotes := corpora(tb)
	var list []realSchema
	for _, line := range lines {
		list = append(list, realSchema{line.id, line.schema})
	}
	store := sharedtest.Dir(tb, "data", "schemastore")
	for _, line := range corpusFile(tb, filepath.Join(store, "disputed.jsonl")) {
		list = append(list, realSchema{line.id + " (disputed)", line.schema})
	}
	eachLine(tb, filepath.Join(store, "refs.jsonl"), func(v value.Value) {
		schema, _ := v.Get("schema")
		list = append(list, realSchema{text(v, "url"), schema})
	})
	known := map[string]bool{}
	extraction := sharedtest.Dir(tb, "data", "extraction")
	for _, file := range []string{"bfcl.jsonl", "bfcl_irrelevance.jsonl"} {
		eachLine(tb, filepath.Join(extraction, file), func(v value.Value) {
			tools, _ := v.Get("tools")
			for i, tool := range tools.Items() {
				schema, ok := tool.Get("parameters")
				if key := schema.String(); ok && !known[key] {
					known[key] = true
					list = append(list, realSchema{text(v, "id") + value.AppendIndex("", i), schema})
				}
			}
		})
	}
	return list, remotes
}

// corpusFile reads a file of schemas with their labelled instances.
func corpusFile(tb testing.TB, path string) (lines []corpusLine) {
	tb.Helper()
	eachLine(tb, path, func(v value.Value) {
		line := corpusLine{id: text(v, "id")}
		line.schema, _ = v.Get("schema")
		tests, _ := v.Get("tests")
		for _, test := range tests.Items() {
			data, _ := test.Get("data")
			valid, _ := test.Get("valid")
			line.tests = append(line.tests, corpusTest{data: data, valid: valid.Truth()})
		}
		lines = append(lines, line)
	})
	return lines
}

// limitOf says which limit of the product a refusal names; it is empty where it names none.
func limitOf(rule string) string {
	switch rule {
	case "schema_bytes", "schema_depth", "schema_subschemas":
		return "a limit of size"
	case "pattern":
		return "safe regular expressions alone"
	case "dangling_reference":
		return "no remote reference that is not registered"
	default:
		return ""
	}
}

// Real schemas compile, and each that does not is refused for a reason that the draft's own metaschema gives, or for a limit.
func TestRealSchemasCompile(t *testing.T) {
	t.Parallel()
	schemas, remotes := realSchemas(t)
	var (
		mu       sync.Mutex
		compiled int
		reasons  = map[string]int{}
	)
	inParallel(schemas, func(_ int, r realSchema) {
		_, err := Compile(r.schema, Options{Remotes: remotes})
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			compiled++
			return
		}
		f := fault.Of(err)
		if len(f.Entries) == 0 {
			t.Errorf("%s: refused without a reason: %v", r.id, err)
			return
		}
		reason := limitOf(f.Entries[0].Rule)
		if reason == "" {
			_, libErr := libraryAsItIs(r.schema, remotes)
			var meta *jsonschema.SchemaValidationError
			if !errors.As(libErr, &meta) {
				t.Errorf("%s: refused for no reason that may be: %s %s; the library says %v", r.id, f.Entries[0].Pointer, f.Entries[0].Message, libErr)
				return
			}
			reason = "the metaschema of its draft refuses it"
		}
		reasons[reason]++
		t.Logf("%s: %s: %s %s", r.id, reason, f.Entries[0].Pointer, cut(f.Entries[0].Message, 200))
	})
	share := 100 * float64(compiled) / float64(len(schemas))
	t.Logf("%d of %d real schemas compile (%.2f %%); refused: %v", compiled, len(schemas), share, reasons)
	const enough = 99.5
	if share < enough {
		t.Errorf("%.2f %% compile, want %.1f %%", share, enough)
	}
}

// What is disputed is no score; it is counted so that a change shows.
func TestDisputedInstancesAreCountedApart(t *testing.T) {
	t.Parallel()
	lines, remotes := corpora(t)
	asLabelled, others, failed := 0, 0, 0
	count := func(line corpusLine, disputed bool) {
		s, err := Compile(line.schema, Options{Remotes: remotes})
		if err != nil {
			failed++
			return
		}
		for _, test := range line.tests {
			if !disputed && !test.disputed {
				continue
			}
			if v, _ := s.Accept(t.Context(), test.data); v.OK() == test.valid {
				asLabelled++
			} else {
				others++
			}
		}
	}
	for _, line := range lines {
		count(line, false)
	}
	for _, line := range corpusFile(t, filepath.Join(sharedtest.Dir(t, "data", "schemastore"), "disputed.jsonl")) {
		count(line, true)
	}
	t.Logf("%d disputed instances are judged as labelled, %d otherwise; %d schemas do not compile", asLabelled, others, failed)
	if asLabelled+others < 50 {
		t.Errorf("only %d disputed instances were found", asLabelled+others)
	}
}
