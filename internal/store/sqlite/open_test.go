package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

func TestADirectoryMayHaveAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain", "with space", "a?b#c%20d&e=f", "ü 東京", "it's; --", "_pragma=journal_mode(OFF)"} {
		dir := filepath.Join(t.TempDir(), "below", name)
		db := open(t, sqlite.Options{Dir: dir})
		write(t, db, 0, 1)
		wantHeld(t, db, 1)
		for _, file := range []string{"promptd.db", "history.db"} {
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Errorf("directory %q: %v", name, err)
			}
		}
	}
}

func TestFilesAreForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: permissions are not kept this way on Windows")
	}
	dir := filepath.Join(t.TempDir(), "data")
	db := open(t, sqlite.Options{Dir: dir, Exclusive: true})
	write(t, db, 0, 1)
	if err := db.Backup(t.Context(), filepath.Join(dir, "backup")); err != nil {
		t.Fatalf("back up: %v", err)
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s, want nothing for others", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatalf("walk: %v", err)
	}
}

func TestSeveralMayOpenANewDirectoryAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		all.Go(func() {
			db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
			if err != nil {
				errs[i] = err
				return
			}
			_, _, err = (&key.Issuer{Store: db.Keys()}).Create(t.Context(), key.Key{Name: fmt.Sprint(i)})
			errs[i] = errors.Join(err, db.Close())
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Errorf("open at once: %v", err)
	}
	list, _, err := open(t, sqlite.Options{Dir: dir}).Keys().List(t.Context(), key.AllTeams(), 100, "")
	if err != nil || len(list) != len(errs) {
		t.Errorf("got %d keys, %v, want %d", len(list), err, len(errs))
	}
}

func TestANewerStoreIsRefused(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"promptd.db", "history.db"} {
		dir := t.TempDir()
		if err := open(t, sqlite.Options{Dir: dir}).Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		execRaw(t, filepath.Join(dir, file), "PRAGMA user_version = 999")
		_, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "newer promptd") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s of version 999: got %v, want a refusal that names file and reason", file, err)
		}
	}
}

// execRaw changes a file behind the store's back.
func execRaw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func TestAnUnfinishedMigrationIsFinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir})
	write(t, db, 0, 2)
	if err := db.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	// The process died between the migration and the note in the header.
	execRaw(t, filepath.Join(dir, "promptd.db"), "PRAGMA user_version = 0")
	wantHeld(t, open(t, sqlite.Options{Dir: dir}), 2)
}

func TestAMigrationWaitsForOthersAndSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, sqlite.Options{Dir: dir}) // It stays open.
	execRaw(t, filepath.Join(dir, "promptd.db"), "PRAGMA user_version = 0")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("migrate below another: got %v, want to wait until the deadline", err)
	}
}

func TestWhatIsNotADatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "promptd.db"), []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatalf("write: %v", err)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "promptd.db") {
		t.Errorf("open: got %v, want an error that names the file", err)
	}
}

func TestALockedDatabaseIsAnOverload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir})
	other, err := sql.Open("sqlite", filepath.Join(dir, "promptd.db"))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatalf("lock: %v", err)
	}
	_, _, err = (&key.Issuer{Store: db.Keys()}).Create(t.Context(), key.Key{Name: "late"})
	if !fault.Is(err, fault.Overloaded) || fault.Of(err).Detail != "the database is locked by another process" {
		t.Errorf("write below a lock: got %v, want OVERLOADED with the reason", err)
	}
	if _, _, err := db.Keys().List(t.Context(), key.AllTeams(), 10, ""); err != nil {
		t.Errorf("read below a lock: got %v, want none", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatalf("unlock: %v", err)
	}
	write(t, db, 0, 1)
}

// A full disk is a page limit here: SQLite answers SQLITE_FULL for both.
func TestAFullDiskIsAnOverloadAndKeepsAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir})
	restore, err := sqlite.LimitPages(t.Context(), db, 60)
	if err != nil {
		t.Fatalf("limit the pages: %v", err)
	}
	full, kept := error(nil), 0
	for n := 0; full == nil && n < 1000; n++ {
		batch := make([]usage.Record, 20)
		for i := range batch {
			batch[i] = usage.Record{RequestID: fmt.Sprintf("%d-%d", n, i), Team: "acme", Time: time.Unix(int64(n), 0), Prompt: strings.Repeat("x", 500)}
		}
		if full = db.History().Append(t.Context(), batch); full == nil {
			kept += len(batch)
		}
	}
	if !fault.Is(full, fault.Overloaded) || fault.Of(full).Detail != "the disk of the data directory is full" {
		t.Fatalf("append to a full disk: got %v, want OVERLOADED with the reason", full)
	}
	if strings.Contains(full.Error(), "xxx") {
		t.Errorf("the error repeats the prompt: %v", full)
	}
	report, err := db.History().Usage(t.Context(), key.OfTeam("acme"), usage.Query{})
	if err != nil || report.Total.Requests != int64(kept) {
		t.Errorf("after the disk was full: got sums of %d, %v, want %d", report.Total.Requests, err, kept)
	}
	if err := restore(t.Context()); err != nil {
		t.Fatalf("lift the limit: %v", err)
	}
	if err := db.History().Append(t.Context(), []usage.Record{{RequestID: "after", Team: "acme", Time: time.Unix(1, 0)}}); err != nil {
		t.Errorf("append after the disk has room: got %v, want none", err)
	}
}

func TestQueriesUseTheirIndexes(t *testing.T) {
	t.Parallel()
	db := open(t, sqlite.Options{Dir: t.TempDir()})
	for name, plan := range sqlite.Plans(t.Context(), t, db) {
		if strings.Contains(plan, "SCAN") || strings.Contains(plan, "USE TEMP B-TREE FOR ORDER BY") {
			t.Errorf("%s reads a whole table or sorts all it finds:\n%s", name, plan)
		}
	}
}
