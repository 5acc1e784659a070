//go:build !unix

package main

import (
	"os"
	"syscall"
)

// apart does nothing where there are no process groups.
func apart() *syscall.SysProcAttr { return nil }

// terminate ends a child at once where nothing gentler can be sent.
func terminate() os.Signal { return os.Kill }
