package observe

import (
	"math"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build tells which build this is.
type Build struct{ Version, Revision string }

// Metrics holds every metric of the product. Its methods are safe for concurrent use, and those of the request path do not allocate.
type Metrics struct {
	registry *prometheus.Registry
	declared []Declaration

	active       prometheus.Gauge
	apiRequests  *prometheus.CounterVec
	apiDurations *prometheus.HistogramVec
	llmRequests  *prometheus.CounterVec
	llmDurations *prometheus.HistogramVec
	llmFirst     *prometheus.HistogramVec
	llmTokens    *prometheus.CounterVec
	llmCost      *prometheus.CounterVec
	llmActive    *prometheus.GaugeVec
	reasks       prometheus.Counter
	steps        *prometheus.HistogramVec
	queries      *prometheus.HistogramVec
	queryFaults  *prometheus.CounterVec
	historyLost  prometheus.Counter
	logLost      prometheus.Counter
	traceLost    prometheus.Counter

	cacheOps    table[string, prometheus.Counter]
	judgements  table[string, prometheus.Counter]
	repairs     table[string, prometheus.Counter]
	coercions   table[string, prometheus.Counter]
	refusals    table[string, prometheus.Counter]
	reloads     table[string, prometheus.Counter]
	routes      table[routeKey, *route]
	models      table[modelKey, *ModelMeter]
	stepTimings table[string, Timing]
	statements  table[string, *statement]

	budgets      budgetMeters
	webhooks     webhookMeters
	jobs         jobMeters
	hits, misses atomic.Uint64
	watched      watched
}

// watched are figures that others keep and that are read when metrics are asked for.
type watched struct {
	cacheEntries, cacheBytes, historyQueue, historyRecords atomic.Pointer[func() float64]

	accounts atomic.Pointer[func() []Account]
}

// NewMetrics declares every metric, on a registry of its own. A metric that is not here does not exist: the reference page
// is made from these lines.
func NewMetrics(b Build) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	for _, t := range []*table[string, prometheus.Counter]{&m.cacheOps, &m.judgements, &m.repairs, &m.coercions, &m.refusals, &m.reloads} {
		t.other = overflow
	}
	m.stepTimings.other, m.statements.other = overflow, overflow
	m.declareAPI()
	m.declareProviders()
	m.declareAccounts()
	m.declarePipeline()
	m.declareStores()
	m.declareBudgets()
	m.declareWebhooks()
	m.declareJobs()

	build := m.gauges("promptd_build_info", "1, with the build in its labels.", "version", "revision", "go_version")
	build.WithLabelValues(b.Version, b.Revision, runtime.Version()).Set(1)
	m.reloads.resolve = m.named(m.counters("config_reloads_total", "Reloads of the configuration by result: ok, refused.", "result"))
	m.logLost = m.counter("log_lines_lost_total", "Log lines that were lost because the reader of the log was too slow or gone.")
	m.traceLost = m.counter("trace_spans_lost_total", "Spans that could not be sent to the trace collector.")
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) declareAPI() {
	m.active = m.gauge("active_requests", "Requests that are being worked on.")
	m.apiRequests = m.counters("api_requests_total", "Requests by route (its pattern), method and HTTP status.", "route", "method", "status")
	m.apiDurations = m.histograms("api_request_duration_seconds", "Time from a request's arrival to the end of its answer.",
		[]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 120}, "route", "method")
	m.refusals.resolve = m.named(m.counters("rate_limit_refusals_total", "Requests refused by a limit: requests, tokens, concurrency, budget, overload.", "limit"))
	m.routes.resolve, m.routes.other = m.newRoute, routeKey{overflow, overflow}
}

func (m *Metrics) declareProviders() {
	m.llmRequests = m.counters("llm_requests_total", "Calls to providers by outcome.", "provider", "model", "outcome")
	m.llmDurations = m.histograms("llm_request_duration_seconds", "Time of a call to a provider, from sending to the end of the answer.",
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300}, "provider", "model")
	m.llmFirst = m.histograms("llm_first_token_seconds", "Time of a call to a provider until its first token, in streams.",
		[]float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30}, "provider", "model")
	m.llmTokens = m.counters("llm_tokens_total", "Tokens as providers reported them by kind: input (cached ones included), cached_input, output.", "provider", "model", "kind")
	m.llmCost = m.counters("llm_cost_usd_total", "Cost of calls in US dollars, where prices are known.", "provider", "model")
	m.llmActive = m.gauges("llm_active_requests", "Calls to providers that are under way.", "provider", "model")
	m.models.resolve, m.models.other = m.newModel, modelKey{overflow, overflow}
}

func (m *Metrics) declarePipeline() {
	m.steps = m.histograms("pipeline_step_duration_seconds", "Time that each step of the pipeline took; attempts and call hold the provider's time.",
		[]float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .025, .1, .5, 1, 5, 30}, "step")
	m.stepTimings.resolve = func(name string) Timing { return Timing{m.steps.WithLabelValues(name)} }
	m.judgements.resolve = m.named(m.counters("validation_results_total", "Judgements of answers by result: passed, failed, truncated, needs_input.", "result"))
	m.repairs.resolve = m.named(m.counters("validation_repairs_total", "Repairs of malformed JSON by kind.", "kind"))
	m.coercions.resolve = m.named(m.counters("validation_coercions_total", "Values aligned to their schema by kind.", "kind"))
	m.reasks = m.counter("validation_reasks_total", "Second calls that show a model its own faults.")
}

