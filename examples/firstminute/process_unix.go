//go:build unix

package main

import (
	"os"
	"syscall"
)

// apart puts a child into a process group of its own, which signals from the terminal do not reach.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// terminate is the signal that asks for a clean end.
func terminate() os.Signal { return syscall.SIGTERM }
