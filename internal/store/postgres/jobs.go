package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

// Jobs keeps jobs. What takes a list does it in a constant number of statements, with an array a column.
//
// Locks are taken in one order: keys of idempotency and uploads, then jobs by id, then their items by number. Who takes items to work on them, or away from a
// worker that was lost, locks items first; it skips what others have locked, jobs too, and so waits for nobody.
type Jobs struct{ db *DB }

// Jobs is the part that keeps jobs.
func (db *DB) Jobs() *Jobs { return &Jobs{db} }

// theTime is the store's clock; $1 is [DB.clock].
const theTime = `coalesce($1::bigint, now_micros())`

const readTime = `SELECT ` + theTime

// jobTx is a transaction in progress, with the store's time.
type jobTx struct {
	pgx.Tx
	now time.Time
}

// tx runs a transaction that asks the time first.
func (j *Jobs) tx(ctx context.Context, name string, run func(ctx context.Context, t *jobTx) error) error {
	return j.db.tx(ctx, name, j.timed(run))
}

// wholeJob bounds a transaction that changes all items of a job, up to 50,000: under load that may take longer than callers wait for others.
const wholeJob = 30 * time.Second

// whole is tx for what changes all items of a job. Its plans go by indexes: of a table that was not analyzed since it grew the server expects few rows, and would
// compare each of a thousand items with each other.
func (j *Jobs) whole(ctx context.Context, name string, run func(ctx context.Context, t *jobTx) error) error {
	timed := j.timed(run)
	return j.db.txWithin(ctx, wholeJob, name, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, j.db.settings); err != nil {
			return err
		}
		return timed(ctx, tx)
	})
}

// timed asks the time before a transaction begins its work.
func (j *Jobs) timed(run func(ctx context.Context, t *jobTx) error) func(context.Context, pgx.Tx) error {
	return func(ctx context.Context, tx pgx.Tx) error {
		var now int64
		if err := tx.QueryRow(ctx, readTime, j.db.clock()).Scan(&now); err != nil {
			return err
		}
		return run(ctx, &jobTx{tx, timeOf(now)})
	}
}

const lead = `INSERT INTO leaders AS l (name, holder, lease_until) VALUES ($2, $3, ` + theTime + ` + $4::bigint) ON CONFLICT (name) DO UPDATE
	SET holder = excluded.holder, lease_until = excluded.lease_until WHERE l.holder = excluded.holder OR l.lease_until <= ` + theTime

// Lead takes or prolongs the lead where nobody else has it.
func (j *Jobs) Lead(ctx context.Context, name, holder string, lease time.Duration) (bool, error) {
	changed, err := j.db.exec(ctx, "job_lead", lead, j.db.clock(), name, holder, lease.Microseconds())
	return changed > 0, err
}

const depth = `SELECT priority, count(*), ` + theTime + ` - min(run_at) FROM job_items WHERE state = 'pending' AND run_at <= ` + theTime + `
	GROUP BY priority ORDER BY priority`

// Depth counts what is due. It reads the index of what is pending once.
func (j *Jobs) Depth(ctx context.Context) (list []job.Depth, err error) {
	err = j.db.rows(ctx, "job_depth", depth, []any{j.db.clock()}, func(row statement.Row) error {
		var class int16
		var due, oldest int64
		err := row.Scan(&class, &due, &oldest)
		list = append(list, job.Depth{Class: job.Priority(class), Due: int(due), Oldest: time.Duration(oldest) * time.Microsecond})
		return err
	})
	return list, err
}

// idOf gives an id as the database writes it; a text that is none is no job's.
func idOf(id job.ID) (string, bool) {
	u, err := uuid.Parse(string(id))
	return u.String(), err == nil && len(id) == len(uuid.Nil.String())
}

func timeOf(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// whenOf reads a time that may be null.
func whenOf(micros *int64) time.Time {
	if micros == nil {
		return time.Time{}
	}
	return timeOf(*micros)
}

// when writes a time, or null where it is zero.
func when(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	n := t.UnixMicro()
	return &n
}

var _ job.Store = (*Jobs)(nil)
