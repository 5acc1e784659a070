package archtest

import (
	"go/ast"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		if len(f.GoFiles) == 0 {
			continue
		}
		var docs []string
		for _, parsed := range f.files(t) {
			if parsed.Doc != nil && !parsed.test {
				docs = append(docs, parsed.Doc.Text())
			}
		}
		want := "Package " + f.Name + " "
		if f.Name == "main" {
			want = "Command "
		}
		switch {
		case len(docs) != 1:
			t.Errorf("%s has %d package comments, want 1", f.path(), len(docs))
		case !strings.HasPrefix(docs[0], want):
			t.Errorf("%s: its package comment should begin with %q", f.path(), want)
		}
	}
}

func TestNamesSayWhatIsInside(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`^(utils?|common|helpers?|models?|types|shared|misc|base|core|lib)$`)
	for _, f := range folders(t) {
		if bad.MatchString(f.Name) {
			t.Errorf("%s: a package is named after a word of the product", f.path())
		}
		for _, name := range slices.Concat(f.GoFiles, f.TestGoFiles, f.XTestGoFiles) {
			if bad.MatchString(strings.TrimSuffix(name, ".go")) {
				t.Errorf("%s/%s: a file is named after the idea that it holds", f.path(), name)
			}
		}
	}
}

// place is where something may be done.
type place struct {
	importPath string
	names      string
	inside     []string
	why        string
}

func places() []place {
	return []place{
		{"net/http", `^(Server|ListenAndServe|ListenAndServeTLS|Serve|ServeTLS)$`, []string{"internal/app", "internal/api", "internal/provider/providertest", "bench"}, "HTTP servers; the bench's bare proxy is the floor that it measures against:"},
		{"net/http", `^(DefaultClient|DefaultTransport|Get|Post|PostForm|Head|DefaultServeMux|Handle|HandleFunc)$`, nil, "global clients and servers have no limits"},
		{"net/http", `^(Client|NewRequest|NewRequestWithContext)$`, []string{"internal/provider", "internal/delivery", "internal/local", "internal/app", "client", "internal/cli", "examples/", "bench"}, "HTTP clients: providers, webhooks and what is downloaded have each their own rules of whom to call;"},
		{"math/rand/v2", `^N$`, []string{"internal/broadcast/redis", "internal/broker/rabbitmq", "internal/provider", "internal/repair/damage", "internal/local", "internal/schema", "client", "bench"}, "chance"},
		{module + "/internal/schema", `^Restore$`, []string{"internal/pipeline"}, "what comes back from the cache is judged again in one place"},
		{"os", `^(Getenv|LookupEnv|Environ)$`, []string{"internal/cli", "internal/local", "internal/sharedtest", "internal/redis/redistest", "internal/store/postgres/postgrestest", "examples/", "internal/app", "cmd/", "bench"}, "the environment is read at the edge"},
		{"os", `^Exit$`, []string{"cmd/", "internal/cli", "examples/", "bench"}, "only programs end the process"},
		{"fmt", `^Print(f|ln)?$`, []string{"bench"}, "output goes through a writer that tests can read"},
	}
}

func TestThingsAreDoneInTheirPlace(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		for _, parsed := range f.files(t) {
			if parsed.test {
				continue
			}
			parsed.selections(func(importPath, name string, at ast.Node) {
				for _, p := range places() {
					if importPath != p.importPath || !regexp.MustCompile(p.names).MatchString(name) {
						continue
					}
					if !slices.ContainsFunc(p.inside, func(prefix string) bool { return strings.HasPrefix(f.path()+"/", strings.TrimSuffix(prefix, "/")+"/") }) {
						t.Errorf("%s: %s.%s: %s only in %v", parsed.at(at), importPath, name, p.why, p.inside)
					}
				}
			})
		}
	}
}

func TestNothingIsRegisteredBehindTheBack(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		for _, parsed := range f.files(t) {
			for _, decl := range parsed.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: registration is an explicit list, never init", parsed.at(fn))
				}
			}
			for _, imp := range parsed.Imports {
				path := strings.Trim(imp.Path.Value, `"`)
				if imp.Name != nil && imp.Name.Name == "_" && !slices.Contains([]string{"embed", "modernc.org/sqlite"}, path) {
					t.Errorf("%s: an import for its side effect", parsed.at(imp))
				}
			}
		}
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		for _, parsed := range f.files(t) {
			fakeTime := slices.ContainsFunc(parsed.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
			if !parsed.test || fakeTime {
				continue
			}
			parsed.selections(func(importPath, name string, at ast.Node) {
				if importPath == "time" && name == "Sleep" && !parsed.excused(at, "forbidigo") {
					t.Errorf("%s: tests wait for an event, or use testing/synctest", parsed.at(at))
				}
			})
		}
	}
}

func TestOpenPointsNameTheirIssue(t *testing.T) {
	t.Parallel()
	todo := regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)
	named := regexp.MustCompile(`TODO\(#[0-9]+\)`)
	for _, f := range folders(t) {
		if f.path() == "internal/archtest" {
			continue
		}
		for _, parsed := range f.files(t) {
			for _, group := range parsed.Comments {
				if todo.MatchString(group.Text()) && !named.MatchString(group.Text()) {
					t.Errorf("%s: write TODO(#issue), or do it", parsed.at(group))
				}
			}
		}
	}
}

func TestTheWordsOfTheProductArePackages(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, f := range folders(t) {
		have[f.path()] = true
	}
	for _, word := range []string{"value", "prompt", "schema", "schema/lowering", "repair", "render", "dialect", "provider", "key", "limit", "cache", "usage", "pipeline", "fault", "observe", "config", "api", "app", "cli"} {
		if !have["internal/"+word] {
			t.Errorf("the word %s has no package", word)
		}
	}
}

func TestNoStrayCopiesLieInTheTree(t *testing.T) {
	t.Parallel()
	stray := regexp.MustCompile(`( \d+|[._-](old|orig|bak|copy|new|tmp))\.[a-z]+$`)
	for _, f := range folders(t) {
		entries, err := os.ReadDir(f.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if stray.MatchString(e.Name()) {
				t.Errorf("%s/%s looks like a stray copy", f.path(), e.Name())
			}
		}
	}
}
