package postgres_test

import (
	"testing"
	"time"

	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
	"github.com/promptd/promptd/internal/store/storetest"
)

// BenchmarkStore measures what every engine does: on the server itself, in the ways of sending a statement, and through PgBouncer.
func BenchmarkStore(b *testing.B) {
	for _, way := range []struct {
		name string
		url  func(tb testing.TB, database string) string
	}{
		{"prepared", func(_ testing.TB, url string) string { return url }},
		{"exec", func(_ testing.TB, url string) string { return with(url, "default_query_exec_mode=exec") }},
		{"pooler, exec", behind},
		{"pooler, cache_describe", func(tb testing.TB, url string) string {
			return with(behind(tb, url), "default_query_exec_mode=cache_describe")
		}},
	} {
		b.Run(way.name, func(b *testing.B) {
			storetest.Measure(b, func(tb testing.TB, _ func() time.Time) storetest.Stores {
				tb.Helper()
				return stores(open(tb, postgres.Options{URL: way.url(tb, postgrestest.Database(tb))}))
			})
		})
	}
}
