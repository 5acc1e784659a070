// Package service tests the built program from outside, as those see it who run it: it starts, refuses a second one, ends without losing requests, takes
// over a new configuration, and keeps secrets and texts to itself.
package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // Building takes seconds.
	dir, err := os.MkdirTemp("", "promptd-service-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "promptd")
	out, err := exec.Command("go", "build", "-o", path, "github.com/promptd/promptd/cmd/promptd").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build promptd: %w\n%s", err, out)
	}
	return path, nil
})

// TestMain removes the binary again.
func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) //nolint:errcheck // It lies in a temporary folder.
	}
	os.Exit(code)
}

// program is a running promptd.
type program struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	url    string
	stdout *lines
	stderr *lines
	exited chan error
	// startup is the time from the start of the process to its being ready.
	startup time.Duration
}

// lines collects output.
type lines struct {
	mu sync.Mutex

	text bytes.Buffer
}

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

// environment is the test's own, without whatever would configure promptd.
func environment(extra ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); !strings.HasPrefix(name, "PROMPTD_") && !strings.HasSuffix(name, "_API_KEY") {
			env = append(env, kv)
		}
	}
	return append(env, extra...)
}

// start runs promptd serve in a folder with a configuration, and waits until it is ready.
func start(t *testing.T, dir, configuration string, env ...string) *program {
	t.Helper()
	p, err := launch(t, dir, configuration, env...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func launch(t *testing.T, dir, configuration string, env ...string) (*program, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, stdout: &lines{}, stderr: &lines{}, exited: make(chan error, 1)}
	p.configure(configuration)
	p.cmd = exec.Command(path, "serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:0")
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = dir, environment(env...), p.stdout, p.stderr
	begun := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	t.Cleanup(func() { _ = p.end() })
	for {
		if _, rest, ok := strings.Cut(p.stderr.String(), "promptd serves "); ok && strings.Contains(rest, ",") {
			p.url, _, _ = strings.Cut(rest, ",")
			break
		}
		select {
		case err := <-p.exited:
			p.exited <- err
			return nil, fmt.Errorf("promptd ended: %w\n%s", err, p.stderr)
		case <-time.After(2 * time.Millisecond):
		}
		if time.Since(begun) > 30*time.Second {
			return nil, fmt.Errorf("promptd does not start\n%s", p.stderr)
		}
	}
	for p.get("/v1/health/ready") != http.StatusOK {
		if time.Since(begun) > 30*time.Second {
			return nil, fmt.Errorf("promptd is not ready\n%s", p.stderr)
		}
		time.Sleep(2 * time.Millisecond) //nolint:forbidigo // Another process has its own clock.
	}
	p.startup = time.Since(begun)
	return p, nil
}

func (p *program) configure(text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "promptd.yaml"), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *program) get(path string) int {
	resp, err := http.Get(p.url + path) //nolint:noctx // Loopback, and the test has a limit of its own.
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// wait gives how the program ended.
func (p *program) wait() error {
	err := <-p.exited
	p.exited <- err
	return err
}

// end asks the program to end and waits for it.
func (p *program) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // It may have ended already.
	return p.wait()
}

// run runs a command of promptd in the program's folder.
func (p *program) run(args ...string) (string, error) { return command(p.t, p.dir, args...) }

func command(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, environment()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("promptd %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// key makes a key by the command line, beside the running program.
func (p *program) key(args ...string) (id, secret string) {
	p.t.Helper()
	out, err := p.run(append([]string{"keys", "create", "--name", "test", "--rate-limit", "0", "--output", "json"}, args...)...)
	if err != nil {
		p.t.Fatal(err)
	}
	var made struct{ ID, Key string }
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		p.t.Fatalf("keys create gave %s: %v", out, err)
	}
	return made.ID, made.Key
}

// analyze asks for an answer.
func (p *program) analyze(client *http.Client, key, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url+"/v1/analyze", strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, errors.Join(err, resp.Body.Close())
}