func (m *Metrics) declareStores() {
	m.cacheOps.resolve = m.named(m.counters("cache_operations_total", "Operations on the cache: hit, miss, store, error, coalesced, drop.", "operation"))
	m.gaugeFunc("cache_hit_ratio", "Share of look-ups in the cache that found an answer, since the start; 0 before the first.", m.hitRatio)
	m.gaugeFunc("cache_entries", "Answers in the cache in memory.", m.watched.read(&m.watched.cacheEntries))
	m.gaugeFunc("cache_bytes", "Size of the cache in memory.", m.watched.read(&m.watched.cacheBytes))
	m.queries = m.histograms("db_query_duration_seconds", "Time of a statement on the database.",
		[]float64{1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, .01, .025, .05, .1, .25, 1, 5}, "statement")
	m.queryFaults = m.counters("db_query_faults_total", "Statements on the database that failed.", "statement")
	m.statements.resolve = m.newStatement
	m.gaugeFunc("history_queue_records", "Records of the request history that wait to be written.", m.watched.read(&m.watched.historyQueue))
	m.counterFunc("history_records_total", "Records of the request history that were written.", m.watched.read(&m.watched.historyRecords))
	m.historyLost = m.counter("history_records_lost_total", "Records of the request history that could not be written.")
}

// Handler serves the metrics in the form that the caller asks for.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Gatherer gives the registry to those who read metrics inside the program, such as doctor and tests.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Arrived counts a request in.
func (m *Metrics) Arrived() { m.active.Inc() }

// Left counts a request out. The route is the pattern that matched, empty where none did: never the path itself.
func (m *Metrics) Left(method, pattern string, status int, took time.Duration) {
	m.active.Dec()
	if pattern == "" {
		pattern = "unmatched"
	}
	r := m.routes.get(routeKey{knownMethod(method), pattern})
	r.durations.Observe(took.Seconds())
	r.statuses.get(status).Inc()
}

// Step resolves the timing of a pipeline's step; keep it.
func (m *Metrics) Step(name string) Timing { return m.stepTimings.get(name) }

// Model resolves the meter of a provider's model; keep it. Names come from the configuration alone: whatever a caller sends must not become a label.
func (m *Metrics) Model(provider, model string) *ModelMeter {
	return m.models.get(modelKey{provider, model})
}

// Cache counts an operation on the cache: hit, miss, store, error, coalesced, drop.
func (m *Metrics) Cache(operation string) {
	switch operation {
	case "hit":
		m.hits.Add(1)
	case "miss":
		m.misses.Add(1)
	}
	m.cacheOps.get(operation).Inc()
}

func (m *Metrics) hitRatio() float64 {
	hits, misses := float64(m.hits.Load()), float64(m.misses.Load())
	return hits / math.Max(1, hits+misses)
}

// WatchCache reads the cache's size whenever metrics are asked for.
func (m *Metrics) WatchCache(entries, bytes func() float64) {
	m.watched.cacheEntries.Store(&entries)
	m.watched.cacheBytes.Store(&bytes)
}

// WatchHistory reads the state of the history's writer whenever metrics are asked for; written only grows.
func (m *Metrics) WatchHistory(queued, written func() float64) {
	m.watched.historyQueue.Store(&queued)
	m.watched.historyRecords.Store(&written)
}

func (*watched) read(p *atomic.Pointer[func() float64]) func() float64 {
	return func() float64 {
		if f := p.Load(); f != nil {
			return (*f)()
		}
		return 0
	}
}

// Judged counts a judgement: passed, failed, truncated, needs_input.
func (m *Metrics) Judged(result string) { m.judgements.get(result).Inc() }

// Repaired counts a repair of malformed JSON.
func (m *Metrics) Repaired(kind string) { m.repairs.get(kind).Inc() }

// Coerced counts a value that was aligned to its schema.
func (m *Metrics) Coerced(kind string) { m.coercions.get(kind).Inc() }

// Reasked counts a second call that shows the model its faults.
func (m *Metrics) Reasked() { m.reasks.Inc() }

// Refused counts a request that a limit refused: requests, tokens, concurrency, budget, overload.
func (m *Metrics) Refused(limit string) { m.refusals.get(limit).Inc() }

// Reloaded counts a reload of the configuration: ok, refused.
func (m *Metrics) Reloaded(result string) { m.reloads.get(result).Inc() }

// HistoryLost counts records of the history that could not be written.
func (m *Metrics) HistoryLost(n int) { m.historyLost.Add(float64(n)) }

// Query observes a statement on the database, named by its constant.
func (m *Metrics) Query(name string, took time.Duration, err error) {
	s := m.statements.get(name)
	s.durations.Observe(took.Seconds())
	if err != nil {
		s.faults.Inc()
	}
}
