package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/fault"
)

// probeTimeout bounds one question to a Python interpreter; version managers that start through a shell script are slow on busy machines.
const probeTimeout = 20 * time.Second

// probeScript says what an interpreter is. sys.executable is the real one behind a version manager's shim, which would otherwise stand between us
// and our child process.
const probeScript = `import json, sys
try:
    import pip
    version = pip.__version__
except Exception:
    version = ""
print(json.dumps({"executable": sys.executable, "version": list(sys.version_info[:3]), "pip": version}))`

// python is an interpreter that was found.
type python struct {
	Executable string `json:"executable"`
	Version    [3]int `json:"version"`
	Pip        string `json:"pip"`
}

func (p python) String() string {
	return fmt.Sprintf("Python %d.%d.%d", p.Version[0], p.Version[1], p.Version[2])
}

// fits reports whether the engine's wheel runs on it.
func (p python) fits() bool {
	return p.Version[0] == 3 && p.Version[1] >= 10
}

// seek says which interpreter is wanted.
type seek struct {
	// name is the user's choice, a name or a path; empty means the usual names in order.
	name string
	// pip is true where pip is needed.
	pip bool
	// env is added to the interpreter's environment.
	env []string
}

// find finds an interpreter that is new enough, or says in words what keeps each from being that.
func (s seek) find(ctx context.Context) (python, error) {
	names := []string{s.name}
	if s.name == "" {
		// The plain names first: they are what the user means by "Python". The others help where the system's own is too old.
		names = []string{"python3", "python", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"}
	}
	const install = "Install Python 3.10 or newer with pip (Debian, Ubuntu: apt-get install python3 python3-pip), or configure a provider."
	// The first interpreter that is there and does not fit is the one to talk about.
	var first error
	note := func(f *fault.Fault) {
		if first == nil {
			first = f
		}
	}
	for _, name := range names {
		p, err := s.ask(ctx, name)
		switch {
		case ctx.Err() != nil:
			return python{}, fmt.Errorf("look for Python: %w", ctx.Err())
		case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
			// What is not there says less than what is there and does not fit.
		case err != nil:
			note(unavailable(install, "the local model needs Python 3.10 or newer with pip, and %s does not say its version", name).Because(err))
		case !p.fits():
			note(unavailable(install, "the local model needs Python 3.10 or newer, and %s is %s", name, p))
		case s.pip && p.Pip == "":
			note(unavailable("Install pip (Debian, Ubuntu: apt-get install python3-pip; elsewhere: "+name+" -m ensurepip).", "%s (%s) has no pip", name, p))
		default:
			return p, nil
		}
	}
	note(unavailable(install, "the local model needs Python 3.10 or newer with pip, and there is no %s on PATH", strings.Join(names[:min(2, len(names))], " or ")))
	return python{}, first
}

func (s seek) ask(ctx context.Context, name string) (python, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	path, err := exec.LookPath(name)
	if err != nil {
		return python{}, fmt.Errorf("look for %s: %w", name, err)
	}
	cmd := exec.CommandContext(ctx, path, "-c", probeScript)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return python{}, fmt.Errorf("ask %s for its version: %w", name, err)
	}
	var p python
	if err := json.Unmarshal(bytes.TrimSpace(out), &p); err != nil {
		return python{}, fmt.Errorf("read what %s says of its version: %w", name, err)
	}
	if p.Executable == "" {
		p.Executable = path
	}
	return p, nil
}
