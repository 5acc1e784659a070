package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	sqltext "github.com/promptd/promptd/internal/store/statement"
)

// Deliveries keeps endpoints, deliveries and their attempts in promptd.db.
type Deliveries struct {
	file *file
	now  func() time.Time
}

// Deliveries is the part that keeps webhooks and what is delivered to them.
func (db *DB) Deliveries() *Deliveries { return &Deliveries{file: db.main, now: db.opts.Now} }

// Due gives lanes with deliveries that are due.
func (d *Deliveries) Due(ctx context.Context, after delivery.Lane, most int) ([]delivery.Lane, error) {
	lanes := []delivery.Lane{}
	args := []any{sqltext.LaneText(after), d.now().UnixMicro(), most}
	err := d.file.rows(ctx, "delivery_due", sqltext.DueLanes, args, func(rows *sql.Rows) error {
		var text string
		err := rows.Scan(&text)
		lanes = append(lanes, sqltext.LaneOf(text))
		return err
	})
	return lanes, err
}

// claimLane: $1 token, $2 when the lease ends, $3 lane, $4 now, $5 how many.
const claimLane = `UPDATE deliveries SET token = $1, due_at = $2
	WHERE id IN (SELECT id FROM deliveries WHERE status = 'pending' AND lane = $3 AND due_at <= $4 ORDER BY due_at LIMIT $5) RETURNING ` + sqltext.ClaimColumns

// Claim takes due deliveries of lanes.
func (d *Deliveries) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) (taken []delivery.Claimed, err error) {
	err = d.file.tx(ctx, "delivery_claim", func(ctx context.Context, tx *sql.Tx) error {
		now := d.now()
		for _, s := range shares {
			rows, err := tx.QueryContext(ctx, claimLane, token, now.Add(lease).UnixMicro(), sqltext.LaneText(s.Lane), now.UnixMicro(), s.Most)
			if err != nil {
				return err
			}
			if err := each(rows, func() error {
				one, err := sqltext.ScanClaim(rows, now)
				taken = append(taken, one)
				return err
			}); err != nil {
				return err
			}
		}
		return aim(ctx, tx, taken, now)
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// each hands every row to scan and closes them.
func each(rows *sql.Rows, scan func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// aim gives claims of endpoints their targets.
func aim(ctx context.Context, tx *sql.Tx, taken []delivery.Claimed, now time.Time) error {
	known := map[delivery.EndpointID]*delivery.Endpoint{}
	for i := range taken {
		c := &taken[i]
		if c.Endpoint == "" {
			continue
		}
		e, seen := known[c.Endpoint]
		if !seen {
			one, err := sqltext.ScanWebhook(tx.QueryRowContext(ctx, sqltext.OneWebhook, string(c.Endpoint), false, string(c.Message.Team)))
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if err == nil {
				e = &one
			}
			known[c.Endpoint] = e
		}
		sqltext.AimAt(c, e, now)
	}
	return nil
}

// Renew prolongs leases.
func (d *Deliveries) Renew(ctx context.Context, token string, ids []delivery.ID, lease time.Duration) (lost []delivery.ID, err error) {
	err = d.file.tx(ctx, "delivery_renew", func(ctx context.Context, tx *sql.Tx) error {
		until := d.now().Add(lease).UnixMicro()
		for _, id := range ids {
			held, err := changed(tx.ExecContext(ctx, sqltext.RenewDelivery, string(id), token, until))
			if err != nil {
				return err
			}
			if !held {
				lost = append(lost, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

// changed says whether a statement changed a row.
func changed(done sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// Keep writes the payload.
func (d *Deliveries) Keep(ctx context.Context, token string, id delivery.ID, payload []byte) error {
	return d.file.tx(ctx, "delivery_keep", func(ctx context.Context, tx *sql.Tx) error {
		held, err := changed(tx.ExecContext(ctx, sqltext.KeepPayload, string(id), token, payload))
		if err == nil && !held {
			return delivery.ErrLeaseLost
		}
		return err
	})
}

// Record writes an attempt and what becomes of the delivery.
func (d *Deliveries) Record(ctx context.Context, token string, id delivery.ID, r delivery.Result) error {
	return d.file.tx(ctx, "delivery_record", func(ctx context.Context, tx *sql.Tx) error {
		now := d.now()
		var n int
		var endpoint, team string
		err := tx.QueryRowContext(ctx, sqltext.RecordDelivery, sqltext.RecordArgs(token, id, &r, now)...).Scan(&n, &endpoint, &team)
		if errors.Is(err, sql.ErrNoRows) {
			return delivery.ErrLeaseLost
		}
		if err != nil || r.Attempt == nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, sqltext.InsertAttempt, sqltext.AttemptArgs(id, n, r.Attempt)...); err != nil {
			return err
		}
		if !r.Disable || endpoint == "" {
			return nil
		}
		_, err = tx.ExecContext(ctx, sqltext.DisableWebhook, endpoint, team, r.Attempt.URL, now.UnixMicro(), delivery.DisabledByTarget)
		return err
	})
}

// Announce makes the deliveries of messages and moves a cursor.
func (d *Deliveries) Announce(ctx context.Context, cursor string, to int64, list []delivery.Message) (made int, err error) {
	err = d.file.tx(ctx, "delivery_announce", func(ctx context.Context, tx *sql.Tx) error {
		for _, m := range list {
			n, err := insertDeliveries(ctx, tx, d.now(), m, delivery.Target{})
			if err != nil {
				return err
			}
			made += n
		}
		_, err := tx.ExecContext(ctx, sqltext.MoveCursor, cursor, to)
		return err
	})
	if err != nil {
		return 0, err
	}
	return made, nil
}

// Cursor reads a cursor.
func (d *Deliveries) Cursor(ctx context.Context, name string) (value int64, err error) {
	err = d.file.read.QueryRowContext(ctx, sqltext.ReadCursor, name).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, explain("read the cursor of "+name, err)
	}
	return value, nil
}

// Sweep does a portion of what is due by age.
func (d *Deliveries) Sweep(ctx context.Context, expire, keep time.Duration, most int) (failed, deleted int, err error) {
	err = d.file.tx(ctx, "delivery_sweep", func(ctx context.Context, tx *sql.Tx) error {
		now := d.now()
		done, err := tx.ExecContext(ctx, sqltext.ExpireDeliveries, now.UnixMicro(), now.Add(-expire).UnixMicro(), most)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		failed = int(n)
		rows, err := tx.QueryContext(ctx, sqltext.ForgetDeliveries, now.Add(-keep).UnixMicro(), most)
		if err != nil {
			return err
		}
		var ids []string
		if err := each(rows, func() error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		}); err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, sqltext.ForgetAttempts, id); err != nil {
				return err
			}
		}
		deleted = len(ids)
		return nil
	})
	if err != nil {
		return 0, 0, err
	}
	return failed, deleted, nil
}

var _ delivery.Store = (*Deliveries)(nil)
