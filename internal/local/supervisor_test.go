package local

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// hasty makes a Supervisor that does not wait long for what the test knows not to come.
func hasty(c Choice, s Settings) *Supervisor {
	sup := New(c, s)
	sup.pause = func(int) time.Duration { return time.Millisecond }
	sup.look = time.Millisecond
	return sup
}

func TestSupervisorIsReadyWhenTheChildSaysSoAndAnswers(t *testing.T) {
	t.Parallel()
	sup := hasty(fakeChoice(""), Settings{})
	if _, err := sup.Endpoint(); !fault.Is(err, fault.ProviderError) {
		t.Errorf("Endpoint before Run gives %v, want a fault that says it is not up", err)
	}
	run(t, sup)
	e := waitFor(t, sup)
	<-sup.Ready()
	if got, err := sup.Endpoint(); err != nil || got != e {
		t.Errorf("Endpoint gives %v, %v; Wait gave %v", got, err, e)
	}
	if e.Dialect != "llamacpp" || !strings.HasPrefix(e.BaseURL, "http://127.0.0.1:") || len(e.APIKey) < 20 || e.Model != modelAlias || e.Context != 4096 || e.Parallel != 1 {
		t.Errorf("endpoint is %+v, want llamacpp on loopback with a key, model and sizes", e)
	}
	if text := fmt.Sprintf("%v %s", e, e) + slog.AnyValue(e).Resolve().String(); strings.Contains(text, e.APIKey) {
		t.Errorf("the key shows in %q", text)
	}
}

func TestSupervisorRestartsACrashedChildOnTheSamePort(t *testing.T) {
	t.Parallel()
	sup := hasty(fakeChoice(""), Settings{})
	run(t, sup)
	first := waitFor(t, sup)
	for n := range 3 {
		crash(t, sup)
		if again := waitFor(t, sup); again != first {
			t.Errorf("after crash %d the endpoint is %v, want %v: callers hold the old one", n+1, again, first)
		}
	}
}

func TestSupervisorTakesAnotherPortWhereTheOldOneIsTakenMeanwhile(t *testing.T) {
	t.Parallel()
	sup := hasty(fakeChoice(""), Settings{})
	var other net.Listener
	sup.pause = func(int) time.Duration { // The child is gone and the next not yet started: the moment to take its port.
		if other == nil {
			sup.mu.Lock()
			defer sup.mu.Unlock()
			other, _ = net.Listen("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(sup.port)))
		}
		return 0
	}
	run(t, sup)
	first := waitFor(t, sup)
	crash(t, sup)
	again := waitFor(t, sup)
	if other == nil {
		t.Skip("SKIPPED: the port could not be taken in time")
	}
	defer other.Close()
	if again.BaseURL == first.BaseURL {
		t.Errorf("the endpoint is still %s, which another program has taken", first)
	}
}

func TestSupervisorIsNotFooledByAnotherServer(t *testing.T) {
	t.Parallel()
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) }))
	defer health.Close()
	u, err := url.Parse(health.URL)
	if err != nil {
		t.Fatal(err)
	}
	sup := hasty(fakeChoice("lie", fakePort+"="+u.Port()), Settings{})
	sup.tries = 2
	err = sup.Run(t.Context())
	if !fault.Is(err, fault.ProviderError) || !strings.Contains(err.Error(), "another server answers") {
		t.Errorf("Run over a healthy stranger ends with %v, want a fault that says so", err)
	}
	select {
	case <-sup.Ready():
		t.Error("the supervisor is ready with a stranger's server")
	default:
	}
}

func TestSupervisorGivesUpInWordsWhereTheChildNeverStarts(t *testing.T) {
	t.Parallel()
	tests := []struct{ does, want string }{
		{"exit", "the file of weights is broken"},
		{"missing-library", "system library libgomp.so.1"},
		{"silent", "was not ready within"},
	}
	for _, test := range tests {
		t.Run(test.does, func(t *testing.T) {
			t.Parallel()
			sup := hasty(fakeChoice(test.does), Settings{})
			sup.tries, sup.start = 2, time.Second
			err := sup.Run(t.Context())
			if !fault.Is(err, fault.ProviderError) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run ends with %v, want a fault with %q", err, test.want)
			}
			if strings.Contains(err.Error(), sup.key) {
				t.Errorf("the key shows in %v", err)
			}
			if f := fault.Of(err); f.Remediation == "" {
				t.Error("the fault names no way out")
			}
			if _, err := sup.Wait(t.Context()); err == nil {
				t.Error("Wait gives an endpoint after Run gave up")
			}
		})
	}
}

func TestSupervisorRefusesATakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	sup := hasty(fakeChoice(""), Settings{Port: taken.Addr().(*net.TCPAddr).Port})
	sup.tries = 1
	if err := sup.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "taken by another program") {
		t.Errorf("Run on a taken port ends with %v, want a fault that says so", err)
	}
}

func TestSupervisorStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"", "stubborn"} {
		t.Run("child "+behaviour, func(t *testing.T) {
			t.Parallel()
			sup := hasty(fakeChoice(behaviour), Settings{})
			sup.grace = 100 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- sup.Run(ctx) }()
			e := waitFor(t, sup)
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run ended with %v, want nil", err)
			}
			// Run waited for the child: its number is free again, no zombie has it.
			if err := syscall.Kill(sup.pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("after Run, process %d answers a signal with %v, want none there", sup.pid, err)
			}
			gone(t, strings.TrimPrefix(e.BaseURL, "http://"))
			if _, err := sup.Endpoint(); err == nil {
				t.Error("Endpoint still gives one after Run")
			}
		})
	}
}

