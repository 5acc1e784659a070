package delivery_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/delivery/deliverytest"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// raised are alerts as a store shows them: those of transactions that are not committed yet are not there.
type raised struct {
	mu   sync.Mutex
	list []limit.Alert
	err  error
}

// set changes what is seen, and whether anything is.
func (r *raised) set(err error, list ...limit.Alert) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.err = list, err
}

func (r *raised) Alerts(_ context.Context, reach key.Reach, after int64, most int) (out []limit.Alert, err error) {
	if _, all := reach.Team(); !all {
		return nil, errors.New("alerts of every team are wanted")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.list {
		if a.ID > after && len(out) < most {
			out = append(out, a)
		}
	}
	return out, r.err
}

func alert(id int64, team key.TeamID) limit.Alert {
	return limit.Alert{ID: id, Payer: limit.TeamPayer(team), Period: "2026-11", Threshold: 80, Limit: 10_000_000_000, Spent: 8_500_000_000, At: time.Now()}
}

func TestEachAlertIsToldOnceToWhoWasThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		s.endpoint(1, hook)
		source := &raised{list: []limit.Alert{alert(1, "acme"), alert(3, "acme"), alert(4, "beta")}}
		woken := 0
		owner := func() *delivery.Alerts {
			return &delivery.Alerts{Source: source, Store: s.store, Wake: func() { woken++ }, OnError: func(err error) { t.Errorf("alerts: %v", err) }}
		}
		look := func(a *delivery.Alerts, want int) {
			t.Helper()
			if err := a.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			list, _, err := s.store.Deliveries(t.Context(), key.AllTeams(), delivery.Filter{Limit: 1000})
			if err != nil || len(list) != want {
				t.Errorf("%d deliveries, %v; want %d", len(list), err, want)
			}
		}
		one, other := owner(), owner()
		look(one, 2)
		look(one, 2)
		look(other, 2)
		time.Sleep(time.Second)
		s.endpoint(2, "https://later.example.com/") // It was not there when those were raised.
		look(owner(), 2)
		source.list = []limit.Alert{source.list[0], alert(2, "acme"), source.list[1], source.list[2], alert(5, "acme")} // A lower id is seen later.
		look(one, 6)
		look(owner(), 6)
		time.Sleep(10 * time.Minute)
		look(one, 6)
		if cursor, err := s.store.Cursor(t.Context(), "budget.alert"); err != nil || cursor != 5 {
			t.Errorf("the cursor is %d, %v; want 5", cursor, err)
		}
		look(owner(), 6)
		if woken == 0 {
			t.Error("nobody was woken")
		}
		// Many at once, over several pages, none of which has settled.
		for id := int64(6); id < 500; id++ {
			source.list = append(source.list, alert(id, "acme"))
		}
		look(one, 994)
		look(owner(), 994)
	})
}

func TestAnAlertsMessageSaysWhatIsSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		s.endpoint(1, hook)
		source := &raised{list: []limit.Alert{alert(7, "acme")}}
		ctx, cancel := context.WithCancel(t.Context())
		sender := s.run(1)
		alerts := &delivery.Alerts{Source: source, Store: s.store, Wake: sender.Wake}
		s.running.Go(func() { _ = alerts.Run(ctx) })
		time.Sleep(time.Minute)
		got := s.targets.Receipts()
		if len(got) != 1 || got[0].Header.Get("Webhook-Id") != "msg_alert_7" {
			t.Fatalf("got %+v, want one message", got)
		}
		var body struct {
			Type string
			Data map[string]any
		}
		if err := json.Unmarshal(got[0].Body, &body); err != nil || body.Type != "budget.alert" || body.Data["spent_usd"] != 8.5 || body.Data["id"] != "acme" || body.Data["threshold"] != 80.0 {
			t.Errorf("the message is %s, %v", got[0].Body, err)
		}
		cancel()
		s.end()
	})
}

func TestASourceThatIsAwayIsAskedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, deliverytest.Status(200))
		s.endpoint(1, hook)
		source := &raised{err: errors.New("away")}
		var told atomic.Int64
		ctx, cancel := context.WithCancel(t.Context())
		alerts := &delivery.Alerts{Source: source, Store: s.store, OnError: func(error) { told.Add(1) }}
		s.running.Go(func() { _ = alerts.Run(ctx) })
		time.Sleep(12 * time.Second)
		source.set(nil, alert(1, "acme"))
		time.Sleep(10 * time.Second)
		if d := s.only(); told.Load() != 3 || d.Event != delivery.BudgetAlert {
			t.Errorf("%d errors were told, and the delivery is %+v", told.Load(), d)
		}
		cancel()
		s.running.Wait()
	})
}
