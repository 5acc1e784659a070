package observe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Declaration is what the reference says of a metric.
type Declaration struct {
	Name    string
	Type    string
	Help    string
	Labels  []string
	Buckets []float64
}

// Declarations lists every metric of the product, sorted by name. Those of the Go runtime and of the process come on top.
func (m *Metrics) Declarations() []Declaration {
	out := slices.Clone(m.declared)
	slices.SortFunc(out, func(a, b Declaration) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func (m *Metrics) declare(c prometheus.Collector, d Declaration) {
	m.registry.MustRegister(c)
	m.declared = append(m.declared, d)
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.declare(c, Declaration{Name: name, Type: "counter", Help: help, Labels: labels})
	return c
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	m.declare(c, Declaration{Name: name, Type: "counter", Help: help})
	return c
}

func (m *Metrics) counterFunc(name, help string, read func() float64) {
	m.declare(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read), Declaration{Name: name, Type: "counter", Help: help})
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.declare(g, Declaration{Name: name, Type: "gauge", Help: help, Labels: labels})
	return g
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.declare(g, Declaration{Name: name, Type: "gauge", Help: help})
	return g
}

func (m *Metrics) gaugeFunc(name, help string, read func() float64) {
	m.declare(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read), Declaration{Name: name, Type: "gauge", Help: help})
}

func (m *Metrics) histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.declare(h, Declaration{Name: name, Type: "histogram", Help: help, Labels: labels, Buckets: buckets})
	return h
}

// Reference writes the reference page of the metrics, from their declarations.
func (m *Metrics) Reference() string {
	var b strings.Builder
	b.WriteString(`<!-- Code generated from internal/observe; DO NOT EDIT. go test ./internal/observe -run Reference -update writes it. -->

# Metrics

Prometheus reads them at ` + "`/v1/metrics`" + ` with a key of scope ` + "`metrics`" + `, and without a key on ` + "`admin_listen`" + `. Labels hold patterns and configured names, never what a caller
sent, and a metric has a bounded number of label sets; what comes after shares the label ` + "`other`" + `. The metrics of the Go runtime (` + "`go_…`" + `) and of the process (` + "`process_…`" + `) come on top.

| metric | type | labels | what it is |
| --- | --- | --- | --- |
`)
	for _, d := range m.Declarations() {
		labels := ""
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Type, labels, d.Help)
	}
	b.WriteString("\n## Buckets\n\n| histogram | upper bounds in seconds |\n| --- | --- |\n")
	for _, d := range m.Declarations() {
		if d.Buckets == nil {
			continue
		}
		bounds := make([]string, len(d.Buckets))
		for i, x := range d.Buckets {
			bounds[i] = strconv.FormatFloat(x, 'f', -1, 64)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", d.Name, strings.Join(bounds, ", "))
	}
	return b.String()
}
