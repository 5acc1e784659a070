package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

// lockPatience is how long an opener waits for another process that migrates, or that must end before this one may.
const lockPatience = 15 * time.Second

// openUpToDate opens both files with up-to-date tables, under the shared lock. Where they are not, it migrates under the lock
// alone, which is to be had once no other process uses the store: an older promptd must not meet newer tables.
func (db *DB) openUpToDate(ctx context.Context) error {
	giveUp := time.NewTimer(lockPatience)
	defer giveUp.Stop()
	for {
		done, err := db.tryUpToDate(ctx)
		if done || err != nil {
			return err
		}
		again := time.NewTimer(20 * time.Millisecond)
		select {
		case <-again.C:
		case <-giveUp.C:
			return fmt.Errorf("open %s: %w: another process migrates it, or uses it with an older version of promptd; end that first", db.opts.Dir, ErrInUse)
		case <-ctx.Done():
			return fmt.Errorf("open %s: %w", db.opts.Dir, ctx.Err())
		}
	}
}

// tryUpToDate is done when the files are open and the shared lock is held.
func (db *DB) tryUpToDate(ctx context.Context) (done bool, err error) {
	lock, err := lockToUse(db.opts.Dir, shared)
	if errors.Is(err, errHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	db.using = lock
	ready, err := db.openParts(ctx)
	if ready && err == nil {
		return true, nil
	}
	if err := errors.Join(err, db.closeParts()); err != nil {
		return false, err
	}
	lock, err = lockToUse(db.opts.Dir, alone)
	if errors.Is(err, errHeld) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// The lock is given back and shared at the next try: a change from alone to shared is not one step everywhere.
	return false, errors.Join(migrate(ctx, db.opts.Dir), lock.release())
}

// openParts opens both files and says whether they have the newest tables.
func (db *DB) openParts(ctx context.Context) (ready bool, err error) {
	if db.main, err = openFile(ctx, filepath.Join(db.opts.Dir, mainFile), durable, db.opts.Observe); err != nil {
		return false, err
	}
	db.jobs = newJobs(db.main, db.opts.Now)
	history, err := openFile(ctx, filepath.Join(db.opts.Dir, historyFile), crashSafe, db.opts.Observe)
	if err != nil {
		return false, err
	}
	db.history = newHistory(history)
	ready = true
	for i, f := range []*file{db.main, history} {
		files, err := parts()[i].migrations()
		if err != nil {
			return false, fmt.Errorf("read migrations: %w", err)
		}
		have, newest, err := versions(ctx, f.write, f.path, files)
		if err != nil {
			return false, err
		}
		ready = ready && have == newest
	}
	return ready, nil
}

// versions gives the version of the tables that a file has and that this promptd knows; a newer file is refused. SQLite keeps a
// number for its user in the file's header, so that goose need not be asked at every start, which would cost milliseconds.
func versions(ctx context.Context, db *sql.DB, path string, files fs.FS) (have, newest int64, err error) {
	if newest, err = newestVersion(files); err != nil {
		return 0, 0, err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have); err != nil {
		return 0, 0, explain("read the version of "+path, err)
	}
	if have > newest {
		return 0, 0, tooNew(path, have, newest)
	}
	return have, newest, nil
}

func tooNew(path string, have, newest int64) error {
	return fmt.Errorf("open %s: it was made by a newer promptd (tables of version %d, this one knows %d); use that one, or restore a backup", path, have, newest)
}

// newestVersion reads the greatest number among the files' names.
func newestVersion(files fs.FS) (int64, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("list migrations: %w", err)
	}
	newest := int64(0)
	for _, name := range names {
		number, _, _ := strings.Cut(name, "_")
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the number of migration %s: %w", name, err)
		}
		newest = max(newest, n)
	}
	return newest, nil
}

// migrate brings both files up to date.
func migrate(ctx context.Context, dir string) error {
	for _, p := range parts() {
		files, err := p.migrations()
		if err != nil {
			return fmt.Errorf("read migrations: %w", err)
		}
		if err := migrateFile(ctx, filepath.Join(dir, p.name), files); err != nil {
			return err
		}
	}
	return nil
}

func migrateFile(ctx context.Context, path string, files fs.FS) (err error) {
	f, err := openFile(ctx, path, durable, func(string, time.Duration, error) {})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	_, newest, err := versions(ctx, f.write, path, files)
	if err != nil {
		return err
	}
	return apply(ctx, f.write, path, files, newest)
}

func apply(ctx context.Context, db *sql.DB, path string, files fs.FS, newest int64) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("prepare the migration of %s: %w", path, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	// A pragma takes no parameters; the number comes from the names of embedded files.
	if _, err := db.ExecContext(ctx, "PRAGMA user_version = "+strconv.FormatInt(newest, 10)); err != nil {
		return explain("note the version of "+path, err)
	}
	return nil
}
