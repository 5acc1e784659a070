//go:build unix

package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks without waiting.
func tryLock(file *os.File, mode lockMode) error {
	how := syscall.LOCK_SH
	if mode == alone {
		how = syscall.LOCK_EX
	}
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return errHeld
		}
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
