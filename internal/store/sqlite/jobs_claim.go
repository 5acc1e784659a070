package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// Claim takes what is due. What it costs does not depend on how much waits: a team's first due item, and the next team, are each one step in the index.
func (j *Jobs) Claim(ctx context.Context, w job.Want) (work []job.Work, err error) {
	if w.Most <= 0 {
		return nil, nil
	}
	err = j.tx(ctx, "job_claim", func(ctx context.Context, t *jobTx) error {
		c := &claim{jobTx: t, want: &w, jobs: map[int64]*jobRow{}, heldUp: map[string]bool{}}
		for _, class := range w.Classes {
			if err := c.class(ctx, class); err != nil {
				return err
			}
		}
		work = c.work
		return nil
	})
	if err != nil {
		return nil, err
	}
	return work, nil
}

// claim is a Claim in progress.
type claim struct {
	*jobTx
	want *job.Want
	work []job.Work
	jobs map[int64]*jobRow
	// held up are teams whose next item is of a job that nobody began until its deadline: Reap ends that soon, and its items are not stepped over.
	heldUp map[string]bool
}

func (c *claim) left() int { return c.want.Most - len(c.work) }

// class takes from one class. Each round gives every team that has something due the same share, so that what teams get in the end differs by one at most, unless
// they have no more.
func (c *claim) class(ctx context.Context, class job.Priority) error {
	after := string(c.want.After)
	clear(c.heldUp) // Of another class.
	for c.left() > 0 {
		teams, err := c.turn(ctx, class, after)
		if err != nil || len(teams) == 0 {
			return err
		}
		share := max(1, c.left()/len(teams))
		lists := make([][]dueItem, len(teams))
		for i, team := range teams {
			if lists[i], err = c.due(ctx, class, team, share); err != nil {
				return err
			}
		}
		for n := range share {
			for i, list := range lists {
				if n >= len(list) || c.left() == 0 {
					continue
				}
				taken, err := c.take(ctx, list[n])
				if err != nil {
					return err
				}
				if taken {
					after = teams[i]
				} else {
					c.heldUp[teams[i]] = true
				}
			}
		}
	}
	return nil
}

const (
	teamAfter = `SELECT team, run_at FROM job_items WHERE state = 'pending' AND priority = ? AND team > ? ORDER BY team, run_at LIMIT 1`
	firstTeam = `SELECT team, run_at FROM job_items WHERE state = 'pending' AND priority = ? ORDER BY team, run_at LIMIT 1`
)

// turn lists the teams that have something due, those behind the one served last first, at most as many as can be served.
func (c *claim) turn(ctx context.Context, class job.Priority, after string) (teams []string, err error) {
	now := c.now.UnixMicro()
	query, args, wrapped := teamAfter, []driver.Value{int64(class), after}, false
	for len(teams) < c.left() {
		var team string
		var due int64
		found, err := c.one(ctx, func(row []driver.Value) { team, due = words(row[0]), whole(row[1]) }, query, args...)
		switch {
		case err != nil:
			return nil, err
		case !found && wrapped, found && wrapped && team > after:
			return teams, nil
		case !found:
			wrapped, query, args = true, firstTeam, []driver.Value{int64(class)}
			continue
		}
		if due <= now && !c.heldUp[team] {
			teams = append(teams, team)
		}
		query, args = teamAfter, []driver.Value{int64(class), team}
	}
	return teams, nil
}

// dueItem is what of an item is read before it is taken.
type dueItem struct {
	item    int64
	attempt int
	tries   []job.Try
	runAt   time.Time
}

const dueItems = `SELECT item, attempt, tries, run_at FROM job_items WHERE state = 'pending' AND priority = ? AND team = ? AND run_at <= ? ORDER BY run_at, item LIMIT ?`

