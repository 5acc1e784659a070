package statement

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/key"
)

const webhookColumns = `id, team, url, events, secret, previous, previous_until, disabled_at, disabled_why, created_at, updated_at`

// The statements of endpoints.
const (
	// AddWebhook adds nothing where the team has as many as $13.
	AddWebhook = `INSERT INTO webhooks (` + webhookColumns + `, host)
	SELECT $1, $2, $3, $4, $5, $6, CAST($7 AS bigint), CAST($8 AS bigint), $9, CAST($10 AS bigint), CAST($11 AS bigint), $12
	WHERE (SELECT count(*) FROM webhooks WHERE team = $2) < CAST($13 AS bigint)`
	OneWebhook   = `SELECT ` + webhookColumns + ` FROM webhooks WHERE id = $1 AND ($2 OR team = $3)`
	SomeWebhooks = `SELECT ` + webhookColumns + ` FROM webhooks WHERE team = $1 AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3`
	AllWebhooks  = `SELECT ` + webhookColumns + ` FROM webhooks WHERE ($1 = '' OR id < $1) ORDER BY id DESC LIMIT $2`
	// ChangeWebhook writes what can be changed of an endpoint, as it was read in the same transaction.
	ChangeWebhook = `UPDATE webhooks SET url = $2, host = $3, events = $4, disabled_at = $5, disabled_why = $6, updated_at = $7 WHERE id = $1`
	// MoveDeliveries takes what is pending for an endpoint to the lane of its new URL.
	MoveDeliveries = `UPDATE deliveries SET lane = team || ' ' || $2 WHERE target <> '' AND target = $1 AND status = 'pending'`
	// RotateWebhook: $2 secret, $3 until when the one before signs, $4 now.
	RotateWebhook = `UPDATE webhooks SET previous = secret, previous_until = $3, secret = $2, updated_at = $4 WHERE id = $1`
	DeleteWebhook = `DELETE FROM webhooks WHERE id = $1 AND ($2 OR team = $3)`
	// DisableWebhook disables an endpoint by what its URL $3 answered: another URL that it has got meanwhile stays.
	DisableWebhook = `UPDATE webhooks SET disabled_at = $4, disabled_why = $5, updated_at = $4 WHERE id = $1 AND team = $2 AND url = $3 AND disabled_at IS NULL`
)

// WebhookArgs are the parameters of AddWebhook.
func WebhookArgs(e *delivery.Endpoint) []any {
	return []any{
		string(e.ID), string(e.Team), e.URL, eventsText(e.Events), e.Secret.Reveal(), e.Previous.Reveal(), Micros(e.PreviousUntil), Micros(e.DisabledAt), e.DisabledWhy,
		e.CreatedAt.UnixMicro(), e.UpdatedAt.UnixMicro(), delivery.HostOf(e.URL), delivery.MostEndpoints,
	}
}

// WebhookChangeArgs are the parameters of ChangeWebhook.
func WebhookChangeArgs(e *delivery.Endpoint) []any {
	return []any{string(e.ID), e.URL, delivery.HostOf(e.URL), eventsText(e.Events), Micros(e.DisabledAt), e.DisabledWhy, e.UpdatedAt.UnixMicro()}
}

// WebhookPage gives the statement of a page of endpoints with its parameters; it asks for one more than the limit.
func WebhookPage(reach key.Reach, limit int, after delivery.Cursor) (query string, args []any) {
	team, all := reach.Team()
	if all {
		return AllWebhooks, []any{string(after), limit + 1}
	}
	return SomeWebhooks, []any{string(team), string(after), limit + 1}
}

// eventsText writes names with a space before and behind each, so that one can be found by its own.
func eventsText(events []delivery.Event) string {
	if len(events) == 0 {
		return ""
	}
	var b strings.Builder
	for _, e := range events {
		b.WriteString(" " + string(e) + " ")
	}
	return b.String()
}

func eventsOf(text string) []delivery.Event {
	var events []delivery.Event
	for _, name := range strings.Fields(text) {
		events = append(events, delivery.Event(name))
	}
	return events
}

// ScanWebhook reads an endpoint.
func ScanWebhook(row Row) (e delivery.Endpoint, err error) {
	var events, secret, previous string
	var until, disabled sql.NullInt64
	var created, updated int64
	if err := row.Scan(&e.ID, &e.Team, &e.URL, &events, &secret, &previous, &until, &disabled, &e.DisabledWhy, &created, &updated); err != nil {
		return delivery.Endpoint{}, err
	}
	if e.Secret, err = secretOf(secret); err != nil {
		return delivery.Endpoint{}, fmt.Errorf("read the secret of %s: %w", e.ID, err)
	}
	if e.Previous, err = secretOf(previous); err != nil {
		return delivery.Endpoint{}, fmt.Errorf("read the secret before of %s: %w", e.ID, err)
	}
	e.Events, e.PreviousUntil, e.DisabledAt = eventsOf(events), TimeOf(until), TimeOf(disabled)
	e.CreatedAt, e.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return e, nil
}

func secretOf(text string) (delivery.Secret, error) {
	if text == "" {
		return delivery.Secret{}, nil
	}
	return delivery.ParseSecret(text)
}

// NoWebhook is the answer where an endpoint does not exist or lies outside the reach.
func NoWebhook() error {
	f := fault.New(fault.NotFound, "there is no such webhook")
	f.Remediation = "GET /v1/webhooks lists them."
	return f
}

// ManyWebhooks is the answer where a team has as many as it may.
func ManyWebhooks() error {
	f := fault.New(fault.Conflict, "the team has %d webhooks, which is as many as it may have", delivery.MostEndpoints)
	f.Remediation = "Delete one that is no longer used: promptd webhooks list, promptd webhooks delete."
	return f
}
