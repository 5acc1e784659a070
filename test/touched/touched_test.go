package touched_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// change is what somebody does by hand: files that are there and are changed, and files of a folder that is new.
type change struct {
	root    string
	overlay map[string]string
	dir     string
	changed []string
}

func (c *change) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(c.dir, strings.ReplaceAll(name, "/", "_"))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.overlay[filepath.Join(c.root, name)] = path
}

// edit replaces a text that stands in a file once.
func (c *change) edit(t *testing.T, name string, pairs ...string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.root, name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(text, pairs[i]) != 1 {
			t.Fatalf("%s has %q %d times", name, pairs[i], strings.Count(text, pairs[i]))
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	c.write(t, name, text)
	c.changed = append(c.changed, name)
}

// TestFilesTouched adds a service, a model and a dialect.
func TestFilesTouched(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	c := &change{root: root, overlay: map[string]string{}, dir: t.TempDir()}

	service := len(c.changed)
	c.edit(t, "internal/provider/catalogue/services.yaml", "- name: openai\n", `- name: acme
  title: "Acme"
  dialect: openai
  base_url: https://llm.acme.example/v1
  variables: [ACME_KEY]
  default_model: acme-think
- name: openai
`)
	service = len(c.changed) - service

	model := len(c.changed)
	c.edit(t, "internal/provider/catalogue/models.yaml", "- {service: openai, name: gpt-4.1-mini, tier: 2}\n", `- {service: openai, name: gpt-4.1-mini, tier: 2}
- {service: acme, name: acme-think, tier: 3, context_window: 4242, price: {input: "2.25", output: "9"}}
`)
	model = len(c.changed) - model

	dialect := len(c.changed)
	c.write(t, "internal/dialect/echo/echo.go", `// Package echo is a dialect that nobody speaks.
package echo

import "github.com/promptd/promptd/internal/dialect/openai"

// Dialect is OpenAI's under another name.
type Dialect struct{ openai.Dialect }

// New makes the dialect.
func New() Dialect { return Dialect{openai.New()} }

// Name is the dialect's name.
func (Dialect) Name() string { return "echo" }
`)
	c.edit(t, "internal/app/adapters.go",
		"	\"github.com/promptd/promptd/internal/dialect/gemini\"\n",
		"	\"github.com/promptd/promptd/internal/dialect/echo\"\n	\"github.com/promptd/promptd/internal/dialect/gemini\"\n",
		"		ollama.New(),\n", "		ollama.New(),\n		echo.New(),\n")
	dialect = len(c.changed) - dialect

	t.Logf("files touched: a service %d, a model %d, a dialect a folder and %d", service, model, dialect)
	c.knows(t)
}

// knows builds the changed program and asks it.
func (c *change) knows(t *testing.T) {
	t.Helper()
	overlay, err := json.Marshal(map[string]any{"Replace": c.overlay})
	if err != nil {
		t.Fatal(err)
	}
	plan, binary, file := filepath.Join(c.dir, "overlay.json"), filepath.Join(c.dir, "promptd"), filepath.Join(c.dir, "promptd.yaml")
	if err := os.WriteFile(plan, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	const config = `
providers:
  - {name: acme, api_key: k}
  - {name: other, dialect: echo, base_url: https://echo.example/v1, api_key: k, models: [{name: any}]}
`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", plan, "-o", binary, "./cmd/promptd")
	build.Dir = c.root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the changed program does not build: %v\n%s", err, out)
	}
	doctor := exec.CommandContext(t.Context(), binary, "doctor", "--offline", "--config", file, "--data-dir", filepath.Join(c.dir, "data"))
	out, err := doctor.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"openai at https://llm.acme.example/v1 with acme-think", "4,242 tokens", "$2.25 in, $9 out", "echo at https://echo.example/v1 with any"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the changed program does not say %q:\n%s", want, out)
		}
	}
}
