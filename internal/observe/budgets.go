package observe

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// budgetMeters are the metrics of budgets. Their labels come from keys and teams that have a budget, never from what a caller sends.
type budgetMeters struct {
	used   *prometheus.GaugeVec
	alerts *prometheus.CounterVec
}

func (m *Metrics) declareBudgets() {
	m.budgets.used = m.gauges("budget_used_ratio", "Share of a budget that is spent in its period, of keys (by id) and teams (by name) that this process has seen spend in it.", "kind", "payer")
	m.budgets.alerts = m.counters("budget_alerts_total", "Alerts that a budget comes to its end, by the threshold in percent: 80, 100.", "kind", "threshold")
}

// BudgetUsed shows the share of a budget that is spent. It is called when the store has answered, not on the path of every request.
func (m *Metrics) BudgetUsed(kind, payer string, share float64) {
	m.budgets.used.WithLabelValues(kind, payer).Set(share)
}

// BudgetEnded forgets a budget whose period is over.
func (m *Metrics) BudgetEnded(kind, payer string) { m.budgets.used.DeleteLabelValues(kind, payer) }

// BudgetAlert counts an alert.
func (m *Metrics) BudgetAlert(kind string, threshold int) {
	m.budgets.alerts.WithLabelValues(kind, strconv.Itoa(threshold)).Inc()
}