func (c *claim) due(ctx context.Context, class job.Priority, team string, most int) (list []dueItem, err error) {
	err = c.query(ctx, func(row []driver.Value) error {
		tries, err := readTries(row[2])
		list = append(list, dueItem{whole(row[0]), int(whole(row[1])), tries, moment(row[3])})
		return err
	}, dueItems, int64(class), team, c.now.UnixMicro(), int64(most))
	return list, err
}

const (
	takeItem = `UPDATE job_items SET state = 'leased', attempt = ?, lease_until = ?, token = ?, worker = ?, taken_at = ? WHERE item = ?`
	readText = `SELECT name, request FROM job_texts WHERE item = ?`
	beginJob = `UPDATE jobs SET state = ?, started_at = ? WHERE num = ?`
)

// take gives an item to the worker, unless its job is over or late.
func (c *claim) take(ctx context.Context, d dueItem) (taken bool, err error) {
	num, n := placeOf(d.item)
	of, err := c.begun(ctx, num)
	if err != nil || of.State.Final() || of.State == job.Pending {
		return false, err
	}
	w := job.Work{
		Lease: job.Lease{Job: of.ID, N: n, Token: rand.Text()},
		Item:  job.Item{Job: of.ID, N: n, State: job.ItemLeased, Attempt: d.attempt + 1, Tries: d.tries, RunAt: d.runAt},
		Job:   of.Job,
	}
	w.Job.Progress = job.Progress{}
	if of.Batch {
		if _, err := c.one(ctx, func(row []driver.Value) { w.Item.Name, w.Item.Request = words(row[0]), blob(row[1]) }, readText, d.item); err != nil {
			return false, err
		}
	}
	c.work = append(c.work, w)
	_, err = c.exec(ctx, takeItem, int64(w.Item.Attempt), c.now.Add(c.want.Lease).UnixMicro(), w.Lease.Token, c.want.Worker, c.now.UnixMicro(), d.item)
	return true, err
}

// begun reads an item's job, once a claim, and makes it one that is being done, unless its deadline has passed before anybody came: then it
// stays pending, and Reap ends it.
func (c *claim) begun(ctx context.Context, num int64) (*jobRow, error) {
	if r := c.jobs[num]; r != nil {
		return r, nil
	}
	r, err := c.job(ctx, jobByNum, num)
	if err == nil && r == nil {
		err = fmt.Errorf("the job %d of an item is missing", num)
	}
	if err != nil {
		return nil, err
	}
	c.jobs[num] = r
	switch {
	case r.State != job.Pending:
		return r, nil
	case !r.Deadline.After(c.now):
		return r, nil
	default:
		r.Begin(c.now)
		_, err = c.exec(ctx, beginJob, string(r.State), instant(r.StartedAt), r.num)
		return r, err
	}
}

const (
	// Only who has the token may write, and only while the item is with it. A lease never gets shorter: who parked an item keeps what it asked for.
	ofLease    = ` WHERE item = (SELECT num << 20 | ? FROM jobs WHERE id = ?) AND token = ?`
	renewLease = `UPDATE job_items SET lease_until = max(lease_until, ?)` + ofLease
	parkItem   = `UPDATE job_items SET lease_until = max(lease_until, ?), state = 'waiting'` + ofLease
)

// Renew prolongs leases.
func (j *Jobs) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return j.prolong(ctx, "job_renew", renewLease, leases, d)
}

// Park prolongs leases of items that wait for another way.
func (j *Jobs) Park(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	return j.prolong(ctx, "job_park", parkItem, leases, d)
}

func (j *Jobs) prolong(ctx context.Context, name, query string, leases []job.Lease, d time.Duration) (lost []job.Lease, err error) {
	err = j.tx(ctx, name, func(ctx context.Context, t *jobTx) error {
		until := t.now.Add(d).UnixMicro()
		for _, l := range leases {
			changed := int64(0)
			if numbered(l.N) {
				if changed, err = t.exec(ctx, query, until, int64(l.N), string(l.Job), l.Token); err != nil {
					return err
				}
			}
			if changed == 0 {
				lost = append(lost, l)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lost, nil
}
