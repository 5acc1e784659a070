package redis

import (
	"context"
	"strconv"

	"github.com/promptd/promptd/internal/limit"
)

// Allow decides on a request; see limit.Limiter.
func (l *Limiter) Allow(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := check(ctx, cost, p); err != nil {
		return limit.Decision{}, err
	}
	counted := cost
	if cost > p.Limit {
		counted = 0
	}
	a, err := l.run(ctx, l.script.allow, []string{l.cfg.Client.Key(key, "rate")}, l.rates(p, strconv.Itoa(counted), "0"), 7)
	if err != nil {
		return limit.Decision{}, err
	}
	_, d := state(a[2:]).Advance(instant(a[0], a[1]), cost, p)
	if cost > p.Limit {
		return d, limit.TooCostly(cost, p)
	}
	d.Allowed = a[6] == 1
	return d, nil
}

// Count counts what was admitted without the server; see limit.Ledger.
func (l *Limiter) Count(ctx context.Context, key string, cost int, p limit.Policy) error {
	if err := check(ctx, cost, p); err != nil {
		return err
	}
	_, err := l.run(ctx, l.script.allow, []string{l.cfg.Client.Key(key, "rate")}, l.rates(p, strconv.Itoa(min(cost, p.Limit)), "1"), 7)
	return err
}
