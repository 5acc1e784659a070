package limit

import (
	"context"
	"time"

	"github.com/promptd/promptd/internal/key"
)

// Payer is whose budget it is.
type Payer struct {
	// Kind is "key" or "team".
	Kind string
	// ID is the key's id or the team's name.
	ID string
	// Team is the team itself, or the key's.
	Team key.TeamID
}

// KeyPayer is a key with a budget of its own.
func KeyPayer(id key.ID, team key.TeamID) Payer {
	return Payer{Kind: "key", ID: string(id), Team: team}
}

// TeamPayer is a team, for all of its keys.
func TeamPayer(team key.TeamID) Payer { return Payer{Kind: "team", ID: string(team), Team: team} }

// String names the payer in sentences.
func (p Payer) String() string { return p.Kind + " " + p.ID }

// Span is one period of a budget: a day or a month in UTC.
type Span struct {
	// Label names it in the store: 2026-11-26 or 2026-11.
	Label string
	Start time.Time
	End   time.Time
}

// SpanOf is the period that a time lies in.
func SpanOf(p key.Period, now time.Time) Span {
	y, m, d := now.UTC().Date()
	if p == key.Monthly {
		start := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		return Span{start.Format("2006-01"), start, start.AddDate(0, 1, 0)}
	}
	start := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	return Span{start.Format(time.DateOnly), start, start.AddDate(0, 0, 1)}
}

// The thresholds of alerts, in percent. The second is reached when the budget is spent, and behind the first also when the budget has stopped a request: the
// last cents of a budget may cover no call.
const (
	AlertNear = 80
	AlertFull = 100
)

// near says whether so much of a budget is spent that the first alert is due, exactly: amounts are far below what a hundredfold would not fit.
func near(spent, limit key.Nanos) bool {
	return limit > 0 && spent >= limit-limit/100*(100-AlertNear)-limit%100*(100-AlertNear)/100
}

// Draw is what a process wants of one payer's budget in one period. All of it is absolute, so that the same Draw twice is as good as once.
type Draw struct {
	Payer
	Period string
	Limit  key.Nanos
	// Holder names who draws. What it has spent only grows: whoever begins to count anew is another holder.
	Holder string
	// Turn counts this holder's draws up. One may come so late that the holder has given it up and drawn again: that one changes nothing.
	Turn int64
	// Spent is all that this holder has ever spent of it: the store books what it has not booked of that.
	Spent key.Nanos
	// Keep is what calls under way hold: it stays the holder's whatever is left.
	Keep key.Nanos
	// Have is what the holder has in hand beyond that, Want what it would like, Least what it needs. Where less than Least is left, Have is what it gets, if
	// that much is left.
	Have, Want, Least key.Nanos
}

// Drawn is the store's answer to a Draw.
type Drawn struct {
	// Granted is what the holder has beyond Keep from now on.
	Granted key.Nanos
	Balance
	// Alerts are those that this draw has raised, each once in a period.
	Alerts []Alert
}

// Balance is the state of a budget.
type Balance struct {
	// Spent is what is booked, with what processes held that were not heard of in time; Reserved is what the others hold beyond it: for calls under way, and in hand.
	Spent, Reserved key.Nanos
}

// Alert says that a budget comes to its end. It is kept for webhooks as the event budget.alert.
type Alert struct {
	// ID counts alerts up.
	ID int64
	Payer
	Period string
	// Threshold is AlertNear or AlertFull.
	Threshold    int
	Limit, Spent key.Nanos
	At           time.Time
}

// Grant decides on a draw where so much is left beside what others hold and Keep: the rule of every store.
func (d *Draw) Grant(left key.Nanos) (granted key.Nanos, refused bool) {
	refused = d.Least > 0 && left < d.Least
	want := d.Want
	if refused {
		want = d.Have
	}
	return max(0, min(want, left)), refused
}

// Due gives the thresholds whose alerts are due at such a sum, or because the draw was refused.
func (d *Draw) Due(spent key.Nanos, refused bool) []int {
	switch {
	case !near(spent, d.Limit):
		return nil
	case refused || spent >= d.Limit:
		return []int{AlertNear, AlertFull}
	default:
		return []int{AlertNear}
	}
}

// BudgetStore keeps budgets. All methods can be called concurrently. The clock that leases run by is the store's.
type BudgetStore interface {
	// Draw answers each draw, in one transaction: all of it or nothing. A draw behind a later one of its holder is answered by the state as it is, and granted
	// nothing: nobody waits for that. What a holder has is its lease until that time after now. What is held by a lease that has
	// lapsed counts as spent: a process that died has made calls with it that nobody booked, for all one knows, and never is less charged than was used. When its
	// holder draws again, after it hung, it counts as before. Alerts are kept in the same transaction.
	Draw(ctx context.Context, lease time.Duration, draws []Draw) ([]Drawn, error)
	// Balance reads one budget's state; one that nobody has drawn on is empty.
	Balance(ctx context.Context, p Payer, period string) (Balance, error)
	// Alerts reads alerts after an id in their order.
	Alerts(ctx context.Context, reach key.Reach, after int64, limit int) ([]Alert, error)
	// Forget deletes what nobody has drawn on since a time; alerts stay.
	Forget(ctx context.Context, before time.Time) error
}
