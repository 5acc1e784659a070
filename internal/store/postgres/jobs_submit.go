package postgres

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
)

// Submit keeps jobs. Those that bring no idempotency keys need one statement.
func (j *Jobs) Submit(ctx context.Context, list []job.Submission) (out []job.Submitted, err error) {
	keyed := false
	for i := range list {
		s := &list[i]
		if err := s.Check(); err != nil {
			return nil, err
		}
		id, ok := idOf(s.Job.ID)
		if !ok {
			return nil, fmt.Errorf("keep the job %q: its id is no UUID", s.Job.ID)
		}
		s.Job.ID = job.ID(id)
		keyed = keyed || s.Idempotency != ""
	}
	if keyed {
		err = j.db.tx(ctx, "job_submit", func(ctx context.Context, tx pgx.Tx) error {
			out, err = j.submitKeyed(ctx, tx, list)
			return err
		})
	} else {
		out, err = j.submitPlain(ctx, list)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// submitPlain keeps jobs without idempotency keys. Of those that were sent before, because their first answer was lost, it gives what is there.
func (j *Jobs) submitPlain(ctx context.Context, list []job.Submission) (out []job.Submitted, err error) {
	err = j.db.steady(ctx, "job_submit", func(b *pgx.Batch) {
		out = make([]job.Submitted, len(list))
		in := newInsertion(list, out, nil)
		b.Queue(newJobs, j.insertArgs(in)...).Query(in.read)
	})
	if !isConflict(err) {
		return out, err
	}
	err = j.db.tx(ctx, "job_submit_again", func(ctx context.Context, tx pgx.Tx) error {
		out = make([]job.Submitted, len(list))
		return j.insert(ctx, tx, list, out, nil)
	})
	return out, err
}

const (
	// sentJobs are jobs as they were sent.
	sentJobs = `WITH sent AS (
	SELECT s.*, clock.now, coalesce(s.run_at, clock.now) AS begins FROM unnest($3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::smallint[], $8::boolean[],
		$9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bytea[], $16::bytea[], $17::int[])
		AS s(id, team, key, priority, urgency, batch, run_at, deadline, trace, endpoint, url, secret, metadata, request, total),
		(SELECT ` + theTime + ` AS now) AS clock
), kept AS (
	INSERT INTO jobs (id, team, key, priority, urgency, batch, run_at, deadline, due_at, trace, endpoint, url, secret, metadata, request, total, run, state, created_at)
	SELECT id, team, key, priority, urgency, batch, begins, coalesce(deadline, begins + $2::bigint), coalesce(deadline, begins + $2::bigint), trace, endpoint,
		url, secret, metadata, request, total, 1, 'pending', now FROM sent`
	sentItems = ` RETURNING id, team, priority, run_at, created_at
), items AS (
	INSERT INTO job_items (job, n, team, priority, run_at, state, name, request)
	SELECT k.id, i.n, k.team, k.priority, k.run_at, 'pending', i.name, i.request
	FROM unnest($18::uuid[], $19::int[], $20::text[], $21::bytea[]) AS i(job, n, name, request) JOIN kept AS k ON k.id = i.job
) SELECT id::text, created_at FROM kept`
	// insertJobs writes jobs and items; what it does not give was there.
	insertJobs = sentJobs + ` ON CONFLICT (id) DO NOTHING` + sentItems
	// newJobs is insertJobs where none was there, which is nearly always so: it fails otherwise. To look for each first made it a fifth dearer (measured 2026-11).
	newJobs = sentJobs + sentItems
)

// insertion is a run of insertJobs.
type insertion struct {
	list  []job.Submission
	out   []job.Submitted
	fresh []*job.Submission
	// places says where in the list those jobs are that it has not given yet.
	places map[string]int
}

// newInsertion takes the submissions that are not to be skipped.
func newInsertion(list []job.Submission, out []job.Submitted, skip []bool) *insertion {
	in := &insertion{list: list, out: out, places: map[string]int{}}
	for i := range list {
		if skip == nil || !skip[i] {
			in.fresh = append(in.fresh, &list[i])
			in.places[string(list[i].Job.ID)] = i
		}
	}
	return in
}

func (j *Jobs) insertArgs(in *insertion) []any {
	return append([]any{j.db.clock(), job.Patience.Microseconds()}, submissionColumns(in.fresh)...)
}

// read reads what insertJobs gives.
func (in *insertion) read(rows pgx.Rows) error {
	var id string
	var created int64
	_, err := pgx.ForEachRow(rows, []any{&id, &created}, func() error {
		i := in.places[id]
		in.out[i].Job = in.list[i].Kept(timeOf(created))
		delete(in.places, id)
		return nil
	})
	return err
}

// insert keeps the submissions that are not to be skipped.
func (j *Jobs) insert(ctx context.Context, tx pgx.Tx, list []job.Submission, out []job.Submitted, skip []bool) error {
	in := newInsertion(list, out, skip)
	if len(in.fresh) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, insertJobs, j.insertArgs(in)...)
	if err != nil {
		return err
	}
	if err := in.read(rows); err != nil || len(in.places) == 0 {
		return err
	}
	return in.repeated(ctx, tx)
}

// repeated gives the jobs that were there: submits that came again, because their first answer was lost.
func (in *insertion) repeated(ctx context.Context, tx pgx.Tx) error {
	var ids []string
	for id := range in.places {
		ids = append(ids, id)
	}
	there, err := readJobs(ctx, tx, ids)
	if err != nil {
		return err
	}
	for id, i := range in.places {
		r := there[id]
		if r == nil || r.Team != in.list[i].Job.Team {
			return fmt.Errorf("keep the job %s: its id is taken", id)
		}
		in.out[i].Job = r.Job
	}
	return nil
}

const selectJobs = `SELECT ` + jobColumns + ` FROM jobs AS j WHERE j.id = ANY($1::text[]::uuid[])`

// readJobs reads jobs by their ids.
func readJobs(ctx context.Context, tx pgx.Tx, ids []string) (map[string]*jobRow, error) {
	rows, err := tx.Query(ctx, selectJobs, ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]*jobRow{}
	for rows.Next() {
		var request []byte
		r, err := scanJob(rows, &request)
		if err != nil {
			return nil, err
		}
		r.Request = request
		found[string(r.ID)] = r
	}
	return found, rows.Err()
}

// submissionColumns gives the parameters of insertJobs from $3 on.
func submissionColumns(list []*job.Submission) []any {
	text := func(of func(s *job.Submission) string) []string { return column(list, of) }
	at := func(of func(s *job.Submission) time.Time) []*int64 {
		return column(list, func(s *job.Submission) *int64 { return when(of(s)) })
	}
	var jobs []string
	var numbers []int32
	var names []*string
	var requests [][]byte
	for _, s := range list {
		for n := range s.Items {
			jobs, numbers, requests = append(jobs, string(s.Job.ID)), append(numbers, int32(n)), append(requests, s.Items[n].Request)
			names = append(names, nameOf(&s.Items[n]))
		}
	}
	return []any{
		uuids(text(func(s *job.Submission) string { return string(s.Job.ID) })), text(func(s *job.Submission) string { return string(s.Job.Team) }),
		text(func(s *job.Submission) string { return string(s.Job.Key) }), column(list, func(s *job.Submission) int16 { return int16(s.Job.Priority) }),
		column(list, func(s *job.Submission) int16 { return int16(s.Job.Urgency) }), column(list, func(s *job.Submission) bool { return s.Job.Batch }),
		at(func(s *job.Submission) time.Time { return s.Job.RunAt }), at(func(s *job.Submission) time.Time { return s.Job.Deadline }),
		text(func(s *job.Submission) string { return s.Job.Trace }), text(func(s *job.Submission) string { return s.Job.Webhook.Endpoint }),
		text(func(s *job.Submission) string { return s.Job.Webhook.URL }), text(func(s *job.Submission) string { return s.Job.Webhook.Secret }),
		column(list, func(s *job.Submission) []byte { return s.Job.Metadata }), column(list, func(s *job.Submission) []byte { return s.Job.Request }),
		column(list, func(s *job.Submission) int32 { return int32(len(s.Items)) }), uuids(jobs), numbers, names, requests,
	}
}

func nameOf(it *job.Item) *string {
	if it.Name == "" {
		return nil
	}
	return &it.Name
}

// keyUse is an idempotency key of a team.
type keyUse struct{ team, key string }

// keyOwner is who used it first.
type keyOwner struct {
	job  string
	hash []byte
}

const (
	// claimKeys takes the keys that are free or no longer count, in one order: who comes at the same time waits for the commit.
	claimKeys = `INSERT INTO job_keys AS k (team, key, hash, job, created_at)
	SELECT u.team, u.key, u.hash, u.job::uuid, ` + theTime + ` FROM unnest($3::text[], $4::text[], $5::bytea[], $6::text[]) AS u(team, key, hash, job) ORDER BY u.team, u.key
	ON CONFLICT (team, key) DO UPDATE SET hash = excluded.hash, job = excluded.job, created_at = excluded.created_at
	WHERE k.created_at <= excluded.created_at - $2::bigint RETURNING k.team, k.key`
	findKeys = `SELECT k.team, k.key, k.hash, k.job::text FROM job_keys AS k JOIN unnest($1::text[], $2::text[]) AS u(team, key) ON k.team = u.team AND k.key = u.key`
)

// claim takes idempotency keys for the first submission of each, and says which it got.
func (j *Jobs) claim(ctx context.Context, tx pgx.Tx, first []*job.Submission) (mine map[keyUse]bool, err error) {
	rows, err := tx.Query(ctx, claimKeys, j.db.clock(), job.Remember.Microseconds(), column(first, func(s *job.Submission) string { return string(s.Job.Team) }),
		column(first, func(s *job.Submission) string { return s.Idempotency }), column(first, func(s *job.Submission) []byte { return s.Hash[:] }),
		column(first, func(s *job.Submission) string { return string(s.Job.ID) }))
	if err != nil {
		return nil, err
	}
	mine = map[keyUse]bool{}
	var u keyUse
	_, err = pgx.ForEachRow(rows, []any{&u.team, &u.key}, func() error { mine[u] = true; return nil })
	return mine, err
}

// owners reads who used keys first.
func owners(ctx context.Context, tx pgx.Tx, uses []keyUse) (map[keyUse]keyOwner, error) {
	rows, err := tx.Query(ctx, findKeys, column(uses, func(u keyUse) string { return u.team }), column(uses, func(u keyUse) string { return u.key }))
	if err != nil {
		return nil, err
	}
	found := map[keyUse]keyOwner{}
	var u keyUse
	var o keyOwner
	_, err = pgx.ForEachRow(rows, []any{&u.team, &u.key, &o.hash, &o.job}, func() error {
		found[u] = keyOwner{o.job, bytes.Clone(o.hash)}
		return nil
	})
	return found, err
}

// submitKeyed keeps jobs of which some bring idempotency keys.
func (j *Jobs) submitKeyed(ctx context.Context, tx pgx.Tx, list []job.Submission) ([]job.Submitted, error) {
	firsts := map[keyUse]int{}
	var claims []*job.Submission
	for i := range list {
		u := keyUse{string(list[i].Job.Team), list[i].Idempotency}
		if _, again := firsts[u]; u.key != "" && !again {
			firsts[u] = i
			claims = append(claims, &list[i])
		}
	}
	mine, err := j.claim(ctx, tx, claims)
	if err != nil {
		return nil, err
	}
	skip := make([]bool, len(list))
	var used []keyUse
	for i := range list {
		u := keyUse{string(list[i].Job.Team), list[i].Idempotency}
		if u.key != "" && !(mine[u] && firsts[u] == i) {
			skip[i] = true
			used = append(used, u)
		}
	}
	out := make([]job.Submitted, len(list))
	if err := j.insert(ctx, tx, list, out, skip); err != nil || len(used) == 0 {
		return out, err
	}
	return out, j.givenAgain(ctx, tx, list, out, skip, used)
}

// givenAgain answers those whose keys were used before.
func (j *Jobs) givenAgain(ctx context.Context, tx pgx.Tx, list []job.Submission, out []job.Submitted, skip []bool, used []keyUse) error {
	first, err := owners(ctx, tx, used)
	if err != nil {
		return err
	}
	var ids []string
	for _, o := range first {
		ids = append(ids, o.job)
	}
	jobs, err := readJobs(ctx, tx, ids)
	if err != nil {
		return err
	}
	for i := range list {
		if !skip[i] {
			continue
		}
		o := first[keyUse{string(list[i].Job.Team), list[i].Idempotency}]
		r := jobs[o.job]
		switch {
		case r == nil:
			return fmt.Errorf("the job %q of an idempotency key is missing", o.job)
		case !bytes.Equal(o.hash, list[i].Hash[:]):
			out[i] = job.Submitted{Err: job.ErrConflict}
		default:
			// A submit of the very same job, whose first answer was lost, is none that comes again.
			out[i] = job.Submitted{Job: r.Job, Again: r.ID != list[i].Job.ID}
		}
	}
	return nil
}
