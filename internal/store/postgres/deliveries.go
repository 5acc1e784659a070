package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/store/statement"
)

// Deliveries keeps endpoints, deliveries and their attempts.
type Deliveries struct{ db *DB }

// Deliveries is the part that keeps webhooks and what is delivered to them.
func (db *DB) Deliveries() *Deliveries { return &Deliveries{db} }

const (
	// clockRow is the clock of a statement: $1.
	clockRow = `(SELECT coalesce($1::bigint, now_micros()) AS now) AS clock`

	// claimLanes: $2 token, $3 lease, $4 lanes, $5 how many of each. What another process takes at the moment is left to it.
	claimLanes = `UPDATE deliveries AS d SET token = $2, due_at = clock.now + $3::bigint
	FROM (SELECT due.id AS pick FROM unnest($4::text[], $5::bigint[]) AS want (lane, most) CROSS JOIN LATERAL (
		SELECT id FROM deliveries WHERE status = 'pending' AND lane = want.lane AND due_at <= coalesce($1::bigint, now_micros())
		ORDER BY due_at LIMIT want.most FOR UPDATE SKIP LOCKED) AS due) AS picked, ` + clockRow + `
	WHERE d.id = picked.pick RETURNING ` + statement.ClaimColumns

	// renewDeliveries: $2 token, $3 lease, $4 ids.
	renewDeliveries = `UPDATE deliveries AS d SET due_at = clock.now + $3::bigint FROM ` + clockRow + `
	WHERE d.id = ANY ($4::text[]) AND d.token = $2 AND d.token <> '' AND d.status = 'pending' RETURNING d.id`

	// recordAttempt writes what became of a delivery, its attempt where there was one, and that the endpoint is disabled, in one statement.
	// $2 id, $3 token, $4 status, $5 error, $6 the wait, $7 whether there was an attempt, and of it $8 at, $9 url, $10 took, $11 status, $12 detail, $13 answer;
	// $16 error; $14 whether to disable, $15 why.
	recordAttempt = `WITH done AS (
		UPDATE deliveries AS d SET status = $4, attempts = attempts + CASE WHEN $7 THEN 1 ELSE 0 END, tries = tries + CASE WHEN $7 THEN 1 ELSE 0 END,
			token = '', due_at = clock.now + $6::bigint, ended_at = CASE WHEN $4 = 'pending' THEN NULL ELSE clock.now END,
			last_status = CASE WHEN $7 AND $11::bigint <> 0 THEN $11 ELSE last_status END, last_error = CASE WHEN NOT $7 AND $5 = '' THEN last_error ELSE $5 END
		FROM ` + clockRow + ` WHERE d.id = $2 AND d.token = $3 AND d.token <> '' AND d.status = 'pending'
		RETURNING d.id, d.attempts, d.target, d.team, clock.now),
	logged AS (INSERT INTO delivery_attempts (delivery, n, at, url, took, status, error, detail, answer)
		SELECT id, attempts, $8::bigint, $9, $10::bigint, $11::bigint, $16, $12, $13 FROM done WHERE $7),
	disabled AS (UPDATE webhooks AS w SET disabled_at = done.now, disabled_why = $15, updated_at = done.now FROM done
		WHERE $14 AND w.id = done.target AND w.team = done.team AND w.url = $9 AND w.disabled_at IS NULL)
	SELECT 1 FROM done`

	expireDeliveries = `UPDATE deliveries AS d SET status = 'failed', last_error = 'max_age', token = '', ended_at = clock.now FROM ` + clockRow + `
	WHERE d.id IN (SELECT id FROM deliveries WHERE status = 'pending' AND since <= coalesce($1::bigint, now_micros()) - $2::bigint
		AND due_at <= coalesce($1::bigint, now_micros()) ORDER BY since LIMIT $3 FOR UPDATE SKIP LOCKED)`
	forgetDeliveries = `WITH gone AS (DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries
		WHERE ended_at IS NOT NULL AND ended_at <= coalesce($1::bigint, now_micros()) - $2::bigint ORDER BY ended_at LIMIT $3 FOR UPDATE SKIP LOCKED) RETURNING id),
	log AS (DELETE FROM delivery_attempts AS a USING gone WHERE a.delivery = gone.id)
	SELECT count(*) FROM gone`
)

// byClock lets a statement take the parameter from the database's clock where it is null.
func byClock(query, parameter string) string {
	return strings.ReplaceAll(query, parameter, "coalesce("+parameter+"::bigint, now_micros())")
}

// Due gives lanes with deliveries that are due.
func (d *Deliveries) Due(ctx context.Context, after delivery.Lane, most int) ([]delivery.Lane, error) {
	lanes := []delivery.Lane{}
	err := d.db.rows(ctx, "delivery_due", byClock(statement.DueLanes, "$2"), []any{statement.LaneText(after), d.db.clock(), most}, func(row statement.Row) error {
		var text string
		err := row.Scan(&text)
		lanes = append(lanes, statement.LaneOf(text))
		return err
	})
	return lanes, err
}

