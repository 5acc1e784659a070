package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/store/storetest"
)

// behind gives the URL of a database through PgBouncer.
func behind(tb testing.TB, database string) string {
	tb.Helper()
	return postgrestest.On(postgrestest.Named(tb, "TEST_PGBOUNCER_URL"), postgrestest.Name(database))
}

// with adds a parameter to a URL.
func with(raw, parameter string) string {
	if strings.Contains(raw, "?") {
		return raw + "&" + parameter
	}
	return raw + "?" + parameter
}

func TestContractsBehindPgBouncer(t *testing.T) {
	t.Parallel()
	postgrestest.Named(t, "TEST_PGBOUNCER_URL")
	lender := postgrestest.NewLender(t)
	storetest.Run(t, func(tb testing.TB, now func() time.Time) storetest.Stores {
		tb.Helper()
		return stores(open(tb, postgres.Options{URL: behind(tb, lender.Database(tb)), Now: now}))
	})
}

func TestAPoolerIsFound(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	if s := open(t, postgres.Options{URL: database}).Server(); s.Pooled || s.Version < 150_000 || s.PoolSize != 16 || s.MaxConnections < 10 {
		t.Errorf("the server itself: got %+v", s)
	}
	if s := open(t, postgres.Options{URL: with(behind(t, database), "pool_max_conns=3")}).Server(); !s.Pooled || s.PoolSize != 3 {
		t.Errorf("through PgBouncer, with three connections: got %+v", s)
	}
}

// TestTimeLimitsHold looks at what the server is told, directly and in a transaction behind a pooler.
func TestTimeLimitsHold(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	for name, url := range map[string]string{"directly": database, "behind a pooler": behind(t, database)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := postgres.Limits(t.Context(), open(t, postgres.Options{URL: url}))
			if err != nil || got != "15s 3s 15s" {
				t.Errorf("got %q, %v, want 15s 3s 15s", got, err)
			}
		})
	}
}
