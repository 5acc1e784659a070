package app

import (
	"log/slog"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/limit"
)

// budgets makes what holds keys and teams to their budgets. It says what happens to them in the log and in metrics; webhooks read the store's alerts.
func (a *App) budgets() *limit.Budgets {
	b := limit.NewBudgets(limit.BudgetsConfig{
		Store: a.db.budgets, Holder: uuid.NewString(), OnError: a.complain("what was spent of budgets could not be booked yet"),
		OnAlert: a.budgetAlert, OnBalance: a.budgetMoved,
		OnEnd: func(p limit.Payer) { a.seen.Metrics.BudgetEnded(p.Kind, p.ID) },
	})
	a.own("budgets", b.Run)
	return b
}

func (a *App) budgetAlert(e limit.Alert) {
	a.seen.Metrics.BudgetAlert(e.Kind, e.Threshold)
	text := "a budget is nearly spent"
	if e.Threshold == limit.AlertFull {
		text = "a budget is spent: it stops requests until the next period, or until it is raised"
	}
	a.log.Warn(text, slog.String("event", "budget.alert"), slog.String(e.Kind, e.Payer.ID), slog.String("team", string(e.Team)), slog.String("period", e.Period),
		slog.Int("threshold", e.Threshold), slog.String("spent_usd", e.Spent.String()), slog.String("limit_usd", e.Limit.String()))
}

func (a *App) budgetMoved(p limit.Payer, b limit.Balance, most key.Nanos) {
	share := 1.0
	if most > 0 {
		share = float64(b.Spent) / float64(most)
	}
	a.seen.Metrics.BudgetUsed(p.Kind, p.ID, share)
}
