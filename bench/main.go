// Command bench measures what promptd adds to a call: its time and processor time beside those of the same call made directly and through a bare reverse proxy,
// all in one run on one machine, because machines are noisy and ratios are not.
//
// The server under test has one core (GOMAXPROCS=1, pinned by taskset), the load and the scripted provider the other. The provider answers at once with the
// same invoice; keys, validation, history and logs are on. Each round measures every target at a fixed rate (open loop: a late answer delays no request)
// and then as fast as it can (closed loop); the table has the medians of all rounds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

type options struct {
	promptd, provider string
	rounds, rate      int
	spell, peak       time.Duration
	conns             int
	out               string
	openai            bool
}

func main() {
	var o options
	flag.StringVar(&o.promptd, "promptd", "bin/promptd", "the promptd `binary`")
	flag.StringVar(&o.provider, "provider", "bin/scripted-provider", "the scripted provider's `binary`")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; the table has their medians")
	flag.IntVar(&o.rate, "rate", 1000, "requests per second of the open loop")
	flag.DurationVar(&o.spell, "spell", 4*time.Second, "length of an open loop")
	flag.DurationVar(&o.peak, "peak", 3*time.Second, "length of a closed loop")
	flag.IntVar(&o.conns, "conns", 32, "connections")
	flag.StringVar(&o.out, "out", "", "`file` that the table is written to as well")
	flag.BoolVar(&o.openai, "openai", false, "measure the endpoint of chat completions instead of POST /v1/analyze")
	proxy := flag.String("proxy", "", "serve as the bare reverse proxy of a `URL` instead")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *proxy != "" {
		err = serveProxy(ctx, *proxy)
	} else {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called.
	}
}

// serveProxy is the floor: the standard library's reverse proxy with nothing on it.
func serveProxy(ctx context.Context, target string) error {
	to, err := url.Parse(target)
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	handler := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }, Transport: transport}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close() //nolint:errcheck // The process ends.
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// child is a process under measurement.
type child struct {
	cmd *exec.Cmd
	url string
}

// begin starts a process on a core; its first line of output that holds an address says where it listens.
func begin(core int, env []string, dir string, log *os.File, args ...string) (*child, error) {
	if taskset, err := exec.LookPath("taskset"); err == nil && runtime.NumCPU() > 1 {
		args = append([]string{taskset, "-c", fmt.Sprint(core)}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), dir
	out, err := os.CreateTemp("", "bench-out-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(out.Name())
	cmd.Stdout, cmd.Stderr = out, out
	if log != nil {
		cmd.Stdout = log
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(out.Name())
		if err != nil {
			return nil, err
		}
		if i := strings.Index(string(raw), "http://"); i >= 0 {
			rest := string(raw[i:])
			if j := strings.IndexAny(rest, ", \n"); j > 0 {
				c.url = rest[:j]
				return c, nil
			}
		}
	}
	raw, _ := os.ReadFile(out.Name()) //nolint:errcheck // It is for the message alone.
	return nil, errors.Join(fmt.Errorf("%s does not say where it listens: %s", args, raw), c.end())
}

func (c *child) end() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // It may be gone.
	_, err := c.cmd.Process.Wait()
	return err
}

// cpu is the processor time that the process has used; children of it do not count.
func (c *child) cpu() time.Duration {
	if exact := c.scheduled(); exact > 0 {
		return exact
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var user, system int64
	_, _ = fmt.Sscan(fields[11], &user)   //nolint:errcheck // The kernel writes numbers.
	_, _ = fmt.Sscan(fields[12], &system) //nolint:errcheck // Likewise.
	const tick = 10 * time.Millisecond    // USER_HZ is 100 on every Linux of today.
	return time.Duration(user+system) * tick
}

// scheduled is the processor time of the process's threads to the nanosecond; 0 where the kernel does not tell. Threads of Go's hardly ever end.
func (c *child) scheduled() (sum time.Duration) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		var ran int64
		if _, read := fmt.Sscan(string(raw), &ran); err != nil || read != nil {
			return 0
		}
		sum += time.Duration(ran)
	}
	return sum
}

// resident is the process's memory in MB.
func (c *child) resident() float64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 { //nolint:errcheck // A line of another kind.
			return kb / 1024
		}
	}
	return 0
}

func run(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "promptd-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	answer := filepath.Join(dir, "answer.json")
	if err := os.WriteFile(answer, []byte(invoice()), 0o600); err != nil {
		return err
	}
	promptd, err := filepath.Abs(o.promptd)
	if err != nil {
		return err
	}
	scripted, err := filepath.Abs(o.provider)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	const serverCore, loadCore = 0, 1
	if err := pin(loadCore); err != nil {
		return err
	}
	provider, err := begin(loadCore, []string{"GOMAXPROCS=1"}, dir, nil, scripted, "--answer", answer)
	if err != nil {
		return err
	}
	defer provider.end() //nolint:errcheck // It is told to end.
	proxy, err := begin(serverCore, []string{"GOMAXPROCS=1"}, dir, nil, self, "-proxy", provider.url)
	if err != nil {
		return err
	}
	defer proxy.end() //nolint:errcheck // Likewise.
	secret, err := prepare(dir, promptd, provider.url)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "promptd.log"))
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // It is in a temporary folder.
	begun := time.Now()
	server, err := begin(serverCore, []string{"GOMAXPROCS=1"}, dir, log, promptd, "serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer server.end() //nolint:errcheck // Likewise.
	fmt.Printf("promptd was up after %d ms, %.0f MB resident\n", time.Since(begun).Milliseconds(), server.resident())

	const chat = "/v1/chat/completions"
	direct := &target{name: "direct", url: provider.url + chat, body: chatBody(), of: provider}
	bare := &target{name: "bare proxy", url: proxy.url + chat, body: chatBody(), of: proxy}
	targets := []*target{
		direct, bare,
		{name: "promptd, uncached", url: server.url + "/v1/analyze", body: analyzeBody(), key: secret, fresh: true, of: server},
		{name: "promptd, cache hit", url: server.url + "/v1/analyze", body: analyzeBody(), key: secret, of: server},
	}
	if o.openai {
		plain := &target{name: "bare proxy, without schema", url: proxy.url + chat, body: plainBody(), fresh: true, of: proxy}
		bare.name, bare.fresh = "bare proxy, with schema", true
		targets = []*target{
			direct, bare, plain,
			{name: "promptd, relayed without schema", url: server.url + chat, body: plainBody(), key: secret, fresh: true, of: server, floor: plain},
			{name: "promptd, validated with schema", url: server.url + chat, body: chatBody(), key: secret, fresh: true, of: server},
		}
	}
	for round := range o.rounds {
		for _, t := range targets {
			if err := t.measure(ctx, o); err != nil {
				return fmt.Errorf("%s, round %d: %w", t.name, round+1, err)
			}
		}
	}
	table := report(o, targets)
	fmt.Print(table)
	if o.out != "" {
		return os.WriteFile(o.out, []byte(table), 0o644) //nolint:gosec // The table is public.
	}
	return nil
}

// prepare writes the configuration and makes a key.
func prepare(dir, promptd, provider string) (string, error) {
	text := "providers:\n  - {name: scripted, dialect: openai, base_url: \"" + provider + "/v1\", max_concurrency: 256, models: [{name: m}]}\n"
	if err := os.WriteFile(filepath.Join(dir, "promptd.yaml"), []byte(text), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command(promptd, "keys", "create", "--name", "bench", "--rate-limit", "0", "--output", "json")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	var made struct{ Key string }
	err = json.Unmarshal(out, &made)
	return made.Key, err
}
