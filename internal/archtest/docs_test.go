package archtest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/observe"
)

// page reads a page of the reference.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "reference", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The pages are generated where the things are declared; these tests hold what users see against what the program has, by another way.

func TestEveryCodeIsInTheReference(t *testing.T) {
	t.Parallel()
	text := page(t, "errors.md")
	for _, c := range fault.Codes() {
		if !strings.Contains(text, "| `"+c.String()+"` |") {
			t.Errorf("docs/reference/errors.md does not have %s: whoever meets it finds nothing", c)
		}
	}
}

func TestEveryMetricIsInTheReference(t *testing.T) {
	t.Parallel()
	text := page(t, "metrics.md")
	for _, d := range observe.NewMetrics(observe.Build{}).Declarations() {
		if !strings.Contains(text, "`"+d.Name+"`") {
			t.Errorf("docs/reference/metrics.md does not have %s: nobody can build a dashboard or an alert on it", d.Name)
		}
	}
}

func TestEveryKeyOfTheConfigurationIsInTheReference(t *testing.T) {
	t.Parallel()
	text := page(t, "configuration.md")
	keys := keysOf(reflect.TypeFor[config.Config](), map[reflect.Type]bool{})
	if len(keys) < 50 {
		t.Fatalf("only %d keys are found", len(keys))
	}
	for _, name := range keys {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/reference/configuration.md does not have the key %s: nobody can find it", name)
		}
	}
}

// keysOf lists the names that a structure has in the file, those of its parts included.
func keysOf(typ reflect.Type, seen map[reflect.Type]bool) []string {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] {
		return nil
	}
	seen[typ] = true
	var keys []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		keys = append(append(keys, name), keysOf(typ.Field(i).Type, seen)...)
	}
	return keys
}

// What the documentation says of a metric must be one that there is: a wrong name makes an alert that never fires.
func TestTheDocumentationNamesOnlyMetricsThatExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, d := range observe.NewMetrics(observe.Build{}).Declarations() {
		known[d.Name] = true
	}
	named := regexp.MustCompile("`((?:api|llm|cache|validation|db|language|history|key|limit|pipeline|provider)_[a-z_]+_(?:total|seconds|ratio|bytes|requests))(?:_bucket|_sum|_count)?[`{]")
	err := filepath.WalkDir(filepath.Join("..", "..", "docs"), func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			if !known[m[1]] {
				t.Errorf("%s names the metric %s, which is not declared in internal/observe", path, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryDirectDependencyIsExplained holds docs/dependencies.md to the modules whose packages ours import.
func TestEveryDirectDependencyIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range folders(t) {
		for _, imported := range slices.Concat(f.Imports, f.TestImports, f.XTestImports) {
			first, _, _ := strings.Cut(imported, "/")
			if _, ours := within(imported); ours || !strings.Contains(first, ".") || imported == module {
				continue
			}
			// The module's name is the import's path, or a beginning of it.
			explained := false
			for path := imported; strings.Contains(path, "/"); path = path[:strings.LastIndex(path, "/")] {
				explained = explained || strings.Contains(string(page), path)
				if strings.Count(path, "/") == 1 {
					break
				}
			}
			if !explained && !seen[imported] {
				seen[imported] = true
				t.Errorf("%s imports %s, which docs/dependencies.md does not explain", f.path(), imported)
			}
		}
	}
}
