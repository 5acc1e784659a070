package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql/driver"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/job"
)

// Claim takes what is due. What it costs does not depend on how much waits: a team's first due item, and the next team, are each one step in the index.
func (j *Jobs) Claim(ctx context.Context, w job.Want) (work []job.Work, err error) {
	if w.Most <= 0 {
		return nil, nil
	}
	err = j.tx(ctx, "job_claim", func(ctx context.Context, t *jobTx) error {
		c := &claim{jobTx: t, want: &w, token: rand.Text(), jobs: map[int64]*jobRow{}, heldUp: map[string]bool{}}
		c.work, c.taken = make([]job.Work, 0, min(w.Most, usualClaim)), make([]driver.Value, 0, min(w.Most, usualClaim))
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

// usualClaim is room for what a claim takes at most under load.
const usualClaim = 64

// claim is a Claim in progress.
type claim struct {
	*jobTx
	want *job.Want
	work []job.Work
	// token is the secret part of every token that this claim gives; the item's number is the other.
	token string
	jobs  map[int64]*jobRow
	// taken are the items, and begun the jobs, that are still to be written.
	taken, begun []driver.Value
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
				taken, err := c.take(ctx, &list[n])
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
		if err := c.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// looks are the queries of a class. Its number is a part of them: SQLite compiles a statement anew when a parameter changes that it may have planned by, which a class and
// a limit are, for many times what running it costs.
type looks struct{ teamAfter, firstTeam, dueItems string }

func looksOf(class job.Priority) looks {
	const (
		teams  = `SELECT team, run_at FROM job_items WHERE state = 'pending' AND priority = `
		after  = ` AND team > ?`
		first  = ` ORDER BY team, run_at LIMIT 1`
		ofTeam = ` AND i.team = ? AND i.run_at <= ? ORDER BY i.run_at, i.item`
	)
	switch class {
	case job.High:
		return looks{teams + "1" + after + first, teams + "1" + first, dueOfClass + "1" + ofTeam}
	case job.Normal:
		return looks{teams + "2" + after + first, teams + "2" + first, dueOfClass + "2" + ofTeam}
	default:
		return looks{teams + "3" + after + first, teams + "3" + first, dueOfClass + "3" + ofTeam}
	}
}

// turn lists the teams that have something due, those behind the one served last first, at most as many as can be served.
func (c *claim) turn(ctx context.Context, class job.Priority, after string) (teams []string, err error) {
	now := c.now.UnixMicro()
	texts := looksOf(class)
	query, args, wrapped := texts.teamAfter, []driver.Value{after}, false
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
			wrapped, query, args = true, texts.firstTeam, nil
			continue
		}
		if due <= now && !c.heldUp[team] {
			teams = append(teams, team)
		}
		query, args = texts.teamAfter, []driver.Value{team}
	}
	return teams, nil
}

// dueItem is an item that is due, with its job.
type dueItem struct {
	item    int64
	attempt int
	tries   []job.Try
	runAt   time.Time
	name    string
	request []byte
	of      *jobRow
}

// dueOfClass begins to read items with their jobs in one go. What the items of a batch have in common is read once a claim, and not with each.
const dueOfClass = `SELECT i.item, i.attempt, i.tries, i.run_at, t.name, t.request, ` + jobColumns + `, ` + detailColumns + `, CASE WHEN j.batch = 0 THEN d.request END
	FROM job_items AS i CROSS JOIN jobs AS j ON j.num = i.item >> 20 CROSS JOIN job_details AS d ON d.num = j.num LEFT JOIN job_texts AS t ON j.batch <> 0 AND t.item = i.item
	WHERE i.state = 'pending' AND i.priority = `

// dueColumns are those of an item there, before its job's.
const dueColumns = 6

func (c *claim) due(ctx context.Context, class job.Priority, team string, most int) (list []dueItem, err error) {
	list = make([]dueItem, 0, most)
	err = c.query(ctx, func(row []driver.Value) error {
		tries, err := readTries(row[2])
		d := dueItem{item: whole(row[0]), attempt: int(whole(row[1])), tries: tries, runAt: moment(row[3]), name: words(row[4]), request: blob(row[5])}
		num, n := placeOf(d.item)
		if row[4] == nil {
			d.name = nameOf(n)
		}
		if d.of = c.jobs[num]; d.of == nil {
			d.of = readJob(row[dueColumns:])
			c.jobs[num] = d.of
		}
		if list = append(list, d); err == nil && len(list) == most {
			err = errEnough
		}
		return err
	}, looksOf(class).dueItems, team, c.now.UnixMicro())
	return list, err
}

// take gives an item to the worker, unless its job is over or late.
func (c *claim) take(ctx context.Context, d *dueItem) (taken bool, err error) {
	of := d.of
	if err := c.begin(ctx, of); err != nil || of.State.Final() || of.State == job.Pending {
		return false, err
	}
	_, n := placeOf(d.item)
	w := job.Work{
		Lease: job.Lease{Job: of.ID, N: n, Token: c.token + strconv.FormatInt(d.item, 10)},
		Item:  job.Item{Job: of.ID, N: n, State: job.ItemLeased, Attempt: d.attempt + 1, Tries: d.tries, RunAt: d.runAt},
		Job:   of.Job,
	}
	w.Job.Progress = job.Progress{}
	if of.Batch {
		w.Item.Name, w.Item.Request = d.name, d.request
	}
	c.work = append(c.work, w)
	c.taken = append(c.taken, d.item)
	return true, nil
}

const sharedRequest = `SELECT request FROM job_details WHERE num = ?`

// begin makes an item's job one that is being done, once a claim, unless its deadline has passed before anybody came: then it stays pending, and Reap ends it.
func (c *claim) begin(ctx context.Context, r *jobRow) error {
	if r.seen {
		return nil
	}
	r.seen = true
	if r.State == job.Pending && r.Deadline.After(c.now) {
		r.Begin(c.now)
		c.begun = append(c.begun, r.num)
	}
	if !r.Batch {
		return nil
	}
	_, err := c.one(ctx, func(row []driver.Value) { r.Request = blob(row[0]) }, sharedRequest, r.num)
	return err
}

const (
	takeItems = `UPDATE job_items SET state = 'leased', attempt = attempt + 1, lease_until = ?, token = ? || item, worker = ?, taken_at = ? WHERE item IN (`
	beginJobs = `UPDATE jobs SET state = 'processing', started_at = ? WHERE num IN (`
)

// these is a statement about rows by a number of theirs.
func these(head string) block { return block{head, "?", ")", 1} }

// write writes what was taken and begun.
func (c *claim) write(ctx context.Context) error {
	now := c.now.UnixMicro()
	_, err := c.execRows(ctx, these(takeItems), []driver.Value{c.now.Add(c.want.Lease).UnixMicro(), c.token, c.want.Worker, now}, c.taken)
	if err != nil {
		return err
	}
	_, err = c.execRows(ctx, these(beginJobs), []driver.Value{now}, c.begun)
	c.taken, c.begun = c.taken[:0], c.begun[:0]
	return err
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
