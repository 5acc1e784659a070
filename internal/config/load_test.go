package config

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/provider/catalogue"
	"github.com/promptd/promptd/internal/sharedtest"
)

var update = flag.Bool("update", false, "rewrite golden files and the reference page")

// adapters are those of a program that has what the tests need.
func adapters() Adapters {
	return Adapters{
		Dialects: []string{"openai", "llamacpp"}, Profiles: []string{"openai", "openai:vllm", "openai:groq", "llamacpp"}, AuthTypes: []string{"bearer", "header"}, Strategies: []string{"least-busy"},
		Databases: []string{"sqlite"}, Caches: []string{"memory"}, Brokers: []string{"embedded"},
		Inert: []string{"routing.hedge_after", "providers[].region"},
	}
}

// known is the embedded catalogue, read once for all tests.
var known = sync.OnceValue(func() *catalogue.Catalogue {
	c, err := catalogue.Load()
	if err != nil {
		panic(err)
	}
	return c
})

// files answers reads from memory.
func files(m map[string]string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		s, ok := m[path]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(s), nil
	}
}

func load(t *testing.T, yaml string, env ...string) (*Loaded, error) {
	t.Helper()
	return Load(Options{File: "promptd.yaml", Environ: env, Adapters: adapters(), Catalogue: known(), ReadFile: files(map[string]string{"promptd.yaml": yaml})})
}

func mustLoad(t *testing.T, yaml string, env ...string) Config {
	t.Helper()
	l, err := load(t, yaml, env...)
	if err != nil {
		t.Fatalf("Load(%q, %q) = %v", yaml, env, err)
	}
	return l.Config
}

