package simulation

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain has garbage collected less often: histories are short, and nothing of one is kept.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}
