package redis

import (
	"context"
	"strconv"

	"github.com/promptd/promptd/internal/limit"
)

// tabKeys are the keys of a tab and of its leases.
func (l *Limiter) tabKeys(key string) []string {
	return []string{l.cfg.Client.Key(key, "tab"), l.cfg.Client.Key(key, "tab", "held")}
}

// Reserve decides on a cost that is known afterwards alone; see limit.Limiter.
func (l *Limiter) Reserve(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	if err := check(ctx, cost, p); err != nil {
		return limit.Decision{}, err
	}
	counted := cost
	if cost > p.Limit {
		counted = 0
	}
	token := l.name() + " " + strconv.Itoa(counted)
	given := l.tabs.given(key)
	a, err := l.run(ctx, l.script.reserve, l.tabKeys(key), l.rates(p, append([]string{strconv.Itoa(counted), token, l.lease()}, given...)...), 9)
	if err != nil {
		if counted > 0 {
			l.tabs.doubt(key, token) // It may be held there.
		}
		l.tabs.untold(key, given)
		return limit.Decision{}, err
	}
	tab := limit.Tab{State: state(a[2:]), Held: int(a[6]), Debt: int(a[7])}
	_, d := tab.Reserve(instant(a[0], a[1]), cost, p)
	if cost > p.Limit {
		return d, limit.TooCostly(cost, p)
	}
	if counted > 0 {
		if d.Allowed = a[8] == 1; d.Allowed {
			l.tabs.take(key, token, counted)
		}
	}
	return d, nil
}

// Settle ends a reservation; see limit.Limiter. One that has lapsed meanwhile counts what was used all the same.
func (l *Limiter) Settle(ctx context.Context, key string, reserved, used int, p limit.Policy) error {
	if err := limit.Check(min(reserved, used), p); err != nil {
		return err
	}
	token := l.tabs.end(key, reserved)
	ctx, cancel := lasting(ctx)
	defer cancel()
	err := l.cfg.Client.Run(ctx, l.script.settle, l.tabKeys(key), l.rates(p, strconv.Itoa(used), token, l.lease())).Error()
	if err != nil && token != "" {
		l.tabs.doubt(key, token)
	}
	return err
}
