package postgres_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store that the test closes.
func open(tb testing.TB, opts postgres.Options) *postgres.DB {
	tb.Helper()
	db, err := postgres.Open(tb.Context(), opts)
	if err != nil {
		tb.Fatalf("open the store: got the error %v, want none", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close the store: got the error %v, want none", err)
		}
	})
	return db
}

// stores gives the parts of a store.
func stores(db *postgres.DB) storetest.Stores {
	return storetest.Stores{
		Keys: db.Keys(), History: db.History(), Idempotency: db.Idempotency(), Schemas: db.Schemas(), Templates: db.Templates(),
		Learned: db.Learned(), Teams: db.Teams(), Budgets: db.Budgets(), Deliveries: db.Deliveries(), Batches: db.Batches(), Members: db.Members(), Jobs: db.Jobs(),
	}
}

func TestContracts(t *testing.T) {
	t.Parallel()
	lender := postgrestest.NewLender(t)
	storetest.Run(t, func(tb testing.TB, now func() time.Time) storetest.Stores {
		tb.Helper()
		return stores(open(tb, postgres.Options{URL: lender.Database(tb), Now: now}))
	})
}
