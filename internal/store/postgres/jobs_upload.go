package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/statement"
)

const (
	beginUpload = `WITH kept AS (
	INSERT INTO jobs (id, team, key, priority, urgency, batch, run_at, deadline, trace, endpoint, url, secret, metadata, request, total, run, state, created_at)
	SELECT $2::text::uuid, $3, $4, $5::smallint, $6::smallint, $7::boolean, $8::bigint, $9::bigint, $10, $11, $12, $13, $14::bytea, $15::bytea, 0, 1, 'uploading', ` + theTime + `
	ON CONFLICT (id) DO NOTHING RETURNING id)
	INSERT INTO job_uploads (job, idempotency, touched_at) SELECT id, $16, ` + theTime + ` FROM kept`
	teamOf = `SELECT team FROM jobs WHERE id = $1::text::uuid`
)

// Begin keeps the head of an upload. Times that are not given are 0 until its seal.
func (j *Jobs) Begin(ctx context.Context, s job.Submission) error {
	if err := s.CheckHead(); err != nil {
		return err
	}
	id, ok := idOf(s.Job.ID)
	if !ok {
		return fmt.Errorf("keep the job %q: its id is no UUID", s.Job.ID)
	}
	one := &s.Job
	given := func(t time.Time) int64 {
		if t.IsZero() {
			return 0
		}
		return t.UnixMicro()
	}
	changed, err := j.db.exec(ctx, "job_begin", beginUpload, j.db.clock(), id, string(one.Team), string(one.Key), int16(one.Priority), int16(one.Urgency), one.Batch,
		given(one.RunAt), given(one.Deadline), one.Trace, one.Webhook.Endpoint, one.Webhook.URL, one.Webhook.Secret, one.Metadata, one.Request, s.Idempotency)
	if err != nil || changed > 0 {
		return err
	}
	var team string
	if err := j.db.row(ctx, "job_begin", teamOf, []any{id}, func(row statement.Row) error { return row.Scan(&team) }); err != nil {
		return err
	}
	if team != string(one.Team) {
		return fmt.Errorf("keep the job %s: its id is taken", id)
	}
	return nil
}

// appendItems adds to an upload that is there, and says whether it is.
const appendItems = `WITH touched AS (UPDATE job_uploads SET touched_at = ` + theTime + ` WHERE job = $2::text::uuid AND touched_at > 0 RETURNING job),
	added AS (INSERT INTO job_items (job, n, team, priority, run_at, state, name, request)
		SELECT j.id, i.n, j.team, j.priority, j.run_at, 'uploading', i.name, i.request
		FROM touched AS t JOIN jobs AS j ON j.id = t.job, unnest($3::int[], $4::text[], $5::bytea[]) AS i(n, name, request) ON CONFLICT (job, n) DO NOTHING)
	SELECT count(*) FROM touched`

// Append keeps a portion of an upload.
func (j *Jobs) Append(ctx context.Context, id job.ID, items []job.Item) error {
	for i := range items {
		if n := items[i].N; n < 0 || n >= job.MostItems {
			return fmt.Errorf("keep item %d of the job %s: a job holds up to %d", n, id, job.MostItems)
		}
	}
	text, ok := idOf(id)
	if !ok {
		return job.ErrNotFound
	}
	return j.db.tx(ctx, "job_append", func(ctx context.Context, tx pgx.Tx) error {
		var there int
		err := tx.QueryRow(ctx, appendItems, j.db.clock(), text, column(items, func(it job.Item) int32 { return int32(it.N) }),
			column(items, func(it job.Item) *string { return nameOf(&it) }), column(items, func(it job.Item) []byte { return it.Request })).Scan(&there)
		if err == nil && there == 0 {
			err = job.ErrNotFound
		}
		return err
	})
}

