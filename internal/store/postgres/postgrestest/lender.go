package postgrestest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Lender lends databases with today's tables to tests one after the other, and empties each in between: that is quicker than to make and drop one, of which each
// waits for the server's disk. It is for suites of many small tests. It is safe for concurrent use.
type Lender struct {
	owner testing.TB

	mu   sync.Mutex
	free []string
}

// NewLender makes one. The databases are dropped when the owner ends, which must outlive those who borrow.
func NewLender(owner testing.TB) *Lender {
	owner.Helper()
	URL(owner)
	return &Lender{owner: owner}
}

// Database gives the URL of an empty database until the test ends.
func (l *Lender) Database(tb testing.TB) string {
	tb.Helper()
	url := l.take()
	if url == "" {
		url = Database(l.owner)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			return // It may be in any state.
		}
		admin(tb, url, clearAll)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.free = append(l.free, url)
	})
	return url
}

func (l *Lender) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.free) == 0 {
		return ""
	}
	url := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	return url
}

// Tables that hold what migrations have written.
const (
	written = `('goose_db_version', 'compatibility', 'counters')`
	filled  = `SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
	AND relname NOT IN ` + written
)

// clearAll empties the tables and sets the counters back.
func clearAll(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, filled)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, query := range []string{"TRUNCATE " + strings.Join(tables, ", ") + " RESTART IDENTITY CASCADE", "UPDATE counters SET value = 0"} {
		if _, err := conn.Exec(ctx, query); err != nil {
			return err
		}
	}
	return nil
}
