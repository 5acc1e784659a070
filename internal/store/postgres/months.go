package postgres

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/usage"
)

// monthsAhead are made beside the current one.
const monthsAhead = 2

// madeAgain is how long it takes until a partition is tried again that could not be made: its rows go to requests_other meanwhile.
const madeAgain = time.Minute

// alone are the numbers of the transaction's advisory locks: those who make or drop partitions, and who migrates, follow one another.
const (
	aloneWithMonths int64 = 0x70726f6d70746401 // "promptd" and a number.
	aloneMigrating  int64 = 0x70726f6d70746402
)

// errBatch refuses what is too much for one transaction.
func errBatch(n int) error {
	return fault.New(fault.PayloadTooLarge, "a batch of %d records is more than the %d that are kept in one transaction", n, mostBatch)
}

// month is a partition of requests.
type month struct{ from, to time.Time }

// monthOf gives the month that a time lies in, in UTC.
func monthOf(t time.Time) month {
	t = t.UTC()
	from := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
	return month{from, from.AddDate(0, 1, 0)}
}

func (m month) next() month { return monthOf(m.to) }

// table is its name, which holds nothing but digits behind a constant.
func (m month) table() string { return m.from.Format("requests_2006_01") }

// months remembers which partitions are there, so that the database is asked once.
type months struct {
	mu    sync.Mutex
	there map[string]bool
	again time.Time
}

// prepare makes the partition that a batch goes to, where the month is the current one or the next. It never fails: rows without a partition go to
// requests_other, and move when it is made.
func (m *months) prepare(ctx context.Context, db *DB, batch []usage.Record) {
	now := db.now()
	current := monthOf(now)
	for i := range batch {
		if of := monthOf(batch[i].Time); (of == current || of == current.next()) && m.due(of, now) {
			_ = m.make(ctx, db, of, now)
		}
	}
}

// due says whether a month is to be made.
func (m *months) due(of month, now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.there[of.table()] && !now.Before(m.again)
}

// ahead makes the current month and those that follow.
func (m *months) ahead(ctx context.Context, db *DB) error {
	now := db.now()
	for of, n := monthOf(now), 0; n <= monthsAhead; of, n = of.next(), n+1 {
		if !m.due(of, now) {
			continue
		}
		if err := m.make(ctx, db, of, now); err != nil {
			return err
		}
	}
	return nil
}

// make makes a partition and notes it, or notes when to try again.
func (m *months) make(ctx context.Context, db *DB, of month, now time.Time) error {
	err := db.makeMonth(ctx, of)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.again = now.Add(madeAgain)
		return err
	}
	if m.there == nil {
		m.there = map[string]bool{}
	}
	m.there[of.table()] = true
	return nil
}

// quick keeps others from waiting behind a change of the tables: it gets its locks soon or not at all.
const quick = `SET LOCAL lock_timeout = '1s'`

// makeMonth makes a partition and puts into it what lay in requests_other meanwhile. Attaching a table that was made before locks the other partitions for nobody;
// CREATE TABLE … PARTITION OF would lock all of requests.
func (db *DB) makeMonth(ctx context.Context, of month) error {
	return db.tx(ctx, "history_month", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, quick); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", aloneWithMonths); err != nil {
			return err
		}
		var there bool
		if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", of.table()).Scan(&there); err != nil || there {
			return err
		}
		from, to := of.from.UnixMicro(), of.to.UnixMicro()
		for _, query := range []string{
			// No value can be bound in these; the names and the numbers are made of a month.
			fmt.Sprintf(`CREATE TABLE %s (LIKE requests INCLUDING ALL)`, of.table()),
			fmt.Sprintf(`WITH moved AS (DELETE FROM requests_other WHERE time >= %[2]d AND time < %[3]d RETURNING *) INSERT INTO %[1]s SELECT * FROM moved`, of.table(), from, to),
			fmt.Sprintf(`ALTER TABLE requests ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`, of.table(), from, to),
		} {
			if _, err := tx.Exec(ctx, query); err != nil {
				return err
			}
		}
		return nil
	})
}

const listMonths = `SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'requests'::regclass ORDER BY c.relname`

// monthName is what table makes.
const monthName = `^requests_\d{4}_\d{2}$`

// drop drops the partitions that end before a time, whole.
func (db *DB) drop(ctx context.Context, before time.Time) error {
	named := regexp.MustCompile(monthName)
	return db.tx(ctx, "history_drop", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, listMonths)
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		var old []string
		for _, name := range names {
			from, err := time.Parse("requests_2006_01", name)
			if named.MatchString(name) && err == nil && !monthOf(from).to.After(before) {
				old = append(old, name)
			}
		}
		if len(old) == 0 {
			return nil
		}
		if _, err := tx.Exec(ctx, quick); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", aloneWithMonths); err != nil {
			return err
		}
		for _, name := range old {
			if _, err := tx.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
				return err
			}
		}
		return nil
	})
}

// purgeOld deletes the oldest of each team, found by its index.
const purgeOld = eachTeam + ` DELETE FROM requests USING (
	SELECT o.id, o.time FROM teams CROSS JOIN LATERAL (
		SELECT id, time FROM requests WHERE team = teams.team AND time < $1 ORDER BY time LIMIT $2
	) AS o LIMIT $2
) AS old WHERE requests.id = old.id AND requests.time = old.time`

// Purge makes the partitions of the months to come, drops those that are too old as a whole, without counting what was in them, and deletes a portion of the rest.
func (h *History) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := h.db.months.ahead(ctx, h.db); err != nil {
		return 0, err
	}
	if err := h.db.drop(ctx, before); err != nil {
		return 0, err
	}
	deleted, err := h.db.exec(ctx, "history_purge", purgeOld, before.UnixMicro(), limit)
	return int(deleted), err
}
