package postgres

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

// lateNow names the jobs that nobody began until their deadline. Reap ends them soon, so that there are few; their items are not taken.
const lateNow = `SELECT j.id FROM jobs AS j, clock WHERE j.due_at <= clock.now AND j.state = 'pending' AND j.deadline <= clock.now`

// dueTeams lists the teams that have something due in the classes of $2, in the order of their turns: those behind $3 first, at most $4 of each class that are
// behind, and as many before. Each is one step in the index of what is pending (a loose index scan), however much a team has.
const dueTeams = `WITH RECURSIVE clock AS (SELECT ` + theTime + ` AS now), late AS (` + lateNow + `), classes AS (SELECT class, place FROM unnest($2::smallint[]) WITH ORDINALITY AS c(class, place)),
behind AS (
	SELECT c.class, c.place, f.team, f.due, f.due AS found FROM clock, classes AS c CROSS JOIN LATERAL (
		SELECT team, (run_at <= clock.now)::int AS due FROM job_items WHERE state = 'pending' AND job <> ALL (ARRAY(SELECT id FROM late)) AND priority = c.class AND team > $3 ORDER BY team, run_at, job LIMIT 1) AS f
	UNION ALL
	SELECT b.class, b.place, f.team, f.due, b.found + f.due FROM clock, behind AS b CROSS JOIN LATERAL (
		SELECT team, (run_at <= clock.now)::int AS due FROM job_items WHERE state = 'pending' AND job <> ALL (ARRAY(SELECT id FROM late)) AND priority = b.class AND team > b.team ORDER BY team, run_at, job LIMIT 1) AS f WHERE b.found < $4
), before AS (
	SELECT c.class, c.place, f.team, f.due, f.due AS found FROM clock, classes AS c CROSS JOIN LATERAL (
		SELECT team, (run_at <= clock.now)::int AS due FROM job_items WHERE state = 'pending' AND job <> ALL (ARRAY(SELECT id FROM late)) AND priority = c.class AND team <= $3 ORDER BY team, run_at, job LIMIT 1) AS f
	UNION ALL
	SELECT b.class, b.place, f.team, f.due, b.found + f.due FROM clock, before AS b CROSS JOIN LATERAL (
		SELECT team, (run_at <= clock.now)::int AS due FROM job_items WHERE state = 'pending' AND job <> ALL (ARRAY(SELECT id FROM late)) AND priority = b.class AND team > b.team AND team <= $3 ORDER BY team, run_at, job LIMIT 1) AS f WHERE b.found < $4
)
SELECT class, team FROM (SELECT place, 0 AS part, class, team, due FROM behind UNION ALL SELECT place, 1, class, team, due FROM before) AS turn
WHERE due > 0 ORDER BY place, part, team`

// Claim takes what is due. What it costs does not depend on how much waits.
func (j *Jobs) Claim(ctx context.Context, w job.Want) (work []job.Work, err error) {
	if w.Most <= 0 {
		return nil, nil
	}
	turn, err := j.turn(ctx, &w)
	if err != nil || len(turn) == 0 {
		return nil, err
	}
	c := &claim{Jobs: j, want: &w, jobs: map[job.ID]*jobRow{}}
	for _, class := range w.Classes {
		// What was taken before it failed is the worker's: it is given rather than left to its lease.
		if err := c.class(ctx, class, turn[class]); err != nil && len(c.work) == 0 {
			return nil, err
		} else if err != nil {
			break
		}
	}
	return c.work, nil
}

// turn reads which teams have something due. It is a hint: what is taken is looked at again under its lock.
func (j *Jobs) turn(ctx context.Context, w *job.Want) (map[job.Priority][]string, error) {
	var found map[job.Priority][]string
	classes := column(w.Classes, func(c job.Priority) int16 { return int16(c) })
	err := j.db.steady(ctx, "job_turn", func(b *pgx.Batch) {
		found = map[job.Priority][]string{}
		b.Queue(dueTeams, j.db.clock(), classes, string(w.After), w.Most).Query(func(rows pgx.Rows) error {
			var class int16
			var team string
			_, err := pgx.ForEachRow(rows, []any{&class, &team}, func() error {
				found[job.Priority(class)] = append(found[job.Priority(class)], team)
				return nil
			})
			return err
		})
	})
	return found, err
}

// claim is a Claim in progress.
type claim struct {
	*Jobs
	want *job.Want
	work []job.Work
	// jobs are those of what was taken, without those that are over.
	jobs map[job.ID]*jobRow
}

// takenItem is an item that was taken, in the round and at the place of its turn.
type takenItem struct {
	job.Item
	token       string
	place, turn int64
}

func (c *claim) left() int { return c.want.Most - len(c.work) }

