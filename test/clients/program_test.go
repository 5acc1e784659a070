package clients

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// promptd is the built program, running.
type promptd struct {
	url, key, limited string
	log               *lines
}

// lines collects what a process prints.
type lines struct {
	mu sync.Mutex

	text bytes.Buffer
}

// Write appends.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (p *promptd) tail() string {
	all := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	const most = 5
	return strings.Join(all[max(0, len(all)-most):], "\n")
}

// start builds the program and runs it with a key without limits, and one with a limit of two requests.
func start(t *testing.T) *promptd {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "promptd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/promptd/promptd/cmd/promptd").CombinedOutput(); err != nil {
		t.Fatalf("build promptd: %v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "promptd.yaml"), []byte(configuration(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "PROMPTD_") && !strings.HasSuffix(name, "_API_KEY") {
			env = append(env, kv)
		}
	}
	newKey := func(limit string) string {
		cmd := exec.CommandContext(t.Context(), binary, "keys", "create", "--name", "clients", "--rate-limit", limit, "--output", "json")
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.Output()
		var made struct{ Key string }
		if err != nil || json.Unmarshal(out, &made) != nil || made.Key == "" {
			t.Fatalf("make a key: %v: %s", err, out)
		}
		return made.Key
	}
	p := &promptd{key: newKey("0"), limited: newKey("2"), log: &lines{}}
	cmd := exec.Command(binary, "serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:0") //nolint:noctx // It is told to end.
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, p.log, p.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // It may be gone.
		<-ended
	})
	for poll := time.NewTicker(10 * time.Millisecond); ; <-poll.C {
		if _, rest, ok := strings.Cut(p.log.String(), "promptd serves "); ok && strings.Contains(rest, ",") {
			p.url, _, _ = strings.Cut(rest, ",")
			poll.Stop()
			return p
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("promptd ended: %v\n%s", err, p.log)
		default:
		}
	}
}
