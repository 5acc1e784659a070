package sqlite_test

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/store/sqlite"
	"github.com/promptd/promptd/internal/store/storetest"
)

// BenchmarkStore measures what every engine does.
func BenchmarkStore(b *testing.B) {
	storetest.Measure(b, func(tb testing.TB, _ func() time.Time) storetest.Stores {
		tb.Helper()
		db := open(tb, sqlite.Options{Dir: tb.TempDir()})
		return storetest.Stores{Keys: db.Keys(), History: db.History(), Idempotency: db.Idempotency(), Budgets: db.Budgets()}
	})
}
