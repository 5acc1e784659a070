package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Step is one step of the search for a local model, with what it found.
type Step struct {
	// Number is the step's place in the search: several steps may share one.
	Number int `json:"step"`
	// What says where was looked.
	What string `json:"what"`
	// Found is true where this step gives a model.
	Found bool `json:"found"`
	// Chosen is true for the step that serve --local would take.
	Chosen bool `json:"chosen"`
	// Detail says what was found, or why nothing.
	Detail string `json:"detail"`
}

// Status goes through the whole search and says what each step finds. The last step says in words where there is nothing.
func Status(ctx context.Context, l Look) ([]Step, error) {
	l, err := l.withDefaults()
	if err != nil {
		return nil, err
	}
	steps := []Step{{Number: 1, What: "a provider configured with a base_url", Found: len(l.Configured) > 0, Detail: "none"}}
	if len(l.Configured) > 0 {
		steps[0].Detail = strings.Join(l.Configured, ", ")
	}
	for _, h := range l.listen(ctx) {
		steps = append(steps, stepOf(2, h.source+" on "+h.address, h.choice(), h.err))
	}
	c, err := l.llamaServer()
	steps = append(steps, stepOf(3, "llama-server on PATH and a GGUF file in "+l.Dir, c, err))
	c, err = l.installed(ctx)
	steps = append(steps, stepOf(4, "the parts installed in "+l.Dir, c, err))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("look for the local model: %w", err)
	}
	for n := range steps {
		if steps[n].Found {
			steps[n].Chosen = true
			return steps, nil
		}
	}
	return append(steps, Step{Number: 5, What: "none", Detail: wayOut}), nil
}

func stepOf(number int, what string, c Choice, err error) Step {
	if err != nil {
		return Step{Number: number, What: what, Detail: err.Error()}
	}
	return Step{Number: number, What: what, Found: true, Detail: c.Detail}
}

// Remove takes away what Install put into a directory (empty means DefaultDir) and gives the bytes that it freed. The user's own files there stay.
// A server that is running on the parts goes on where the system allows it.
func Remove(ctx context.Context, dir string) (int64, error) {
	dir, err := dirOrDefault(dir)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	release, err := acquire(ctx, dir, lockPoll, nil)
	if err != nil {
		return 0, err
	}
	defer release()
	var freed int64
	for _, name := range []string{partsName, stagingName} {
		path := filepath.Join(dir, name)
		freed += sizeOf(path)
		if err := os.RemoveAll(path); err != nil {
			return 0, fmt.Errorf("remove the local model: %w", err)
		}
	}
	// The lock file stays: another process may be waiting for it, and a lock on a removed file excludes nobody.
	return freed, nil
}
