package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"
)

// hits is what answers cost that come out of Redis.
type hits struct {
	p50, p99  []time.Duration // at a fixed rate, of each round
	rate      int
	perSecond []float64 // as fast as they come
	perCPU    []float64 // requests in a second of promptd's processor time
	found     float64   // keys that Redis found for each request; one that came from memory asks it for none
}

// The answers that are asked for in turn are many times what the process's own memory may hold (memory_mb: 1), so that all but a few come from Redis.
const held = 20_000

// cacheHits asks for answers that are in Redis and not in memory, of one process on one core.
func (b *bench) cacheHits(ctx context.Context, rounds int) (*hits, error) {
	in, err := b.install(ctx, setup{name: "Redis", redis: true, env: []string{"GOMAXPROCS=1", "PROMPTD_CACHE_MEMORY_MB=1"}, pinned: true})
	if err != nil {
		return nil, err
	}
	defer in.end()
	c := in.client()
	var next atomic.Int64
	first := numbers.Add(held) - held
	ask := func(ctx context.Context) error {
		text := body(first+next.Add(1)%held, `{"cache_ttl":3600}`)
		_, err := c.ask(ctx, http.MethodPost, "/v1/analyze", "application/json", strings.NewReader(text), http.StatusOK)
		return err
	}
	if err := closed(ctx, callers, held, ask); err != nil {
		return nil, err
	}
	before, err := redisHits(ctx, b.urls.redis)
	if err != nil {
		return nil, err
	}
	h, asked := &hits{rate: 500}, 0
	for range rounds {
		took, err := open(ctx, h.rate, 3*time.Second, ask)
		if err != nil {
			return nil, err
		}
		h.p50, h.p99 = append(h.p50, share(took, 50)), append(h.p99, share(took, 99))
		count := 10_000
		cpu, begun := usage(in.processes[0].cmd.Process.Pid), time.Now()
		if err := closed(ctx, 16, count, ask); err != nil {
			return nil, err
		}
		h.perSecond = append(h.perSecond, float64(count)/time.Since(begun).Seconds())
		h.perCPU = append(h.perCPU, float64(count)/(usage(in.processes[0].cmd.Process.Pid)-cpu).Seconds())
		asked += len(took) + count
	}
	after, err := redisHits(ctx, b.urls.redis)
	h.found = float64(after-before) / float64(asked)
	return h, err
}

// redisHits is how many keys the server has found for all its callers.
func redisHits(ctx context.Context, raw string) (n int64, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return 0, errors.New("TEST_REDIS_URL can't be read") // Its text has a password.
	}
	cmd := exec.CommandContext(ctx, "redis-cli", "-h", u.Hostname(), "-p", u.Port(), "INFO", "stats")
	password, _ := u.User.Password()
	cmd.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("ask Redis for its hits: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if text, found := strings.CutPrefix(line, "keyspace_hits:"); found {
			_, err = fmt.Sscan(text, &n)
			return n, err
		}
	}
	return 0, fmt.Errorf("the server tells no hits: %s", out)
}
