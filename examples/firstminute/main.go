// Command firstminute is what make run does: it shows promptd at work, once, with nothing but the built binary and its HTTP API.
//
// It installs the local model where no provider is configured, starts promptd serve, makes an API key, sends the shipped example through POST /v1/analyze
// and shows prompt, answer, validation report, provider and timings. Then it stays up for more until it is interrupted; without a terminal it ends after
// the answer. It never makes up an answer: where there is no model, no server or no valid answer, it says so and exits 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/promptd/promptd/internal/config"
)

func main() {
	quit := make(chan os.Signal, 2) // Two: the first asks, the second insists.
	signal.Notify(quit, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	m := minute{
		promptd: "bin/promptd", example: "examples/order", environ: os.Environ(),
		out: os.Stdout, errs: os.Stderr, quit: quit,
		stay: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd())),
	}
	if err := m.run(); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintf(os.Stderr, "\nmake run: %v\n", err)
		}
		os.Exit(1)
	}
}

// errSaid ends the program after the reason has been shown.
var errSaid = errors.New("the reason has been shown")

// minute is one run.
type minute struct {
	// promptd is the binary, example the folder with the request to send.
	promptd, example string
	environ          []string
	out, errs        io.Writer
	// quit brings the signals that end the program.
	quit <-chan os.Signal
	// stay says to go on after the answer until a signal comes.
	stay bool

	// address and data are where promptd listens and keeps its files.
	address, data string
	// providers are the names of those that are configured.
	providers []string
}

func (m *minute) run() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := m.configure(); err != nil {
		return err
	}
	if err := m.portIsFree(ctx); err != nil {
		return err
	}
	if len(m.providers) == 0 {
		if err := m.install(ctx); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(m.out, "Configured: %s. The example goes there, and is billed there; the local model is not needed.\n", strings.Join(m.providers, ", "))
	}
	s, err := m.start()
	if err != nil {
		return err
	}
	err = m.show(ctx, s)
	if stopErr := s.stop(m.quit); err == nil {
		err = stopErr
	}
	if err == nil {
		fmt.Fprintln(m.out, "promptd has stopped.")
	}
	return err
}

// show does what a user would: wait, get a key, ask, look at the answer, and go on.
func (m *minute) show(ctx context.Context, s *server) error {
	if err := m.interruptible(ctx, s, func(ctx context.Context) error { return m.wait(ctx, s) }); err != nil {
		return m.explain(s, err)
	}
	var key string
	err := m.interruptible(ctx, s, func(ctx context.Context) (err error) { key, err = m.key(ctx); return err })
	if err != nil {
		return m.explain(s, err)
	}
	if err := m.interruptible(ctx, s, func(ctx context.Context) error { return m.analyze(ctx, key) }); err != nil {
		return m.explain(s, err)
	}
	if !m.stay {
		return nil
	}
	m.next(key)
	select {
	case <-m.quit:
		fmt.Fprintln(m.out, "\nStopping promptd; requests in flight are finished first.")
		return nil
	case <-s.ended:
		return m.explain(s, errEnded)
	}
}

// errEnded says that the server went away; errQuit, that the user did.
var (
	errEnded = errors.New("promptd serve has ended")
	errQuit  = errors.New("interrupted before there was an answer")
)

// interruptible runs a part that a signal, or the end of the server, cuts short.
func (m *minute) interruptible(ctx context.Context, s *server, part func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1) // One: the part ends even where nobody waits any more.
	go func() { done <- part(ctx) }()
	select {
	case err := <-done:
		return err
	case <-m.quit:
		return errQuit
	case <-s.ended:
		return errEnded
	}
}

// explain adds the last lines of the server's log where they may tell more.
func (m *minute) explain(s *server, err error) error {
	if errors.Is(err, errSaid) || errors.Is(err, errQuit) {
		return err
	}
	if lines := lastLines(s.log, 15); lines != "" {
		fmt.Fprintf(m.errs, "\nThe last lines of %s:\n%s", s.log, lines)
	}
	return err
}

