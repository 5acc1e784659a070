//go:build linux || darwin

package cli

import (
	"fmt"
	"os"
	"syscall"
)

// freeBytes is what the user may still write on the file system of a folder.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec // No disk has 2^63 bytes.
}

// openFiles is how many files and connections the process may have open. Go raises the soft limit to the hard one by itself, so that the latter counts.
func openFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return l.Max, nil
}

// readableByOthers says whether somebody but the owner may read a file or folder.
func readableByOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
