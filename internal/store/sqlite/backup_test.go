package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// write makes keys and requests.
func write(t *testing.T, db *sqlite.DB, from, to int) {
	t.Helper()
	issuer := &key.Issuer{Store: db.Keys()}
	for i := from; i < to; i++ {
		if _, _, err := issuer.Create(t.Context(), key.Key{Name: fmt.Sprintf("key %d", i)}); err != nil {
			t.Fatalf("create key %d: %v", i, err)
		}
		record := usage.Record{RequestID: fmt.Sprintf("request %d", i), Team: "acme", Time: time.Unix(int64(i), 0)}
		if err := db.History().Append(t.Context(), []usage.Record{record}); err != nil {
			t.Fatalf("append request %d: %v", i, err)
		}
	}
}

// wantHeld checks how many keys and requests there are.
func wantHeld(t *testing.T, db *sqlite.DB, want int) {
	t.Helper()
	keys, _, err := db.Keys().List(t.Context(), key.AllTeams(), 500, "")
	if err != nil {
		t.Fatalf("list keys: %v", err)
	}
	requests, _, err := db.History().Requests(t.Context(), key.AllTeams(), usage.Filter{Limit: 500})
	if err != nil {
		t.Fatalf("list requests: %v", err)
	}
	if len(keys) != want || len(requests) != want {
		t.Errorf("got %d keys and %d requests, want %d of each", len(keys), len(requests), want)
	}
}

func TestABackupRestoresWhatWasThere(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "it's a backup")
	db := open(t, sqlite.Options{Dir: dir, Exclusive: true})
	write(t, db, 0, 10)
	if err := db.Backup(t.Context(), folder); err != nil {
		t.Fatalf("back up: %v", err)
	}
	write(t, db, 10, 15)
	if err := db.Backup(t.Context(), folder); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("back up over a backup: got %v, want a refusal", err)
	}
	if _, err := sqlite.Restore(t.Context(), folder, dir, time.Now()); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("restore below a serve: got %v, want ErrInUse", err)
	}
	if err := db.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}

	aside, err := sqlite.Restore(t.Context(), folder, dir, time.Now())
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	restored := open(t, sqlite.Options{Dir: dir, Exclusive: true})
	wantHeld(t, restored, 10)
	write(t, restored, 20, 22)
	wantHeld(t, open(t, sqlite.Options{Dir: aside}), 15)

	elsewhere := filepath.Join(t.TempDir(), "new")
	if _, err := sqlite.Restore(t.Context(), folder, elsewhere, time.Now()); err != nil {
		t.Fatalf("restore to a new directory: %v", err)
	}
	wantHeld(t, open(t, sqlite.Options{Dir: elsewhere}), 10)
}

func TestARestoreIsRefusedWhileACommandUsesTheStore(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	db := open(t, sqlite.Options{Dir: dir})
	if err := db.Backup(t.Context(), folder); err != nil {
		t.Fatalf("back up: %v", err)
	}
	if _, err := sqlite.Restore(t.Context(), folder, dir, time.Now()); !errors.Is(err, sqlite.ErrInUse) {
		t.Errorf("restore below a command: got %v, want ErrInUse", err)
	}
}

func TestADamagedBackupIsRefusedAndTouchesNothing(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(folder string) error{
		"a changed byte": func(folder string) error { return patch(filepath.Join(folder, "promptd.db"), 5000, "x") },
		"a cut file":     func(folder string) error { return os.Truncate(filepath.Join(folder, "history.db"), 4096) },
		"a missing file": func(folder string) error { return os.Remove(filepath.Join(folder, "history.db")) },
		"no manifest":    func(folder string) error { return os.Remove(filepath.Join(folder, "backup.json")) },
		"a manifest of a later format": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "backup.json"), []byte(`{"format": 2}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "backup")
			db := open(t, sqlite.Options{Dir: dir})
			write(t, db, 0, 3)
			if err := db.Backup(t.Context(), folder); err != nil {
				t.Fatalf("back up: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
			if err := damage(folder); err != nil {
				t.Fatalf("damage the backup: %v", err)
			}
			if _, err := sqlite.Restore(t.Context(), folder, dir, time.Now()); err == nil {
				t.Errorf("restore a backup with %s: got no error, want a refusal", name)
			}
			wantHeld(t, open(t, sqlite.Options{Dir: dir}), 3)
			if left, _ := filepath.Glob(filepath.Join(dir, "incoming-*")); len(left) > 0 {
				t.Errorf("the refused restore left %v behind", left)
			}
		})
	}
}

// patch overwrites bytes of a file.
func patch(path string, at int64, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(text), at)
	return errors.Join(err, f.Close())
}

func TestABackupBesideWritesIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir, Exclusive: true})
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			batch := make([]usage.Record, 20)
			for j := range batch {
				batch[j] = usage.Record{RequestID: fmt.Sprintf("%d-%d", i, j), Team: "acme", Time: time.Unix(int64(i), 0)}
			}
			if err := db.History().Append(context.WithoutCancel(ctx), batch); err != nil {
				t.Errorf("append: %v", err)
			}
		}
	})
	beside := open(t, sqlite.Options{Dir: dir})
	for i := range 3 {
		folder := filepath.Join(t.TempDir(), fmt.Sprint("backup", i))
		if err := beside.Backup(t.Context(), folder); err != nil {
			t.Fatalf("back up beside writes: %v", err)
		}
		restored := filepath.Join(t.TempDir(), fmt.Sprint("restored", i))
		if _, err := sqlite.Restore(t.Context(), folder, restored, time.Now()); err != nil {
			t.Fatalf("restore: %v", err)
		}
		checkSurvivors(t, open(t, sqlite.Options{Dir: restored}), nil)
	}
	stop()
	writer.Wait()
}
