package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/idempotency"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Idempotency keeps idempotency keys in promptd.db.
type Idempotency struct {
	file *file
	now  func() time.Time
}

const insertClaim = `INSERT OR REPLACE INTO idempotency (team, key, body, owner, lease_until, created_at) VALUES ($1, $2, $3, $4, $5, $6)`

// Claim takes the name where it is free.
func (s *Idempotency) Claim(ctx context.Context, n idempotency.Name, body idempotency.Body, owner string, lease, keep time.Duration) (c idempotency.Claimed, err error) {
	err = s.file.tx(ctx, "idempotency_claim", func(ctx context.Context, tx *sql.Tx) error {
		now := s.now()
		var row sqltext.Claim
		err := row.Scan(tx.QueryRowContext(ctx, sqltext.ReadClaim, string(n.Team), n.Key))
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && !row.Free(now, keep) {
			c = row.Claimed(body)
			return nil
		}
		c = idempotency.Claimed{State: idempotency.Taken}
		_, err = tx.ExecContext(ctx, insertClaim, string(n.Team), n.Key, body[:], owner, now.Add(lease).UnixMicro(), now.UnixMicro())
		return err
	})
	if err != nil {
		return idempotency.Claimed{}, err
	}
	return c, nil
}

// Renew prolongs the lease.
func (s *Idempotency) Renew(ctx context.Context, n idempotency.Name, owner string, lease time.Duration) error {
	return s.owned(ctx, "idempotency_renew", sqltext.RenewClaim, string(n.Team), n.Key, owner, s.now().Add(lease).UnixMicro())
}

// Finish keeps the answer.
func (s *Idempotency) Finish(ctx context.Context, n idempotency.Name, owner string, r idempotency.Response) error {
	return s.owned(ctx, "idempotency_finish", sqltext.FinishClaim, sqltext.FinishArgs(n, owner, r)...)
}

// Release frees the name.
func (s *Idempotency) Release(ctx context.Context, n idempotency.Name, owner string) error {
	return s.owned(ctx, "idempotency_release", sqltext.ReleaseClaim, string(n.Team), n.Key, owner)
}

// owned runs a statement that must change the owner's row.
func (s *Idempotency) owned(ctx context.Context, name, query string, args ...any) error {
	return s.file.tx(ctx, name, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err == nil && n == 0 {
			err = idempotency.ErrLost
		}
		return err
	})
}

// A claim without an answer is deleted too once it is as old: the lease of whoever made it has long ended.
const forgetClaims = `DELETE FROM idempotency WHERE rowid IN (
	SELECT rowid FROM idempotency WHERE created_at <= $1 AND (status IS NOT NULL OR lease_until <= $2) ORDER BY created_at LIMIT $3)`

// Forget deletes a portion of what is old.
func (s *Idempotency) Forget(ctx context.Context, keep time.Duration, limit int) (deleted int, err error) {
	now := s.now()
	err = s.file.tx(ctx, "idempotency_forget", func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, forgetClaims, now.Add(-keep).UnixMicro(), now.UnixMicro(), limit)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		deleted = int(n)
		return err
	})
	return deleted, err
}

var _ idempotency.Store = (*Idempotency)(nil)
