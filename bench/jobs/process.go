package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one that was started here.
type process struct {
	cmd *exec.Cmd
	log string
	url string // where it listens, once it has said so
}

// start runs a program; what it prints goes to a file in dir.
func start(dir, name string, env []string, args ...string) (*process, error) {
	p := &process{log: filepath.Join(dir, name+".log")}
	out, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer out.Close() //nolint:errcheck // The child has it.
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = append(os.Environ(), env...), dir, out, out
	return p, p.cmd.Start()
}

// listens waits until the process has printed an address.
func (p *process) listens() error {
	const patience = time.Minute
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		raw, err := os.ReadFile(p.log)
		if err != nil {
			return err
		}
		if i := strings.Index(string(raw), "http://"); i >= 0 {
			if j := strings.IndexAny(string(raw[i:]), ", \"\n"); j > 0 {
				p.url = string(raw[i : i+j])
				return nil
			}
		}
	}
	raw, _ := os.ReadFile(p.log) //nolint:errcheck // It is for the message alone.
	return fmt.Errorf("%s does not say where it listens: %s", p.cmd.Args, raw)
}

// end asks the process to end and waits; one that does not is killed.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // It may be gone.
	hard := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer hard.Stop()
	_ = p.cmd.Wait() //nolint:errcheck // It was told to end.
}

// usage is the processor time of the trees of processes below these roots, themselves included, and of their children that have ended.
func usage(roots ...int) time.Duration {
	type one struct {
		parent int
		ticks  int64
	}
	all := map[int]one{}
	names, _ := filepath.Glob("/proc/[0-9]*/stat") //nolint:errcheck // The pattern is right.
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			continue // It has ended.
		}
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2]) //nolint:errcheck // The pattern wants digits.
		f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
		var p one
		p.parent, _ = strconv.Atoi(f[1]) //nolint:errcheck // The kernel writes numbers.
		for _, text := range f[11:15] {  // user and system, its own and those of children that it has waited for
			n, _ := strconv.ParseInt(text, 10, 64) //nolint:errcheck // Likewise.
			p.ticks += n
		}
		all[pid] = p
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux of today.
	var sum time.Duration
	for pid, p := range all {
		for up, depth := pid, 0; up > 1 && depth < 64; up, depth = all[up].parent, depth+1 {
			if contains(roots, up) {
				sum += time.Duration(p.ticks) * tick
				break
			}
		}
	}
	return sum
}

func contains(list []int, n int) bool {
	for _, x := range list {
		if x == n {
			return true
		}
	}
	return false
}

// server finds the process that listens at a URL's port on this machine, by its socket.
func server(raw string) (int, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return 0, errors.New("a server's URL can't be read") // Its text has a password.
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("the URL of %s names no port", u.Host)
	}
	sockets := listeners(fmt.Sprintf(":%04X", port))
	names, _ := filepath.Glob("/proc/[0-9]*/fd/*") //nolint:errcheck // The pattern is right.
	best := 0
	for _, name := range names {
		to, err := os.Readlink(name)
		if err != nil || !sockets[to] {
			continue
		}
		// Children may have inherited it; the first of them is the one that was started first.
		if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil && (best == 0 || pid < best) {
			best = pid
		}
	}
	if best == 0 {
		return 0, fmt.Errorf("no process on this machine that may be looked at listens at %s", u.Host)
	}
	return best, nil
}

// listeners are the sockets that listen at a port, as links of file descriptors name them.
func listeners(port string) map[string]bool {
	out := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		const state, inode, listening = 3, 9, "0A"
		for s := bufio.NewScanner(f); s.Scan(); {
			if c := strings.Fields(s.Text()); len(c) > inode && strings.HasSuffix(c[1], port) && c[state] == listening {
				out["socket:["+c[inode]+"]"] = true
			}
		}
		_ = f.Close() //nolint:errcheck // It was read.
	}
	return out
}

// root is a process that is counted, with all below it.
type root struct {
	name string
	pid  int
}

// counted are the processes of a measurement.
type counted []root

// usage is the processor time of each name.
func (c counted) usage() map[string]time.Duration {
	out := map[string]time.Duration{}
	for _, r := range c {
		out[r.name] += usage(r.pid)
	}
	return out
}

// less takes an earlier reading off a later one.
func less(later, earlier map[string]time.Duration) map[string]time.Duration {
	for name := range later {
		later[name] -= earlier[name]
	}
	return later
}

// own is the processor time of this process.
func own() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
