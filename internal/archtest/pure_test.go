package archtest

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pure are the packages whose answer depends on their arguments alone, so that tests, caches and replays can trust it: what is valid today is valid
// tomorrow, and the same request gives the same bytes.
func pure() []string {
	return []string{
		"internal/value", "internal/fault", "internal/body", "internal/prompt", "internal/schema", "internal/schema/lowering", "internal/repair", "internal/render",
		"internal/dialect", "internal/dialect/openai", "internal/dialect/responses", "internal/dialect/anthropic", "internal/dialect/gemini",
		"internal/dialect/bedrock", "internal/dialect/llamacpp", "internal/dialect/ollama", "internal/dialect/sse", "internal/dialect/eventstream",
		"internal/dialect/scan",
	}
}

func TestThePureCoreHasNoClockAndNoWorld(t *testing.T) {
	t.Parallel()
	clock := regexp.MustCompile(`^(Now|Since|Until|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker|Local|LoadLocation)$`)
	// Of net/http a dialect needs names, of headers, methods and statuses. Everything else of it is a network.
	names := regexp.MustCompile(`^(Header|Method[A-Z][a-z]+|Status[A-Za-z]+|ParseTime|TimeFormat)$`)
	world := []string{"os", "os/exec", "net", "crypto/rand", "math/rand", "math/rand/v2", "log", "log/slog", "database/sql", "syscall", "embed"}
	allowed := map[string]string{
		"internal/prompt embed": "the templates of the meta-prompt are files",
		"internal/schema embed": "the meta-schemas of the drafts are files",
	}
	for _, f := range folders(t) {
		if !slices.Contains(pure(), f.path()) {
			continue
		}
		for _, imported := range f.Imports {
			if slices.Contains(world, imported) && allowed[f.path()+" "+imported] == "" {
				t.Errorf("%s imports %s: its answers must depend on its arguments alone", f.path(), imported)
			}
		}
		for _, parsed := range f.files(t) {
			if parsed.test {
				continue
			}
			parsed.selections(func(importPath, name string, at ast.Node) {
				switch {
				case importPath == "time" && clock.MatchString(name):
					t.Errorf("%s: time.%s: %s has no clock; its caller gives it the time", parsed.at(at), name, f.path())
				case importPath == "net/http" && !names.MatchString(name):
					t.Errorf("%s: http.%s: a dialect is a codec without network; package provider carries the bytes", parsed.at(at), name)
				}
			})
		}
	}
}

// Promise 1 is a type: a schema.Valid is made by judging. What comes back from the cache is the one other way, and it has one door.
func TestAStoredAnswerComesBackThroughOneDoor(t *testing.T) {
	t.Parallel()
	var callers []string
	for _, f := range folders(t) {
		for _, parsed := range f.files(t) {
			if parsed.test {
				continue
			}
			parsed.selections(func(importPath, name string, _ ast.Node) {
				if importPath == module+"/internal/schema" && name == "Restore" {
					callers = append(callers, parsed.name)
				}
			})
		}
	}
	if !slices.Equal(callers, []string{"internal/pipeline/lookup.go"}) {
		t.Errorf("schema.Restore is called in %v: only the look-up in the cache may, in internal/pipeline/lookup.go", callers)
	}
}

// The configuration is read by the wiring alone: a package takes its own small Config or plain arguments, so that it can be used and tested without the rest.
func TestTheConfigurationIsReadAtTheEdge(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		if !slices.Contains(f.Imports, module+"/internal/config") {
			continue
		}
		if f.path() != "internal/app" && f.path() != "internal/cli" && !strings.HasPrefix(f.path(), "examples/") && !strings.HasPrefix(f.path(), "cmd/") {
			t.Errorf("%s imports internal/config: it should take what it needs as arguments", f.path())
		}
	}
}
