//go:build !linux && !darwin

package cli

import (
	"errors"
	"os"
)

func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }

func openFiles() (uint64, error) { return 0, errors.ErrUnsupported }

// readableByOthers is not known where permissions are lists.
func readableByOthers(os.FileInfo) bool { return false }
