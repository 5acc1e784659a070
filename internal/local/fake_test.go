package local

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The test binary plays the programs that the package starts: the variable fakeEnv says which. So the tests have real processes, pipes, signals and
// ports, and need neither Python nor a model.
const (
	fakeEnv   = "PROMPTD_LOCAL_FAKE"
	fakeDoes  = "PROMPTD_LOCAL_FAKE_DOES"
	fakePort  = "PROMPTD_LOCAL_FAKE_PORT"
	fakeIndex = "PROMPTD_LOCAL_FAKE_INDEX"
)

func TestMain(m *testing.M) {
	switch os.Getenv(fakeEnv) {
	case "engine":
		fakeEngine()
	case "llama-server":
		fakeLlamaServer()
	case "python":
		fakePython()
	case "promptd":
		fakePromptd()
	default:
		goleak.VerifyTestMain(m)
	}
}

// does reports whether the fake is told to behave in a way.
func does(what string) bool { return slices.Contains(strings.Split(os.Getenv(fakeDoes), ","), what) }

// fakeEngine behaves as server.py does.
func fakeEngine() {
	in := bufio.NewReader(os.Stdin)
	first, err := in.ReadBytes('\n')
	var conf struct {
		Port   int    `json:"port"`
		APIKey string `json:"api_key"`
	}
	if err != nil || json.Unmarshal(first, &conf) != nil {
		os.Exit(9)
	}
	if does("missing-library") {
		fmt.Fprintln(os.Stderr, "Traceback (most recent call last):\nImportError: libgomp.so.1: cannot open shared object file: No such file or directory")
		os.Exit(1)
	}
	if does("exit") {
		fmt.Fprintln(os.Stderr, "RuntimeError: the file of weights is broken, key "+conf.APIKey)
		os.Exit(3)
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		if !does("stubborn") {
			os.Exit(0)
		}
	}()
	if does("silent") {
		select {}
	}
	if does("lie") { // Says that it listens where another server does.
		fmt.Printf("{\"ready\": \"http://127.0.0.1:%s\"}\n", os.Getenv(fakePort))
		select {}
	}
	l := listenOrExit(conf.Port)
	fmt.Fprintln(os.Stderr, "0.00.000.379 I srv          init: initializing ...")
	fmt.Printf("{\"ready\": \"http://%s\"}\n", l.Addr())
	serveFake(l, conf.APIKey)
}

func fakeLlamaServer() {
	var port int
	for n, arg := range os.Args {
		if strings.Contains(arg, os.Getenv("LLAMA_API_KEY")) || arg == "--api-key" {
			fmt.Fprintln(os.Stderr, "the key is on the command line")
			os.Exit(8)
		}
		if arg == "--port" {
			port, _ = strconv.Atoi(os.Args[n+1])
		}
	}
	l := listenOrExit(port)
	fmt.Fprintf(os.Stderr, "main: server is listening on http://127.0.0.1:%d - starting the main loop\n", port)
	serveFake(l, os.Getenv("LLAMA_API_KEY"))
}

func listenOrExit(port int) net.Listener {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(7)
	}
	return l
}

// serveFake answers health and properties as llama.cpp's server does. A call of /say makes it print a line.
func serveFake(l net.Listener, key string) {
	mux := http.NewServeMux()
	asked := 0
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 { // The first answer says that the model is still loading.
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("/props", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+key {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	mux.HandleFunc("/say", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stderr, r.FormValue("line"))
	})
	_ = http.Serve(l, mux) //nolint:gosec // A fake inside a test.
	os.Exit(6)
}

// fakePython answers as an interpreter with pip. Its package index is a folder of wheels.
func fakePython() {
	args := os.Args[1:]
	switch {
	case slices.Contains(args, "download"):
		fakePipDownload(args)
	case slices.Contains(args, probeScript):
		version, pip := "[3, 11, 7]", "23.2.1"
		if does("old") {
			version = "[3, 9, 2]"
		}
		if does("no-pip") {
			pip = ""
		}
		exe, _ := os.Executable()
		fmt.Printf("{\"executable\": %q, \"version\": %s, \"pip\": %q}\n", exe, version, pip)
	default:
		os.Exit(5)
	}
	os.Exit(0)
}

func fakePipDownload(args []string) {
	into := args[slices.Index(args, "--dest")+1]
	wanted := strings.ReplaceAll(strings.ReplaceAll(args[len(args)-1], "==", "-"), "-", "_")
	if does("no-network") || does("no-network-for-"+strings.SplitN(wanted, "_", 2)[0]) {
		fmt.Fprintln(os.Stderr, "WARNING: Retrying\nERROR: Could not find it at https://user:secret@index.example/simple")
		os.Exit(1)
	}
	index := os.Getenv(fakeIndex)
	all, _ := os.ReadDir(index)
	for _, f := range all {
		if !strings.HasPrefix(strings.ReplaceAll(f.Name(), "-", "_"), wanted) {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(index, f.Name()))
		if err != nil {
			os.Exit(4)
		}
		if count, err := os.OpenFile(filepath.Join(index, "..", "fetched"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintln(count, f.Name())
			_ = count.Close()
		}
		tmp := filepath.Join(os.Getenv("TMPDIR"), f.Name())
		if os.WriteFile(tmp, raw, 0o644) != nil || os.Rename(tmp, filepath.Join(into, f.Name())) != nil {
			os.Exit(4)
		}
		return
	}
	fmt.Fprintln(os.Stderr, "ERROR: No matching distribution found for "+args[len(args)-1])
	os.Exit(1)
}

// fakePromptd runs a Supervisor over the fake engine and says its address, for the test that kills it.
func fakePromptd() {
	sup := New(fakeChoice(""), Settings{})
	go func() {
		e, err := sup.Wait(context.Background())
		fmt.Println(e.BaseURL, err)
	}()
	_ = sup.Run(context.Background())
}

// fakeChoice is the choice of a fake engine that behaves as told.
func fakeChoice(behaviour string, env ...string) Choice {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Choice{
		Endpoint: Endpoint{Source: "installed", Dialect: dialectLlama, Model: modelAlias, LLGuidance: true},
		engine:   pythonEngine{python: exe, env: append([]string{fakeEnv + "=engine", fakeDoes + "=" + behaviour}, env...)},
	}
}

// run runs a Supervisor until the test ends, and waits for it then.
func run(t *testing.T, sup *Supervisor) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- sup.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ended with %v, want nil after its context ended", err)
		}
	})
}

func waitFor(t *testing.T, sup *Supervisor) Endpoint {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	e, err := sup.Wait(ctx)
	if err != nil {
		t.Fatalf("Wait: %v", err)
	}
	return e
}

// crash kills the child and returns when the supervisor has noticed.
func crash(t *testing.T, sup *Supervisor) {
	t.Helper()
	sup.mu.Lock()
	pid, changed := sup.pid, sup.changed
	sup.mu.Unlock()
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatalf("kill the child: %v", err)
	}
	<-changed
}

// gone waits until nothing listens at an address any more.
func gone(t *testing.T, address string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return
		}
		c.Close()
		select {
		case <-end:
			t.Fatalf("a server still listens at %s", address)
		case <-tick.C:
		}
	}
}
