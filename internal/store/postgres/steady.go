package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The statements of jobs are run again and again, so that what lies around a statement counts: round trips, and plans.

// steady runs statements in one transaction and one round trip, under plans that are made once. What they give is handed to their functions before it is committed: those
// must keep nothing of a time before, since all may be run again.
func (db *DB) steady(ctx context.Context, name string, queue func(b *pgx.Batch)) error {
	return db.write(ctx, name, func(whole context.Context, conn *pgxpool.Conn) error {
		b := &pgx.Batch{}
		b.Queue(db.settings)
		queue(b)
		return conn.SendBatch(whole, b).Close() // Without a BEGIN it is committed as a whole.
	})
}

// piped is a transaction in progress whose beginning went with its first statements, and whose end goes with its last ones.
type piped struct {
	conn *pgxpool.Conn
	// began and ended say what was asked of the server.
	began, ended bool
	settings     string
}

// piped runs a transaction under plans that are made once. run sends batches; the last one ends the transaction, and without one nothing is kept.
func (db *DB) piped(ctx context.Context, name string, run func(ctx context.Context, p *piped) error) error {
	return db.write(ctx, name, func(whole context.Context, conn *pgxpool.Conn) error {
		p := &piped{conn: conn, settings: db.settings}
		err := run(whole, p)
		if conn.Conn().PgConn().TxStatus() != idle {
			_, _ = conn.Exec(whole, "ROLLBACK") //nolint:errcheck // A connection that can't do it is closed when it is given back.
		}
		if err != nil && !p.ended && conn.Conn().IsClosed() {
			return fmt.Errorf("%w: %w", errNotBegun, err) // Nor ended: nothing of it has happened.
		}
		return err
	})
}

// idle is the status of a connection without a transaction.
const idle = 'I'

// send sends statements that others follow.
func (p *piped) send(ctx context.Context, b *pgx.Batch) error {
	if !p.began {
		p.began = true
		first := &pgx.Batch{}
		first.Queue("BEGIN")
		first.Queue(p.settings)
		first.QueuedQueries = append(first.QueuedQueries, b.QueuedQueries...)
		b = first
	}
	return p.conn.SendBatch(ctx, b).Close()
}

// last sends the last statements and ends the transaction.
func (p *piped) last(ctx context.Context, b *pgx.Batch) error {
	if p.ended {
		return errors.New("a transaction was to end twice")
	}
	p.ended = true
	b.Queue("COMMIT")
	return p.send(ctx, b)
}
