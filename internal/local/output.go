package local

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"
)

// output reads what a child says: the ready line first of all, then its log. Once requests may run, a line is passed on only where its form is known
// to hold no text of a request: the engine prints a grammar that it cannot compile, and grammars may quote the caller's text.
type output struct {
	log     *slog.Logger
	key     string
	isReady func(string) (int, bool)
	safe    *regexp.Regexp

	// ready is closed when the child said that it listens, after port was set.
	ready chan struct{}
	port  int

	mu sync.Mutex
	// tail holds the last lines before the ready line, for the case that there never is one.
	tail []string
}

// tailMax is the number of lines that explain a start that failed.
const tailMax = 20

// safeLine is the form of log lines that is passed on: the server's own, with its time and level or one of its names in front, and the last words
// of a crash.
const safeLine = `^(\d+\.\d+\.\d+\.\d+ [A-Z] )?(srv|slot|main|que|res|cmn|llama_\w+|ggml_\w+|load\w*|print_info|system_info|common_\w+)\b|^(GGML_ASSERT|Fatal Python error|terminate called|RuntimeError|MemoryError)`

func newOutput(log *slog.Logger, key string, isReady func(string) (int, bool)) *output {
	return &output{log: log, key: key, isReady: isReady, safe: regexp.MustCompile(safeLine), ready: make(chan struct{})}
}

// line takes one line of the child; calls do not overlap.
func (o *output) line(line string) {
	line = strings.ReplaceAll(line, o.key, "[key]")
	select {
	case <-o.ready:
		o.later(line)
		return
	default:
	}
	if port, ok := o.isReady(line); ok {
		o.port = port
		close(o.ready)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tail = append(o.tail, line)
	if len(o.tail) > tailMax {
		o.tail = o.tail[1:]
	}
	o.debug(line)
}

// later takes a line while requests may run.
func (o *output) later(line string) {
	switch {
	case strings.Contains(line, "llg error"):
		// The answer that belongs to it comes with status 200 and is not bound to any grammar; only judging it shows that.
		o.log.LogAttrs(context.Background(), slog.LevelWarn, "the local model's engine could not compile a grammar and answers without it")
	case o.safe.MatchString(line):
		o.debug(line)
	}
}

func (o *output) debug(line string) {
	o.log.LogAttrs(context.Background(), slog.LevelDebug, "local model", slog.String("line", cut(line, 300)))
}

// endedEarly is the fault of a child that ended before it was ready.
func (o *output) endedEarly(how string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := strings.Join(o.tail, "\n")
	if strings.Contains(all, ".so.") && strings.Contains(all, "ImportError") {
		return engineFault(all, nil)
	}
	last := "it said nothing"
	for _, l := range o.tail {
		if l = strings.TrimSpace(l); l != "" {
			last = l
		}
	}
	return unavailable("Run promptd local status; promptd local remove and install make it new.",
		"the local model's server ended before it was ready (%s): %s", how, cut(last, 300))
}
