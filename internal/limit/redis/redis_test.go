package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/limit"
	"github.com/promptd/promptd/internal/limit/limittest"
	limits "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/redis/redistest"
)

// forever is a lease that no test's clock outlives.
const forever = 1_000_000 * time.Hour

func TestLimiterKeepsTheContract(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s redistest.Server) {
		client := s.Open(t)
		limittest.RunLedger(t, func(_ testing.TB, name string, now func() time.Time) limit.Ledger {
			return named{limits.New(limits.Config{Client: client, Lease: forever, Now: now}), name + ":"}
		})
	})
}

// named tells apart limiters on one connection.
type named struct {
	*limits.Limiter
	name string
}

func (n named) Allow(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	return n.Limiter.Allow(ctx, n.name+key, cost, p)
}

func (n named) Reserve(ctx context.Context, key string, cost int, p limit.Policy) (limit.Decision, error) {
	return n.Limiter.Reserve(ctx, n.name+key, cost, p)
}

func (n named) Count(ctx context.Context, key string, cost int, p limit.Policy) error {
	return n.Limiter.Count(ctx, n.name+key, cost, p)
}

func (n named) Settle(ctx context.Context, key string, reserved, used int, p limit.Policy) error {
	return n.Limiter.Settle(ctx, n.name+key, reserved, used, p)
}

func (n named) Enter(ctx context.Context, key string, most int) (limit.Decision, error) {
	return n.Limiter.Enter(ctx, n.name+key, most)
}

func (n named) Leave(ctx context.Context, key string) error { return n.Limiter.Leave(ctx, n.name+key) }

func (n named) Inside(ctx context.Context, key string) (int, error) {
	return n.Limiter.Inside(ctx, n.name+key)
}
