package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Look says where to look for a local model.
type Look struct {
	// Dir is the installation's directory; empty means DefaultDir.
	Dir string
	// Own are promptd's own addresses, as host:port, which are not asked.
	Own []string
	// Configured are the names of providers with a base URL in the configuration. They are the first step of the search, which Status shows
	// and Find leaves to its caller.
	Configured []string
	// Python is the interpreter to run the engine with; empty means the one that installed it, else the first that fits.
	Python string

	listeners []listener
	lookPath  func(string) (string, error)
	parts     []part
}

// withDefaults fills in what only tests set, and the directory.
func (l Look) withDefaults() (Look, error) {
	dir, err := dirOrDefault(l.Dir)
	if err != nil {
		return l, err
	}
	l.Dir = dir
	if l.listeners == nil {
		l.listeners = usualListeners()
	}
	if l.lookPath == nil {
		l.lookPath = exec.LookPath
	}
	if l.parts == nil {
		l.parts = pinned()
	}
	return l, nil
}

// Choice is the local model that was found. A Supervisor runs it.
type Choice struct {
	// Endpoint is complete where something listens already; else its address and key are known once the Supervisor is ready.
	Endpoint Endpoint
	// Detail says in words what was found.
	Detail string

	// engine starts the server; nil where something listens already.
	engine engine
}

// Find chooses the local model: what listens already, else llama-server on PATH with a GGUF file, else the installed parts. Where there is none, it
// gives a fault that says so and names the way out.
func Find(ctx context.Context, l Look) (Choice, error) {
	l, err := l.withDefaults()
	if err != nil {
		return Choice{}, err
	}
	for _, h := range l.listen(ctx) {
		if h.err == nil {
			return h.choice(), nil
		}
	}
	c, err := l.llamaServer()
	if err == nil {
		return c, nil
	}
	c, err = l.installed(ctx)
	switch {
	case err == nil:
		return c, nil
	case ctx.Err() != nil:
		return Choice{}, fmt.Errorf("look for the local model: %w", ctx.Err())
	case errors.Is(err, errNotInstalled):
		return Choice{}, unavailable(wayOut, "there is no local model here").Because(err)
	}
	return Choice{}, err
}

// FindInstalled chooses the installed parts alone: what promptd uses where nobody asked for a local model and no provider is configured.
func FindInstalled(ctx context.Context, l Look) (Choice, error) {
	l, err := l.withDefaults()
	if err != nil {
		return Choice{}, err
	}
	return l.installed(ctx)
}

func (h heard) choice() Choice {
	return Choice{Endpoint: h.endpoint, Detail: fmt.Sprintf("%s listens on %s with %s", h.source, h.address, h.endpoint.Model)}
}

// errNoServer says that llama-server or a file for it is missing.
var errNoServer = errors.New("no llama-server with a GGUF file")

// llamaServer looks for a llama-server on PATH and a file of weights: the user's own, in the installation's directory or its models folder, before
// the installed one.
func (l Look) llamaServer() (Choice, error) {
	path, err := l.lookPath("llama-server")
	if err != nil {
		return Choice{}, fmt.Errorf("%w: llama-server is not on PATH", errNoServer)
	}
	var files []string
	for _, dir := range []string{l.Dir, filepath.Join(l.Dir, "models")} {
		found, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.gguf"))
		if err != nil {
			return Choice{}, fmt.Errorf("look for GGUF files: %w", err)
		}
		slices.Sort(found)
		files = append(files, found...)
	}
	if _, err := readStamp(filepath.Join(l.Dir, partsName), l.parts); err == nil {
		files = append(files, filepath.Join(l.Dir, partsName, filepath.FromSlash(modelFile)))
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			alias := strings.TrimSuffix(strings.ToLower(filepath.Base(file)), ".gguf")
			return Choice{
				Endpoint: Endpoint{Source: "llama-server", Dialect: dialectLlama, Model: alias},
				Detail:   path + " with " + file,
				engine:   llamaServer{path: path, model: file, alias: alias},
			}, nil
		}
	}
	return Choice{}, fmt.Errorf("%w: %s is there, but no GGUF file in %s", errNoServer, path, l.Dir)
}

// escapeGlob quotes what Glob would read as a pattern.
func escapeGlob(dir string) string {
	if os.PathSeparator == '\\' {
		return dir // A backslash separates there and cannot quote.
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// installed looks for the installed parts and an interpreter to run them.
func (l Look) installed(ctx context.Context) (Choice, error) {
	dir := filepath.Join(l.Dir, partsName)
	s, err := readStamp(dir, l.parts)
	if err != nil {
		return Choice{}, err
	}
	py := s.Python
	if _, err := os.Stat(py); l.Python != "" || err != nil {
		found, err := seek{name: l.Python}.find(ctx)
		if err != nil {
			return Choice{}, err
		}
		py = found.Executable
	}
	return Choice{
		Endpoint: Endpoint{Source: "installed", Dialect: dialectLlama, Model: modelAlias, LLGuidance: true},
		Detail:   fmt.Sprintf("%s in %s, run by %s", modelAlias, l.Dir, py),
		engine:   pythonEngine{python: py, parts: dir, model: filepath.Join(dir, filepath.FromSlash(modelFile)), alias: modelAlias},
	}, nil
}
