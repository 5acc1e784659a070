package statement

import (
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

// DeliveryInserts are the three ways of making deliveries of a message. A message that has its delivery to a target already makes no second one, so that whoever
// ends a job twice tells of it once.
type DeliveryInserts struct {
	subscribed, named, inline string
}

// NewDeliveryInserts makes them for an engine, by how it says a random id of 32 hexadecimal digits, by its type of bytes, and by its clock, whose parameter is $8.
func NewDeliveryInserts(randomID, bytes, now string) DeliveryInserts {
	// $1 message, $2 team, $3 job, $4 event, $5 at, $6 trace, $7 payload.
	insert := `INSERT INTO deliveries (id, message, team, job, event, at, trace, payload, since, due_at, created_at,
		status, attempts, tries, token, last_status, last_error, target, url, secret, lane)
		SELECT 'dlv_' || ` + randomID + `, $1, $2, $3, $4, CAST($5 AS bigint), $6, CAST($7 AS ` + bytes + `), ` + now + `, ` + now + `, ` + now + `,
		'pending', 0, 0, '', 0, '', `
	const once = ` ON CONFLICT (message, target) DO NOTHING`
	return DeliveryInserts{
		// Every enabled endpoint that subscribes. Alerts are looked at more than once: who was not there when one was raised is not told.
		subscribed: insert + `w.id, w.url, '', $2 || ' ' || w.host FROM webhooks AS w WHERE w.team = $2 AND w.disabled_at IS NULL
			AND ($4 <> 'budget.alert' OR w.created_at <= CAST($5 AS bigint)) AND (w.events = '' OR replace(w.events, ' ' || $4 || ' ', '') <> w.events)` + once,
		// One endpoint. One that was deleted meanwhile gets a delivery too, which fails and is seen.
		named: insert + `$9, coalesce(w.url, ''), '', $2 || ' ' || coalesce(w.host, '')
			FROM (SELECT 1 AS one) AS one LEFT JOIN webhooks AS w ON w.id = $9 AND w.team = $2 WHERE true` + once,
		inline: insert + `'', $9, $10, $2 || ' ' || $11 WHERE true` + once,
	}
}

// Of gives the statement that makes the deliveries of a message to a target, with its parameters; now is that of the clock.
func (i DeliveryInserts) Of(now any, m *delivery.Message, to delivery.Target) (query string, args []any) {
	args = []any{string(m.ID), string(m.Team), m.Job, string(m.Event), m.At.UnixMicro(), m.Trace, payloadOf(m.Payload), now}
	switch {
	case to.Endpoint != "":
		return i.named, append(args, string(to.Endpoint))
	case to.URL != "":
		return i.inline, append(args, to.URL, to.Secret, delivery.HostOf(to.URL))
	default:
		return i.subscribed, args
	}
}

func payloadOf(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// The statements of a sender.
const (
	// DueLanes walks from lane to lane by the index, whatever number of deliveries each has: $1 the lane before, $2 now, $3 how many.
	DueLanes = `WITH RECURSIVE lanes (lane) AS (
		SELECT min(lane) FROM deliveries WHERE status = 'pending' AND lane > $1
		UNION ALL
		SELECT (SELECT min(d.lane) FROM deliveries AS d WHERE d.status = 'pending' AND d.lane > lanes.lane) FROM lanes WHERE lanes.lane IS NOT NULL)
	SELECT lane FROM lanes WHERE lane IS NOT NULL
		AND EXISTS (SELECT 1 FROM deliveries AS d WHERE d.status = 'pending' AND d.lane = lanes.lane AND d.due_at <= $2) LIMIT $3`
	// ClaimColumns are what a claim gives.
	ClaimColumns = `id, message, target, team, job, event, at, url, secret, trace, payload, attempts, tries, since`
	// RenewDelivery: $1 id, $2 token, $3 when the lease ends.
	RenewDelivery = `UPDATE deliveries SET due_at = $3 WHERE id = $1 AND token = $2 AND token <> '' AND status = 'pending'`
	KeepPayload   = `UPDATE deliveries SET payload = $3 WHERE id = $1 AND token = $2 AND token <> '' AND status = 'pending'`
	// Uncomposed says whether a message, $1, has deliveries without a body, and ComposeThem gives them one, $2. What has a body keeps it.
	Uncomposed  = `SELECT EXISTS (SELECT 1 FROM deliveries WHERE message = $1 AND payload IS NULL)`
	ComposeThem = `UPDATE deliveries SET payload = $2 WHERE message = $1 AND payload IS NULL`
	// RecordDelivery: $1 id, $2 token, $3 status, $4 attempts more, $5 due, $6 the answer's status or 0 for the one before, $7 error (of
	// nothing that was tried: empty for the one before), $8 when it ended.
	RecordDelivery = `UPDATE deliveries SET status = $3, attempts = attempts + $4, tries = tries + $4, due_at = $5, token = '', ended_at = $8,
		last_status = CASE WHEN CAST($6 AS bigint) = 0 THEN last_status ELSE $6 END,
		last_error = CASE WHEN CAST($4 AS bigint) = 0 AND $7 = '' THEN last_error ELSE $7 END
		WHERE id = $1 AND token = $2 AND token <> '' AND status = 'pending' RETURNING attempts, target, team`
	InsertAttempt = `INSERT INTO delivery_attempts (delivery, n, at, url, took, status, error, detail, answer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	ReadCursor    = `SELECT value FROM delivery_cursors WHERE name = $1`
	MoveCursor    = `INSERT INTO delivery_cursors (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE
		SET value = CASE WHEN excluded.value > delivery_cursors.value THEN excluded.value ELSE delivery_cursors.value END`
	// ExpireDeliveries: $1 now, $2 since when, $3 how many.
	ExpireDeliveries = `UPDATE deliveries SET status = 'failed', last_error = 'max_age', token = '', ended_at = $1
		WHERE id IN (SELECT id FROM deliveries WHERE status = 'pending' AND since <= $2 AND due_at <= $1 ORDER BY since LIMIT $3) AND status = 'pending' AND due_at <= $1`
	// ForgetDeliveries: $1 before when it ended, $2 how many.
	ForgetDeliveries = `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE ended_at IS NOT NULL AND ended_at <= $1 ORDER BY ended_at LIMIT $2)
		AND ended_at <= $1 RETURNING id`
	ForgetAttempts = `DELETE FROM delivery_attempts WHERE delivery = $1`
)

// The statements of the log.
const (
	deliveryColumns = `id, message, team, event, job, target, url, status, attempts, last_status, last_error, at, created_at, due_at, ended_at, token`
	OneDelivery     = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE id = $1 AND ($2 OR team = $3)`
	SomeAttempts    = `SELECT n, at, url, took, status, error, detail, answer FROM delivery_attempts WHERE delivery = $1 ORDER BY n DESC LIMIT $2`
	// Redeliver makes a delivery due; what a sender has in hand stays with it, with the whole of its time before it. $1 id, $2 all teams, $3 team, $4 now.
	Redeliver = `UPDATE deliveries SET since = $4, tries = 0, ended_at = NULL, status = 'pending',
		due_at = CASE WHEN status = 'pending' AND token <> '' AND due_at > $4 THEN due_at ELSE $4 END,
		token = CASE WHEN status = 'pending' AND token <> '' AND due_at > $4 THEN token ELSE '' END,
		lane = coalesce((SELECT deliveries.team || ' ' || w.host FROM webhooks AS w WHERE w.id = deliveries.target AND w.team = deliveries.team), lane)
		WHERE id = $1 AND ($2 OR team = $3) RETURNING ` + deliveryColumns
)

// LaneText is how a lane is kept; neither part holds a space.
func LaneText(l delivery.Lane) string {
	if l == (delivery.Lane{}) {
		return ""
	}
	return string(l.Team) + " " + l.Host
}

// LaneOf reads what LaneText wrote.
func LaneOf(text string) delivery.Lane {
	team, host, _ := strings.Cut(text, " ")
	return delivery.Lane{Team: key.TeamID(team), Host: host}
}

// ScanClaim reads ClaimColumns. The secret is set where the URL came with the job; otherwise the target is an endpoint's.
func ScanClaim(row Row, now time.Time) (c delivery.Claimed, err error) {
	var at, since int64
	var secret string
	m := &c.Message
	if err := row.Scan(&c.ID, &m.ID, &c.Endpoint, &m.Team, &m.Job, &m.Event, &at, &c.URL, &secret, &m.Trace, &m.Payload, &c.Attempts, &c.Tries, &since); err != nil {
		return delivery.Claimed{}, err
	}
	m.At, c.Age = time.UnixMicro(at).UTC(), max(0, now.Sub(time.UnixMicro(since)))
	if c.Endpoint == "" {
		one, err := secretOf(secret)
		if err != nil {
			return delivery.Claimed{}, err
		}
		c.Secrets = []delivery.Secret{one}
	}
	return c, nil
}

// AimAt gives a claim the target that its endpoint is now; nil is one that was deleted.
func AimAt(c *delivery.Claimed, e *delivery.Endpoint, now time.Time) {
	switch {
	case e == nil:
		c.Missing = delivery.ErrorDeleted
	case !e.DisabledAt.IsZero():
		c.URL, c.Missing = e.URL, delivery.ErrorDisabled
	default:
		c.URL, c.Secrets = e.URL, e.Secrets(now)
	}
}

// RecordArgs are the parameters of RecordDelivery.
func RecordArgs(token string, id delivery.ID, r *delivery.Result, now time.Time) []any {
	more, status := 0, 0
	if r.Attempt != nil {
		more, status = 1, r.Attempt.Status
	}
	due, ended := now, any(now.UnixMicro())
	if r.Status == delivery.Pending {
		due, ended = now.Add(r.Again), nil
	}
	return []any{string(id), token, string(r.Status), more, due.UnixMicro(), status, string(r.Error), ended}
}

// AttemptArgs are the parameters of InsertAttempt.
func AttemptArgs(id delivery.ID, n int, a *delivery.Attempt) []any {
	return []any{string(id), n, a.At.UnixMicro(), a.URL, a.Took.Microseconds(), a.Status, string(a.Error), a.Detail, a.Answer}
}

// ScanAttempt reads an attempt.
func ScanAttempt(row Row) (a delivery.Attempt, err error) {
	var at, took int64
	if err := row.Scan(&a.N, &at, &a.URL, &took, &a.Status, &a.Error, &a.Detail, &a.Answer); err != nil {
		return delivery.Attempt{}, err
	}
	a.At, a.Took = time.UnixMicro(at).UTC(), time.Duration(took)*time.Microsecond
	return a, nil
}

// DeliveryPage gives the statement of a page of deliveries with its parameters; it asks for one more than the limit.
func DeliveryPage(reach key.Reach, f delivery.Filter) (query string, args []any, err error) {
	var where []string
	add := func(condition string, arg any) {
		args = append(args, arg)
		where = append(where, strings.ReplaceAll(condition, "?", "$"+strconv.Itoa(len(args))))
	}
	if team, all := reach.Team(); !all {
		add("team = ?", string(team))
	}
	// The indexes of jobs and targets hold what is not empty: a planner wants to be told.
	for _, one := range []struct{ condition, value string }{
		{"job <> '' AND job = ?", f.Job}, {"target <> '' AND target = ?", string(f.Endpoint)}, {"status = ?", string(f.Status)}, {"event = ?", string(f.Event)},
	} {
		if one.value != "" {
			add(one.condition, one.value)
		}
	}
	if f.After != "" {
		at, id, err := placeOf(f.After)
		if err != nil {
			return "", nil, err
		}
		add("created_at <= ?", at)
		last := len(args)
		add("(created_at < $"+strconv.Itoa(last)+" OR id < ?)", id)
	}
	query = `SELECT ` + deliveryColumns + ` FROM deliveries `
	if len(where) > 0 {
		query += `WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit+1)
	return query + ` ORDER BY created_at DESC, id DESC LIMIT $` + strconv.Itoa(len(args)), args, nil
}

// DeliveryCursor is the place behind a delivery.
func DeliveryCursor(d *delivery.Delivery) delivery.Cursor {
	return delivery.Cursor(strconv.FormatInt(d.CreatedAt.UnixMicro(), 10) + "-" + string(d.ID))
}

func placeOf(c delivery.Cursor) (at int64, id string, err error) {
	text, id, _ := strings.Cut(string(c), "-")
	if at, err = strconv.ParseInt(text, 10, 64); err != nil || id == "" {
		return 0, "", fault.Invalid("", "cursor", "the cursor is not one that promptd gave", "Send next_cursor unchanged, or none to begin.")
	}
	return at, id, nil
}

// ScanDelivery reads a delivery.
func ScanDelivery(row Row) (d delivery.Delivery, err error) {
	var at, created, due int64
	var ended sql.NullInt64
	var token string
	if err := row.Scan(&d.ID, &d.Message, &d.Team, &d.Event, &d.Job, &d.Endpoint, &d.URL, &d.Status, &d.Attempts, &d.LastStatus, &d.LastError, &at, &created, &due,
		&ended, &token); err != nil {
		return delivery.Delivery{}, err
	}
	d.At, d.CreatedAt, d.EndedAt = time.UnixMicro(at).UTC(), time.UnixMicro(created).UTC(), TimeOf(ended)
	if d.Status == delivery.Pending {
		d.NextAt = time.UnixMicro(due).UTC()
	}
	return d, nil
}

// NoDelivery is the answer where a delivery does not exist or lies outside the reach.
func NoDelivery() error {
	f := fault.New(fault.NotFound, "there is no such delivery")
	f.Remediation = "GET /v1/deliveries lists them; they are kept for 30 days after their end."
	return f
}
