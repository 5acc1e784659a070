package local

import (
	"os"
	"syscall"
)

// childAttr puts the child into a process group of its own, so that Ctrl-C reaches promptd alone, which ends its calls first and the child last. And
// the child dies with us even where we are killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func askToEnd(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// killAll kills the child's whole group.
func killAll(p *os.Process) error { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