// class takes from one class. Each round is a transaction, and gives every team that has something due the same share, so that what teams get in the end differs by one at most, unless
// they have no more.
func (c *claim) class(ctx context.Context, class job.Priority, teams []string) error {
	for c.left() > 0 && len(teams) > 0 {
		share, most := max(1, c.left()/len(teams)), min(len(teams), c.left())
		later := teams[most:]
		teams = teams[:most]
		got, err := c.take(ctx, class, teams, share)
		if err != nil {
			return err
		}
		counts := make([]int, len(teams))
		for _, one := range got {
			counts[one.place-1]++
		}
		slices.SortFunc(got, func(a, b takenItem) int { return cmp.Or(cmp.Compare(a.turn, b.turn), cmp.Compare(a.place, b.place)) })
		for _, one := range got {
			if r := c.jobs[one.Job]; r != nil {
				c.work = append(c.work, job.Work{Lease: job.Lease{Job: one.Job, N: one.N, Token: one.token}, Item: one.Item, Job: r.Job})
			}
		}
		teams = append(slices.Clone(later), next(teams, counts, share)...)
	}
	return nil
}

// next lists the teams that may have more, those behind the one that was served last first.
func next(teams []string, counts []int, share int) (rest []string) {
	last := -1
	for i, n := range counts {
		if n > 0 && n >= counts[max(last, 0)] {
			last = i
		}
	}
	for i := range teams {
		if k := (last + 1 + i) % len(teams); counts[k] == share {
			rest = append(rest, teams[k])
		}
	}
	return rest
}

// takeItems gives items to a worker: of each team of $3 as many as $4 says, the longest due first. What another is just taking is left to it. It makes their jobs
// such as are being done, and gives each item with its job as it was; what may be long of a job comes once. A job that somebody has locked is left alone: it is ending, or being begun by another.
const takeItems = `WITH clock AS (SELECT ` + theTime + ` AS now), late AS (` + lateNow + `), picked AS MATERIALIZED (
	SELECT p.spot, w.place, row_number() OVER (PARTITION BY w.place ORDER BY p.run_at, p.job, p.n) AS turn
	FROM clock, unnest($3::text[]) WITH ORDINALITY AS w(team, place) CROSS JOIN LATERAL (
		SELECT ctid AS spot, job, n, run_at FROM job_items WHERE state = 'pending' AND priority = $2::smallint AND team = w.team AND run_at <= clock.now AND job <> ALL (ARRAY(SELECT id FROM late))
		ORDER BY run_at, job, n LIMIT $4 FOR UPDATE SKIP LOCKED) AS p
), taken AS (
	UPDATE job_items AS i SET state = 'leased', attempt = i.attempt + 1, lease_until = clock.now + $5::bigint, token = $7::text || '-' || picked.place || '-' || picked.turn, worker = $6,
		taken_at = clock.now
	FROM picked, clock WHERE i.ctid = picked.spot
	RETURNING i.job, ` + itemColumns + `, i.token, picked.place, picked.turn
), given AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY job) = 1 AS first FROM taken), free AS MATERIALIZED (
	SELECT j.id FROM jobs AS j WHERE j.id = ANY (ARRAY(SELECT job FROM given WHERE first)) AND j.state = 'pending' FOR NO KEY UPDATE SKIP LOCKED
), begun AS (UPDATE jobs AS j SET state = 'processing', started_at = clock.now FROM free, clock WHERE j.id = free.id)
SELECT i.token, i.place, i.turn, ` + itemColumns + `, clock.now, i.first, CASE WHEN i.first THEN j.request END, ` + smallColumns + `, CASE WHEN i.first THEN j.metadata END
FROM clock, given AS i JOIN jobs AS j ON j.id = i.job`

// take gives each of the teams a share, and begins the jobs.
func (c *claim) take(ctx context.Context, class job.Priority, teams []string, share int) (list []takenItem, err error) {
	token := rand.Text()
	err = c.db.steady(ctx, "job_claim", func(b *pgx.Batch) {
		list = nil
		b.Queue(takeItems, c.db.clock(), int16(class), teams, share, c.want.Lease.Microseconds(), c.want.Worker, token).Query(func(rows pgx.Rows) (err error) {
			list, err = c.taken(rows)
			return err
		})
	})
	return list, err
}

// taken reads what was taken, and the jobs that are not known yet.
func (c *claim) taken(rows pgx.Rows) (list []takenItem, err error) {
	for rows.Next() {
		var one takenItem
		var r *jobRow
		var request []byte
		var first bool
		var micros int64
		one.Item, err = scanItem("", scanned(func(dest ...any) (err error) {
			item := append([]any{&one.token, &one.place, &one.turn}, dest...)
			r, err = scanJob(appended{rows, append(item, &micros, &first, &request)})
			return err
		}))
		if err != nil {
			return nil, err
		}
		one.Job = r.ID
		list = append(list, one)
		if !first || c.jobs[r.ID] != nil {
			continue
		}
		r.Request = request
		if r.State == job.Pending {
			r.Begin(timeOf(micros))
		}
		r.Progress = job.Progress{}
		c.jobs[r.ID] = r
	}
	return list, rows.Err()
}

// scanned is a row whose columns are read by a function.
type scanned func(dest ...any) error

func (s scanned) Scan(dest ...any) error { return s(dest...) }

// appended is a row with columns before those that are asked for.
type appended struct {
	statement.Row
	before []any
}

func (a appended) Scan(dest ...any) error { return a.Row.Scan(append(a.before, dest...)...) }
