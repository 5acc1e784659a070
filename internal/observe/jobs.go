package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// jobMeters are the metrics of jobs. Labels are classes, states and results alone: a fixed set each.
type jobMeters struct {
	submitted, prompts, finished, items, claims, reaped, told *prometheus.CounterVec
	queue, oldest                                             *prometheus.GaugeVec
	working                                                   prometheus.Gauge
	lost                                                      prometheus.Counter
}

func (m *Metrics) declareJobs() {
	j := &m.jobs
	j.submitted = m.counters("jobs_submitted_total", "Jobs that this process accepted, by priority.", "priority")
	j.prompts = m.counters("jobs_items_submitted_total", "Prompts of the jobs that this process accepted, by priority.", "priority")
	j.finished = m.counters("jobs_finished_total", "Jobs that became final by this process, by state: completed, completed_with_errors, failed, cancelled, expired.", "state")
	j.items = m.counters("jobs_items_total", "Prompts of jobs that this process ended, by state: completed, failed; pending are those to be tried again.", "state")
	j.working = m.gauge("jobs_items_working", "Prompts of jobs that this process works on.")
	j.claims = m.counters("jobs_claims_total", "Looks for work, by what they took of what they wanted: full, part, empty.", "result")
	j.lost = m.counter("jobs_leases_lost_total", "Prompts whose lease a worker lost while it worked: the store did not renew it in time, or another process put it right.")
	j.reaped = m.counters("jobs_reaped_total", "What was put right by time: requeued and poisoned prompts of lost workers, expired jobs, stripped results, deleted jobs, abandoned uploads.", "kind")
	j.told = m.counters("broker_messages_total", "Messages that tell workers of work, by queue and by what became of them: published, failed, dropped. Work of which no message told is found in the store.", "queue", "outcome")
	j.queue = m.gauges("jobs_queue_items", "Prompts of jobs that wait and are due, of all processes, by priority.", "priority")
	j.oldest = m.gauges("jobs_queue_oldest_seconds", "How long the first of them has been due, by priority.", "priority")
}

// JobSubmitted counts an accepted job and its prompts.
func (m *Metrics) JobSubmitted(priority string, prompts int) {
	m.jobs.submitted.WithLabelValues(priority).Inc()
	m.jobs.prompts.WithLabelValues(priority).Add(float64(prompts))
}

// JobFinished counts a job that became final.
func (m *Metrics) JobFinished(state string) { m.jobs.finished.WithLabelValues(state).Inc() }

// JobItem counts a prompt that ended, or is to be tried again.
func (m *Metrics) JobItem(state string) { m.jobs.items.WithLabelValues(state).Inc() }

// JobWorking counts prompts in and out of work.
func (m *Metrics) JobWorking(change int) { m.jobs.working.Add(float64(change)) }

// JobClaim counts a look for work.
func (m *Metrics) JobClaim(taken, wanted int) {
	result := "part"
	switch taken {
	case 0:
		result = "empty"
	case wanted:
		result = "full"
	}
	m.jobs.claims.WithLabelValues(result).Inc()
}

// JobLeaseLost counts a lease that was lost.
func (m *Metrics) JobLeaseLost() { m.jobs.lost.Inc() }

// JobReaped counts what was put right.
func (m *Metrics) JobReaped(kind string, n int) {
	if n > 0 {
		m.jobs.reaped.WithLabelValues(kind).Add(float64(n))
	}
}

// BrokerMessages counts messages that tell workers of work.
func (m *Metrics) BrokerMessages(queue, outcome string, n int) {
	m.jobs.told.WithLabelValues(queue, outcome).Add(float64(n))
}

// JobQueue shows what waits in a class.
func (m *Metrics) JobQueue(priority string, items int, oldest time.Duration) {
	m.jobs.queue.WithLabelValues(priority).Set(float64(items))
	m.jobs.oldest.WithLabelValues(priority).Set(oldest.Seconds())
}
