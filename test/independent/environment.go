package independent

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// environment gives a Python that has a package, out of the user's cache: a virtual environment by that name, made the first time. A test that can't have it is
// skipped loudly.
func environment(tb testing.TB, what, name, imports, requirement string) (python string) {
	tb.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Skipf("SKIPPED: no cache directory for %s: %v", what, err)
	}
	home := filepath.Join(cache, "promptd")
	final := filepath.Join(home, name)
	python = filepath.Join(final, "bin", "python")
	if whole(python, imports) {
		return python
	}
	// It grows beside its place and is moved there: tests of other packages may do the same at the same time.
	if err := os.MkdirAll(home, 0o755); err != nil {
		tb.Skipf("SKIPPED: no place for %s: %v", what, err)
	}
	grown, err := os.MkdirTemp(home, "test-new-")
	if err != nil {
		tb.Skipf("SKIPPED: no place for %s: %v", what, err)
	}
	defer os.RemoveAll(grown)
	pip := []string{filepath.Join(grown, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement}
	for _, args := range [][]string{{"python3", "-m", "venv", grown}, pip} {
		if out, err := exec.CommandContext(tb.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
			tb.Skipf("SKIPPED: %s can't be had: %s: %v\n%s", what, strings.Join(args, " "), err, out)
		}
	}
	if !whole(python, imports) {
		if err := os.RemoveAll(final); err != nil {
			tb.Fatal(err)
		}
	}
	moved := os.Rename(grown, final) // Another test may have been faster; then its own serves.
	if !whole(python, imports) {
		tb.Fatalf("%s is not whole in %s (%v)", what, final, moved)
	}
	return python
}

func whole(python, imports string) bool {
	return exec.Command(python, "-c", imports).Run() == nil //nolint:noctx // It ends by itself.
}
