package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// webhookMeters are the metrics of webhooks. Their labels are words of the product alone.
type webhookMeters struct {
	attempts  *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

func (m *Metrics) declareWebhooks() {
	m.webhooks.attempts = m.counters("webhook_attempts_total",
		"Attempts to deliver a webhook's message by outcome: delivered, or what went wrong (dns, blocked_address, connect, tls, timeout, protocol, url, redirect, status, gone).", "outcome")
	m.webhooks.durations = m.histograms("webhook_attempt_duration_seconds", "Time of an attempt to deliver a webhook's message, from the look-up of the name to the end of the answer.",
		[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15})
}

// WebhookAttempt counts an attempt.
func (m *Metrics) WebhookAttempt(outcome string, took time.Duration) {
	m.webhooks.attempts.WithLabelValues(outcome).Inc()
	m.webhooks.durations.WithLabelValues().Observe(took.Seconds())
}
