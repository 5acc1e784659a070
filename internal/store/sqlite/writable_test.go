package sqlite_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// A store that could not be written says so until it can be, also where nobody else tries.
func TestAFileThatCanNotBeWrittenIsNotReady(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(dir, "promptd.db"))+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	lock, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("before a write has failed: %v", err)
	}
	issuer := &key.Issuer{Store: db.Keys()}
	if _, _, err := issuer.Create(t.Context(), key.Key{Name: "late", Scopes: key.AllScopes}); fault.Of(err).Code != fault.Overloaded {
		t.Errorf("a write under the lock of another one: %v, want OVERLOADED", err)
	}
	if err := db.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "locked by another process") {
		t.Errorf("under the lock: %v, want that it is locked", err)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Errorf("without the lock: %v", err)
	}
	if _, _, err := issuer.Create(t.Context(), key.Key{Name: "late", Scopes: key.AllScopes}); err != nil {
		t.Errorf("a write without the lock: %v", err)
	}
}
