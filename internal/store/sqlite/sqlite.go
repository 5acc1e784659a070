// Package sqlite is the embedded store: what is kept lies in two SQLite files in the data directory, and needs no server.
//
// It is not for deciding anything: each consumer declares the interface that [DB]'s parts satisfy, and package storetest holds
// them to it. [DB.Keys] and [DB.Idempotency] live in promptd.db, where an acknowledged write is on disk (synchronous=FULL).
// [DB.History] lives in history.db, which survives a crash of the process whole and may lose its last moments with the machine
// (synchronous=NORMAL), so that the request log never waits for what must be durable.
//
// Each file has one write connection, whose transactions begin immediately, and a pool of read connections; in WAL mode they do
// not wait for each other. A write is refused when its context has ended and is not interrupted once it began: it is short.
// Several processes may use a directory at once. serve takes an exclusive lock on promptd.lock; everybody holds a shared one on
// store.lock, and who migrates or restores holds that alone.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/promptd/promptd/internal/store/migrations"
)

// The names of the files.
const (
	mainFile    = "promptd.db"
	historyFile = "history.db"
)

// Options say where the store is and how it is used.
type Options struct {
	// Dir is the data directory. It is made where it is missing, for its owner alone.
	Dir string
	// Exclusive is for serve and worker: a second one on the same directory is refused with [ErrInUse].
	Exclusive bool
	// Now is the clock; nil means the real one.
	Now func() time.Time
	// Observe is told of every statement or transaction by its name; nil means that nobody is told.
	Observe func(query string, took time.Duration, err error)
}

// DB is the open store. Its parts are safe for concurrent use.
type DB struct {
	opts    Options
	serving *dirLock
	using   *dirLock
	main    *file
	jobs    *Jobs
	history *History
}

// Open opens the store and brings its tables up to date.
func Open(ctx context.Context, opts Options) (_ *DB, err error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Observe == nil {
		opts.Observe = func(string, time.Duration, error) {}
	}
	opts.Dir, err = filepath.Abs(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	db := &DB{opts: opts}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if opts.Exclusive {
		if db.serving, err = lockToServe(opts.Dir); err != nil {
			return nil, err
		}
	}
	if err := db.openUpToDate(ctx); err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes the files and gives the locks back. A second Close does nothing.
func (db *DB) Close() error {
	err := db.closeParts()
	if db.serving != nil {
		err = errors.Join(err, db.serving.release())
		db.serving = nil
	}
	return err
}

func (db *DB) closeParts() error {
	var errs []error
	if db.history != nil {
		errs = append(errs, db.history.close())
		db.history = nil
	}
	if db.main != nil {
		errs = append(errs, db.main.close())
		db.main = nil
	}
	if db.using != nil {
		errs = append(errs, db.using.release())
		db.using = nil
	}
	return errors.Join(errs...)
}

// Keys is the part that keeps API keys.
func (db *DB) Keys() *Keys { return &Keys{file: db.main} }

// History is the part that keeps requests and sums.
func (db *DB) History() *History { return db.history }

// Idempotency is the part that keeps idempotency keys.
func (db *DB) Idempotency() *Idempotency { return &Idempotency{file: db.main, now: db.opts.Now} }

// Ping says whether both files can be read, and be written as far as is known.
func (db *DB) Ping(ctx context.Context) error {
	for _, f := range []*file{db.main, db.history.file} {
		var one int
		if err := f.read.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&one); err != nil {
			return explain("read "+filepath.Base(f.path), err)
		}
		if err := f.writable(ctx); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Base(f.path), err)
		}
	}
	return nil
}

// part is one database file with its migrations.
type part struct {
	name       string
	migrations func() (fs.FS, error)
}

func parts() []part {
	return []part{{mainFile, migrations.SQLite}, {historyFile, migrations.SQLiteHistory}}
}
