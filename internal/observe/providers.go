package observe

import "github.com/prometheus/client_golang/prometheus"

// Account is what is shown of a provider. What counts only grows.
type Account struct {
	Provider        string
	InFlight, Limit int
	// RetryBudget is the share that is left, from 0 to 1.
	RetryBudget    float64
	RetriesRefused int64
	// Unsent counts calls that were not sent, by reason.
	Unsent             map[string]int64
	CredentialsResting int
	CredentialRests    int64
	Models             []AccountModel
}

// AccountModel is what is shown of a provider's model. Times are seconds, 0 where they are not known.
type AccountModel struct {
	Model string
	// Breaker is 0 for closed, 1 for half open, 2 for open.
	Breaker  int
	P50, P95 float64
}

// accounts reads the state of the providers whenever metrics are asked for.
type accounts struct {
	read func() []Account

	breaker, limit, inFlight, budget, refused, unsent, resting, rests, latency *prometheus.Desc
}

// WatchProviders reads the state of the providers whenever metrics are asked for. Names come from the configuration alone.
func (m *Metrics) WatchProviders(read func() []Account) { m.watched.accounts.Store(&read) }

func (m *Metrics) declareAccounts() {
	a := &accounts{read: func() []Account {
		if f := m.watched.accounts.Load(); f != nil {
			return (*f)()
		}
		return nil
	}}
	describe := func(into **prometheus.Desc, kind, name, help string, labels ...string) {
		*into = prometheus.NewDesc(name, help, labels, nil)
		m.declared = append(m.declared, Declaration{Name: name, Type: kind, Help: help, Labels: labels})
	}
	describe(&a.breaker, "gauge", "provider_breaker_state", "State of the breaker of a provider's model: 0 closed, 1 half open, 2 open.", "provider", "model")
	describe(&a.limit, "gauge", "provider_concurrency_limit", "Calls that may be under way at a provider now: max_concurrency, or less while the service says that it is given too much.", "provider")
	describe(&a.inFlight, "gauge", "provider_in_flight_requests", "Calls under way at a provider, and those that wait for a slot.", "provider")
	describe(&a.budget, "gauge", "provider_retry_budget_ratio", "Share of a provider's retry budget that is left.", "provider")
	describe(&a.refused, "counter", "provider_retries_refused_total", "Repeats at a provider that its retry budget did not allow.", "provider")
	describe(&a.unsent, "counter", "provider_unsent_requests_total",
		"Calls that were not sent to a provider by reason: open (breaker), busy (no slot in time), resting (the service asked to wait), limited (the account's own rpm or tpm).", "provider", "reason")
	describe(&a.resting, "gauge", "provider_credentials_resting", "Credentials of a provider that are left alone now, if only for one model.", "provider")
	describe(&a.rests, "counter", "provider_credential_rests_total", "Times that a credential was left alone because it was refused, limited or out of quota.", "provider")
	describe(&a.latency, "gauge", "provider_latency_seconds", "What is usual of good calls of late, as the router sees it; minutes ago weigh little.", "provider", "model", "quantile")
	m.registry.MustRegister(a)
}

// Describe implements prometheus.Collector.
func (a *accounts) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{a.breaker, a.limit, a.inFlight, a.budget, a.refused, a.unsent, a.resting, a.rests, a.latency} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (a *accounts) Collect(out chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	for _, one := range a.read() {
		send(a.limit, prometheus.GaugeValue, float64(one.Limit), one.Provider)
		send(a.inFlight, prometheus.GaugeValue, float64(one.InFlight), one.Provider)
		send(a.budget, prometheus.GaugeValue, one.RetryBudget, one.Provider)
		send(a.refused, prometheus.CounterValue, float64(one.RetriesRefused), one.Provider)
		send(a.resting, prometheus.GaugeValue, float64(one.CredentialsResting), one.Provider)
		send(a.rests, prometheus.CounterValue, float64(one.CredentialRests), one.Provider)
		for reason, n := range one.Unsent {
			send(a.unsent, prometheus.CounterValue, float64(n), one.Provider, reason)
		}
		for _, m := range one.Models {
			send(a.breaker, prometheus.GaugeValue, float64(m.Breaker), one.Provider, m.Model)
			if m.P95 > 0 {
				send(a.latency, prometheus.GaugeValue, m.P50, one.Provider, m.Model, "0.5")
				send(a.latency, prometheus.GaugeValue, m.P95, one.Provider, m.Model, "0.95")
			}
		}
	}
}
