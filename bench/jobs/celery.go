package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// pool is one way to run Celery's workers.
type pool struct {
	kind        string
	concurrency int
	prefetch    int
}

// pools are those that are tried; ratios are to the one that needs the least processor time.
func pools() []pool {
	return []pool{
		{"prefork", 2, 16},
		{"threads", 4, 16},
		{"gevent", 64, 4},
	}
}

// solo does one task at a time in the worker's own process. No other way costs less while the provider takes no time at all, and with one that does it waits all the
// time: it is shown, and nothing is compared with it.
func solo() pool { return pool{"solo", 1, 64} }

func (p pool) String() string {
	return fmt.Sprintf("%s, concurrency %d, prefetch multiplier %d", p.kind, p.concurrency, p.prefetch)
}

// celery measures a pool of Celery's.
func (b *bench) celery(p pool) *subject {
	return &subject{name: "Celery + RabbitMQ, results in Redis (" + p.String() + ")", measure: func(ctx context.Context) (f figure, err error) {
		rabbit, err := server(b.urls.rabbitmq)
		if err != nil {
			return f, err
		}
		redis, err := server(b.urls.redis)
		if err != nil {
			return f, err
		}
		queue := "bench-" + strings.ToLower(rand.Text()[:10])
		env := []string{
			"BENCH_BROKER=" + b.urls.rabbitmq, "BENCH_RESULTS=" + results(b.urls.redis), "BENCH_QUEUE=" + queue, "BENCH_PREFETCH=" + strconv.Itoa(p.prefetch),
			"BENCH_SCHEMA=" + schema, "BENCH_PROVIDER=" + b.provider.url, "PYTHONPATH=" + b.scripts,
		}
		dir, err := os.MkdirTemp(b.dir, "celery-")
		if err != nil {
			return f, err
		}
		worker, err := start(dir, "worker", env, b.python, "-m", "celery", "-A", "work", "worker", "--pool", p.kind, "--concurrency", strconv.Itoa(p.concurrency),
			"--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat", "-O", "fair", "-Q", queue)
		if err != nil {
			return f, err
		}
		defer worker.end()
		if _, err := b.tasks(ctx, env, dir, warm, func() {}, func() {}); err != nil {
			return f, fmt.Errorf("%w\n%s", err, tail(worker.log))
		}
		all := counted{{"Celery", worker.cmd.Process.Pid}, {"RabbitMQ", rabbit}, {"Redis", redis}}
		f.jobs = b.count
		var before map[string]time.Duration
		t, err := b.tasks(ctx, env, dir, b.count, func() { before = all.usage() }, func() { f.parts = less(all.usage(), before) })
		f.client, f.submitted, f.done = t.client, seconds(t.Submitted), seconds(t.Done)
		return f, err
	}}
}

// results is the Redis database of Celery's results: one of its own, so that what is in it can be counted.
func results(redis string) string { return strings.TrimSuffix(redis, "/0") + "/9" }

// told is what submit.py says.
type told struct {
	Submitted, Done float64
	client          time.Duration
}

// tasks submits so many and waits until they are done; around is what is measured.
func (b *bench) tasks(ctx context.Context, env []string, dir string, count int, before, after func()) (t told, err error) {
	first := numbers.Add(int64(count)) - int64(count)
	cmd := exec.CommandContext(ctx, b.python, b.scripts+"/submit.py", strconv.Itoa(count), strconv.FormatInt(first, 10), prompt)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, err := cmd.StdinPipe()
	if err != nil {
		return t, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return t, err
	}
	before()
	if err := cmd.Start(); err != nil {
		return t, err
	}
	line, readErr := bufio.NewReader(out).ReadBytes('\n')
	t.client = usage(cmd.Process.Pid)
	after()
	_, _ = io.WriteString(in, "\n") //nolint:errcheck // It may have ended.
	if err := cmd.Wait(); err != nil {
		return t, fmt.Errorf("submit.py: %w: %s", err, complaints.String())
	}
	if readErr != nil {
		return t, readErr
	}
	return t, json.Unmarshal(line, &t)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func tail(name string) string {
	raw, _ := os.ReadFile(name) //nolint:errcheck // It is for a message alone.
	const most = 2000
	return string(raw[max(0, len(raw)-most):])
}
