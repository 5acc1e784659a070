package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// Jobs keeps jobs in promptd.db. Every change is one transaction on the one write connection, so that nothing in it can meet another change; statements are
// prepared once, because a job costs about a dozen of them.
type Jobs struct {
	file *file
	now  func() time.Time
}

// Jobs is the part that keeps jobs.
func (db *DB) Jobs() *Jobs { return &Jobs{file: db.main, now: db.opts.Now} }

// tx runs a transaction. What run gets tells the store's time, the same for the whole of it.
func (j *Jobs) tx(ctx context.Context, name string, run func(ctx context.Context, t *jobTx) error) (err error) {
	began := time.Now()
	defer func() {
		j.file.noteWrite(err)
		j.file.observe(name, time.Since(began), err)
	}()
	conn, err := j.file.write.Conn(ctx)
	if err != nil {
		return explain(name, err)
	}
	defer conn.Close()
	if err := ctx.Err(); err != nil {
		return explain(name, err)
	}
	// As in file.tx: a write is short and runs through, and a context that can end costs a goroutine a statement.
	whole := context.WithoutCancel(ctx)
	tx, err := conn.BeginTx(whole, nil)
	if err != nil {
		return explain(name, err)
	}
	defer tx.Rollback() // After a commit this does nothing.
	if err := run(whole, &jobTx{conn: conn, tx: tx, made: &j.file.prepared, now: j.now()}); err != nil {
		return explain(name, err)
	}
	if err := tx.Commit(); err != nil {
		return explain(name, err)
	}
	return nil
}

const lead = `INSERT INTO leaders (name, holder, lease_until) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE
	SET holder = excluded.holder, lease_until = excluded.lease_until WHERE holder = excluded.holder OR lease_until <= ?`

// Lead takes or prolongs the lead where nobody else has it.
func (j *Jobs) Lead(ctx context.Context, name, holder string, lease time.Duration) (leads bool, err error) {
	err = j.tx(ctx, "job_lead", func(ctx context.Context, t *jobTx) error {
		changed, err := t.exec(ctx, lead, name, holder, t.now.Add(lease).UnixMicro(), t.now.UnixMicro())
		leads = changed > 0
		return err
	})
	return leads && err == nil, err
}

const depth = `SELECT priority, count(*), min(run_at) FROM job_items WHERE state = 'pending' AND run_at <= $1 GROUP BY priority ORDER BY priority`

// Depth counts what is due. It reads the index of what is pending once.
func (j *Jobs) Depth(ctx context.Context) ([]job.Depth, error) {
	now := j.now()
	var list []job.Depth
	err := j.file.rows(ctx, "job_depth", depth, []any{now.UnixMicro()}, func(rows *sql.Rows) error {
		var d job.Depth
		var oldest int64
		err := rows.Scan(&d.Class, &d.Due, &oldest)
		d.Oldest = now.Sub(time.UnixMicro(oldest))
		list = append(list, d)
		return err
	})
	return list, err
}

var _ job.Store = (*Jobs)(nil)
