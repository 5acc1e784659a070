package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite"
)

// roomToWrite is how much there must be on the disk before a file that was full counts as writable again, in bytes: below it one write succeeds and the next one fails.
const roomToWrite = 1 << 20

// noteWrite remembers what the machine lacked for a write. A later one that succeeds proves nothing: it may have changed nothing, or found the last free page.
func (f *file) noteWrite(err error) {
	if known, ok := errors.AsType[*driver.Error](err); ok && lack(known.Code()&0xff) != "" {
		f.lacking.Store(&err)
	}
}

// writable says why the file can't be written, where a write failed for what the machine lacked. It tries by itself: a process that is not ready is sent no requests,
// and without them nobody might ever write.
func (f *file) writable(ctx context.Context) error {
	last := f.lacking.Load()
	if last == nil {
		return nil
	}
	if err := f.tryWrite(ctx); err != nil {
		return errors.Join(err, *last)
	}
	f.lacking.CompareAndSwap(last, nil)
	return nil
}

// tryWrite writes what changes nothing. It does not wait for locks: who asks is a probe of health.
func (f *file) tryWrite(ctx context.Context) (err error) {
	if err := room(filepath.Dir(f.path)); err != nil {
		return err
	}
	conn, err := f.write.Conn(ctx)
	if err != nil {
		return explain("try to write", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return explain("try to write", err)
	}
	defer func() {
		_, again := conn.ExecContext(context.WithoutCancel(ctx), busyTimeout)
		err = errors.Join(err, again)
	}()
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return explain("try to write", err)
	}
	defer tx.Rollback() // After a commit this does nothing.
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return explain("try to write", err)
	}
	// It writes the first page, whatever the number was.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return explain("try to write", err)
	}
	if err := tx.Commit(); err != nil {
		return explain("try to write", err)
	}
	return nil
}

// room says whether a folder has room for a file.
func room(folder string) (err error) {
	probe, err := os.CreateTemp(folder, ".room-*")
	if err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	defer func() { err = errors.Join(err, probe.Close(), os.Remove(probe.Name())) }()
	if _, err := probe.Write(make([]byte, roomToWrite)); err != nil {
		return fmt.Errorf("try to write: %w", err)
	}
	return nil
}
