package statement

import (
	"bytes"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/idempotency"
)

// Only the owner of a claim that has no answer yet may change it.
const ofOwner = ` WHERE team = $1 AND key = $2 AND owner = $3 AND status IS NULL`

// The statements of idempotency keys.
const (
	ReadClaim    = `SELECT body, lease_until, created_at, status, content_type, response FROM idempotency WHERE team = $1 AND key = $2`
	RenewClaim   = `UPDATE idempotency SET lease_until = $4` + ofOwner
	FinishClaim  = `UPDATE idempotency SET status = $4, content_type = $5, response = $6` + ofOwner
	ReleaseClaim = `DELETE FROM idempotency` + ofOwner
)

// FinishArgs are the parameters of FinishClaim.
func FinishArgs(n idempotency.Name, owner string, r idempotency.Response) []any {
	body := r.Body
	if body == nil {
		body = []byte{}
	}
	return []any{string(n.Team), n.Key, owner, r.Status, r.ContentType, body}
}

// Claim is a row of ReadClaim.
type Claim struct {
	body           []byte
	lease, created int64
	status         sql.NullInt64
	contentType    sql.NullString
	response       []byte
}

// Scan reads it.
func (r *Claim) Scan(row Row) error {
	return row.Scan(&r.body, &r.lease, &r.created, &r.status, &r.contentType, &r.response)
}

// Free says whether the row counts no more: its answer is too old, or its owner is gone.
func (r *Claim) Free(now time.Time, keep time.Duration) bool {
	if r.status.Valid {
		return r.created <= now.Add(-keep).UnixMicro()
	}
	return r.lease <= now.UnixMicro()
}

// Claimed says how a row that is not free stands to a claim with a body.
func (r *Claim) Claimed(body idempotency.Body) idempotency.Claimed {
	switch {
	case !bytes.Equal(r.body, body[:]):
		return idempotency.Claimed{State: idempotency.OtherBody}
	case !r.status.Valid:
		return idempotency.Claimed{State: idempotency.Running}
	}
	answer := idempotency.Response{Status: int(r.status.Int64), ContentType: r.contentType.String, Body: r.response}
	return idempotency.Claimed{State: idempotency.Answered, Response: answer}
}