func TestChildDoesNotOutliveAKilledPromptd(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), fakeEnv+"=promptd")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.Fields(line)[0], "http://")
	if err != nil || !ok {
		t.Fatalf("the supervising process says %q (%v)", line, err)
	}
	if _, err := net.Dial("tcp", address); err != nil {
		t.Fatalf("the child does not listen at %s: %v", address, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	gone(t, address)
}

func TestSupervisorRunsLlamaServerWithTheKeyInItsEnvironment(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Choice{
		Endpoint: Endpoint{Source: "llama-server", Dialect: dialectLlama, Model: "m"},
		engine:   llamaServer{path: exe, model: "m.gguf", alias: "m", env: []string{fakeEnv + "=llama-server"}},
	}
	sup := hasty(c, Settings{})
	run(t, sup)
	e := waitFor(t, sup)
	if e.LLGuidance {
		t.Error("a llama-server of unknown build is said to know llguidance; one that does not would abort")
	}
	crash(t, sup)
	waitFor(t, sup)
}

func TestSupervisorOfAListenerOnlyHandsItOver(t *testing.T) {
	t.Parallel()
	want := Endpoint{Source: "ollama", Dialect: dialectOpenAI, BaseURL: "http://127.0.0.1:11434/v1", Model: "x"}
	sup := New(Choice{Endpoint: want}, Settings{})
	run(t, sup)
	if got := waitFor(t, sup); got != want {
		t.Errorf("endpoint is %v, want %v", got, want)
	}
}

// logged collects what a logger writes.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

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

func TestOutputPassesNoTextOfRequests(t *testing.T) {
	t.Parallel()
	var got logged
	log := slog.New(slog.NewTextHandler(&got, &slog.HandlerOptions{Level: slog.LevelDebug}))
	out := newOutput(log, "the-key", pythonEngine{}.ready1)
	for _, line := range []string{
		"0.00.000.379 I srv          init: initializing with the-key",
		`{"ready": "http://127.0.0.1:4711"}`,
		"0.35.831.316 I slot print_timing: id  0 | task 179 | prompt eval time = 10.93 ms",
		"0.35.835.169 E llg error: 2(11): lexer error in PROMPT",
		"   2 | start: PROMPT",
		"PROMPT",
		"GGML_ASSERT(n > 0) failed",
	} {
		out.line(line)
	}
	if out.port != 4711 {
		t.Errorf("port is %d, want 4711 of the ready line", out.port)
	}
	for _, want := range []string{"initializing with [key]", "print_timing", "could not compile a grammar", "GGML_ASSERT"} {
		if !strings.Contains(got.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, got.String())
		}
	}
	for _, secret := range []string{"PROMPT", "the-key"} {
		if strings.Contains(got.String(), secret) {
			t.Errorf("the log holds %q:\n%s", secret, got.String())
		}
	}
}

func (e pythonEngine) ready1(line string) (int, bool) { return e.ready(line, 0) }

func TestReadyLineIsReadStrictly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		engine engine
		line   string
		port   int
		ok     bool
	}{
		{pythonEngine{}, `{"ready": "http://127.0.0.1:38225"}`, 38225, true},
		{pythonEngine{}, `{"ready": "http://127.0.0.1:0"}`, 0, false},
		{pythonEngine{}, `{"ready": "http://10.0.0.1:38225"}`, 0, false},
		{pythonEngine{}, `0.00 I srv init: listening on http://127.0.0.1:38225`, 0, false},
		{pythonEngine{}, ``, 0, false},
		{llamaServer{}, "main: server is listening on http://127.0.0.1:8099 - starting the main loop", 8099, true},
		{llamaServer{}, "HTTP server is listening, hostname: 127.0.0.1, port: 8099, http threads: 7", 8099, true},
		{llamaServer{}, "main: server is listening on http://127.0.0.1:8098", 0, false},
		{llamaServer{}, "main: loading model, port 8099", 0, false},
	}
	for _, test := range tests {
		port, ok := test.engine.ready(test.line, 8099)
		if ok != test.ok || ok && port != test.port {
			t.Errorf("%T reads %q as %d, %v; want %d, %v", test.engine, test.line, port, ok, test.port, test.ok)
		}
	}
}

func TestLinesAreCutAndBounded(t *testing.T) {
	t.Parallel()
	var got []string
	w := &lines{one: new(sync.Mutex), say: func(l string) { got = append(got, l) }}
	for _, p := range []string{"one\r\ntw", "o\n", strings.Repeat("x", 3*lineMax), "tail\nlast"} {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatalf("Write of %d bytes gives %d, %v", len(p), n, err)
		}
	}
	if len(got) != 3 || got[0] != "one" || got[1] != "two" || len(got[2]) != lineMax {
		t.Errorf("lines are %d long: %.40q", len(got), got)
	}
}

func TestChildEnvironmentHoldsNoForeignKeys(t *testing.T) {
	t.Parallel()
	got := childEnv([]string{"PATH=/bin", "OPENAI_API_KEY=sk", "LD_LIBRARY_PATH=/x", "AWS_SECRET_ACCESS_KEY=s", "LC_ALL=C", "MY_PATH=/y", "OMP_NUM_THREADS=1"})
	want := "PATH=/bin LD_LIBRARY_PATH=/x LC_ALL=C OMP_NUM_THREADS=1"
	if strings.Join(got, " ") != want {
		t.Errorf("the child gets %v, want %v", got, want)
	}
}
