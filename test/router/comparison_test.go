package router

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/router"
)

var update = flag.Bool("update", false, "run the long comparison and write its table into docs/reference/routing.md")

// market makes the services of the comparison. Their figures are made up in the manner of real ones: latencies with long tails, a brown-out, a storm of 429s, a
// minute and a half of silence, prices that differ fortyfold, and cheap answers that break the schema more often.
func market() []account {
	minute := func(from, to float64) (a, b time.Duration) {
		return time.Duration(from * float64(time.Minute)), time.Duration(to * float64(time.Minute))
	}
	swift := &service{name: "swift", median: 600 * time.Millisecond, spread: 0.4, fails: 0.01, invalid: 0.15, tokens: 60}
	solid := &service{name: "solid", median: time.Second, spread: 0.5, fails: 0.02, invalid: 0.03, tokens: 60, capacity: 60}
	grand := &service{name: "grand", median: 1800 * time.Millisecond, spread: 0.6, fails: 0.005, invalid: 0.005, tokens: 80}
	var brownOut, storm, silence, failing moment
	brownOut.from, brownOut.to = minute(1, 2.5)
	brownOut.slower = 8
	failing.from, failing.to = minute(7, 8)
	failing.fails = 0.6
	storm.from, storm.to = minute(3, 4.5)
	storm.capacity = 4
	silence.from, silence.to = minute(5, 6.5)
	silence.dead = true
	swift.moments, solid.moments, grand.moments = []moment{brownOut, failing}, []moment{storm}, []moment{silence}
	const million = 1_000_000_000 // nano-dollars: one dollar per million tokens
	return []account{
		{service: swift, concurrency: 64, weight: 1, tier: 1, input: million / 10, output: 4 * million / 10},
		{service: solid, concurrency: 64, weight: 1, tier: 2, input: million, output: 4 * million},
		{service: grand, concurrency: 64, weight: 1, tier: 3, input: 4 * million, output: 16 * million},
	}
}

// contender is one way of using the services.
type contender struct {
	name     string
	strategy string
	options  string
	hedge    time.Duration
}

func contenders() []contender {
	var list []contender
	for _, a := range market() {
		list = append(list, contender{name: a.service.name + " alone", strategy: "least-busy", options: `"provider":"` + a.service.name + `"`})
	}
	for _, s := range router.Names() {
		list = append(list, contender{name: s, strategy: s})
	}
	return append(list, contender{name: "least-busy, hedge_after 3s", strategy: "least-busy", hedge: 3 * time.Second})
}

// outcome is what a contender made of the requests.
type outcome struct {
	contender
	success       float64
	p50, p95, p99 time.Duration
	cost          float64 // dollars for a thousand answers; those of calls whose cost nobody knows are left out
	calls, wasted float64 // a request
}

// compete sends the same requests at the same moments through each contender.
func compete(t *testing.T, n int) []outcome {
	t.Helper()
	var out []outcome
	for _, c := range contenders() {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, c.strategy, 23, market()...)
			defer w.Close()
			w.hedge = c.hedge
			all := w.arrive(n, 20, 23, c.options)
			if c.options == "" {
				report(t, all)
			}
			out = append(out, judge(c, all))
		})
	}
	return out
}

func judge(c contender, all []done) outcome {
	ok, calls := passed(all)
	o := outcome{contender: c, success: float64(ok) / float64(len(all)), calls: float64(calls) / float64(len(all)), wasted: float64(calls-ok) / float64(len(all))}
	var took []time.Duration
	for i := range all {
		if all[i].err == nil {
			took = append(took, all[i].took)
		}
		for _, a := range all[i].attempts {
			o.cost += float64(a.Cost.Nano) / 1e9
		}
	}
	slices.Sort(took)
	at := func(q float64) time.Duration { return took[min(len(took)-1, int(q*float64(len(took))))] }
	o.p50, o.p95, o.p99 = at(0.50), at(0.95), at(0.99)
	o.cost *= 1000 / float64(ok)
	return o
}

// TestManyTogetherAreBetterThanTheBestAlone compares the strategies with each service alone over the same requests.
func TestManyTogetherAreBetterThanTheBestAlone(t *testing.T) {
	t.Parallel()
	n := 10_000 // Eight minutes and twenty seconds, over everything that happens to the services.
	all := compete(t, n)
	best := outcome{}
	fastest, cheapest := time.Hour, 1e9
	for _, o := range all {
		t.Logf("%-28s %8.3f %%  p50 %5.2f  p95 %5.2f  p99 %5.2f s  $%.4f  %.3f calls  %.3f wasted", o.name, 100*o.success, o.p50.Seconds(), o.p95.Seconds(), o.p99.Seconds(), o.cost, o.calls, o.wasted)
		if strings.HasSuffix(o.name, " alone") {
			if o.success > best.success {
				best = o
			}
			continue
		}
		fastest, cheapest = min(fastest, o.p95), min(cheapest, o.cost)
		if o.success < 0.999 {
			t.Errorf("%s: %.3f %% passed, want at least 99.9 %%", o.name, 100*o.success)
		}
		if o.success <= best.success {
			t.Errorf("%s: %.3f %% passed, no more than %s", o.name, 100*o.success, best.name)
		}
	}
	if fastest >= best.p95 || cheapest >= best.cost {
		t.Errorf("the fastest strategy has a 95th percentile of %v and the cheapest costs $%.4f; %s alone has %v and $%.4f", fastest, cheapest, best.name, best.p95, best.cost)
	}
	if *update {
		write(t, all, n)
	}
}

// The table stands between these lines of the page.
const (
	page       = "../../docs/reference/routing.md"
	tableBegin = "<!-- The table below is written by make bench-router. -->\n"
	tableEnd   = "<!-- Here it ends. -->\n"
)

func write(t *testing.T, all []outcome, n int) {
	t.Helper()
	raw, err := os.ReadFile(page)
	must(t, err)
	before, rest, found := strings.Cut(string(raw), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s does not have the lines that the table stands between", page)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n%d requests, 20 a second by chance, `max_attempts` 4, `timeout_ms` 30,000.\n\n", before, tableBegin, n)
	b.WriteString("| way | passed | p50 | p95 | p99 | cost of 1,000 answers | calls a request | calls without an answer, a request |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, o := range all {
		fmt.Fprintf(&b, "| %s | %.2f %% | %.2f s | %.2f s | %.2f s | $%.3f | %.2f | %.2f |\n", o.name, 100*o.success, o.p50.Seconds(), o.p95.Seconds(), o.p99.Seconds(), o.cost, o.calls, o.wasted)
	}
	b.WriteString("\n" + tableEnd + after)
	must(t, os.WriteFile(page, []byte(b.String()), 0o644))
}
