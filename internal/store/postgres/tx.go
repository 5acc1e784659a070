package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/store/statement"
)

// patience is how long a caller waits for the database at most, beside its own context.
type patience struct{ write, read time.Duration }

// usual is that of callers. A write is short; sums of years are not.
func usual() patience { return patience{write: 5 * time.Second, read: 15 * time.Second} }

// impatient is what a caller's patience is divided by while the database does not answer.
const impatient = 10

// mood remembers whether the database answers: the first who wait for one that hangs wait long, the others do not, until it has answered again.
type mood struct{ hangs atomic.Bool }

func (m *mood) limit(usual time.Duration) time.Duration {
	if m.hangs.Load() {
		return usual / impatient
	}
	return usual
}

// note sees what came of a call; ctx is the caller's, whose own end says nothing.
func (m *mood) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		m.hangs.Store(false)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		m.hangs.Store(true)
	}
}

// tries bounds how often a transaction is begun that the server undoes because of another, or that a dead connection does not hear of: after a restart of the
// server all that lay idle are dead.
const tries = 4

// errNotBegun marks the error of a connection on which no transaction began: the same may be done on another.
var errNotBegun = errors.New("no transaction began")

// tx runs a transaction. The context can end the wait for a connection; afterwards the transaction runs through, or into its own deadline. run may be called again,
// after a deadlock or on a connection that turned out to be dead: it must not keep anything of the time before.
func (db *DB) tx(ctx context.Context, name string, run func(ctx context.Context, tx pgx.Tx) error) error {
	return db.txWithin(ctx, db.patience.write, name, run)
}

// txWithin is tx with a limit of its own, for a transaction that is known to be long.
func (db *DB) txWithin(ctx context.Context, limit time.Duration, name string, run func(ctx context.Context, tx pgx.Tx) error) error {
	return db.writeWithin(ctx, limit, name, func(whole context.Context, conn *pgxpool.Conn) error {
		tx, err := conn.BeginTx(whole, db.server.begin())
		if err != nil {
			return fmt.Errorf("%w: %w", errNotBegun, err)
		}
		defer tx.Rollback(whole) //nolint:errcheck // After a commit it does nothing, and a connection that can't do it is closed.
		if err := run(whole, tx); err != nil {
			return err
		}
		return tx.Commit(whole)
	})
}

// exec runs one statement that writes, and is a transaction of its own.
func (db *DB) exec(ctx context.Context, name, query string, args ...any) (changed int64, err error) {
	err = db.write(ctx, name, func(whole context.Context, conn *pgxpool.Conn) error {
		done, err := conn.Exec(whole, query, args...)
		changed = done.RowsAffected()
		return err
	})
	return changed, err
}

// write runs something on a connection, once more where the server has undone it or never heard of it.
func (db *DB) write(ctx context.Context, name string, run func(context.Context, *pgxpool.Conn) error) error {
	return db.writeWithin(ctx, db.patience.write, name, run)
}

func (db *DB) writeWithin(ctx context.Context, limit time.Duration, name string, run func(context.Context, *pgxpool.Conn) error) (err error) {
	began := time.Now()
	defer func() { db.opts.Observe(name, time.Since(began), err) }()
	for try := 1; ; try++ {
		err := db.once(ctx, limit, run)
		if err == nil {
			return nil
		}
		unheard := (pgconn.SafeToRetry(err) || errors.Is(err, errNotBegun)) && !errors.Is(err, context.DeadlineExceeded)
		if !isRace(err) && !unheard || try == tries || time.Since(began) > limit || ctx.Err() != nil {
			return explain(ctx, name, err)
		}
	}
}

func (db *DB) once(ctx context.Context, limit time.Duration, run func(context.Context, *pgxpool.Conn) error) error {
	waiting, stop := context.WithTimeout(ctx, db.mood.limit(db.patience.write))
	defer stop()
	conn, err := db.pool.Acquire(waiting)
	if err != nil {
		db.mood.note(ctx, err)
		return err
	}
	defer conn.Release()
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that ends closes the connection and leaves it open what became of the write.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.mood.limit(limit))
	defer cancel()
	err = run(whole, conn)
	db.mood.note(ctx, err)
	return err
}

// row reads one row of the primary. It is pgx.ErrNoRows where there is none.
func (db *DB) row(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) error {
	return db.primary().row(ctx, name, query, args, scan)
}

// rows runs a query on the primary and hands each row to scan.
func (db *DB) rows(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) error {
	return db.primary().rows(ctx, name, query, args, scan)
}
