// Command jobs measures what durable jobs cost: jobs for each second of processor time, beside the same work done by Celery, in one run on one machine, because machines
// are noisy and ratios are not. Besides: how long a submission takes beside a bare INSERT and COMMIT, what four workers do in the time of one, and answers out of Redis.
//
// The work is the same on both sides: a prompt is accepted, a provider is called over HTTP (scripted, without delay), its answer is parsed and judged by a JSON Schema,
// and the result is kept. The processor time is that of all processes and servers that take part: promptd's own, PostgreSQL's, RabbitMQ's, Redis', Celery's workers'.
// The provider's is not in it on either side. Who submits is not in it either: for promptd that is an HTTP client and its API is counted; for Celery it is the program
// that publishes tasks, which does what promptd's API does. The second ratio counts who submits on both sides.
//
// Servers must be the bench's own, on this machine, since all that they do is counted: TEST_POSTGRES_URL, TEST_REDIS_URL, TEST_AMQP_URL. What has no server is left out, loudly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

type bench struct {
	promptd, scripted, python, scripts string
	profiles, out                      string
	urls                               struct{ postgres, redis, rabbitmq string }
	count, rounds                      int
	only, filter                       string

	dir      string
	provider *process
}

func main() {
	var b bench
	flag.StringVar(&b.promptd, "promptd", "bin/promptd", "the promptd `binary`")
	flag.StringVar(&b.scripted, "provider", "bin/scripted-provider", "the scripted provider's `binary`")
	flag.StringVar(&b.python, "python", "", "the `interpreter` that has Celery; without it Celery is left out")
	flag.StringVar(&b.scripts, "scripts", "bench/jobs/celery", "`folder` of the Celery side")
	flag.IntVar(&b.count, "count", 3000, "jobs of one measurement")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds; the tables have medians and spreads")
	flag.StringVar(&b.only, "only", "jobs,latency,scaling,hits", "which `parts` to run")
	flag.StringVar(&b.filter, "subjects", "", "measure only subjects whose names match this `pattern`")
	flag.StringVar(&b.profiles, "profiles", "", "`folder` that profiles and metrics of promptd go to")
	flag.StringVar(&b.out, "out", "", "`file` that the report is written to as well")
	flag.Parse()
	b.urls.postgres, b.urls.redis, b.urls.rabbitmq = os.Getenv("TEST_POSTGRES_URL"), os.Getenv("TEST_REDIS_URL"), os.Getenv("TEST_AMQP_URL")
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := b.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench jobs:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) (err error) {
	for _, path := range []*string{&b.promptd, &b.scripted, &b.scripts} {
		if *path, err = filepath.Abs(*path); err != nil {
			return err
		}
	}
	if b.dir, err = os.MkdirTemp("", "promptd-bench-jobs-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := os.WriteFile(filepath.Join(b.dir, "answer.json"), []byte(answer), 0o600); err != nil {
		return err
	}
	if b.provider, err = b.startProvider("provider"); err != nil {
		return err
	}
	defer b.provider.end()
	r := &report{bench: b}
	for _, part := range []struct {
		name string
		run  func(context.Context, *report) error
	}{{"jobs", b.compare}, {"latency", b.latency}, {"scaling", b.scaling}, {"hits", b.hits}} {
		if !strings.Contains(","+b.only+",", ","+part.name+",") {
			continue
		}
		if err := part.run(ctx, r); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	text := r.String()
	fmt.Print(text)
	if b.out == "" {
		return nil
	}
	return os.WriteFile(b.out, []byte(text), 0o644) //nolint:gosec // The report is public.
}

// startProvider starts a scripted provider.
func (b *bench) startProvider(name string, flags ...string) (*process, error) {
	p, err := start(b.dir, name, nil, append([]string{b.scripted, "--answer", filepath.Join(b.dir, "answer.json")}, flags...)...)
	if err != nil {
		return nil, err
	}
	return p, p.listens()
}

// skipped says what is left out, and why.
func (r *report) skip(format string, args ...any) {
	text := "SKIPPED: " + fmt.Sprintf(format, args...)
	fmt.Fprintln(os.Stderr, text)
	r.skips = append(r.skips, text)
}

// compare measures the arrangements of promptd and Celery in turn.
func (b *bench) compare(ctx context.Context, r *report) error {
	embedded := setup{name: "SQLite, one process"}
	r.subjects = append(r.subjects, b.jobs(embedded, 1), b.jobs(embedded, batchSize))
	if b.urls.postgres == "" {
		r.skip("PostgreSQL: TEST_POSTGRES_URL is not set")
	} else {
		r.subjects = append(r.subjects, b.jobs(setup{name: "PostgreSQL alone, one process", postgres: true}, 1))
	}
	if b.urls.postgres == "" || b.urls.rabbitmq == "" || b.urls.redis == "" {
		r.skip("RabbitMQ: TEST_POSTGRES_URL, TEST_AMQP_URL and TEST_REDIS_URL are not all set")
	} else {
		all := setup{name: "PostgreSQL + RabbitMQ + Redis, one process", postgres: true, rabbitmq: true, redis: true}
		apart := all
		apart.name, apart.apart = "PostgreSQL + RabbitMQ + Redis, API and worker apart", 1
		r.subjects = append(r.subjects, b.jobs(all, 1), b.jobs(apart, 1), b.jobs(apart, batchSize))
	}
	switch {
	case b.python == "":
		r.skip("Celery could not be had: bench/jobs/celery/venv.sh says why")
	case b.urls.rabbitmq == "" || b.urls.redis == "":
		r.skip("Celery: TEST_AMQP_URL and TEST_REDIS_URL are not both set")
	default:
		for _, p := range pools() {
			s := b.celery(p)
			r.subjects, r.celery = append(r.subjects, s), append(r.celery, s)
		}
		r.subjects = append(r.subjects, b.celery(solo()))
	}
	wanted, err := regexp.Compile(b.filter)
	if err != nil {
		return fmt.Errorf("-subjects: %w", err)
	}
	for round := range b.rounds {
		for _, s := range r.subjects {
			if !wanted.MatchString(s.name) {
				continue
			}
			f, err := s.measure(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d: %s: %.0f jobs a CPU-second, %.0f with who submits, %.0f/s; %s\n", round+1, s.name, f.perCPU(), f.withAll(), f.perSecond(), f.shares())
			s.figures = append(s.figures, f)
		}
	}
	return nil
}

const batchSize = 500

func (b *bench) latency(ctx context.Context, r *report) (err error) {
	if b.urls.postgres == "" {
		r.skip("submit latency: TEST_POSTGRES_URL is not set")
		return nil
	}
	r.latency, err = b.submitLatency(ctx, setup{name: "latency", postgres: true}, 2*b.rounds)
	return err
}

func (b *bench) scaling(ctx context.Context, r *report) error {
	if b.urls.postgres == "" || b.urls.rabbitmq == "" {
		r.skip("scaling: TEST_POSTGRES_URL and TEST_AMQP_URL are not both set")
		return nil
	}
	alone, err := b.scale(ctx, setup{name: "PostgreSQL alone", postgres: true})
	if err != nil {
		return err
	}
	both, err := b.scale(ctx, setup{name: "PostgreSQL + RabbitMQ", postgres: true, rabbitmq: true})
	r.scaling = append(alone, both...)
	return err
}

func (b *bench) hits(ctx context.Context, r *report) (err error) {
	if b.urls.redis == "" {
		r.skip("answers out of Redis: TEST_REDIS_URL is not set")
		return nil
	}
	r.hits, err = b.cacheHits(ctx, b.rounds)
	return errors.Join(err, ctx.Err())
}
