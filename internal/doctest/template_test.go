package doctest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/promptd/promptd/internal/body"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/prompt"
	"github.com/promptd/promptd/internal/template"
)

// TestEveryExampleOfATemplateCanBePublished reads them as POST /v1/templates does, and renders what their tests give.
func TestEveryExampleOfATemplateCanBePublished(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/templates/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no templates: %v", err)
	}
	library := template.New(template.Config{})
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v, err := body.Decode(raw)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		draft, err := library.Read(body.Open(v))
		if err != nil {
			t.Errorf("%s: %v: %+v", name, err, fault.Of(err).Entries)
			continue
		}
		if len(draft.Tests) == 0 || draft.Schema.IsNull() {
			t.Errorf("%s has %d tests and the schema %s; an example shows both", name, len(draft.Tests), draft.Schema)
		}
		for _, test := range draft.Tests {
			messages, err := draft.Render(t.Context(), test.Parameters)
			if err != nil || len(prompt.Shown(messages)) == 0 {
				t.Errorf("%s, test %s: renders to %v, %v", name, test.Name, messages, err)
			}
		}
	}
}
