package app

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/promptd/promptd/internal/fault"
)

func TestTheKeyOfStatesOutlivesTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made, err := stateKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := stateKey(dir); err != nil || !bytes.Equal(again, made) {
		t.Errorf("the second start reads another key: %v", err)
	}
	if other, err := stateKey(t.TempDir()); err != nil || bytes.Equal(other, made) {
		t.Errorf("another folder has the same key: %v", err)
	}
	path := filepath.Join(dir, stateKeyFile)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("others may read the key: %v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := stateKey(dir); !fault.Is(err, fault.InvalidRequest) {
		t.Errorf("half a key: got %v", err)
	}
}
