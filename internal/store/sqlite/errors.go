package sqlite

import (
	"context"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/promptd/promptd/internal/fault"
)

// explain says what was attempted. What the machine lacks (disk, locks) becomes OVERLOADED: the caller comes again, others see why.
func explain(attempt string, err error) error {
	if errors.As(err, new(*fault.Fault)) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", attempt, err)
	}
	if known, ok := errors.AsType[*driver.Error](err); ok {
		if detail := lack(known.Code() & 0xff); detail != "" {
			return fault.New(fault.Overloaded, "%s", detail).Because(fmt.Errorf("%s: %w", attempt, err))
		}
	}
	return fmt.Errorf("%s: %w", attempt, err)
}

// lack says what the machine lacks, by SQLite's primary result code.
func lack(code int) string {
	switch code {
	case codes.SQLITE_FULL:
		return "the disk of the data directory is full"
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		return "the database is locked by another process"
	case codes.SQLITE_IOERR, codes.SQLITE_CANTOPEN, codes.SQLITE_READONLY:
		return "the data directory can't be read or written"
	}
	return ""
}

// isConflict recognises a row that is there already.
func isConflict(err error) bool {
	known, ok := errors.AsType[*driver.Error](err)
	return ok && known.Code()&0xff == codes.SQLITE_CONSTRAINT
}
