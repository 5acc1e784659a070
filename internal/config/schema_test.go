package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// page is where the reference is published.
const page = "../../docs/reference/configuration.md"

func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	got := Reference()
	if *update {
		if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(page, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is stale, write it with -update (-page +declarations):\n%s", page, diff)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config.json")
	if err != nil {
		t.Fatalf("the schema of the file is no schema: %v", err)
	}
	return s
}

// TestSchemaAgreesWithTheDecoder judges files by both: what concerns one key alone must come out the same.
func TestSchemaAgreesWithTheDecoder(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	for _, tc := range []struct {
		yaml string
		want bool
	}{
		{"listen: 127.0.0.1:1", true},
		{"listen: 1", false},
		{"nothing: 1", false},
		{"cors:", true},
		{"roles: [api]", true},
		{"roles: [cook]", false},
		{"roles: api", false},
		{"cache: {ttl: 2h, memory_mb: 5}", true},
		{"cache: {ttl: 7200}", false},
		{"cache: {ttl: soon}", false},
		{"cache: {memory_mb: 0}", false},
		{"cache: {memory_mb: '5'}", false},
		{"cache: {memory_mb: '${MB}'}", true},
		{"limits: {body_bytes: 2MiB}", true},
		{"limits: {body_bytes: 4096}", true},
		{"limits: {body_bytes: 1.5}", false},
		{"limits: {body_bytes: 10}", false},
		{"privacy: {store_prompts: false}", true},
		{"privacy: {store_prompts: 'no'}", false},
		{"routing: {breaker: {failure_share: 1}}", true},
		{"routing: {breaker: {failure_share: 2}}", false},
		{"tls: {min_version: 1.3}", false},
		{"tls: {min_version: '1.2'}", true},
		{"providers: [{name: openai, api_key: k, models: [{name: gpt-4o, price: {input: 1, output: '2.5'}}]}]", true},
		{"providers: [{name: openai, api_key: k, headers: {x-a: b}}]", true},
		{"providers: [{api_key: k}]", false},
		{"providers: [{name: openai, api_key: k, models: [{name: m, modes: [magic]}]}]", false},
		{"telemetry: {log_level: loud}", false},
	} {
		var raw any
		if err := yaml.Unmarshal([]byte(tc.yaml), &raw); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(raw)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
		if err != nil {
			t.Fatal(err)
		}
		bySchema := s.Validate(doc)
		_, byLoad := load(t, tc.yaml, "MB=7")
		if (bySchema == nil) != tc.want || (byLoad == nil) != tc.want {
			t.Errorf("%q: schema says %v, Load says %v; want both to say %t", tc.yaml, bySchema, byLoad, tc.want)
		}
	}
}

func TestEveryKeyHasAText(t *testing.T) {
	t.Parallel()
	for _, k := range Keys() {
		if k.Text == "" {
			t.Errorf("%s has no text", k.Path)
		}
		if f := k.field; (f.kind == kindInt || f.kind == kindFloat || f.kind == kindDuration || f.kind == kindBytes) && (f.min == "" || f.max == "") {
			t.Errorf("%s has no range", k.Path)
		}
	}
}
