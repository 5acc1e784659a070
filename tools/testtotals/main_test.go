package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a module of test files and gives its folder.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example.test/m\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTotalsAreTheLastLineAndTheExitCodeFollowsThem(t *testing.T) {
	t.Parallel()
	const head = "package m\n\nimport \"testing\"\n\n"
	tests := []struct {
		name  string
		files map[string]string
		code  int
		last  string
		shown []string
	}{
		{
			name:  "passes, subtests counted, skip with its reason",
			files: map[string]string{"m_test.go": head + `func TestA(t *testing.T) { t.Run("b", func(t *testing.T) {}) }` + "\n" + `func TestS(t *testing.T) { t.Skip("SKIPPED: no data") }` + "\n"},
			code:  0, last: "2 passed, 0 failed, 1 skipped", shown: []string{"SKIPPED: no data", "ok    example.test/m"},
		},
		{
			name:  "a failure is shown",
			files: map[string]string{"m_test.go": head + `func TestA(t *testing.T) { t.Error("got 1, want 2") }` + "\n" + `func TestB(t *testing.T) {}` + "\n"},
			code:  1, last: "1 passed, 1 failed, 0 skipped", shown: []string{"got 1, want 2", "FAIL  example.test/m TestA"},
		},
		{
			name:  "what does not build counts as a failure",
			files: map[string]string{"m_test.go": head + "func TestA(t *testing.T) { undefined() }\n", "n/n_test.go": strings.Replace(head, "package m", "package n", 1) + "func TestB(t *testing.T) {}\n"},
			code:  1, last: "1 passed, 1 failed, 0 skipped", shown: []string{"undefined: undefined"},
		},
		{
			name:  "a panic counts as a failure",
			files: map[string]string{"m_test.go": head + `func TestA(t *testing.T) { panic("boom") }` + "\n" + `func TestB(t *testing.T) {}` + "\n"},
			code:  1, last: "0 passed, 1 failed, 0 skipped", shown: []string{"boom"},
		},
		{
			name:  "an exit in the middle counts as a failure",
			files: map[string]string{"m_test.go": "package m\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestA(t *testing.T) { os.Exit(3) }\n"},
			code:  1, last: "0 passed, 1 failed, 0 skipped",
		},
		{
			name:  "no test at all is no success",
			files: map[string]string{"m.go": "package m\n"},
			code:  1, last: "0 passed, 0 failed, 0 skipped",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			code := run([]string{"-module", module(t, tt.files), "--", "./..."}, &out, &errs)
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if code != tt.code || lines[len(lines)-1] != tt.last {
				t.Errorf("got exit %d and %q, want %d and %q\n%s%s", code, lines[len(lines)-1], tt.code, tt.last, out.String(), errs.String())
			}
			for _, want := range tt.shown {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not shown:\n%s%s", want, out.String(), errs.String())
				}
			}
		})
	}
}

func TestOtherModulesRunAllTheirPackagesWithTheSameFlags(t *testing.T) {
	t.Parallel()
	got := strings.Join(moduleArgs([]string{"-timeout", "20m", "./internal/...", "./cmd/..."}, false), " ")
	if want := "-timeout 20m ./..."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
