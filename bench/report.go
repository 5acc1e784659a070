package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// median picks the middle of one figure over all rounds.
func median[T int64 | float64 | time.Duration](results []result, of func(result) T) T {
	all := make([]T, len(results))
	for i, r := range results {
		all[i] = of(r)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// added is the median of the differences of the same round.
func added(t, direct *target, of func(result) time.Duration) time.Duration {
	all := make([]time.Duration, len(t.results))
	for i := range t.results {
		all[i] = of(t.results[i]) - of(direct.results[i])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// report writes the table.
func report(o options, targets []*target) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What promptd adds\n\n")
	fmt.Fprintf(&b, "%s, %s/%s, %d processors; the server on one of them, load and provider on another. %d rounds, medians; %d requests per second in the open loop, %d connections.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, o.rate, o.conns)
	fmt.Fprintf(&b, "The answer is an invoice of %d bytes under a schema of %d bytes. Written by `make %s`.\n\n", len(invoice()), len(schema()), o.target())
	fmt.Fprintf(&b, "| target | p50 | p99 | added p50 | added p99 | CPU a request | as the bare proxy | at most | memory |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	direct, proxy := targets[0], targets[1]
	cpu := func(r result) time.Duration { return r.cpu }
	p50 := func(r result) time.Duration { return r.p50 }
	p99 := func(r result) time.Duration { return r.p99 }
	for _, t := range targets {
		floor := proxy
		if t.floor != nil {
			floor = t.floor
		}
		ratio := float64(median(t.results, cpu)) / float64(max(1, median(floor.results, cpu)))
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %.2f | %.0f/s | %.0f MB |\n", t.name,
			ms(median(t.results, p50)), ms(median(t.results, p99)), ms(added(t, direct, p50)), ms(added(t, direct, p99)),
			ms(median(t.results, cpu)), ratio, median(t.results, func(r result) float64 { return r.perSecond }), median(t.results, func(r result) float64 { return r.memory }))
	}
	return b.String()
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000) }

// target is what of the Makefile writes the table.
func (o options) target() string {
	if o.openai {
		return "bench-openai"
	}
	return "bench"
}
