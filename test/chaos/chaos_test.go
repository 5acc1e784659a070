// Package chaos holds the built program to its promises while what it stands on dies: several processes of promptd on real PostgreSQL, Redis and RabbitMQ, which
// are killed, paused, restarted and cut off while load runs. Afterwards a ledger compares what was accepted with what was finished, told and charged.
//
// Everything is looked at from outside: over HTTP, in the ledger of a scripted provider, at a receiver of webhooks. The servers come from services.sh of the shared
// folder, in a folder and on ports of their own (CHAOS_PORT_BASE, 25000 where it is not set); without it the tests are skipped. CHAOS_SERVICES_DIR names a folder whose
// servers are used and left running, for whoever runs tests again and again, CHAOS_BINARY
// a program that is taken instead of building one. CHAOS_JOBS, CHAOS_KILLS and CHAOS_SEED choose the size and the seed of TestKills.
package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/sharedtest"
)

// binary is the program, built once for all tests.
var binary = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // Building takes seconds.
	if path := os.Getenv("CHAOS_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	dir, err := os.MkdirTemp("", "promptd-chaos-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "promptd")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "github.com/promptd/promptd/cmd/promptd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build promptd: %w\n%s", err, out)
	}
	return path, nil
})

// TestMain ends the servers and removes the binary.
func TestMain(m *testing.M) {
	code := m.Run()
	if started {
		if s, err := rent(); err == nil {
			s.giveBack()
		}
	}
	if path, err := binary(); err == nil && os.Getenv("CHAOS_BINARY") == "" {
		_ = os.RemoveAll(filepath.Dir(path)) //nolint:errcheck // It lies in a temporary folder.
	}
	os.Exit(code)
}

// long says that tests run in their long form.
func long() bool { return sharedtest.Full() || os.Getenv("CHAOS_KILLS") != "" }

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s is no number: %s", name, text)
	}
	return n
}

// errBound says that something did not happen in time.
var errBound = errors.New("not in time")

// await looks until something is so, for as long as the bound allows.
func await(bound time.Duration, so func() bool) error {
	for end := time.Now().Add(bound); !so(); {
		if time.Now().After(end) {
			return fmt.Errorf("%w: %s were not enough", errBound, bound)
		}
		<-time.After(20 * time.Millisecond)
	}
	return nil
}

// must awaits what has to become so.
func must(t *testing.T, what string, bound time.Duration, so func() bool) {
	t.Helper()
	if err := await(bound, so); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
