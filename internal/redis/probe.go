package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

const (
	// heartbeat is the time between probes of a server that answers, and the length of the breaker's window.
	heartbeat = time.Second
	// soon is the time to the next probe where one has just told something new.
	soon = 50 * time.Millisecond
	// Probes of a server that is away are this far apart: first, then doubled up to the latter.
	firstPause = 100 * time.Millisecond
	mostPause  = time.Second
	// A server that goes away again within settled of its return has to answer twice as many probes in a row as before, up to mostNeeded.
	settled    = 10 * time.Second
	mostNeeded = 16
	// clusterProbes keys lie in as many slots, so that every master of a usual cluster is asked.
	clusterProbes = 16
)

// prober is the state of the one goroutine that looks after the server.
type prober struct {
	*Client

	ready    bool // as the watchers were told last
	err      error
	since    time.Time
	returned time.Time
	needed   int
	good     int
	pause    time.Duration
	told     bool // that the server has not answered since the start
}

// watch probes the server until the context ends. First is closed once it has been tried.
func (c *Client) watch(ctx context.Context, first chan<- struct{}) {
	p := &prober{Client: c, since: time.Now(), needed: 1, pause: firstPause}
	c.watchers.set(State{Since: p.since, Err: ErrAway})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for tried := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-c.breaker.woken:
		case <-timer.C:
		}
		next := p.look(ctx)
		if !tried {
			tried = true
			close(first)
		}
		timer.Reset(next)
	}
}

// look probes once, moves the state on, and gives the time to the next probe.
func (p *prober) look(ctx context.Context) time.Duration {
	if p.ready && !p.breaker.ready.Load() {
		return p.lost(p.err) // A caller opened the breaker.
	}
	err := p.probe(ctx)
	if ctx.Err() != nil {
		return heartbeat
	}
	switch {
	case err == nil && p.ready:
		p.breaker.window()
		p.breaker.succeeded()
		return heartbeat
	case err == nil:
		p.good++
		if p.good >= p.needed {
			p.back()
			return heartbeat
		}
		return soon
	case p.ready:
		p.err = err
		p.figures.failures.Add(1)
		if p.breaker.failed() {
			return p.lost(err)
		}
		return soon
	default:
		p.good, p.err = 0, err
		if p.returned.IsZero() && !p.told { // Later outages are told when they begin.
			p.told = true
			p.log.Warn("redis does not answer; promptd goes on without it and asks again by itself", slog.String("address", p.Address()), slog.Any("error", err))
		}
		p.watchers.set(State{Since: p.since, Err: err})
		p.pause = min(2*p.pause, mostPause)
		return p.pause
	}
}

// lost says that the server is away.
func (p *prober) lost(err error) time.Duration {
	if err == nil {
		err = fmt.Errorf("%w: calls get no answer", ErrAway)
	}
	now := time.Now()
	if now.Sub(p.returned) < settled {
		p.needed = min(2*p.needed, mostNeeded)
	} else {
		p.needed = 1
	}
	p.ready, p.good, p.since, p.pause = false, 0, now, firstPause
	p.figures.openings.Add(1)
	p.log.Warn("redis is away; promptd goes on without it and asks again by itself", slog.String("address", p.Address()), slog.Any("error", err))
	p.watchers.set(State{Since: now, Err: err})
	return firstPause
}

// back says that the server answers.
func (p *prober) back() {
	now := time.Now()
	p.log.Info("redis answers", slog.String("address", p.Address()), slog.Duration("after", now.Sub(p.since)))
	p.ready, p.err, p.since, p.returned = true, nil, now, now
	p.breaker.close()
	p.watchers.set(State{Ready: true, Since: now})
}

// probe asks the server for a small write, in the time that a request has. One that is away is asked twice, first with time enough to connect.
func (p *prober) probe(ctx context.Context) error {
	conn, err := p.connect()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	if !p.ready {
		if err := p.ask(ctx, conn, dialTimeout); err != nil {
			return err
		}
	}
	return p.ask(ctx, conn, p.timeout)
}

func (p *prober) ask(ctx context.Context, conn rueidis.Client, limit time.Duration) error {
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, r := range conn.DoMulti(within, p.probes(conn.B())...) {
		if err := r.Error(); err != nil && unavailable(err) {
			return fmt.Errorf("%w: no answer to a probe within %s: %w", ErrAway, limit, err)
		}
	}
	return nil
}

// probes are writes, so that a master that has become a replica is found out. They expire by themselves.
func (p *prober) probes(b rueidis.Builder) []rueidis.Completed {
	n := 1
	if p.Cluster() {
		n = clusterProbes
	}
	all := make([]rueidis.Completed, n)
	for i := range all {
		all[i] = b.Set().Key(p.Key("probe-" + strconv.Itoa(i))).Value("1").Ex(10 * time.Second).Build()
	}
	return all
}
