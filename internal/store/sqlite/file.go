package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // The driver registers itself under the name sqlite.
)

// The connections of a file.
const (
	readers = 4
	// idleReaders stay open; the others close after a while, because each holds a page cache.
	idleReaders = 1
	idleFor     = time.Minute
)

// durability says what a commit waits for.
type durability string

const (
	// durable commits are on disk when they return.
	durable durability = "FULL"
	// crashSafe commits survive the death of the process; the machine's may cost the last moments, never the file.
	crashSafe durability = "NORMAL"
)

// busyTimeout is how long a statement waits for the locks of others, in milliseconds.
const busyTimeout = "PRAGMA busy_timeout = 5000"

// file is one open database.
type file struct {
	path    string
	write   *sql.DB
	read    *sql.DB
	observe func(query string, took time.Duration, err error)

	// lacking is what a write failed for because the machine lacked something; nil since one that was tried for it has succeeded.
	lacking atomic.Pointer[error]
	// prepared is used by whoever has the write connection.
	prepared prepared
}

// openFile opens the connections; the first of each is made at once, so that a fault shows here.
func openFile(ctx context.Context, path string, d durability, observe func(string, time.Duration, error)) (_ *file, err error) {
	// SQLite would make the file readable for everybody whom the umask lets in.
	made, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	if err := made.Close(); err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	f := &file{path: path, observe: observe}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	// A checkpoint copies the pages since the last one in one go: half of the usual 1,000 keeps that near two milliseconds.
	// What a savepoint may have to undo is kept in memory, where it was 64 KiB before it went to a file of its own.
	f.write, err = connect(ctx, path, 1, 1, "journal_mode(WAL)", "synchronous("+string(d)+")", "cache_size(-1024)", "temp_store(MEMORY)",
		"wal_autocheckpoint(512)", "journal_size_limit(8388608)", "secure_delete(FAST)")
	if err != nil {
		return nil, err
	}
	f.read, err = connect(ctx, path, readers, idleReaders, "query_only(1)", "cache_size(-512)")
	return f, err
}

// connect opens a pool. Readers find WAL set in the file.
func connect(ctx context.Context, path string, most, idle int, pragmas ...string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(path, pragmas...))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(idle)
	if most > 1 {
		db.SetConnMaxIdleTime(idleFor)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(explain("open "+path, err), db.Close())
	}
	return db, nil
}

// dsn names a database for the driver; a path may hold any character.
func dsn(path string, pragmas ...string) string {
	slashed := filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		slashed = "/" + slashed
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: slashed}
	var b strings.Builder
	b.WriteString(u.String())
	b.WriteString("?_txlock=immediate&_dqs=0&_pragma=busy_timeout(5000)")
	for _, p := range pragmas {
		b.WriteString("&_pragma=" + p)
	}
	return b.String()
}

func (f *file) close() error {
	var errs []error
	f.prepared.close()
	for _, pool := range []*sql.DB{f.read, f.write} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}

// tx runs a transaction on the write connection. The context can end the wait for it; afterwards it runs through.
func (f *file) tx(ctx context.Context, name string, run func(ctx context.Context, tx *sql.Tx) error) (err error) {
	began := time.Now()
	defer func() {
		f.noteWrite(err)
		f.observe(name, time.Since(began), err)
	}()
	conn, err := f.write.Conn(ctx)
	if err != nil {
		return explain(name, err)
	}
	defer conn.Close()
	if err := ctx.Err(); err != nil {
		return explain(name, err)
	}
	whole := context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(whole, nil)
	if err != nil {
		return explain(name, err)
	}
	defer tx.Rollback() // After a commit this does nothing.
	if err := run(whole, tx); err != nil {
		return explain(name, err)
	}
	if err := tx.Commit(); err != nil {
		return explain(name, err)
	}
	return nil
}

// rows runs a query and hands each row to scan.
func (f *file) rows(ctx context.Context, name, query string, args []any, scan func(*sql.Rows) error) (err error) {
	began := time.Now()
	defer func() { f.observe(name, time.Since(began), err) }()
	rows, err := f.read.QueryContext(ctx, query, args...)
	if err != nil {
		return explain(name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return explain(name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return explain(name, err)
	}
	return nil
}