// Claim takes due deliveries of lanes.
func (d *Deliveries) Claim(ctx context.Context, token string, lease time.Duration, shares []delivery.Share) (taken []delivery.Claimed, err error) {
	lanes, most := make([]string, len(shares)), make([]int64, len(shares))
	for i, s := range shares {
		lanes[i], most[i] = statement.LaneText(s.Lane), int64(s.Most)
	}
	err = d.db.tx(ctx, "delivery_claim", func(ctx context.Context, tx pgx.Tx) error {
		taken = nil
		now, err := d.now(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, claimLanes, d.db.clock(), token, lease.Microseconds(), lanes, most)
		if err != nil {
			return err
		}
		if taken, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (delivery.Claimed, error) { return statement.ScanClaim(row, now) }); err != nil {
			return err
		}
		return aim(ctx, tx, taken, now)
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

// now reads the store's clock within a transaction.
func (d *Deliveries) now(ctx context.Context, tx pgx.Tx) (time.Time, error) {
	var micros int64
	err := tx.QueryRow(ctx, `SELECT coalesce($1::bigint, now_micros())`, d.db.clock()).Scan(&micros)
	return time.UnixMicro(micros).UTC(), err
}

// aim gives claims of endpoints their targets.
func aim(ctx context.Context, tx pgx.Tx, taken []delivery.Claimed, now time.Time) error {
	known := map[delivery.EndpointID]*delivery.Endpoint{}
	for i := range taken {
		c := &taken[i]
		if c.Endpoint == "" {
			continue
		}
		e, seen := known[c.Endpoint]
		if !seen {
			one, err := statement.ScanWebhook(tx.QueryRow(ctx, statement.OneWebhook, string(c.Endpoint), false, string(c.Message.Team)))
			if err != nil && !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			if err == nil {
				e = &one
			}
			known[c.Endpoint] = e
		}
		statement.AimAt(c, e, now)
	}
	return nil
}

// Renew prolongs leases.
func (d *Deliveries) Renew(ctx context.Context, token string, ids []delivery.ID, lease time.Duration) (lost []delivery.ID, err error) {
	wanted := make([]string, len(ids))
	for i, id := range ids {
		wanted[i] = string(id)
	}
	var kept []string
	err = d.db.write(ctx, "delivery_renew", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, renewDeliveries, d.db.clock(), token, lease.Microseconds(), wanted)
		if err != nil {
			return err
		}
		kept, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if !slices.Contains(kept, string(id)) {
			lost = append(lost, id)
		}
	}
	return lost, nil
}

// Keep writes the payload.
func (d *Deliveries) Keep(ctx context.Context, token string, id delivery.ID, payload []byte) error {
	changed, err := d.db.exec(ctx, "delivery_keep", statement.KeepPayload, string(id), token, payload)
	if err == nil && changed == 0 {
		return delivery.ErrLeaseLost
	}
	return err
}

// Record writes an attempt and what becomes of the delivery.
func (d *Deliveries) Record(ctx context.Context, token string, id delivery.ID, r delivery.Result) error {
	var a delivery.Attempt
	if r.Attempt != nil {
		a = *r.Attempt
	}
	args := []any{
		d.db.clock(), string(id), token, string(r.Status), string(r.Error), r.Again.Microseconds(), r.Attempt != nil, a.At.UnixMicro(), a.URL, a.Took.Microseconds(),
		a.Status, a.Detail, a.Answer, r.Disable && r.Attempt != nil, delivery.DisabledByTarget, string(a.Error),
	}
	return d.db.write(ctx, "delivery_record", func(ctx context.Context, conn *pgxpool.Conn) error {
		var one int
		err := conn.QueryRow(ctx, recordAttempt, args...).Scan(&one)
		if errors.Is(err, pgx.ErrNoRows) {
			return delivery.ErrLeaseLost
		}
		return err
	})
}

// Announce makes the deliveries of messages and moves a cursor.
func (d *Deliveries) Announce(ctx context.Context, cursor string, to int64, list []delivery.Message) (made int, err error) {
	err = d.db.tx(ctx, "delivery_announce", func(ctx context.Context, tx pgx.Tx) error {
		made = 0
		for _, m := range list {
			n, err := insertDeliveries(ctx, tx, d.db.clock(), m, delivery.Target{})
			if err != nil {
				return err
			}
			made += n
		}
		_, err := tx.Exec(ctx, statement.MoveCursor, cursor, to)
		return err
	})
	if err != nil {
		return 0, err
	}
	return made, nil
}

// Cursor reads a cursor.
func (d *Deliveries) Cursor(ctx context.Context, name string) (value int64, err error) {
	err = d.db.row(ctx, "delivery_cursor", statement.ReadCursor, []any{name}, func(row statement.Row) error { return row.Scan(&value) })
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return value, err
}

// Sweep does a portion of what is due by age.
func (d *Deliveries) Sweep(ctx context.Context, expire, keep time.Duration, most int) (failed, deleted int, err error) {
	err = d.db.tx(ctx, "delivery_sweep", func(ctx context.Context, tx pgx.Tx) error {
		done, err := tx.Exec(ctx, expireDeliveries, d.db.clock(), expire.Microseconds(), most)
		if err != nil {
			return err
		}
		failed = int(done.RowsAffected())
		return tx.QueryRow(ctx, forgetDeliveries, d.db.clock(), keep.Microseconds(), most).Scan(&deleted)
	})
	if err != nil {
		return 0, 0, err
	}
	return failed, deleted, nil
}

var _ delivery.Store = (*Deliveries)(nil)
