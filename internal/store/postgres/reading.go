package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/store/statement"
)

// reader reads from one database. A replica's queries are observed under names of their own, which end in _replica.
type reader struct {
	pool     *pgxpool.Pool
	observe  func(query string, took time.Duration, err error)
	patience time.Duration
	// mood is the primary's; it is told of answers, and of none that takes too long: a report may.
	mood *mood
}

func (db *DB) primary() reader {
	return reader{db.pool, db.opts.Observe, db.mood.limit(db.patience.read), &db.mood}
}

func (db *DB) replica(one *replica) reader {
	observe := func(query string, took time.Duration, err error) { db.opts.Observe(query+"_replica", took, err) }
	return reader{one.pool, observe, db.patience.read, nil}
}

// row reads one row. It is pgx.ErrNoRows where there is none.
func (from reader) row(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) error {
	found := false
	err := from.rows(ctx, name, query, args, func(row statement.Row) error {
		found = true
		return scan(row)
	})
	if err == nil && !found {
		return pgx.ErrNoRows
	}
	return err
}

// rows runs a query and hands each row to scan.
func (from reader) rows(ctx context.Context, name, query string, args []any, scan func(statement.Row) error) (err error) {
	began := time.Now()
	defer func() { from.observe(name, time.Since(began), err) }()
	bounded, cancel := context.WithTimeout(ctx, from.patience)
	defer cancel()
	rows, err := from.pool.Query(bounded, query, args...)
	if err != nil {
		return explain(ctx, name, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return explain(ctx, name, err)
		}
	}
	if err := rows.Err(); err != nil {
		return explain(ctx, name, err)
	}
	if from.mood != nil {
		from.mood.note(ctx, nil)
	}
	return nil
}

// source runs something that reads, where it may be read. It may run it twice: on a replica that then goes away, and on the primary.
type source func(ctx context.Context, read func(context.Context, reader) error) error

// onPrimary reads what must be of this moment.
func (db *DB) onPrimary(ctx context.Context, read func(context.Context, reader) error) error {
	return read(ctx, db.primary())
}

// anyReplica reads what may be some seconds old.
func (db *DB) anyReplica(ctx context.Context, read func(context.Context, reader) error) error {
	one, until := db.replicas.best()
	if until.IsZero() {
		return db.onPrimary(ctx, read)
	}
	under, end := one.under(ctx)
	err := read(under, db.replica(one))
	end()
	if err == nil || errors.Is(err, pgx.ErrNoRows) || ctx.Err() != nil {
		return err
	}
	one.set(time.Time{}) // Until it is looked at again.
	return db.onPrimary(ctx, read)
}

// older reads what has no record younger than a time: from a replica that has everything of that time, else from the primary. The zero time is now.
func (db *DB) older(ctx context.Context, newest time.Time, read func(context.Context, reader) error) error {
	if until, ok := db.replicas.until(); !ok || newest.IsZero() || newest.After(until) {
		return db.onPrimary(ctx, read)
	}
	return db.anyReplica(ctx, read)
}

// bornOf reads the time that a request's id was made at; zero where the id does not tell.
func bornOf(id string) time.Time {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}
	}
	return time.Unix(u.Time().UnixTime())
}
