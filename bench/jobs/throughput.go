package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// figure is one measurement of a subject.
type figure struct {
	jobs int
	// parts is the processor time of everything that takes part, but the client and the provider; client is that of who submits.
	parts  map[string]time.Duration
	client time.Duration
	// submitted and done are the times until the last was accepted, and until the last was kept.
	submitted, done time.Duration
}

func (f figure) servers() (sum time.Duration) {
	for _, d := range f.parts {
		sum += d
	}
	return sum
}

func (f figure) perCPU() float64  { return float64(f.jobs) / f.servers().Seconds() }
func (f figure) withAll() float64 { return float64(f.jobs) / (f.servers() + f.client).Seconds() }
func (f figure) perSecond() float64 {
	return float64(f.jobs) / f.done.Seconds()
}

// subject is something that is measured, round by round.
type subject struct {
	name    string
	measure func(ctx context.Context) (figure, error)
	figures []figure
}

const (
	callers = 32 // that submit at the same time
	warm    = 500
)

// jobs measures single jobs, or with items above 1 batches of so many prompts, of promptd.
func (b *bench) jobs(s setup, items int) *subject {
	name := s.name
	if items > 1 {
		name = fmt.Sprintf("%s, batches of %d prompts", s.name, items)
	}
	return &subject{name: name, measure: func(ctx context.Context) (figure, error) {
		var f figure
		in, err := b.install(ctx, s)
		if err != nil {
			return f, err
		}
		defer in.end()
		c := in.client()
		give := func(count int) error {
			if items == 1 {
				return closed(ctx, callers, count, c.job)
			}
			return closed(ctx, 2, count/items, func(ctx context.Context) error { return c.batch(ctx, items) })
		}
		if err := errors.Join(give(max(warm, items)), c.drained(ctx)); err != nil {
			return f, err
		}
		profiled := b.profile(ctx, in, name)
		f.jobs = b.count / items * items
		before, client, begun := in.counted.usage(), own(), time.Now()
		if err := give(b.count); err != nil {
			return f, err
		}
		f.submitted, f.client = time.Since(begun), own()-client
		if err := c.drained(ctx); err != nil {
			return f, err
		}
		f.done, f.parts = time.Since(begun), less(in.counted.usage(), before)
		return f, profiled()
	}}
}

// profile takes a profile of an installation's first process meanwhile, and its metrics behind it, where they are wanted; name is the subject's.
func (b *bench) profile(ctx context.Context, in *installation, name string) (wait func() error) {
	if b.profiles == "" || len(in.admin) == 0 {
		return func() error { return nil }
	}
	done := make(chan error, 1)
	go func() {
		done <- fetch(ctx, in, "/debug/pprof/profile?seconds=10", filepath.Join(b.profiles, name+".pprof"))
	}()
	return func() error {
		return errors.Join(<-done, fetch(ctx, in, "/metrics", filepath.Join(b.profiles, name+".metrics")), fetch(ctx, in, "/debug/pprof/allocs", filepath.Join(b.profiles, name+".allocs")))
	}
}

// fetch keeps what the admin listener has at a path.
func fetch(ctx context.Context, in *installation, path, name string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+in.admin+path, http.NoBody)
	if err != nil {
		return err
	}
	got, err := (&http.Client{Timeout: time.Minute}).Do(r)
	if err != nil {
		return err
	}
	defer got.Body.Close() //nolint:errcheck // It was read.
	if got.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d", path, got.StatusCode)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, got.Body)
	return errors.Join(err, f.Close())
}
