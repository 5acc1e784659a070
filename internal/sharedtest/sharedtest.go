// Package sharedtest finds the shared corpora and fixtures that tests read. It is for tests alone.
//
// The data are others' work under their own licences, so they lie beside the checkout and are not part of it. [Dir] gives a path among them.
package sharedtest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Full reports whether tests run in their long form, by the variable PROMPTD_FULL.
func Full() bool { return os.Getenv("PROMPTD_FULL") != "" }

// There reports whether a path inside the folder of shared data is there, for what goes without it.
func There(elem ...string) bool {
	_, err := os.Stat(place(elem))
	return err == nil
}

func place(elem []string) string {
	root := os.Getenv("PROMPTD_SHARED")
	if root == "" {
		_, file, _, _ := runtime.Caller(0)
		root = filepath.Join(filepath.Dir(file), "..", "..", "..", "shared")
	}
	return filepath.Join(append([]string{root}, elem...)...)
}

// Dir gives a path inside the folder of shared data, or skips the test with a reason where the folder is absent.
// The folder is named by PROMPTD_SHARED and lies beside the checkout by default.
func Dir(tb testing.TB, elem ...string) string {
	tb.Helper()
	path := place(elem)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("SKIPPED: the shared data are not at %s; set PROMPTD_SHARED to their folder", path)
	}
	return path
}
