package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The lock files. They stay where they are: what counts is the system's lock on them, which ends with its process.
const (
	serveLock = "promptd.lock"
	useLock   = "store.lock"
)

// ErrInUse says that another process has the data directory and this one can't have it too.
var ErrInUse = errors.New("the data directory is in use")

// errHeld is the answer of tryLock where another process holds the lock.
var errHeld = errors.New("the lock is held")

// lockMode is how a lock is held.
type lockMode bool

const (
	shared lockMode = false
	alone  lockMode = true
)

// dirLock is a lock on a data directory.
type dirLock struct{ file *os.File }

// lockToServe takes the lock of the one process that serves from the directory, and writes its number into the file.
func lockToServe(dir string) (*dirLock, error) {
	lock, err := openLock(dir, serveLock, alone)
	if errors.Is(err, errHeld) {
		return nil, inUse(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := lock.sign(); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	return lock, nil
}

// inUse names the process that serves, where its number can be read.
func inUse(dir string) error {
	who := "another promptd"
	if text, err := os.ReadFile(filepath.Join(dir, serveLock)); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			who = fmt.Sprintf("another promptd (process %d)", pid)
		}
	}
	return fmt.Errorf("%w: %s serves from %s; end it first, or give this one another data_dir", ErrInUse, who, dir)
}

// lockToUse takes the lock that every user of the store shares, or has it alone.
func lockToUse(dir string, mode lockMode) (*dirLock, error) { return openLock(dir, useLock, mode) }

func openLock(dir, name string, mode lockMode) (*dirLock, error) {
	path := filepath.Join(dir, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock %s: %w", path, err)
	}
	if err := tryLock(file, mode); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return &dirLock{file: file}, nil
}

func (l *dirLock) sign() error {
	if err := l.file.Truncate(0); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	if _, err := fmt.Fprintf(l.file, "%d\n", os.Getpid()); err != nil {
		return fmt.Errorf("write the lock: %w", err)
	}
	return nil
}

// release ends the lock: closing the file does.
func (l *dirLock) release() error {
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("release the lock %s: %w", l.file.Name(), err)
	}
	return nil
}
