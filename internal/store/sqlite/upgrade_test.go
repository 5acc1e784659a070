package sqlite_test

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/migrations"
	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/usage"
)

// downgrade brings a file's tables back to those of the first release.
func downgrade(t *testing.T, path string, read func() (fs.FS, error)) {
	t.Helper()
	files, err := read()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 1); err != nil {
		t.Fatalf("downgrade %s: %v", path, err)
	}
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 1"); err != nil {
		t.Fatal(err)
	}
}

// What the first release has kept is there after an upgrade, and what came since works on it.
func TestTheFirstReleasesDataIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, sqlite.Options{Dir: dir})
	write(t, db, 0, 3)
	want := usage.Record{RequestID: "r1", Team: "acme", Time: time.Unix(1_700_000_000, 0).UTC(), Status: 200, Model: "m", Prompt: "a text", Cost: usage.Costs(7)}
	if err := db.History().Append(t.Context(), []usage.Record{want}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	downgrade(t, filepath.Join(dir, "promptd.db"), migrations.SQLite)
	downgrade(t, filepath.Join(dir, "history.db"), migrations.SQLiteHistory)

	db = open(t, sqlite.Options{Dir: dir})
	if keys, _, err := db.Keys().List(t.Context(), key.AllTeams(), 10, ""); err != nil || len(keys) != 3 {
		t.Errorf("got %d keys, %v, want 3", len(keys), err)
	}
	got, err := db.History().Request(t.Context(), key.OfTeam("acme"), "r1")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the request differs (-want +got):\n%s", d)
	}
	if _, _, err := db.Templates().Find(t.Context(), "acme", "order", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("templates of an upgraded store: got %v, want NOT_FOUND", err)
	}
	want.RequestID, want.Template = "r2", "order@1"
	if err := db.History().Append(t.Context(), []usage.Record{want}); err != nil {
		t.Fatal(err)
	}
	if got, err = db.History().Request(t.Context(), key.OfTeam("acme"), "r2"); err != nil || got.Template != "order@1" {
		t.Errorf("a request after the upgrade: got the template %q, %v", got.Template, err)
	}
	jobsWork(t, db)
}

// jobsWork checks that jobs can be kept and done in a store that was upgraded.
func jobsWork(t *testing.T, db *sqlite.DB) {
	t.Helper()
	one := job.Submission{Job: job.Job{ID: "019ac6f2-0000-7000-8000-000000000001", Team: "acme", Priority: job.Normal, Request: []byte("{}")}, Items: make([]job.Item, 1)}
	if got, err := db.Jobs().Submit(t.Context(), []job.Submission{one}); err != nil || got[0].Err != nil {
		t.Fatalf("submit a job: got %+v, %v", got, err)
	}
	work, err := db.Jobs().Claim(t.Context(), job.Want{Worker: "w", Most: 1, Lease: time.Minute, Classes: []job.Priority{job.Normal}})
	if err != nil || len(work) != 1 {
		t.Fatalf("claim: got %d items, %v, want 1", len(work), err)
	}
	got, err := db.Jobs().Finish(t.Context(), []job.Finished{{Lease: work[0].Lease, State: job.ItemCompleted, Result: []byte("{}")}})
	if err != nil || !got[0].Last || got[0].State != job.Completed {
		t.Errorf("finish: got %+v, %v, want a completed job", got, err)
	}
}
