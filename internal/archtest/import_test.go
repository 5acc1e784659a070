package archtest

import (
	"slices"
	"strings"
	"testing"
)

// levels are the packages from the bottom to the top; a name that ends in /* stands for every folder below it that is not named itself.
func levels() [][]string {
	return [][]string{
		{
			"internal/fault", "internal/observe", "internal/sharedtest", "internal/language", "internal/provider/catalogue", "internal/provider/sigv4", "internal/provider/googletoken", "internal/web",
			"internal/dialect/sse", "internal/dialect/eventstream", "internal/dialect/scan", "internal/store/migrations",
			"internal/redis", "internal/broadcast", "internal/member",
		},
		{"internal/value", "internal/key", "internal/config", "internal/local", "internal/redis/redistest"},
		{"internal/limit", "internal/body", "internal/schema", "internal/render", "internal/repair", "internal/cache", "internal/idempotency", "internal/usage", "internal/broker"},
		{"internal/schema/lowering", "internal/schema/compat", "internal/schema/infer", "internal/repair/damage", "internal/provider/providertest/instance"},
		{"internal/dialect", "internal/schema/lint", "internal/schema/missing", "internal/shelf"},
		{"internal/prompt", "internal/provider", "internal/registry", "internal/delivery"},
		{"internal/template"},
		{"internal/router"},
		{"internal/pipeline"},
		{"internal/dropin", "internal/job"},
		{"internal/relay", "internal/bulk"},
		{"internal/store/statement", "internal/delivery/deliverytest"},
		{
			"internal/api", "internal/store/*", "internal/cache/*", "internal/limit/*", "internal/broadcast/*", "internal/broker/*", "internal/dialect/*", "internal/provider/providertest", "internal/provider/board/*", "internal/provider/boardtest", "client",
			"internal/repair/*", "internal/schema/*",
		},
		{"internal/app", "internal/provider/calltest", "internal/store/postgres/postgrestest"},
		{"internal/cli"},
		{"cmd/*", "examples/*", "bench", "bench/*", "test/*", "internal/test/*", "internal/doctest", "internal/archtest"},
	}
}

// pair is an import between packages of one level, or to a backend, that is right for a reason.
type pair struct{ from, to, why string }

func pairs() []pair {
	return []pair{
		{"internal/dialect/llamacpp", "internal/dialect/openai", "llama.cpp's server speaks OpenAI's wire format with fields of its own"},
		{"internal/dialect/ollama", "internal/dialect/openai", "errors are classified alike, and texts and log-probabilities have the same form"},
		{"internal/dialect/responses", "internal/dialect/openai", "the same services, with the same errors and the same form of texts"},
		{"internal/cli", "internal/store/sqlite", "keys, backup and restore work on the store beside a server that runs"},
		{"internal/cli", "internal/store/postgres", "the same on PostgreSQL, and migrations"},
		{"internal/cli", "client", "the client commands use the public client"},
		{"internal/cli", "internal/provider/providertest", "the scripted provider is a command, for benchmarks and for users' own tests"},
	}
}

func listed(from, to string) bool {
	return slices.ContainsFunc(pairs(), func(p pair) bool { return p.from == from && p.to == to })
}

// level gives a package's level; the longest name that fits counts.
func level(path string) (int, bool) {
	best, length := -1, -1
	for n, names := range levels() {
		for _, name := range names {
			prefix, below := strings.CutSuffix(name, "*")
			if (path == name || below && strings.HasPrefix(path, prefix)) && len(name) > length {
				best, length = n, len(name)
			}
		}
	}
	return best, best >= 0
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		from, ok := level(f.path())
		if !ok {
			t.Errorf("%s stands on no level: give it a place in levels()", f.path())
			continue
		}
		for _, imported := range f.Imports {
			path, ours := within(imported)
			if !ours {
				continue
			}
			to, ok := level(path)
			if !ok || to >= from && !listed(f.path(), path) {
				t.Errorf("%s (level %d) imports %s (level %d): imports go down; what stands beside is listed in pairs() with a reason", f.path(), from, path, to)
			}
		}
	}
}

// backends are folders whose packages are chosen by the wiring: nobody else knows them.
func backends() []string {
	return []string{"internal/store/", "internal/cache/", "internal/limit/", "internal/broadcast/", "internal/broker/", "internal/provider/board/", "internal/dialect/"}
}

// parts are folders below a backend's that are no backends.
func parts() []string {
	return []string{"internal/dialect/sse", "internal/dialect/eventstream", "internal/dialect/scan", "internal/store/migrations", "internal/store/statement"}
}

