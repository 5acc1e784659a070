package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged takes the log lines of a program.
type logged struct {
	mu sync.Mutex

	text bytes.Buffer
}

// Write takes lines.
func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// setting is what a test's program is made from.
type setting struct {
	dir, listen string
	yaml        string
	environ     []string
	hurry       time.Duration
	patience    time.Duration
	out         *logged
}

func newSetting(t *testing.T, yaml string) *setting {
	t.Helper()
	return &setting{dir: t.TempDir(), listen: "127.0.0.1:0", yaml: yaml, out: &logged{}}
}

func (s *setting) load() (*config.Loaded, error) {
	return config.Load(config.Options{
		File: "promptd.yaml", Adapters: Adapters(), Environ: s.environ, ReadFile: func(string) ([]byte, error) { return []byte(s.yaml), nil },
		Flags: []config.Flag{{Name: "--listen", Path: "listen", Value: s.listen}, {Name: "--data-dir", Path: "data_dir", Value: s.dir}},
	})
}

// build makes the program; nobody stops it but the test.
func (s *setting) build(t testing.TB) (*App, error) {
	t.Helper()
	loaded, err := s.load()
	if err != nil {
		t.Fatal(err)
	}
	return New(t.Context(), loaded, Env{Out: s.out, Version: "test", Load: s.load, Hurry: s.hurry, Patience: s.patience})
}

// running is a program that answers.
type running struct {
	*App
	secret string
	client *http.Client
	// stop asks it to end, as SIGTERM does, and ended gives what Run said, once.
	stop  context.CancelFunc
	ended chan error
}

// start runs the program with a key of every scope, and ends it with the test where the test did not.
func (s *setting) start(t *testing.T) *running {
	t.Helper()
	secret := s.key(t)
	r := s.launch(t)
	r.secret = secret
	return r
}

// key makes a key of every scope.
func (s *setting) key(t *testing.T) string {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: s.dir})
	if err != nil {
		t.Fatal(err)
	}
	none := 0
	_, made, err := (&key.Issuer{Store: db.Keys()}).Create(t.Context(), key.Key{Name: "test", Scopes: key.AllScopes, RateLimitPerHour: &none})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return made.Reveal()
}

// launch runs the program as it is.
func (s *setting) launch(t testing.TB) *running {
	t.Helper()
	a, err := s.build(t)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	r := &running{App: a, client: &http.Client{Transport: transport}, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { r.ended <- a.Run(ctx); close(r.ended) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		r.end(t)
	})
	return r
}

// end ends the program and tells what went wrong.
func (r *running) end(t testing.TB) {
	t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("the end of the program: %v", err)
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request; a secret of "" sends none.
func (r *running) do(method, url, secret, body string) (answer, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	raw, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(raw)}, errors.Join(err, resp.Body.Close())
}

// must is do with the status that is wanted.
func (r *running) must(t *testing.T, status int, method, url, secret, body string) answer {
	t.Helper()
	a, err := r.do(method, url, secret, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, url, a.status, a.body, status)
	}
	return a
}

// question is a request that no other answer can stand in for.
const question = `{"prompt":"There are 7 apples.","schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"options":{"bypass_cache":true}}`

func (r *running) ask(t *testing.T) answer {
	t.Helper()
	return r.must(t, http.StatusOK, http.MethodPost, r.URL()+"/v1/analyze", r.secret, question)
}

// account is the configuration's entry of a scripted provider.
func account(name string, service *providertest.Server) string {
	return "\n  - {name: " + name + ", dialect: openai, base_url: \"" + service.URL() + "/v1\", api_key: env:SERVICE_KEY, models: [{name: m}]}"
}

