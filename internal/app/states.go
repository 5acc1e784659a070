package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/pipeline"
)

// stateKeyFile holds, in data_dir, the key that seals what requests go on with. It is a file beside the store and not a row in it, so that a backup of the store
// opens nothing: states live for a day, and without the file they end.
const stateKeyFile = "state.key"

// stateKey reads the key, or makes it. The store's lock on data_dir is held, so that nobody else does so at the same time.
func stateKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, stateKeyFile)
	secret, err := os.ReadFile(path)
	switch {
	case err == nil && len(secret) == pipeline.StateKeyBytes:
		return secret, nil
	case err == nil:
		f := fault.New(fault.InvalidRequest, "%s holds %d bytes and not a key of %d", path, len(secret), pipeline.StateKeyBytes)
		f.Remediation = "Delete it: promptd makes another one, and what was asked back under the old one has to be asked anew."
		return nil, f
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the key of states: %w", err)
	}
	secret = make([]byte, pipeline.StateKeyBytes)
	_, _ = rand.Read(secret) // It never fails: crypto/rand ends the program where it can't read.
	// Written beside and renamed, so that a death in between leaves no half a key.
	half := path + ".new"
	if err := os.WriteFile(half, secret, 0o600); err != nil {
		return nil, fmt.Errorf("write the key of states: %w", err)
	}
	if err := os.Rename(half, path); err != nil {
		return nil, fmt.Errorf("write the key of states: %w", err)
	}
	return secret, nil
}
