package observe

import (
	"maps"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// overflow is the label of what comes after a table is full.
	overflow = "other"
	// tableBound is how many label sets one metric may have: far above any honest configuration.
	tableBound = 512
)

// table keeps resolved children of a metric, so that a look-up is one read of an immutable map. It is bounded: what comes
// after shares one child, and a scrape stays small whatever happens.
type table[K comparable, V any] struct {
	resolve func(K) V
	other   K

	current atomic.Pointer[map[K]V]

	mu sync.Mutex
}

func (t *table[K, V]) get(k K) V {
	if m := t.current.Load(); m != nil {
		if v, ok := (*m)[k]; ok {
			return v
		}
	}
	return t.add(k)
}

func (t *table[K, V]) add(k K) V {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.current.Load()
	next := map[K]V{}
	if old != nil {
		if v, ok := (*old)[k]; ok {
			return v
		}
		if len(*old) >= tableBound {
			k = t.other
			if v, ok := (*old)[k]; ok {
				return v
			}
		}
		next = maps.Clone(*old)
	}
	v := t.resolve(k)
	next[k] = v
	t.current.Store(&next)
	return v
}

// named resolves a counter with one label.
func (m *Metrics) named(vec *prometheus.CounterVec) func(string) prometheus.Counter {
	return func(label string) prometheus.Counter {
		if label == "" {
			label = overflow
		}
		return vec.WithLabelValues(label)
	}
}

// Timing is one child of a histogram of durations.
type Timing struct{ observer prometheus.Observer }

// Observe records how long something took.
func (t Timing) Observe(took time.Duration) { t.observer.Observe(took.Seconds()) }

type routeKey struct{ method, pattern string }

type route struct {
	durations prometheus.Observer
	statuses  table[int, prometheus.Counter]
}

func (m *Metrics) newRoute(k routeKey) *route {
	r := &route{durations: m.apiDurations.WithLabelValues(k.pattern, k.method)}
	r.statuses.resolve = func(status int) prometheus.Counter {
		return m.apiRequests.WithLabelValues(k.pattern, k.method, strconv.Itoa(status))
	}
	return r
}

// knownMethod bounds the methods: a caller may send any word.
func knownMethod(method string) string {
	switch method {
	case "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS":
		return method
	}
	return overflow
}

type modelKey struct{ provider, model string }

// ModelMeter counts the calls of one provider's model.
type ModelMeter struct {
	durations, first      prometheus.Observer
	input, cached, output prometheus.Counter
	cost                  prometheus.Counter
	active                prometheus.Gauge
	outcomes              table[string, prometheus.Counter]
}

func (m *Metrics) newModel(k modelKey) *ModelMeter {
	tokens := func(kind string) prometheus.Counter { return m.llmTokens.WithLabelValues(k.provider, k.model, kind) }
	meter := &ModelMeter{
		durations: m.llmDurations.WithLabelValues(k.provider, k.model),
		first:     m.llmFirst.WithLabelValues(k.provider, k.model),
		input:     tokens("input"), cached: tokens("cached_input"), output: tokens("output"),
		cost:   m.llmCost.WithLabelValues(k.provider, k.model),
		active: m.llmActive.WithLabelValues(k.provider, k.model),
	}
	meter.outcomes.other = overflow
	meter.outcomes.resolve = func(outcome string) prometheus.Counter {
		return m.llmRequests.WithLabelValues(k.provider, k.model, outcome)
	}
	return meter
}

// Begin counts a call in.
func (m *ModelMeter) Begin() { m.active.Inc() }

// End counts a call out with its outcome and times; first is 0 where there was no first token of a stream.
func (m *ModelMeter) End(outcome string, took, first time.Duration) {
	m.active.Dec()
	m.outcomes.get(outcome).Inc()
	m.durations.Observe(took.Seconds())
	if first > 0 {
		m.first.Observe(first.Seconds())
	}
}

// Unsent takes back a call that was never sent: it is counted with its provider, by its reason.
func (m *ModelMeter) Unsent() { m.active.Dec() }

// Tokens counts what the provider reported; input holds cached tokens too.
func (m *ModelMeter) Tokens(input, cached, output int64) {
	m.input.Add(float64(max(0, input)))
	m.cached.Add(float64(max(0, cached)))
	m.output.Add(float64(max(0, output)))
}

// Cost counts what a call cost, in nano-dollars.
func (m *ModelMeter) Cost(nano int64) { m.cost.Add(float64(max(0, nano)) / 1e9) }

type statement struct {
	durations prometheus.Observer
	faults    prometheus.Counter
}

func (m *Metrics) newStatement(name string) *statement {
	return &statement{durations: m.queries.WithLabelValues(name), faults: m.queryFaults.WithLabelValues(name)}
}
