package local

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// serverPy is the program of the Python side.
//
//go:embed server.py
var serverPy string

// engine is a program that serves a model over HTTP on loopback.
type engine interface {
	// launch says how to start it on a port (0: it may choose one itself, where choosesPort says so) with a key.
	launch(n numbers, port int, key string) (launch, error)
	// choosesPort says whether port 0 is allowed. Such an engine leaves no moment in which another program could take a chosen port.
	choosesPort() bool
	// ready reads one line of the child's output: the port, where the line says that the server listens.
	ready(line string, port int) (int, bool)
}

// launch is how a child is started.
type launch struct {
	path string
	args []string
	env  []string
	// input is written to the child's standard input, which then stays open.
	input []byte
	// endsWithInput says that the child stops by itself when its standard input ends.
	endsWithInput bool
}

// numbers are the settings that both engines know.
type numbers struct {
	threads, context, parallel, cacheMiB int
}

// pythonEngine is the installed engine: llama.cpp's own server inside a Python module.
type pythonEngine struct {
	python, parts, model, alias string
	// env is added to the child's environment.
	env []string
}

// bootstrap runs the program that comes with the configuration, so that a list of processes shows a name instead of the whole program.
const bootstrap = `import os, sys, json
line = b""
while not line.endswith(b"\n"):
    byte = os.read(0, 1)
    if not byte:
        sys.exit("standard input ended before the configuration")
    line += byte
conf = json.loads(line)
exec(compile(conf.pop("program"), "promptd-local-model", "exec"), {"__name__": "__main__", "conf": conf})`

func (e pythonEngine) launch(n numbers, port int, key string) (launch, error) {
	conf, err := json.Marshal(map[string]any{
		"program": serverPy, "parts": e.parts, "model": e.model, "alias": e.alias, "port": port, "api_key": key,
		"context": n.context, "parallel": n.parallel, "threads": n.threads, "cache_mib": n.cacheMiB,
	})
	if err != nil {
		return launch{}, fmt.Errorf("encode the configuration of the local model: %w", err)
	}
	return launch{
		// -I: no user's settings or packages; -B: nothing is written beside the verified files; -u: the ready line comes at once.
		path: e.python, args: []string{"-I", "-B", "-u", "-c", bootstrap, "promptd-local-model"},
		env: append(childEnv(os.Environ()), e.env...), input: append(conf, '\n'), endsWithInput: true,
	}, nil
}

func (pythonEngine) choosesPort() bool { return true }

func (pythonEngine) ready(line string, _ int) (int, bool) {
	var said struct {
		Ready string `json:"ready"`
	}
	if json.Unmarshal([]byte(line), &said) != nil {
		return 0, false
	}
	text, ok := strings.CutPrefix(said.Ready, "http://127.0.0.1:")
	port, err := strconv.Atoi(text)
	return port, ok && err == nil && port > 0
}

// llamaServer is the user's own llama-server.
type llamaServer struct {
	path, model, alias string
	// env is added to the child's environment.
	env []string
}

func (e llamaServer) launch(n numbers, port int, key string) (launch, error) {
	threads := strconv.Itoa(n.threads)
	return launch{
		path: e.path,
		args: []string{
			"--model", e.model, "--alias", e.alias, "--host", "127.0.0.1", "--port", strconv.Itoa(port),
			"--ctx-size", strconv.Itoa(n.context * n.parallel), "--parallel", strconv.Itoa(n.parallel),
			"--threads", threads, "--threads-batch", threads, "--jinja", "--metrics",
		},
		// The key never stands on a command line. What younger versions know goes by environment as well: an older one passes over a variable
		// that it does not know, and refuses such a flag.
		env: append(append(childEnv(os.Environ()), "LLAMA_API_KEY="+key, "LLAMA_ARG_CACHE_RAM="+strconv.Itoa(n.cacheMiB), "LLAMA_ARG_UI=0", "LLAMA_OFFLINE=1"), e.env...),
	}, nil
}

func (llamaServer) choosesPort() bool { return false }

func (llamaServer) ready(line string, port int) (int, bool) {
	at := strconv.Itoa(port)
	return port, strings.Contains(line, "listening") && slices.ContainsFunc(strings.FieldsFunc(line, notDigit), func(s string) bool { return s == at })
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

// childEnv is the part of our environment that a native server may need. The rest stays here: it holds the keys of other providers.
func childEnv(all []string) []string {
	wanted := regexp.MustCompile(`(?i)^(PATH|HOME|USERPROFILE|LANG|LC_[A-Z]+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|WINDIR|XDG_CACHE_HOME|LD_[A-Z_]+|DYLD_[A-Z_]+|` +
		`OMP_[A-Z_]+|GOMP_[A-Z_]+|GGML_[A-Z0-9_]+|CUDA_[A-Z_]+|NVIDIA_[A-Z_]+|HIP_[A-Z_]+|ROCR_[A-Z_]+|VK_[A-Z_]+)=`)
	var kept []string
	for _, v := range all {
		if wanted.MatchString(v) {
			kept = append(kept, v)
		}
	}
	return kept
}