// configure finds out where promptd will listen, where its files go and which providers it knows, as promptd itself does.
func (m *minute) configure() error {
	loaded, err := config.Load(config.Options{Environ: m.environ, Adapters: everything()})
	if err != nil {
		return fmt.Errorf("the configuration is not usable:\n%w", err)
	}
	m.address, m.data = loaded.Config.Listen, loaded.Config.DataDir
	for i := range loaded.Config.Providers {
		m.providers = append(m.providers, loaded.Config.Providers[i].Name)
	}
	if loaded.File != "" {
		fmt.Fprintf(m.out, "%s is read.\n", loaded.File)
	}
	if err := os.MkdirAll(m.data, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// everything is what any promptd may have: what this one lacks, promptd serve refuses by itself and in its own words.
func everything() config.Adapters {
	return config.Adapters{
		Dialects:   []string{"openai", "openai-responses", "anthropic", "gemini", "bedrock", "llamacpp", "ollama"},
		AuthTypes:  []string{"bearer", "header", "sigv4", "google", "azure"},
		Strategies: []string{"least-busy", "cost", "latency", "quality", "weighted"},
		Databases:  []string{"sqlite", "postgres", "postgresql"},
		Caches:     []string{"memory", "redis", "rediss", "redis+cluster"},
		Brokers:    []string{"embedded", "amqp", "amqps"},
	}
}

// portIsFree makes sure that it is our server that will answer.
func (m *minute) portIsFree(ctx context.Context) error {
	var conf net.ListenConfig
	l, err := conf.Listen(ctx, "tcp", m.address)
	if err == nil {
		return l.Close()
	}
	_, port, _ := net.SplitHostPort(m.address)
	who := "another program"
	client := http.Client{Timeout: time.Second}
	if req, reqErr := http.NewRequestWithContext(ctx, http.MethodGet, m.url("/v1/health/live"), nil); reqErr == nil {
		if resp, askErr := client.Do(req); askErr == nil {
			resp.Body.Close()
			if strings.HasPrefix(resp.Header.Get("Server"), "promptd") {
				who = "a promptd that runs already"
			}
		}
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("promptd cannot listen on %s: %w; choose another address: PROMPTD_LISTEN=127.0.0.1:8421 make run", m.address, err)
	}
	return fmt.Errorf("port %s is taken by %s: stop that, or choose another port: PROMPTD_LISTEN=127.0.0.1:8421 make run", port, who)
}

// url is an address of the server.
func (m *minute) url(path string) string {
	host, port, _ := net.SplitHostPort(m.address)
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port) + path
}

// install gets the local model, which takes a moment the first time and nothing afterwards.
func (m *minute) install(ctx context.Context) error {
	fmt.Fprintln(m.out, "No provider is configured (no variable such as OPENAI_API_KEY is set): the local model answers.")
	fmt.Fprintln(m.out, "$ promptd local install")
	cmd := exec.CommandContext(ctx, m.promptd, "local", "install")
	cmd.Env, cmd.Stdout, cmd.Stderr = m.environ, m.out, m.errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run promptd: %w", err)
	}
	done := make(chan error, 1) // One: the goroutine ends even where nobody waits.
	go func() { done <- cmd.Wait() }()
	var err error
	select {
	case err = <-done:
	case <-m.quit:
		_ = cmd.Cancel() // It may have had the signal from the terminal already.
		<-done
		return errors.New("interrupted while the local model was being installed; make run goes on where it stopped")
	}
	if err != nil {
		return errors.New("there is no model to ask, so there is no answer: see above, or set a provider's variable (such as OPENAI_API_KEY) and run make run again")
	}
	return nil
}

// key gives an API key: the one of the last run where it still works, else a new one.
func (m *minute) key(ctx context.Context) (string, error) {
	file := filepath.Join(m.data, "first-minute.key")
	if raw, err := os.ReadFile(file); err == nil {
		key := strings.TrimSpace(string(raw))
		if status, err := m.get(ctx, "/v1/me", key); err == nil && status == http.StatusOK {
			fmt.Fprintf(m.out, "The API key of the last run is used again (%s).\n", file)
			return key, nil
		}
	}
	fmt.Fprintln(m.out, "$ promptd keys create --name first-minute --output json")
	key, err := m.createKey(ctx)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the key: %w", err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		return "", fmt.Errorf("keep the key from others: %w", err)
	}
	fmt.Fprintf(m.out, "The key is kept in %s, which only you can read.\n", file)
	return key, m.accepted(ctx, key)
}

// accepted waits until the running server takes a key that another process has made: a second at most.
func (m *minute) accepted(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		status, err := m.get(ctx, "/v1/me", key)
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("promptd does not take the key that it has just made (HTTP %d)", status)
		case <-time.After(pollEvery):
		}
	}
}
