package sqlite_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir, os.Getenv(childTask)))
	}
	goleak.VerifyTestMain(m)
}

// open opens a store that the test closes.
func open(tb testing.TB, opts sqlite.Options) *sqlite.DB {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("open %s: got the error %v, want none", opts.Dir, err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close %s: got the error %v, want none", opts.Dir, err)
		}
	})
	return db
}

func TestContracts(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(tb testing.TB, now func() time.Time) storetest.Stores {
		tb.Helper()
		db := open(tb, sqlite.Options{Dir: tb.TempDir(), Now: now})
		return storetest.Stores{Keys: db.Keys(), History: db.History(), Idempotency: db.Idempotency(), Schemas: db.Schemas(), Templates: db.Templates(), Learned: db.Learned(), Teams: db.Teams(), Budgets: db.Budgets(), Deliveries: db.Deliveries(), Jobs: db.Jobs(), Batches: db.Batches(), Members: db.Members()}
	})
}
