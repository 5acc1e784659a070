package sqlite

import (
	"context"
	"database/sql"
	"time"

	"github.com/promptd/promptd/internal/delivery"
)

// Deliveries keeps endpoints, deliveries and their attempts in promptd.db.
type Deliveries struct {
	file *file
	now  func() time.Time
}

// Deliveries is the part that keeps webhooks and what is delivered to them.
func (db *DB) Deliveries() *Deliveries { return &Deliveries{file: db.main, now: db.opts.Now} }

// What the three ways of making deliveries have in common: $1 message, $2 team, $3 job, $4 event, $5 at, $6 trace, $7 payload, $8 now. A message that has its
// delivery to a target already makes no second one, so that whoever ends a job twice tells of it once.
const (
	insertDelivery = `INSERT INTO deliveries (id, message, team, job, event, at, trace, payload, since, due_at, created_at,
		status, attempts, tries, token, last_status, last_error, target, url, secret, lane)
		SELECT 'dlv_' || lower(hex(randomblob(16))), $1, $2, $3, $4, $5, $6, $7, $8, $8, $8, 'pending', 0, 0, '', 0, '', `
	onceOnly = ` ON CONFLICT (message, target) DO NOTHING`

	// insertSubscribed tells every enabled endpoint that subscribes, and was there when it happened.
	insertSubscribed = insertDelivery + `w.id, w.url, '', $2 || ' ' || w.host FROM webhooks AS w
		WHERE w.team = $2 AND w.disabled_at IS NULL AND w.created_at <= $5 AND (w.events = '' OR replace(w.events, ' ' || $4 || ' ', '') <> w.events)` + onceOnly
	// insertNamed tells one endpoint. One that was deleted meanwhile gets a delivery too, which fails and is seen.
	insertNamed = insertDelivery + `$9, coalesce(w.url, ''), '', $2 || ' ' || coalesce(w.host, '')
		FROM (SELECT 1) AS one LEFT JOIN webhooks AS w ON w.id = $9 AND w.team = $2 WHERE true` + onceOnly
	insertInline = insertDelivery + `'', $9, $10, $2 || ' ' || $11 WHERE true` + onceOnly
)

// insertDeliveries makes the deliveries of a message, within the transaction that makes what it tells of true. It says how many are new: after the commit the
// sender is to be woken where there are any.
func insertDeliveries(ctx context.Context, tx *sql.Tx, now time.Time, m delivery.Message, to delivery.Target) (int, error) {
	args := []any{string(m.ID), string(m.Team), m.Job, string(m.Event), m.At.UnixMicro(), m.Trace, orNone(m.Payload), now.UnixMicro()}
	query := insertSubscribed
	switch {
	case to.Endpoint != "":
		query, args = insertNamed, append(args, string(to.Endpoint))
	case to.URL != "":
		query, args = insertInline, append(args, to.URL, to.Secret, delivery.HostOf(to.URL))
	}
	done, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	made, err := done.RowsAffected()
	return int(made), err
}

// orNone writes bytes, or null where there are none.
func orNone(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
