package statement

import (
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// LeaseBudget keeps what a holder has of a budget: $1 kind, $2 id, $3 period, $4 holder, $5 amount, $6 what it has ever booked, $7 until when, $8 the draw's turn.
const LeaseBudget = `INSERT INTO budget_leases (kind, id, period, holder, amount, booked, lease_until, turn) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
	ON CONFLICT (kind, id, period, holder) DO UPDATE SET amount = excluded.amount, booked = excluded.booked, lease_until = excluded.lease_until, turn = excluded.turn`

const (
	alertColumns = `SELECT id, kind, payer, team, period, threshold, limit_nanos, spent, at FROM budget_alerts `
	TeamAlerts   = alertColumns + `WHERE team = $1 AND id > $2 ORDER BY id LIMIT $3`
	AllAlerts    = alertColumns + `WHERE id > $1 ORDER BY id LIMIT $2`
)

// AlertPage gives the statement of alerts behind an id with its parameters.
func AlertPage(reach key.Reach, after int64, most int) (query string, args []any) {
	team, all := reach.Team()
	if all {
		return AllAlerts, []any{after, most}
	}
	return TeamAlerts, []any{string(team), after, most}
}

// AlertOf makes the alert of a threshold that a draw has passed.
func AlertOf(now time.Time, threshold int, d *limit.Draw, spent key.Nanos) limit.Alert {
	return limit.Alert{Payer: d.Payer, Period: d.Period, Threshold: threshold, Limit: d.Limit, Spent: spent, At: now.UTC().Truncate(time.Microsecond)}
}

// AlertArgs are an alert's columns without its id: kind, payer, team, period, threshold, limit, spent, at.
func AlertArgs(a *limit.Alert) []any {
	return []any{a.Kind, a.Payer.ID, string(a.Team), a.Period, a.Threshold, int64(a.Limit), int64(a.Spent), a.At.UnixMicro()}
}

// ScanAlert reads an alert.
func ScanAlert(row Row) (a limit.Alert, err error) {
	var at int64
	if err := row.Scan(&a.ID, &a.Kind, &a.Payer.ID, &a.Team, &a.Period, &a.Threshold, &a.Limit, &a.Spent, &at); err != nil {
		return limit.Alert{}, err
	}
	a.At = time.UnixMicro(at).UTC()
	return a, nil
}
