package chaos

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a place in the fleet: a promptd with a role, on a port that stays its own while processes in it come and go.
type process struct {
	w    *world
	role string
	n    int
	port int
	said *lines
	// program is another one than the others run; empty is the same.
	program string
	// env is added to the environment, and under are words before the program's on the command line.
	env, under []string

	mu sync.Mutex

	cmd    *exec.Cmd
	exited chan struct{}
	// asked says that the process is to end; odd is what one wrote that ended unasked.
	asked bool
	odd   string
}

// lines keeps the end of what processes wrote.
type lines struct {
	mu sync.Mutex

	text bytes.Buffer
}

// Write keeps the last of it: 8 MB at the most.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() > 8<<20 {
		l.text.Next(4 << 20)
	}
	return l.text.Write(b)
}

// String gives what was kept.
func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// add makes a place in the fleet.
func (w *world) add(role string) *process {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	p := &process{w: w, role: role, n: len(w.of(role)) + 1, port: l.Addr().(*net.TCPAddr).Port, said: &lines{}}
	w.fleet = append(w.fleet, p)
	return p
}

// String names the place.
func (p *process) String() string { return p.role + strconv.Itoa(p.n) }

func (p *process) url() string { return "http://127.0.0.1:" + strconv.Itoa(p.port) }

// start begins a process and waits until it is ready. One that does not get up, since its database is away, is begun again, as whatever runs processes does.
func (p *process) start() error {
	for end := time.Now().Add(3 * time.Minute); ; {
		exited, err := p.launch()
		if err != nil {
			return err
		}
		for up := time.Now().Add(30 * time.Second); time.Now().Before(up); {
			if p.ready() {
				return nil
			}
			select {
			case <-exited:
				up = time.Time{}
			case <-time.After(50 * time.Millisecond):
			}
		}
		p.signal(syscall.SIGKILL)
		<-exited
		p.mu.Lock()
		p.odd = ""
		p.mu.Unlock()
		if time.Now().After(end) {
			return fmt.Errorf("%s does not get ready:\n%s", p, tail(p.said.String()))
		}
		<-time.After(200 * time.Millisecond)
	}
}

func (p *process) launch() (<-chan struct{}, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	line := append(append([]string{}, p.under...), first(p.program, path), "serve", "--config", "promptd.yaml", "--listen", "127.0.0.1:"+strconv.Itoa(p.port))
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.w.dir, p.said, p.said
	p.cmd.Env = environment(append([]string{"PROMPTD_ROLES=" + p.role, "CHAOS_PROCESS=" + p.String()}, p.env...)...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	p.asked = false
	cmd, exited := p.cmd, make(chan struct{})
	p.exited = exited
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		if !p.asked {
			p.odd = fmt.Sprintf("%v\n%s", err, tail(p.said.String()))
		}
		p.mu.Unlock()
		close(exited)
	}()
	return exited, nil
}

func tail(text string) string {
	list := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(list[max(0, len(list)-8):], "\n")
}

// ready asks the process whether it can serve. A worker is where its health answers.
func (p *process) ready() bool { return status(p.url()+"/v1/health/ready") == http.StatusOK }

func status(url string) int {
	client := http.Client{Timeout: 3 * time.Second}
	resp, err := client.Get(url) //nolint:noctx // It has a limit of its own.
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s == syscall.SIGKILL || s == syscall.SIGTERM {
		p.asked = true
	}
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(s) //nolint:errcheck // It may have ended.
	}
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// errSlow says that a process did not end in time.
var errSlow = errors.New("did not end within 70 s of SIGTERM")

// stop ends the process in order.
func (p *process) stop() error {
	if p.exited == nil {
		return nil
	}
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		return nil
	case <-time.After(70 * time.Second):
		p.kill()
		return fmt.Errorf("%s %w", p, errSlow)
	}
}

// unasked gives what the process wrote where it ended of itself.
func (p *process) unasked() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.odd
}
