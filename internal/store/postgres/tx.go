package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/store/statement"
)

// How long a caller waits for the database at most, beside its own context.
const (
	writePatience = 5 * time.Second
	readPatience  = 15 * time.Second
	// tries bounds how often a transaction is begun that the server undoes because of another.
	tries = 4
)

// tx runs a transaction. The context can end the wait for a connection; afterwards the transaction runs through, or into its own deadline. run may be called again,
// after a deadlock or on a connection that turned out to be dead: it must not keep anything of the time before.
func (db *DB) tx(ctx context.Context, name string, run func(ctx context.Context, tx pgx.Tx) error) error {
	return db.write(ctx, name, func(whole context.Context, conn *pgxpool.Conn) error {
		return pgx.BeginTxFunc(whole, conn, db.server.begin(), func(tx pgx.Tx) error { return run(whole, tx) })
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
func (db *DB) write(ctx context.Context, name string, run func(context.Context, *pgxpool.Conn) error) (err error) {
	began := time.Now()
	defer func() { db.opts.Observe(name, time.Since(began), err) }()
	for try := 1; ; try++ {
		err := db.once(ctx, run)
		if err == nil {
			return nil
		}
		again := isRace(err) || pgconn.SafeToRetry(err) && !errors.Is(err, context.DeadlineExceeded)
		if !again || try == tries || time.Since(began) > writePatience || ctx.Err() != nil {
			return explain(ctx, name, err)
		}
	}
}

func (db *DB) once(ctx context.Context, run func(context.Context, *pgxpool.Conn) error) error {
	waiting, stop := context.WithTimeout(ctx, writePatience)
	defer stop()
	conn, err := db.pool.Acquire(waiting)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that ends closes the connection and leaves it open what became of the write.
	whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	return run(whole, conn)
}

// row reads one row of the primary. It is pgx.ErrNoRows where there is none.
func (db *DB) row(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) error {
	return db.primary().row(ctx, name, query, args, scan)
}

// rows runs a query on the primary and hands each row to scan.
func (db *DB) rows(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) error {
	return db.primary().rows(ctx, name, query, args, scan)
}
