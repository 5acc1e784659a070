package redis

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/promptd/promptd/internal/redis"
)

// Evicts says whether the server throws keys away when its memory is full, and by which maxmemory-policy. It asks INFO, which managed services allow where they
// forbid CONFIG; of a cluster it asks one server. The error says that it could not be found out.
func Evicts(ctx context.Context, c *redis.Client) (evicts bool, policy string, err error) {
	text, err := c.Do(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Info().Section("memory").Build() }).ToString()
	if err != nil {
		return false, "", fmt.Errorf("ask Redis for its maxmemory-policy: %w", err)
	}
	evicts, policy = redis.Evicts(text)
	if policy == "" {
		return false, "", fmt.Errorf("ask Redis for its maxmemory-policy: %s says nothing of it", c.Address())
	}
	return evicts, policy, nil
}

// Warning is what an operator should be told of the server that limits are counted in; empty is nothing.
func Warning(ctx context.Context, c *redis.Client) string {
	switch evicts, policy, err := Evicts(ctx, c); {
	case err != nil:
		return fmt.Sprintf("it is not known whether the Redis at %s evicts keys, which would admit more than limits allow: %v. Make sure that its maxmemory-policy is noeviction, or name another one with state.url.", c.Address(), err)
	case evicts:
		return fmt.Sprintf("the Redis at %s evicts keys when its memory is full (maxmemory-policy %s), and limits are counted in it: a limit that was evicted begins anew, so more is admitted than it allows. "+
			"Name a Redis with maxmemory-policy noeviction with state.url; the cache may stay where it is.", c.Address(), policy)
	default:
		return ""
	}
}
