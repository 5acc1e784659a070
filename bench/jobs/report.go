package main

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a run has found.
type report struct {
	bench    *bench
	subjects []*subject
	celery   []*subject // those of the subjects that are Celery's
	latency  *latency
	scaling  []scaling
	hits     *hits
	skips    []string
}

// spread is the median of a figure over all rounds, with the least and the most of them.
func spread[T cmp.Ordered](all []T, show func(T) string) string {
	if len(all) == 0 {
		return "–"
	}
	all = slices.Sorted(slices.Values(all))
	return fmt.Sprintf("%s (%s–%s)", show(all[len(all)/2]), show(all[0]), show(all[len(all)-1]))
}

func whole(f float64) string    { return fmt.Sprintf("%.0f", f) }
func tenths(f float64) string   { return fmt.Sprintf("%.1f", f) }
func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

func each[T any](list []figure, of func(figure) T) []T {
	out := make([]T, len(list))
	for i, f := range list {
		out[i] = of(f)
	}
	return out
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

// ratios compares figures of the same round.
func ratios(mine, theirs []figure, of func(figure) float64) []float64 {
	var out []float64
	for i := range min(len(mine), len(theirs)) {
		out = append(out, of(mine[i])/of(theirs[i]))
	}
	return out
}

// best is the one of Celery's pools that does the most, by a figure.
func (r *report) best(of func(figure) float64) []figure {
	if len(r.celery) == 0 {
		return nil
	}
	return slices.MaxFunc(r.celery, func(a, b *subject) int { return cmp.Compare(median(each(a.figures, of)), median(each(b.figures, of))) }).figures
}

// String is the report in Markdown.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# What durable jobs cost\n\n%s, %s/%s, %d processors. Written by `make bench-jobs`; bench/jobs says how it is measured. Medians, and in brackets the least and the most of the rounds.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	r.throughputs(&b)
	r.latencies(&b)
	r.scalings(&b)
	r.hit(&b)
	for _, s := range r.skips {
		fmt.Fprintf(&b, "\n%s.\n", s)
	}
	return b.String()
}

func (r *report) throughputs(b *strings.Builder) {
	if len(r.subjects) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Jobs for each second of processor time\n\n%d jobs in each of %d rounds. Every process and server that takes part is counted, the provider is not; in the last two columns who submits is counted too. "+
		"Ratios are to the best of Celery's pools but solo, in the same round.\n\n", r.bench.count, r.bench.rounds)
	fmt.Fprintf(b, "| | jobs a CPU-second | as Celery | of a job | end to end | accepted | with who submits | as Celery |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	best, all := r.best(figure.perCPU), r.best(figure.withAll)
	for _, s := range r.subjects {
		accepted := func(f figure) float64 { return float64(f.jobs) / f.submitted.Seconds() }
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s/s | %s/s | %s | %s |\n", s.name,
			spread(each(s.figures, figure.perCPU), whole), spread(ratios(s.figures, best, figure.perCPU), tenths), middle(s.figures),
			spread(each(s.figures, figure.perSecond), whole), spread(each(s.figures, accepted), whole),
			spread(each(s.figures, figure.withAll), whole), spread(ratios(s.figures, all, figure.withAll), tenths))
	}
}

func (r *report) latencies(b *strings.Builder) {
	l := r.latency
	if l == nil {
		return
	}
	fmt.Fprintf(b, "\n## Submitting on PostgreSQL, %d a second\n\nSpells of %s in turn, each counted from when a request was due; the jobs are done meanwhile. The ratio of the 99th percentiles of all spells together is %.1f.\n\n",
		l.rate, l.spell, float64(share(l.submit, 99))/float64(max(1, share(l.insert, 99))))
	fmt.Fprintf(b, "| | p50 | p99 | p99 of all |\n| --- | --- | --- | --- |\n")
	fmt.Fprintf(b, "| POST /v1/jobs | %s | %s | %s |\n", spread(l.submitP50, ms), spread(l.submitP99, ms), ms(share(l.submit, 99)))
	fmt.Fprintf(b, "| INSERT and COMMIT by pgbench | %s | %s | %s |\n", spread(l.insertP50, ms), spread(l.insertP99, ms), ms(share(l.insert, 99)))
}

func (r *report) scalings(b *strings.Builder) {
	if len(r.scaling) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Workers, where the provider takes a second\n\n| | workers | prompts a second | as one |\n| --- | --- | --- | --- |\n")
	for i, s := range r.scaling {
		fmt.Fprintf(b, "| %s | %d | %.1f | %.2f |\n", s.name, s.workers, s.perSecond, s.perSecond/r.scaling[i/2*2].perSecond)
	}
}

func (r *report) hit(b *strings.Builder) {
	h := r.hits
	if h == nil {
		return
	}
	fmt.Fprintf(b, "\n## Answers out of Redis\n\nOne process on one core. Redis found %.2f keys for each request; one that came from memory would have asked it for none.\n\n| p50 at %d/s | p99 at %d/s | at most | for each second of the process's processor time |\n| --- | --- | --- | --- |\n",
		h.found, h.rate, h.rate)
	fmt.Fprintf(b, "| %s | %s | %s/s | %s |\n", spread(h.p50, ms), spread(h.p99, ms), spread(h.perSecond, whole), spread(h.perCPU, whole))
}

// shares says what of a job's processor time is whose.
func (f figure) shares() string {
	var list []string
	for _, name := range []string{"promptd", "Celery", "PostgreSQL", "RabbitMQ", "Redis"} {
		if d, found := f.parts[name]; found {
			list = append(list, fmt.Sprintf("%s %d µs", name, d.Microseconds()/int64(max(1, f.jobs))))
		}
	}
	return strings.Join(list, ", ")
}

// middle gives the shares of the round with the median.
func middle(list []figure) string {
	if len(list) == 0 {
		return "–"
	}
	list = slices.SortedFunc(slices.Values(list), func(a, b figure) int { return cmp.Compare(a.perCPU(), b.perCPU()) })
	return list[len(list)/2].shares()
}