const (
	lockUpload = `SELECT idempotency FROM job_uploads WHERE job = $1::text::uuid AND touched_at > 0 FOR UPDATE`
	countItems = `SELECT count(*), coalesce(max(n), -1) FROM job_items WHERE job = $1::text::uuid`
	sealJob    = `UPDATE jobs SET state = 'pending', total = $2, created_at = $3, run_at = $4, deadline = $5, due_at = $5 WHERE id = $1::text::uuid`
	sealItems  = `UPDATE job_items SET state = 'pending', run_at = $2 WHERE job = $1::text::uuid`
	endUpload  = `DELETE FROM job_uploads WHERE job = $1::text::uuid`
)

// Seal makes an upload a job.
func (j *Jobs) Seal(ctx context.Context, id job.ID, total int, hash [32]byte) (out job.Submitted, err error) {
	text, ok := idOf(id)
	if !ok {
		return job.Submitted{}, job.ErrNotFound
	}
	err = j.whole(ctx, "job_seal", func(ctx context.Context, t *jobTx) error {
		s := job.Submission{Hash: hash}
		err := t.QueryRow(ctx, lockUpload, text).Scan(&s.Idempotency)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		locked := err == nil
		found, err := readJobs(ctx, t, []string{text})
		if err != nil {
			return err
		}
		switch r := found[text]; {
		case r == nil, r.State == job.Uploading && !locked: // There is none, or Reap has begun to delete it.
			return job.ErrNotFound
		case r.State != job.Uploading: // It was sealed, and the answer was lost.
			out = job.Submitted{Job: r.Job}
			return nil
		default:
			s.Job = r.Job
			out, err = j.seal(ctx, t, &s, total)
			return err
		}
	})
	if err != nil {
		return job.Submitted{}, err
	}
	return out, nil
}

func (j *Jobs) seal(ctx context.Context, t *jobTx, s *job.Submission, total int) (job.Submitted, error) {
	if s.Idempotency != "" {
		// What was sent again rests, and is deleted as such.
		if out, again, err := j.sealedBefore(ctx, t, s, total); again || err != nil {
			return out, err
		}
	} else if err := t.complete(ctx, s.Job.ID, total); err != nil {
		return job.Submitted{}, err
	}
	for _, unset := range []*time.Time{&s.Job.RunAt, &s.Job.Deadline} {
		if unset.UnixMicro() == 0 {
			*unset = time.Time{}
		}
	}
	s.Items = make([]job.Item, total)
	kept := s.Kept(t.now)
	id, runs := string(kept.ID), kept.RunAt.UnixMicro()
	b := &pgx.Batch{}
	b.Queue(sealJob, id, total, kept.CreatedAt.UnixMicro(), runs, kept.Deadline.UnixMicro())
	b.Queue(sealItems, id, runs)
	b.Queue(endUpload, id)
	return job.Submitted{Job: kept}, t.SendBatch(ctx, b).Close()
}

// sealedBefore takes the upload's idempotency key, or answers for who used it first.
func (j *Jobs) sealedBefore(ctx context.Context, t *jobTx, s *job.Submission, total int) (out job.Submitted, again bool, err error) {
	mine, err := j.claim(ctx, t, []*job.Submission{s})
	if err != nil {
		return out, false, err
	}
	if len(mine) > 0 {
		return out, false, t.complete(ctx, s.Job.ID, total) // An error takes the key back.
	}
	list, answers := []job.Submission{*s}, make([]job.Submitted, 1)
	err = j.givenAgain(ctx, t, list, answers, []bool{true}, []keyUse{{string(s.Job.Team), s.Idempotency}})
	return answers[0], true, err
}

// complete says whether the items are those from 0 to total.
func (t *jobTx) complete(ctx context.Context, id job.ID, total int) error {
	var count, last int
	err := t.QueryRow(ctx, countItems, string(id)).Scan(&count, &last)
	if err == nil && (total < 1 || count != total || last != total-1) {
		err = job.ErrIncomplete
	}
	return err
}
