package local

import (
	"os"
	"syscall"
)

// childAttr puts the child into a process group of its own, so that Ctrl-C reaches promptd alone.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd kills: there is no signal to ask with.
func askToEnd(p *os.Process) error { return p.Kill() }

func killAll(p *os.Process) error { return p.Kill() }
