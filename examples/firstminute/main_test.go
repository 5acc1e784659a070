package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for promptd where FAKE_PROMPTD says how it behaves.
func TestMain(m *testing.M) {
	if how := os.Getenv("FAKE_PROMPTD"); how != "" {
		os.Exit(fakePromptd(how, strings.Join(os.Args[1:], " ")))
	}
	os.Exit(m.Run())
}

const fakeKey = "pd_live_made_by_the_fake"

// fakePromptd behaves as promptd does on the command line and over HTTP, as far as the first minute sees it.
func fakePromptd(how, args string) int {
	switch {
	case args == "local install" && how == "no model":
		fmt.Fprintln(os.Stderr, "promptd: pip could not download xllamacpp")
		return 1
	case args == "local install":
		fmt.Println("the local model is there")
		return 0
	case args == "keys create --name first-minute --output json":
		fmt.Printf("{\"id\": \"1\", \"key\": %q}\n", fakeKey)
		return 0
	case strings.HasPrefix(args, "serve") && how == "dies":
		fmt.Fprintln(os.Stderr, "promptd: the data directory is in use by another promptd")
		return 1
	case strings.HasPrefix(args, "serve"):
		return fakeServe(how)
	}
	fmt.Fprintln(os.Stderr, "unexpected command line:", args)
	return 2
}

