package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// The pace of the alerts of budgets.
const (
	alertCursor = "budget.alert"
	alertsEvery = 5 * time.Second
	alertPage   = 200
	// alertsSettle is how long an alert is looked at again: ids are given when a transaction begins, so that one with a lower id may be seen later. No
	// transaction of the store lasts as long.
	alertsSettle = 2 * time.Minute
)

// AlertSource gives alerts in the order of their ids; [limit.BudgetStore] is one.
type AlertSource interface {
	Alerts(ctx context.Context, reach key.Reach, after int64, limit int) ([]limit.Alert, error)
}

// Alerts makes deliveries of the alerts of budgets: each once to each endpoint that subscribes and was there, however many processes run it. [Alerts.Run] owns it.
type Alerts struct {
	Source AlertSource
	Store  Store
	// Wake is called when deliveries were made; Now is the clock, nil means the real one; OnError is told of what went wrong, and is tried again. Wake and OnError may be nil.
	Wake    func()
	Now     func() time.Time
	OnError func(error)

	// told are ids that this process has handed over and that the cursor has not passed. Run alone uses it.
	told map[int64]bool
}

// Run looks for alerts until the context ends.
func (a *Alerts) Run(ctx context.Context) error {
	again := time.NewTicker(alertsEvery)
	defer again.Stop()
	for {
		if err := a.Look(ctx); err != nil && ctx.Err() == nil && a.OnError != nil {
			a.OnError(err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Look makes the deliveries of alerts that have none yet. The store keeps a second one of the same message from being made.
func (a *Alerts) Look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	cursor, err := a.Store.Cursor(ctx, alertCursor)
	if err != nil {
		return fmt.Errorf("read how far alerts are told: %w", err)
	}
	if a.told == nil {
		a.told = map[int64]bool{}
	}
	settled, settling := cursor, true
	for after := cursor; ; {
		list, err := a.Source.Alerts(ctx, key.AllTeams(), after, alertPage)
		if err != nil {
			return fmt.Errorf("read alerts of budgets: %w", err)
		}
		var fresh []Message
		for i := range list {
			one := &list[i]
			if settling = settling && a.now().Sub(one.At) > alertsSettle; settling {
				settled = one.ID
			}
			if after = one.ID; !a.told[one.ID] {
				fresh = append(fresh, alertMessage(one))
			}
		}
		if err := a.tell(ctx, cursor, settled, fresh); err != nil {
			return err
		}
		for i := range list {
			a.told[list[i].ID] = true
		}
		if len(list) < alertPage {
			break
		}
	}
	for id := range a.told {
		if id <= settled {
			delete(a.told, id)
		}
	}
	return nil
}

func (a *Alerts) tell(ctx context.Context, cursor, settled int64, fresh []Message) error {
	if len(fresh) == 0 && settled == cursor {
		return nil
	}
	made, err := a.Store.Announce(ctx, alertCursor, settled, fresh)
	if err != nil {
		return fmt.Errorf("tell alerts of budgets: %w", err)
	}
	if made > 0 && a.Wake != nil {
		a.Wake()
	}
	return nil
}

func (a *Alerts) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// AlertData is what the event budget.alert tells.
type AlertData struct {
	// Kind is key or team; ID is the key's id or the team's name.
	Kind   string     `json:"kind"`
	ID     string     `json:"id"`
	Team   key.TeamID `json:"team"`
	Period string     `json:"period"`
	// Threshold is in percent: 80 or 100.
	Threshold int       `json:"threshold"`
	Limit     key.Nanos `json:"limit_usd"`
	Spent     key.Nanos `json:"spent_usd"`
	At        time.Time `json:"at"`
}

func alertMessage(a *limit.Alert) Message {
	data, _ := json.Marshal(AlertData{ //nolint:errcheck // Texts and numbers alone.
		Kind: a.Kind, ID: a.Payer.ID, Team: a.Team, Period: a.Period, Threshold: a.Threshold, Limit: a.Limit, Spent: a.Spent, At: a.At,
	})
	return Message{
		ID: MessageID("msg_alert_" + strconv.FormatInt(a.ID, 10)), Team: a.Team, Event: BudgetAlert, At: a.At,
		Payload: Envelope(BudgetAlert, a.At, data),
	}
}
