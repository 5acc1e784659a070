package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/idempotency"
	"github.com/promptd/promptd/internal/store/statement"
)

// Idempotency keeps idempotency keys.
type Idempotency struct{ db *DB }

// Idempotency is the part that keeps idempotency keys.
func (db *DB) Idempotency() *Idempotency { return &Idempotency{db} }

const (
	// takeClaim changes a row where the name is free, and no row where it is not.
	takeClaim = `INSERT INTO idempotency AS i (team, key, body, owner, lease_until, created_at)
	SELECT $1, $2, $3, $4, clock.now + $5::bigint, clock.now FROM (SELECT coalesce($7::bigint, now_micros()) AS now) AS clock
	ON CONFLICT (team, key) DO UPDATE SET body = excluded.body, owner = excluded.owner, lease_until = excluded.lease_until,
	created_at = excluded.created_at, status = NULL, content_type = NULL, response = NULL
	WHERE CASE WHEN i.status IS NULL THEN i.lease_until <= excluded.created_at ELSE i.created_at <= excluded.created_at - $6::bigint END`
	renewClaim = `UPDATE idempotency SET lease_until = coalesce($5::bigint, now_micros()) + $4::bigint
	WHERE team = $1 AND key = $2 AND owner = $3 AND status IS NULL`
	// A claim without an answer is deleted too once it is as old: the lease of whoever made it has long ended. What another process deletes is left to it.
	forgetClaims = `DELETE FROM idempotency WHERE (team, key) IN (SELECT team, key FROM idempotency
	WHERE created_at <= coalesce($3::bigint, now_micros()) - $1::bigint AND (status IS NOT NULL OR lease_until <= coalesce($3::bigint, now_micros()))
	ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`
)

// claimRounds bounds how often a name is tried that is freed and taken between two statements.
const claimRounds = 5

// Claim takes the name where it is free.
func (s *Idempotency) Claim(ctx context.Context, n idempotency.Name, body idempotency.Body, owner string, lease, keep time.Duration) (idempotency.Claimed, error) {
	for range claimRounds {
		taken, err := s.db.exec(ctx, "idempotency_claim", takeClaim, string(n.Team), n.Key, body[:], owner, lease.Microseconds(), keep.Microseconds(), s.db.clock())
		if err != nil {
			return idempotency.Claimed{}, err
		}
		if taken > 0 {
			return idempotency.Claimed{State: idempotency.Taken}, nil
		}
		var row statement.Claim
		err = s.db.row(ctx, "idempotency_read", statement.ReadClaim, []any{string(n.Team), n.Key}, row.Scan)
		if errors.Is(err, pgx.ErrNoRows) {
			continue // It was freed in between.
		}
		if err != nil {
			return idempotency.Claimed{}, err
		}
		return row.Claimed(body), nil
	}
	f := fault.New(fault.Overloaded, "several calls claim and free the idempotency key at the same time")
	f.RetryAfter = comeAgain
	return idempotency.Claimed{}, f
}

// Renew prolongs the lease.
func (s *Idempotency) Renew(ctx context.Context, n idempotency.Name, owner string, lease time.Duration) error {
	return s.owned(ctx, "idempotency_renew", renewClaim, string(n.Team), n.Key, owner, lease.Microseconds(), s.db.clock())
}

// Finish keeps the answer.
func (s *Idempotency) Finish(ctx context.Context, n idempotency.Name, owner string, r idempotency.Response) error {
	return s.owned(ctx, "idempotency_finish", statement.FinishClaim, statement.FinishArgs(n, owner, r)...)
}

// Release frees the name.
func (s *Idempotency) Release(ctx context.Context, n idempotency.Name, owner string) error {
	return s.owned(ctx, "idempotency_release", statement.ReleaseClaim, string(n.Team), n.Key, owner)
}

// owned runs a statement that must change the owner's row.
func (s *Idempotency) owned(ctx context.Context, name, query string, args ...any) error {
	changed, err := s.db.exec(ctx, name, query, args...)
	if err == nil && changed == 0 {
		err = idempotency.ErrLost
	}
	return err
}

// Forget deletes a portion of what is old.
func (s *Idempotency) Forget(ctx context.Context, keep time.Duration, limit int) (int, error) {
	deleted, err := s.db.exec(ctx, "idempotency_forget", forgetClaims, keep.Microseconds(), limit, s.db.clock())
	return int(deleted), err
}

var _ idempotency.Store = (*Idempotency)(nil)