func fakeServe(how string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"ok"}`) }
	mux.HandleFunc("GET /v1/health/live", ok)
	mux.HandleFunc("GET /v1/health/ready", ok)
	allowed := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "Bearer "+fakeKey {
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		return true
	}
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) { allowed(w, r) })
	mux.HandleFunc("POST /v1/analyze", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		switch {
		case !allowed(w, r):
		case err != nil || !bytes.Contains(body, []byte(`"prompt"`)):
			w.WriteHeader(http.StatusBadRequest)
		case how == "hangs":
			<-ctx.Done()
		case how == "422":
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprintln(w, `{"status":422,"code":"VALIDATION_FAILED","detail":"no answer satisfied the schema","remediation":"Use a better model.","data":{"leaked":1},
				"validation":{"errors":[{"pointer":"/items","message":"must be an array"}],"repairs":[],"coercions":[],"reasks":1,"dialect_mode":"grammar"},
				"attempts":[{"n":1,"provider":"local","model":"tiny","mode":"grammar","outcome":"invalid","total_ms":12.5}]}`)
		default:
			fmt.Fprintln(w, `{"request_id":"r","data":{"z":9007199254740993,"a":1.50},"validation_status":"passed",
				"validation":{"errors":[],"repairs":[],"coercions":[{"kind":"string_to_number","pointer":"/a","before":"1.50","after":1.50}],"reasks":0,"dialect_mode":"grammar"},
				"original_language":"de","language_confidence":0.99,"confidence":0.8,"confidence_source":"logprobs",
				"attempts":[{"n":1,"provider":"local","model":"tiny","mode":"grammar","outcome":"ok","total_ms":12.5,"input_tokens":10,"output_tokens":20}],
				"processing_time_ms":13.1,"overhead_ms":0.6}`)
		}
	})
	s := &http.Server{Addr: os.Getenv("PROMPTD_LISTEN"), Handler: mux, ReadHeaderTimeout: time.Second}
	gone := make(chan error, 1)
	go func() { gone <- s.ListenAndServe() }()
	select {
	case err := <-gone:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case <-ctx.Done():
		fmt.Println("the fake ends cleanly")
		return 0
	}
}

// run is a first minute with a fake promptd.
type run struct {
	minute

	out  *safe
	quit chan os.Signal
	dir  string
}

// safe is a buffer that a test may read while it is written.
type safe struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *safe) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

func newRun(t *testing.T, how string, environ ...string) *run {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{out: &safe{}, quit: make(chan os.Signal, 2), dir: t.TempDir()}
	r.minute = minute{
		promptd: binary, example: "../order", out: r.out, errs: r.out, quit: r.quit,
		environ: append([]string{"FAKE_PROMPTD=" + how, "PROMPTD_LISTEN=" + address, "PROMPTD_DATA_DIR=" + r.dir}, environ...),
	}
	return r
}

func (r *run) wants(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.out.String(), text) {
			t.Errorf("%q is not shown:\n%s", text, r.out)
		}
	}
}

func (r *run) log(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, "first-minute.log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestAnswerIsShownAndTheServerEndsCleanly(t *testing.T) {
	t.Parallel()
	r := newRun(t, "good")
	if err := r.run(); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	r.wants(t, "promptd local install", "serve --local", "Sabine Krüger", "\"z\": 9007199254740993,\n    \"a\": 1.50", "passed, mode grammar; 0 errors, 0 repairs, 1 coercions, 0 re-asks",
		"local/tiny", "promptd's own: 0.6 ms", "language of the prompt: de", "promptd has stopped")
	if strings.Contains(r.out.String(), "What to try next") {
		t.Errorf("without a terminal nobody tries anything next:\n%s", r.out)
	}
	if !strings.Contains(r.log(t), "the fake ends cleanly") {
		t.Errorf("the server was not asked to end:\n%s", r.log(t))
	}
	info, err := os.Stat(filepath.Join(r.dir, "first-minute.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file has mode %o, want 600", info.Mode().Perm())
	}
}

func TestKeyOfTheLastRunIsUsedAgain(t *testing.T) {
	t.Parallel()
	r := newRun(t, "good")
	if err := os.WriteFile(filepath.Join(r.dir, "first-minute.key"), []byte(fakeKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.run(); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	r.wants(t, "The API key of the last run is used again")
	if strings.Contains(r.out.String(), "keys create") {
		t.Errorf("a second key was made:\n%s", r.out)
	}
}

func TestKeyThatIsRefusedIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRun(t, "good")
	if err := os.WriteFile(filepath.Join(r.dir, "first-minute.key"), []byte("pd_live_revoked\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := r.run(); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	info, err := os.Stat(filepath.Join(r.dir, "first-minute.key"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(r.dir, "first-minute.key"))
	if err != nil || string(raw) != fakeKey+"\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("the file holds %q with mode %o (%v)", raw, info.Mode().Perm(), err)
	}
}

func TestAConfiguredProviderNeedsNoLocalModel(t *testing.T) {
	t.Parallel()
	r := newRun(t, "no model", "OPENAI_API_KEY=sk-test")
	if err := r.run(); err != nil {
		t.Fatalf("%v\n%s", err, r.out)
	}
	r.wants(t, "Configured: openai")
	if strings.Contains(r.out.String(), "--local") || strings.Contains(r.out.String(), "local install") {
		t.Errorf("the local model was asked for:\n%s", r.out)
	}
}

func TestWithoutAModelThereIsNoAnswerAndAWayOut(t *testing.T) {
	t.Parallel()
	r := newRun(t, "no model")
	err := r.run()
	if err == nil || !strings.Contains(err.Error(), "OPENAI_API_KEY") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with the way out", err)
	}
	if strings.Contains(r.out.String(), "Answer") || strings.Contains(r.out.String(), "serve") {
		t.Errorf("it went on without a model:\n%s", r.out)
	}
}

func TestTheEndOfTheServerShowsItsLastLines(t *testing.T) {
	t.Parallel()
	r := newRun(t, "dies")
	if err := r.run(); err == nil {
		t.Error("got no error")
	}
	r.wants(t, "The last lines of", "the data directory is in use by another promptd")
}

func TestAnAnswerThatDidNotPassIsNotShown(t *testing.T) {
	t.Parallel()
	r := newRun(t, "422")
	if err := r.run(); err == nil {
		t.Error("got no error")
	}
	r.wants(t, "No answer", "VALIDATION_FAILED", "Use a better model.", `error at "/items": must be an array`, "failed, mode grammar")
	if strings.Contains(r.out.String(), "leaked") {
		t.Errorf("data that did not pass are shown:\n%s", r.out)
	}
	if !strings.Contains(r.log(t), "the fake ends cleanly") {
		t.Error("the server was left running or killed")
	}
}

func TestAPortThatIsTakenIsNamedWithTheWayOut(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"promptd": "a promptd that runs already", "nginx": "another program"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, "good")
			address := strings.TrimPrefix(r.environ[1], "PROMPTD_LISTEN=")
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			s := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Server", name) })}
			go func() { _ = s.Serve(l) }()
			t.Cleanup(func() { _ = s.Close() })
			err = r.run()
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PROMPTD_LISTEN=") {
				t.Errorf("got %v, want %q and the way out", err, want)
			}
			if strings.Contains(r.out.String(), "serve") {
				t.Errorf("a server was started all the same:\n%s", r.out)
			}
		})
	}
}

func TestASignalEndsTheServerCleanlyAtAnyMoment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		how, after string
		fails      bool
	}{{"good", "What to try next", false}, {"hangs", "/v1/analyze", true}} {
		t.Run(tt.how, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, tt.how)
			r.stay = true
			seen := make(chan struct{})
			r.minute.out = io.MultiWriter(r.out, &sentinel{text: tt.after, seen: seen})
			done := make(chan error, 1)
			go func() { done <- r.run() }()
			select {
			case <-seen:
			case err := <-done:
				t.Fatalf("it ended before the signal: %v\n%s", err, r.out)
			}
			r.quit <- os.Interrupt
			if err := <-done; (err != nil) != tt.fails {
				t.Errorf("got %v, want an error: %v", err, tt.fails)
			}
			if !strings.Contains(r.log(t), "the fake ends cleanly") {
				t.Errorf("the server did not end by itself:\n%s", r.out)
			}
		})
	}
}

// sentinel closes a channel when a text has been written.
type sentinel struct {
	text string
	seen chan struct{}
	once sync.Once
}

func (s *sentinel) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(s.text)) {
		s.once.Do(func() { close(s.seen) })
	}
	return len(p), nil
}

func TestWhatCanBePastedIsARequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := minute{promptd: "bin/promptd", address: "127.0.0.1:8420", data: "promptd-data", out: &out}
	m.next("pd_live_x")
	for _, want := range []string{"Bearer pd_live_x", "http://127.0.0.1:8420/v1/analyze", "http://127.0.0.1:8420/docs", "PROMPTD_SERVER=http://127.0.0.1:8420 PROMPTD_API_KEY=pd_live_x"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing:\n%s", want, out.String())
		}
	}
}