func TestBackendsAreKnownToTheWiringAlone(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		for _, imported := range f.Imports {
			path, ours := within(imported)
			backend := slices.ContainsFunc(backends(), func(prefix string) bool { return strings.HasPrefix(path, prefix) }) && !slices.Contains(parts(), path)
			if !ours || !backend || f.path() == "internal/app" || listed(f.path(), path) || strings.HasSuffix(f.path(), "test") {
				continue
			}
			t.Errorf("%s imports the backend %s: only internal/app chooses backends", f.path(), path)
		}
	}
}

// border says that a foreign package stays behind some of ours.
type border struct {
	foreign string
	inside  []string
	why     string
}

func borders() []border {
	return []border{
		{"modernc.org/sqlite", []string{"internal/store/"}, "SQL drivers only in store"},
		{"github.com/jackc/pgx", []string{"internal/store/"}, "SQL drivers only in store"},
		{"github.com/redis/rueidis", []string{"internal/redis", "internal/cache/redis", "internal/limit/redis", "internal/broadcast/redis"}, "Redis only in redis and the backends built on it"},
		{"database/sql", []string{"internal/store/"}, "SQL only in store"},
		{"github.com/rabbitmq/amqp091-go", []string{"internal/broker/rabbitmq"}, "AMQP only in its broker"},
		{"github.com/pressly/goose", []string{"internal/store/"}, "migrations only in store"},
		{"github.com/maypok86/otter", []string{"internal/cache/", "internal/idempotency", "internal/pipeline", "internal/shelf"}, "caches in memory: answers, repeated calls, compiled plans, references"},
		{"github.com/prometheus/", []string{"internal/observe"}, "every metric is declared in observe"},
		{"go.opentelemetry.io/otel/sdk", []string{"internal/observe"}, "the SDK of traces is set up once, in observe"},
		{"github.com/spf13/", []string{"internal/cli", "cmd/"}, "flags and commands only in cli"},
		{"github.com/aws/", []string{"internal/provider/sigv4"}, "signatures and nothing else of the vendor's clients"},
		{"golang.org/x/oauth2", []string{"internal/provider/googletoken"}, "tokens of one cloud; callers and providers know headers alone"},
		{"github.com/danielgtaylor/huma", []string{"internal/api"}, "it makes the OpenAPI document and nothing else"},
		{"github.com/goccy/go-yaml", []string{"internal/config", "internal/provider/catalogue", "internal/cli"}, "YAML is for configuration, the catalogue's facts and users' files; the renderer writes its own"},
		{"github.com/santhosh-tekuri/jsonschema", nil, "the library is the oracle of tests; what judges is schema"},
		{"github.com/stretchr/testify", nil, "tests use the standard library and go-cmp"},
		{"github.com/google/go-cmp", nil, "it compares in tests alone"},
		{"math/rand$", nil, "math/rand/v2 for chance, crypto/rand for secrets"},
		{"unsafe", nil, "nothing here needs it"},
	}
}

func TestForeignPackagesStayBehindTheirBorder(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		if strings.HasSuffix(f.path(), "test") {
			continue // Suites and fakes are part of the tests.
		}
		for _, imported := range f.Imports {
			for _, b := range borders() {
				foreign, exact := strings.CutSuffix(b.foreign, "$")
				if imported != foreign && (exact || !strings.HasPrefix(imported, strings.TrimSuffix(foreign, "/")+"/")) {
					continue
				}
				if !slices.ContainsFunc(b.inside, func(prefix string) bool { return strings.HasPrefix(f.path()+"/", strings.TrimSuffix(prefix, "/")+"/") }) {
					t.Errorf("%s imports %s: %s", f.path(), imported, b.why)
				}
			}
		}
	}
}

func TestThePublicClientIsFreeOfInternals(t *testing.T) {
	t.Parallel()
	for _, f := range folders(t) {
		if f.path() != "client" {
			continue
		}
		for _, imported := range f.Imports {
			if first, _, _ := strings.Cut(imported, "/"); strings.Contains(first, ".") {
				t.Errorf("client imports %s: who uses it gets the standard library and nothing else", imported)
			}
		}
		return
	}
	t.Error("there is no client")
}

func TestTheRulesAreAlive(t *testing.T) {
	t.Parallel()
	for _, p := range pairs() {
		from, okFrom := level(p.from)
		to, okTo := level(p.to)
		if !okFrom || !okTo || p.why == "" {
			t.Errorf("the pair %s → %s has no place or no reason", p.from, p.to)
		}
		if to > from {
			t.Errorf("the pair %s → %s goes up", p.from, p.to)
		}
	}
	low, _ := level("internal/value")
	high, _ := level("internal/store/sqlite")
	if part, _ := level("internal/store/migrations"); low >= high || part >= high {
		t.Errorf("levels: value %d, store/sqlite %d, store/migrations %d", low, high, part)
	}
}
