package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// making lets one test of this package at a time make an environment: the others want the same.
var making sync.Mutex //nolint:gochecknoglobals // One cache, one lock.

// cached gives a folder of the user's cache that is named by the contents of files and made the first time. A test that can't have it is skipped loudly.
func cached(t *testing.T, kind string, whole func(dir string) bool, build func(dir string) ([]byte, error), files ...string) string {
	t.Helper()
	making.Lock()
	defer making.Unlock()
	sum := sha256.New()
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(raw)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("SKIPPED: no cache directory for the clients: %v", err)
	}
	const enough = 6
	dir := filepath.Join(cache, "promptd", "clients-"+kind+"-"+hex.EncodeToString(sum.Sum(nil)[:enough]))
	if whole(dir) {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skipf("SKIPPED: no place for the clients: %v", err)
	}
	if out, err := build(dir); err != nil {
		_ = os.RemoveAll(dir) //nolint:errcheck // The next run tries again.
		t.Skipf("SKIPPED: the clients of %s can't be had: %v\n%s", strings.Join(files, ", "), err, out)
	}
	if !whole(dir) {
		t.Fatalf("the clients in %s are not whole", dir)
	}
	return dir
}

// pythonWith gives a Python that has what a file of requirements names.
func pythonWith(t *testing.T, requirements, imports string) string {
	t.Helper()
	in := func(dir string) string { return filepath.Join(dir, "bin", "python") }
	dir := cached(t, "python", func(dir string) bool {
		return exec.CommandContext(t.Context(), in(dir), "-c", "import "+imports).Run() == nil
	}, func(dir string) ([]byte, error) {
		if out, err := exec.CommandContext(t.Context(), "python3", "-m", "venv", dir).CombinedOutput(); err != nil {
			return out, err
		}
		return exec.CommandContext(t.Context(), in(dir), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements).CombinedOutput()
	}, requirements)
	return in(dir)
}

// nodeWith gives Node, and a folder with the scripts beside what package-lock.json names.
func nodeWith(t *testing.T) (program, dir string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skipf("SKIPPED: there is no Node: %v", err)
	}
	home := cached(t, "node", func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, "node_modules", ".package-lock.json"))
		return err == nil
	}, func(dir string) ([]byte, error) {
		if err := copies(dir, "package.json", "package-lock.json"); err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		cmd.Dir = dir
		return cmd.CombinedOutput()
	}, "package.json", "package-lock.json")
	// Scripts find packages beside themselves, so they run in a folder of their own below the cached one.
	run, err := os.MkdirTemp(home, "run-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	list, err := filepath.Glob(filepath.Join("node", "*.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	if err := copies(run, list...); err != nil {
		t.Fatal(err)
	}
	return node, run
}

// copies writes files into a folder.
func copies(dir string, files ...string) error {
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}