// TestGolden runs every archive in testdata: files, "env" (a variable a line) and "flags" (--name path value a line) go in;
// "want" holds the errors, or the warnings and every value that is not its default.
func TestGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			given, want, found := strings.Cut(string(raw), "-- want --\n")
			if !found {
				t.Fatalf("%s has no part called want", path)
			}
			got := outcome(parts(given))
			if *update {
				if err := os.WriteFile(path, []byte(given+"-- want --\n"+got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// parts splits an archive in the txtar form into its files.
func parts(archive string) map[string]string {
	files, name := map[string]string{}, ""
	for line := range strings.Lines(archive) {
		if head, ok := strings.CutPrefix(line, "-- "); ok && strings.HasSuffix(head, " --\n") {
			name = strings.TrimSuffix(head, " --\n")
			files[name] = ""
		} else if name != "" {
			files[name] += line
		}
	}
	return files
}

func outcome(given map[string]string) string {
	o := Options{Adapters: adapters(), Catalogue: known()}
	disk := map[string]string{}
	for name, data := range given {
		lines := strings.Split(strings.TrimSpace(data), "\n")
		switch name {
		case "env":
			for _, line := range lines {
				o.Environ = append(o.Environ, strings.ReplaceAll(line, `\n`, "\n"))
			}
		case "flags":
			for _, line := range lines {
				parts := strings.SplitN(line, " ", 3)
				o.Flags = append(o.Flags, Flag{Name: parts[0], Path: parts[1], Value: parts[2]})
			}
		default:
			disk[name] = data
		}
	}
	if _, ok := disk["promptd.yaml"]; ok {
		o.File = "promptd.yaml"
	}
	o.ReadFile = files(disk)
	l, err := Load(o)
	if err != nil {
		return "error:\n" + err.Error() + "\n"
	}
	var b strings.Builder
	for _, w := range l.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	dump(&b, reflect.ValueOf(l.Config), "")
	return b.String()
}

// dump writes every value that is not its default, secrets as they print.
func dump(b *strings.Builder, v reflect.Value, path string) {
	fresh := reflect.New(v.Type()).Elem()
	(&loader{}).defaults(fresh)
	for _, f := range fieldsOf(v.Type()) {
		fv, at := v.Field(f.index), join(path, f.name)
		switch {
		case f.kind == kindObject:
			dump(b, fv, at)
		case f.kind == kindObjects:
			for i := range fv.Len() {
				dump(b, fv.Index(i), fmt.Sprintf("%s[%d]", at, i))
			}
		case !reflect.DeepEqual(fv.Interface(), fresh.Field(f.index).Interface()):
			fmt.Fprintf(b, "%s = %v\n", at, fv.Interface())
		}
	}
}

func TestNoFileGivesTheDefaultsOfTheSpecification(t *testing.T) {
	t.Parallel()
	l, err := Load(Options{Adapters: adapters(), ReadFile: files(nil)})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	for _, tc := range []struct {
		path      string
		got, want any
	}{
		{"listen", c.Listen, "127.0.0.1:8420"},
		{"admin_listen", c.AdminListen, ""},
		{"data_dir", c.DataDir, "./promptd-data"},
		{"roles", c.Roles, []string{"api", "worker", "console"}},
		{"database.url", c.Database.URL.Reveal(), "sqlite:promptd.db"},
		{"cache.url", c.Cache.URL.Reveal(), "memory:"},
		{"cache.ttl", c.Cache.TTL, time.Hour},
		{"cache.memory_mb", c.Cache.MemoryMB, 100},
		{"broker.url", c.Broker.URL.Reveal(), "embedded:"},
		{"tls.min_version", c.TLS.MinVersion, "1.3"},
		{"auth.mode", c.Auth.Mode, "keys"},
		{"auth.default_rate_limit_per_hour", c.Auth.DefaultRateLimitPerHour, 1000},
		{"limits.prompt_chars", c.Limits.PromptChars, 10000},
		{"limits.body_bytes", c.Limits.BodyBytes, Bytes(10485760)},
		{"limits.upload_bytes", c.Limits.UploadBytes, Bytes(1073741824)},
		{"limits.schema_bytes", c.Limits.SchemaBytes, Bytes(262144)},
		{"limits.max_concurrency", c.Limits.MaxConcurrency, 1000},
		{"webhooks.max_age", c.Webhooks.MaxAge, 24 * time.Hour},
		{"privacy", c.Privacy, Privacy{PII: "off", StorePrompts: true, RetentionDays: 30}},
		{"routing.strategy", c.Routing.Strategy, "least-busy"},
		{"routing.retries", c.Routing.Retries, Retries{MaxAttempts: 4, Base: 200 * time.Millisecond, Cap: 5 * time.Second}},
		{"routing.breaker", c.Routing.Breaker, Breaker{FailureShare: 0.5, MinCalls: 20, Window: 30 * time.Second, OpenFor: 30 * time.Second}},
		{"providers", len(c.Providers), 0},
		{"telemetry", c.Telemetry, Telemetry{LogLevel: "info", LogFormat: "json"}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("default of %s (-want +got):\n%s", tc.path, diff)
		}
	}
	if l.File != "" || len(l.Warnings) != 0 {
		t.Errorf("file %q and warnings %v, want none", l.File, l.Warnings)
	}
}

// TestEveryKeyCanBeGivenByItsVariable sets each variable to a value that is not the default and looks for it at its place.
func TestEveryKeyCanBeGivenByItsVariable(t *testing.T) {
	t.Parallel()
	other := map[string]string{
		"listen": "127.0.0.1:9", "admin_listen": ":10", "roles": "worker, api", "tls.cert": "a.pem", "tls.key": "b.pem", "auth.mode": "none",
		"database.url": "sqlite:x.db", "cors.origins": "https://a.example,https://b.example", "tls.min_version": "1.2", "telemetry.log_level": "debug",
		"telemetry.log_format": "text", "telemetry.otlp_endpoint": "http://127.0.0.1:4318", "privacy.store_prompts": "false",
		"webhooks.allow_private_networks": "true", "routing.breaker.failure_share": "0.25", "state.url": "memory:", "data_dir": "/data",
	}
	// These have one possible value in this version.
	only := map[string]bool{"database.replica_urls": true, "cache.url": true, "broker.url": true, "routing.strategy": true, "privacy.pii": true}
	seen := map[string]string{}
	for _, k := range Keys() {
		if k.Variable == "" {
			continue
		}
		if twice, ok := seen[k.Variable]; ok {
			t.Errorf("%s and %s have the same variable %s", twice, k.Path, k.Variable)
		}
		seen[k.Variable] = k.Path
		if only[k.Path] || k.Path == "providers" {
			continue
		}
		value, ok := other[k.Path]
		switch {
		case ok:
		case k.field.kind == kindDuration:
			value = "61m"
			if k.Path == "routing.retries.base" || k.field.max == "10m" || k.field.max == "1h" {
				value = "1s"
			}
		case k.field.kind == kindInt || k.field.kind == kindBytes:
			value = "9"
			if k.field.kind == kindBytes {
				value = "2048"
			}
		default:
			t.Errorf("%s: the test has no value for it", k.Path)
			continue
		}
		env := []string{k.Variable + "=" + value}
		if section, _, _ := strings.Cut(k.Path, "."); section == "tls" {
			env = []string{"PROMPTD_TLS_CERT=a.pem", "PROMPTD_TLS_KEY=b.pem", "PROMPTD_TLS_MIN_VERSION=1.2"}
		}
		c := mustLoad(t, "", env...)
		plain := mustLoad(t, "")
		diffs := Differences(&plain, &c)
		if !slices.ContainsFunc(diffs, func(d Difference) bool { return d.Path == k.Path }) {
			t.Errorf("%s: differences %v, want one at %s", env, diffs, k.Path)
		}
	}
}

func TestFlagWinsOverEnvironmentOverFileOverDefault(t *testing.T) {
	t.Parallel()
	const file = "cache: {memory_mb: 2}\nlisten: 127.0.0.1:2\n"
	o := Options{File: "f", Adapters: adapters(), Catalogue: known(), ReadFile: files(map[string]string{"f": file})}
	want := []struct {
		mb     int
		origin string
	}{{2, "f:1:9"}, {3, "PROMPTD_CACHE_MEMORY_MB"}, {4, "--memory"}}
	for i, w := range want {
		if i >= 1 {
			o.Environ = []string{"PROMPTD_CACHE_MEMORY_MB=3"}
		}
		if i >= 2 {
			o.Flags = []Flag{{"--memory", "cache.memory_mb", "4"}}
		}
		l, err := Load(o)
		if err != nil {
			t.Fatal(err)
		}
		from, _ := l.Origin("cache.memory_mb")
		if l.Config.Cache.MemoryMB != w.mb || from.String() != w.origin {
			t.Errorf("step %d: memory_mb %d from %s, want %d from %s", i, l.Config.Cache.MemoryMB, from, w.mb, w.origin)
		}
		if l.Config.Listen != "127.0.0.1:2" || l.Config.Cache.TTL != time.Hour {
			t.Errorf("step %d: what was not overlaid changed: %s, %s", i, l.Config.Listen, l.Config.Cache.TTL)
		}
	}
	if _, err := Load(Options{Adapters: adapters(), Catalogue: known(), ReadFile: files(nil), Flags: []Flag{{"--x", "no.such", "1"}}}); err == nil {
		t.Error("a flag for no key was passed over")
	}
}

func TestProvidersAreFoundByTheirUsualVariable(t *testing.T) {
	t.Parallel()
	l, err := load(t, "listen: 127.0.0.1:1", "OPENAI_API_KEY=sk-1", "GROQ_API_KEY=gsk", "MISTRAL_API_KEY=", "ANTHROPIC_API_KEY=a", "GITHUB_TOKEN=g")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range l.Config.Providers {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %t", p.Name, p.Dialect, p.BaseURL, p.APIKey.Reveal(), p.Models[0].Name, p.Discovered))
	}
	want := []string{
		"openai openai https://api.openai.com/v1 sk-1 gpt-4.1-mini true",
		"groq openai https://api.groq.com/openai/v1 gsk openai/gpt-oss-120b true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	if len(l.Warnings) != 1 || l.Warnings[0].Source != "ANTHROPIC_API_KEY" || !strings.Contains(l.Warnings[0].Message, "no dialect anthropic") {
		t.Errorf("warnings %v, want one that names ANTHROPIC_API_KEY and the dialect", l.Warnings)
	}
	openai := l.Config.Providers[0]
	if m := openai.Models[0]; m.Facts.Price == nil || m.MaxOutputTokens != 32768 || m.Tier != 2 || openai.Timeout != 30*time.Second {
		t.Errorf("model %+v of %s lacks facts of the catalogue", m, openai.Name)
	}
	if c := mustLoad(t, "providers: []", "OPENAI_API_KEY=sk-1"); len(c.Providers) != 0 {
		t.Errorf("providers: [] found %d providers, want none", len(c.Providers))
	}
}

func TestTheUsualKeyIsNeverSentToAnotherAddress(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "providers: [{name: openai, dialect: openai, base_url: 'https://elsewhere.example/v1', models: [{name: m}]}]", "OPENAI_API_KEY=sk-1")
	if keys := c.Providers[0].Credentials(); len(keys) != 0 {
		t.Errorf("the provider got %d keys, want none: the address is not OpenAI's", len(keys))
	}
}

func TestConfiguredFactsWinOverTheCatalogue(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
providers:
  - name: openai
    api_key: k
    models:
      - name: gpt-4.1-mini
        tier: 3
        vision: false
        price: {input: 1.5, output: "2"}
      - {name: gpt-4o-mini}
      - {name: of-tomorrow, modes: [json]}
`)
	m := c.Providers[0].Models
	if m[0].Facts.Tier != 3 || m[0].Facts.Vision || m[0].Facts.Price.Input.String() != "1.5" || m[0].Facts.Price.CachedInput != nil || m[0].Facts.ContextWindow != 1047576 {
		t.Errorf("facts %+v do not hold what the configuration gives over what the catalogue knows", m[0].Facts)
	}
	if m[1].Facts.Price.CachedInput.String() != "0.075" || m[1].Tier != 1 || !slices.Equal(m[1].Modes, []string{"strict", "json"}) {
		t.Errorf("facts %+v of a known model are not the catalogue's", m[1])
	}
	if m[2].Facts.Price != nil || !slices.Equal(m[2].Modes, []string{"json"}) || m[2].Tier != 2 {
		t.Errorf("facts %+v of an unknown model: the price must be absent, never 0", m[2])
	}
}

func TestReloadTellsWhatChangedAndWhatNeedsARestart(t *testing.T) {
	t.Parallel()
	const base = "providers: [{name: openai, api_key: 'file:/k'}]\n"
	read := func(yaml, key string) *Config {
		l, err := Load(Options{File: "f", Adapters: adapters(), Catalogue: known(), ReadFile: files(map[string]string{"f": yaml, "/k": key, "/k2": key})})
		if err != nil {
			t.Fatal(err)
		}
		return &l.Config
	}
	before := read(base, "one\n")
	for _, tc := range []struct {
		name  string
		after *Config
		want  []Difference
	}{
		{"nothing", read(base, "one"), nil},
		{"the same secret from another file", read(strings.Replace(base, "/k", "/k2", 1), "one"), nil},
		{"a rotated secret", read(base, "two"), []Difference{{"providers", true}}},
		{"a limit and an address", read(base+"listen: :1\nlimits: {prompt_chars: 5}", "one"), []Difference{{"listen", false}, {"limits.prompt_chars", true}}},
	} {
		if diff := cmp.Diff(tc.want, Differences(before, tc.after)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

func TestEveryFaultIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "listne: x\ncache:\n  ttl: soon\n  memory_mb: many\n")
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) != 3 {
		t.Fatalf("Load() = %v, want three problems", err)
	}
	for i, line := range []int{1, 3, 4} {
		if e.Problems[i].Line != line {
			t.Errorf("problem %d is on line %d, want %d: %s", i, e.Problems[i].Line, line, e.Problems[i])
		}
	}
}

func TestANamedFileMustBeThere(t *testing.T) {
	t.Parallel()
	_, err := Load(Options{File: "gone.yaml", Adapters: adapters(), Catalogue: known(), ReadFile: files(nil)})
	if err == nil || !strings.Contains(err.Error(), "gone.yaml") {
		t.Errorf("Load(gone.yaml) = %v, want an error that names the file", err)
	}
}

func TestTheFileOfTheSpecificationLoads(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(sharedtest.Dir(t, "spec", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), "```yaml\n")
	file, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the specification has no YAML block")
	}
	a := adapters()
	a.Dialects = append(a.Dialects, "gemini")
	l, err := Load(Options{
		File: "promptd.yaml", Environ: []string{"GEMINI_API_KEY=g"}, Adapters: a, Catalogue: known(), ReadFile: files(map[string]string{"promptd.yaml": file}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defaults := mustLoad(t, "")
	for _, d := range Differences(&defaults, &l.Config) {
		if d.Path != "providers" {
			t.Errorf("%s differs from the default, and the specification shows defaults", d.Path)
		}
	}
	if p := l.Config.Providers[0]; p.Name != "gemini" || len(p.Models) != 2 || p.Models[1].Modes[0] != "json" || p.APIKey.Reveal() != "g" {
		t.Errorf("the provider is %+v", p)
	}
}

func TestModelsThatHoldNoSchemaAreNotAskedTo(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, `
providers:
  - name: openai
    api_key: k
    models:
      - {name: gpt-4.1-mini}
      - {name: gpt-5.4-pro}
      - {name: gpt-5.4-pro-2026-03-05, modes: [strict]}
`)
	got := fmt.Sprint(c.Providers[0].Models[0].Modes, c.Providers[0].Models[1].Modes, c.Providers[0].Models[2].Modes)
	if want := "[strict json] [json] [strict]"; got != want {
		t.Errorf("modes %s, want %s", got, want)
	}
	if m := c.Providers[0].Models[1]; m.Tier != 2 || m.Facts.Tier != 2 || m.ContextWindow == 0 || m.Facts.Price == nil {
		t.Errorf("%+v lacks facts of the table", m)
	}
}
