package redistest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/rueidis"
)

// Process is a Redis server that belongs to one test, which may kill, pause and restart it. It keeps nothing over a restart.
type Process struct {
	Server

	tb   testing.TB
	port int
	args []string

	mu sync.Mutex

	cmd *exec.Cmd
}

// Start begins a server, with further options of redis-server, and ends it with the test.
func Start(tb testing.TB, options ...string) *Process {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Skip("SKIPPED: there is no redis-server to start; install it (Debian: redis-server)")
	}
	port := free(tb)
	p := &Process{tb: tb, port: port, Server: Server{URL: "redis://127.0.0.1:" + strconv.Itoa(port), Prefix: "test:"}}
	p.args = append([]string{"--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "", "--appendonly", "no", "--dir", tb.TempDir()}, options...)
	p.Begin()
	tb.Cleanup(p.Kill)
	return p
}

// StartCluster begins a cluster of three masters without replicas, and gives its servers. Every one of them names the whole cluster.
func StartCluster(tb testing.TB) []*Process {
	tb.Helper()
	const masters, slots = 3, 16384
	all := make([]*Process, masters)
	var addresses []string
	for n := range all {
		all[n] = Start(tb, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(free(tb)), "--cluster-node-timeout", "1000")
		addresses = append(addresses, "127.0.0.1:"+strconv.Itoa(all[n].port))
	}
	bus := func(p *Process) string { return p.args[slices.Index(p.args, "--cluster-port")+1] }
	for n, p := range all {
		p.URL = "redis+cluster://" + strings.Join(addresses, ",")
		p.command("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(n*slots/masters), strconv.Itoa((n+1)*slots/masters-1))
		p.command("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(n+1))
		all[0].command("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(p.port), bus(p))
	}
	for _, p := range all {
		Wait(tb, "the cluster is complete", func() bool {
			info := p.command("CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return all
}

// command runs a command on this server, whatever it answers.
func (p *Process) command(words ...string) string {
	c, err := p.dial()
	if err != nil {
		return ""
	}
	defer c.Close()
	text, err := c.Do(context.Background(), c.B().Arbitrary(words...).Build()).ToString()
	if err != nil {
		p.tb.Logf("%s: %v", strings.Join(words, " "), err)
	}
	return text
}

// free gives a port that nobody listens on now.
func free(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Begin starts the server where it does not run, and waits until it answers.
func (p *Process) Begin() {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return
	}
	p.cmd = exec.Command("redis-server", p.args...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	Wait(p.tb, "redis-server answers", p.answers)
}

func (p *Process) dial() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))}, ForceSingleClient: true, DisableCache: true, PipelineMultiplex: -1,
	})
}

func (p *Process) answers() bool {
	c, err := p.dial()
	if err != nil {
		return false
	}
	defer c.Close()
	return c.Do(context.Background(), c.B().Ping().Build()).Error() == nil
}

// Kill ends the server at once, as a crash does.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Errorf("kill redis-server: %v", err)
	}
	_ = p.cmd.Wait() // It was killed, so the error is known.
	p.cmd = nil
}

// Pause stops the server: connections stand, and nothing is answered.
func (p *Process) Pause() { p.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

func (p *Process) signal(s os.Signal) {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		p.tb.Fatal("redis-server does not run")
	}
	if err := p.cmd.Process.Signal(s); err != nil {
		p.tb.Fatal(err)
	}
}