func TestNewFailsCleanlyWhereThePortIsTaken(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	other, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // A test's listener.
	s := newSetting(t, "")
	s.listen = other.Addr().String()
	_, err = s.build(t)
	f := fault.Of(err)
	if want := "can't listen on " + s.listen + ": address already in use"; f.Code != fault.Overloaded || f.Detail != want || !strings.Contains(f.Remediation, "--listen") {
		t.Fatalf("%v, %q, want %q", f, f.Remediation, want)
	}
	// Everything that was begun is undone: the folder is free.
	s.listen = "127.0.0.1:0"
	a, err := s.build(t)
	if err != nil {
		t.Fatalf("after a failed start: %v", err)
	}
	// The same holds for the second listener, which fails after the first was opened.
	first := a.Address()
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.listen, s.yaml = first, "admin_listen: "+other.Addr().String()
	if _, err = s.build(t); fault.Of(err).Code != fault.Overloaded {
		t.Errorf("with the admin port taken: %v", err)
	}
	free, err := lc.Listen(t.Context(), "tcp", first)
	if err != nil {
		t.Fatalf("the first address is still held: %v", err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestAFolderBelongsToOneProgram(t *testing.T) {
	t.Parallel()
	s := newSetting(t, "")
	a, err := s.build(t)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.build(t)
	if f := fault.Of(err); f.Code != fault.Overloaded || !strings.Contains(f.Detail, "another promptd works in "+s.dir) || !strings.Contains(f.Remediation, "--data-dir") {
		t.Errorf("the second one: %v, %q", f, f.Remediation)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	if a, err = s.build(t); err != nil {
		t.Fatalf("after the first one ended: %v", err)
	}
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTheStoresFileHasOneName(t *testing.T) {
	t.Parallel()
	_, err := newSetting(t, `database: {url: "sqlite:other.db"}`).build(t)
	if f := fault.Of(err); f.Code != fault.InvalidRequest || !strings.Contains(f.Detail, "other.db") || !strings.Contains(f.Remediation, "sqlite:promptd.db") {
		t.Errorf("%v, %q", f, f.Remediation)
	}
}

func TestRunEndsWhatItBeganAndKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "providers:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r := s.start(t)
	r.ask(t)

	hold := make(chan struct{})
	service.Queue(providertest.Reply{Text: `{"n":8}`, Hold: hold})
	type result struct {
		answer
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := r.do(http.MethodPost, r.URL()+"/v1/analyze", r.secret, question)
		done <- result{a, err}
	}()
	until(t, func() bool { return service.InFlight() == 1 })
	r.stop()
	until(t, func() bool { return strings.Contains(s.out.String(), "requests in flight may finish") })
	select {
	case err := <-r.ended:
		t.Fatalf("Run ended with a request in flight: %v", err)
	default:
	}
	close(hold)
	if got := <-done; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.body, `"data":{"n":8}`) {
		t.Errorf("the request in flight: %d %s, %v", got.status, got.body, got.err)
	}
	r.end(t)
	if _, err := r.do(http.MethodGet, r.URL()+"/v1/health/live", "", ""); err == nil {
		t.Error("it still answers")
	}

	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: s.dir, Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := db.History().Requests(t.Context(), key.OfTeam(key.DefaultTeam), usage.Filter{Limit: 10})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 {
		t.Errorf("%d requests are in the history, want 2", len(list))
	}
	if strings.Contains(s.out.String(), "sk-secret") || strings.Contains(s.out.String(), r.secret) || strings.Contains(s.out.String(), "apples") {
		t.Errorf("the log holds a secret or a prompt:\n%s", s.out)
	}
}

func TestAPartThatFailsEndsTheProgram(t *testing.T) {
	t.Parallel()
	for _, fails := range []error{errors.New("out of order"), nil} {
		s := newSetting(t, "")
		a, err := s.build(t)
		if err != nil {
			t.Fatal(err)
		}
		a.own("probe", func(context.Context) error { return fails })
		if err = a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "probe") || fails != nil && !errors.Is(err, fails) {
			t.Errorf("Run: %v, want the failure %v of the part called probe", err, fails)
		}
	}
}

func TestARunThatIsOverBeforeItBeganEnds(t *testing.T) {
	t.Parallel()
	a, err := newSetting(t, "").build(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := a.Run(ctx); err != nil {
		t.Error(err)
	}
}

func TestReloadTakesOverProvidersSecretsAndLimits(t *testing.T) {
	t.Parallel()
	first := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	second := providertest.New(t, providertest.Settings{Text: `{"n":8}`})
	s := newSetting(t, "providers:"+account("one", first))
	s.environ = []string{"SERVICE_KEY=sk-before"}
	r := s.start(t)
	if a := r.ask(t); !strings.Contains(a.body, `"provider_used":"one"`) {
		t.Fatal(a.body)
	}

	// The same file with another value behind a reference.
	s.environ = []string{"SERVICE_KEY=sk-after"}
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.ask(t)
	seen := first.Exchanges()
	if got := seen[len(seen)-1].Header.Get("Authorization"); len(seen) != 2 || got != "Bearer sk-after" {
		t.Errorf("after the secret has changed the service got %q", got)
	}

	s.yaml = "limits: {prompt_chars: 10}\ncors: {origins: [\"https://example.com\"]}\nproviders:" + account("two", second)
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := r.must(t, http.StatusBadRequest, http.MethodPost, r.URL()+"/v1/analyze", r.secret, question); !strings.Contains(a.body, "limits.prompt_chars") {
		t.Error(a.body)
	}
	short := strings.Replace(question, "There are 7 apples.", "8 pears", 1)
	if a := r.must(t, http.StatusOK, http.MethodPost, r.URL()+"/v1/analyze", r.secret, short); !strings.Contains(a.body, `"provider_used":"two"`) {
		t.Error(a.body)
	}
	until(t, func() bool {
		return strings.Count(s.out.String(), "the configuration was reloaded") == 2 && strings.Contains(s.out.String(), "providers was taken over") && strings.Contains(s.out.String(), "cors.origins has changed and takes effect with the next start")
	})
}

func TestReloadRefusesAFaultyConfigurationWhole(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "providers:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r := s.start(t)
	for _, yaml := range []string{
		"limits: {prompt_chars: 1}\nproviders: [{name: x, dialect: morse, base_url: \"http://127.0.0.1:1\", models: [{name: m}]}]",
		"limits: {prompt_chars: 1, unknown: 2}",
		"limits: {prompt_chars: 1}\nproviders: [{name: x, dialect: openai, base_url: \"http://127.0.0.1:1\", api_key: env:NOT_SET, models: [{name: m}]}]",
		"limits: [",
	} {
		s.yaml = yaml
		if err := r.Reload(t.Context()); err == nil {
			t.Errorf("taken over: %s", yaml)
		}
		r.ask(t) // With the provider and the limits of before.
	}
	a := r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/metrics", r.secret, "")
	if !strings.Contains(a.body, `{result="refused"} 4`) {
		t.Errorf("refused reloads are not counted:\n%s", lines(a.body, "reload"))
	}
}

func TestTheAdminListenerNeedsNoKeyAndThePublicOneShowsNoProfiles(t *testing.T) {
	t.Parallel()
	r := newSetting(t, "admin_listen: 127.0.0.1:0").start(t)
	admin := r.admin.url()
	for path, want := range map[string]string{
		"/v1/metrics": "active_requests", "/metrics": "go_goroutines", "/v1/health": `"store"`, "/v1/health/live": `"ok"`, "/v1/health/ready": `"ok"`,
		"/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "test",
	} {
		if a := r.must(t, http.StatusOK, http.MethodGet, admin+path, "", ""); !strings.Contains(a.body, want) {
			t.Errorf("%s has no %s:\n%.400s", path, want, a.body)
		}
	}
	r.must(t, http.StatusNotFound, http.MethodPost, admin+"/v1/analyze", r.secret, question)
	r.must(t, http.StatusNotFound, http.MethodGet, admin+"/v1/keys", r.secret, "")

	r.must(t, http.StatusOK, http.MethodGet, r.URL()+"/v1/health/ready", "", "")
	r.must(t, http.StatusUnauthorized, http.MethodGet, r.URL()+"/v1/metrics", "", "")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/metrics"} {
		r.must(t, http.StatusNotFound, http.MethodGet, r.URL()+path, r.secret, "")
	}
}

func TestWithoutKeysEverybodyMayCall(t *testing.T) {
	t.Parallel()
	service := providertest.New(t, providertest.Settings{Text: `{"n":7}`})
	s := newSetting(t, "auth: {mode: none}\nproviders:"+account("one", service))
	s.environ = []string{"SERVICE_KEY=sk-secret"}
	r := s.start(t)
	if !r.HasKey() {
		t.Error("a key is asked for where none is wanted")
	}
	for _, secret := range []string{"", "pd_live_whatever"} {
		a := r.must(t, http.StatusOK, http.MethodPost, r.URL()+"/v1/analyze", secret, question)
		var got struct {
			Data struct{ N int }
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Data.N != 7 {
			t.Errorf("%s, %v", a.body, err)
		}
	}
	s = newSetting(t, "auth: {mode: none}")
	s.listen = "0.0.0.0:0"
	if _, err := s.load(); err == nil {
		t.Error("auth.mode none was taken for an address that others reach")
	}
}

func lines(text, word string) string {
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, word) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

// until waits for something that happens elsewhere.
func until(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("waited 20 s in vain")
		}
	}
}
