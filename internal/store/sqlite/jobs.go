package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// Jobs keeps jobs in promptd.db. Every change is a transaction on the one write connection, so that nothing in it can meet another change; statements are prepared once,
// because a job costs about a dozen of them. Changes that come while another is under way share the next commit, whatever they are: what a commit costs, above all the
// wait for the disk, is then paid for once. Each is nevertheless done as a whole or not at all.
type Jobs struct {
	file     *file
	now      func() time.Time
	together *job.Combiner[change, error]
}

// change is what is done in a transaction. What run gets tells the store's time, the same for the whole of it.
type change func(ctx context.Context, t *jobTx) error

// The bounds of a commit.
const (
	mostChanges = 64
	// gatherChanges is how long a commit waits for other changes under load, and briskChanges how soon after each other they come then.
	gatherChanges, briskChanges = 3 * time.Millisecond, 5 * time.Millisecond
	// commitLimit bounds the wait for the write connection.
	commitLimit = 10 * time.Second
)

func newJobs(f *file, now func() time.Time) *Jobs {
	j := &Jobs{file: f, now: now}
	j.together = job.NewCombiner(job.CombinerConfig[change]{Most: mostChanges, Gather: gatherChanges, Brisk: briskChanges, Timeout: commitLimit}, j.commit)
	return j
}

// Jobs is the part that keeps jobs.
func (db *DB) Jobs() *Jobs { return db.jobs }

// tx makes a change. A context that has ended refuses it; afterwards it runs through, as in file.tx.
func (j *Jobs) tx(ctx context.Context, name string, run change) (err error) {
	began := time.Now()
	defer func() {
		j.file.noteWrite(err)
		j.file.observe(name, time.Since(began), err)
	}()
	if err := ctx.Err(); err != nil {
		return explain(name, err)
	}
	own, err := j.together.Do(context.WithoutCancel(ctx), run)
	if err = cmp.Or(err, own); err != nil {
		return explain(name, err)
	}
	return nil
}

// commit makes changes in one transaction, and gives each its own error.
func (j *Jobs) commit(ctx context.Context, list []change) (own []error, err error) {
	began := time.Now()
	defer func() { j.file.observe("job_commit", time.Since(began), err) }()
	conn, err := j.file.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// A context that can end costs a goroutine a statement, and a write is short.
	whole := context.WithoutCancel(ctx)
	own = make([]error, len(list))
	err = conn.Raw(func(raw any) error { return j.through(whole, raw, list, own) })
	return own, err
}

// through is one transaction on the driver's connection.
func (j *Jobs) through(ctx context.Context, raw any, list []change, own []error) (err error) {
	t := &jobTx{raw: raw, made: &j.file.prepared}
	if _, err := t.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	over := false
	defer func() {
		if over {
			return
		}
		if _, undo := t.exec(ctx, `ROLLBACK`); undo != nil {
			// The connection is in an unknown state: database/sql replaces it on this answer.
			err = errors.Join(driver.ErrBadConn, err, undo)
		}
	}()
	for i, run := range list {
		t.now, t.heard = j.now(), nil
		if len(list) > 1 {
			own[i], err = t.apart(ctx, run)
		} else {
			err = run(ctx, t)
		}
		if err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, `COMMIT`)
	over = err == nil
	return err
}

// apart makes one change of several in a transaction, so that nothing is left of it where it fails. An error beside its own is one of all.
func (t *jobTx) apart(ctx context.Context, run change) (own, err error) {
	if _, err := t.exec(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	if own = run(ctx, t); own != nil {
		if _, undo := t.exec(ctx, `ROLLBACK TO one`); undo != nil { // SQLite has given up the transaction.
			return nil, errors.Join(own, undo)
		}
	}
	_, err = t.exec(ctx, `RELEASE one`)
	return own, err
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
