package dialecttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/promptd/promptd/internal/sharedtest"
)

// Document is an OpenAPI document of the provider's own, below the folder of shared data, with the name of the schema that requests have there.
type Document struct {
	Path, Schema string
}

// documented holds every request that the dialect encodes to the provider's document: it is valid, and each of its members is one that is described.
func (s Suite) documented(t *testing.T) {
	t.Parallel()
	if s.Document == (Document{}) {
		return
	}
	d := openDocument(t, s.Document)
	checked := 0
	for _, c := range Calls() {
		r, err := s.Dialect.Encode(c.Call)
		if err != nil {
			continue
		}
		checked++
		body, err := jsonschema.UnmarshalJSON(bytes.NewReader(r.Body))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.valid.Validate(body); err != nil {
			t.Errorf("%s: the document refuses it: %v\n%s", c.Name, err, r.Body)
		}
		for _, path := range d.undescribed([]any{d.root}, body, "") {
			t.Errorf("%s: the document knows nothing of %s", c.Name, path)
		}
	}
	t.Logf("%d requests are as %s has them", checked, s.Document.Schema)
}

type document struct {
	whole any
	root  any // the request's schema
	valid *jsonschema.Schema
}

func openDocument(tb testing.TB, doc Document) document {
	tb.Helper()
	raw, err := os.ReadFile(sharedtest.Dir(tb, doc.Path))
	if err != nil {
		tb.Fatal(err)
	}
	var parsed any
	if err := yaml.Unmarshal(raw, &parsed); err != nil {
		tb.Fatal(err)
	}
	asJSON, err := json.Marshal(parsed)
	if err != nil {
		tb.Fatal(err)
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		tb.Fatal(err)
	}
	loosen(whole)
	c := jsonschema.NewCompiler()
	const at = "https://example.org/openapi.json"
	if err := c.AddResource(at, whole); err != nil {
		tb.Fatal(err)
	}
	pointer := "#/components/schemas/" + doc.Schema
	d := document{whole: whole, root: map[string]any{"$ref": pointer}}
	if d.valid, err = c.Compile(at + pointer); err != nil {
		tb.Fatal(err)
	}
	return d
}

// loosen makes oneOf anyOf: providers tell alternatives apart by a discriminator, and their schemas overlap. Bounds beyond an int64 are read as texts,
// and bound nothing here; keywords of older drafts than the document's own mean nothing.
func loosen(v any) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "$recursiveAnchor")
		delete(v, "$recursiveRef")
		for _, bound := range [...]string{"minimum", "maximum"} {
			if _, ok := v[bound].(string); ok {
				delete(v, bound)
			}
		}
		if one, ok := v["oneOf"].([]any); ok && v["anyOf"] == nil {
			v["anyOf"] = one
			delete(v, "oneOf")
		}
		for _, m := range v {
			loosen(m)
		}
	case []any:
		for _, m := range v {
			loosen(m)
		}
	}
}

// undescribed gives the paths of members that none of the schemas describes, where none of them is open on purpose.
func (d *document) undescribed(schemas []any, v any, path string) (unknown []string) {
	parts := d.parts(schemas)
	switch v := v.(type) {
	case map[string]any:
		if slices.ContainsFunc(parts, open) {
			return nil
		}
		for name, member := range v {
			var described []any
			for _, p := range parts {
				if properties, ok := p["properties"].(map[string]any); ok && properties[name] != nil {
					described = append(described, properties[name])
				}
			}
			if described == nil {
				unknown = append(unknown, path+"/"+name)
				continue
			}
			unknown = append(unknown, d.undescribed(described, member, path+"/"+name)...)
		}
	case []any:
		var items []any
		for _, p := range parts {
			if p["items"] != nil {
				items = append(items, p["items"])
			}
		}
		for i, item := range v {
			unknown = append(unknown, d.undescribed(items, item, fmt.Sprintf("%s/%d", path, i))...)
		}
	}
	return unknown
}

// open reports whether a schema lets any member in and says so.
func open(schema map[string]any) bool {
	if more, ok := schema["additionalProperties"]; ok {
		return more != false
	}
	return schema["type"] == "object" && schema["properties"] == nil && schema["allOf"] == nil && schema["anyOf"] == nil
}

// parts takes schemas apart, down to those that describe members themselves.
func (d *document) parts(schemas []any) (parts []map[string]any) {
	seen := map[string]bool{}
	for len(schemas) > 0 {
		schema, ok := schemas[0].(map[string]any)
		schemas = schemas[1:]
		if !ok {
			continue
		}
		parts = append(parts, schema)
		for _, of := range [...]string{"allOf", "anyOf"} {
			if list, ok := schema[of].([]any); ok {
				schemas = append(slices.Clip(schemas), list...)
			}
		}
		if ref, ok := schema["$ref"].(string); ok && !seen[ref] {
			seen[ref] = true
			schemas = append(slices.Clip(schemas), d.at(ref))
		}
	}
	return parts
}

func (d *document) at(ref string) any {
	v := d.whole
	for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		members, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = members[name]
	}
	return v
}
