// Package postgres is the store for several processes: what is kept lies in one PostgreSQL database (15 or newer), which may have replicas that history and
// usage are read from.
//
// It is not for deciding anything: each consumer declares the interface that [DB]'s parts satisfy, and package storetest holds them to it, as it does the
// embedded store. The SQL that both take is in package statement.
//
// Nothing here belongs to a session, so that a pooler that hands its connections on after each transaction (PgBouncer) is as good as the server itself: no
// LISTEN, no SET that outlives its transaction, no advisory lock that does, and no prepared statement where [Open] finds a pooler.
//
// Whoever calls is never kept waiting by a server that hangs: each transaction has a deadline of its own beside the context's, and what runs out of it is
// OVERLOADED. A write is refused when its context has ended and is not interrupted once it began: it is short. Leases are taken and judged by the database's
// clock. Locks are taken in one order: rows of names or budgets in their own order, then rows of counters.
package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/store/statement"
)

// Options say where the store is and how it is used.
type Options struct {
	// URL is the database's, or its pooler's: postgres://user:password@host:port/name, with sslmode and what else libpq knows, and pool_max_conns.
	URL string
	// ReplicaURLs are read replicas of it.
	ReplicaURLs []string
	// Now stands in for the clocks of database and process in tests; nil means the real ones.
	Now func() time.Time
	// Observe is told of every statement or transaction by its name; nil means that nobody is told.
	Observe func(query string, took time.Duration, err error)
}

// DB is the open store. Its parts are safe for concurrent use.
type DB struct {
	opts     Options
	server   Server
	settings string // of a transaction with steady plans
	pool     *pgxpool.Pool
	replicas *replicas
	months   months
	patience patience
	mood     mood
}

// Open opens the store. Tables are made where the database is empty; where they are older than this program needs, it is [ErrBehind].
func Open(ctx context.Context, opts Options) (_ *DB, err error) {
	if opts.Observe == nil {
		opts.Observe = func(string, time.Duration, error) {}
	}
	db := &DB{opts: opts, patience: usual()}
	defer func() {
		if err != nil {
			_ = db.Close()
		}
	}()
	target, err := look(ctx, opts.URL)
	if err != nil {
		return nil, err
	}
	db.server, db.settings = target.server, target.server.settings()
	if db.pool, err = target.open(ctx); err != nil {
		return nil, err
	}
	if db.replicas, err = openReplicas(ctx, opts.ReplicaURLs); err != nil {
		return nil, err
	}
	if err := target.upToDate(ctx, db.pool); err != nil {
		return nil, err
	}
	return db, nil
}

// Close closes the connections. A second Close does nothing.
func (db *DB) Close() error {
	if db.replicas != nil {
		db.replicas.close()
		db.replicas = nil
	}
	if db.pool != nil {
		db.pool.Close()
		db.pool = nil
	}
	return nil
}

// Server says what was found at the URL.
func (db *DB) Server() Server { return db.server }

// Run watches the replicas until the context ends. Without it every read goes to the primary.
func (db *DB) Run(ctx context.Context) error { return db.replicas.watch(ctx, db.pool) }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.row(ctx, "ping", "SELECT 1", nil, func(row statement.Row) error {
		var one int
		return row.Scan(&one)
	})
}

// now is the process's clock, for what no other process judges by.
func (db *DB) now() time.Time {
	if db.opts.Now != nil {
		return db.opts.Now()
	}
	return time.Now()
}

// clock is the parameter that stands before the database's clock in coalesce($n, now_micros()): null but in tests.
func (db *DB) clock() any {
	if db.opts.Now != nil {
		return db.opts.Now().UnixMicro()
	}
	return nil
}
