package cli

import (
	"context"
	"errors"

	"github.com/promptd/promptd/internal/app"
	"github.com/promptd/promptd/internal/config"
)

// redis looks at the servers that processes share. promptd goes on without them, so their absence is a risk and no fault; with a URL that can't be read promptd
// does not start.
func (f *findings) redis(ctx context.Context, c *config.Config, offline bool) {
	for _, s := range app.RedisServers(c) {
		area := s.Key
		if err := s.Check(); err != nil {
			f.add(area, bad, "Correct "+area+"; its parts are in docs/guide/redis.md.", "%v", err)
			continue
		}
		if offline {
			continue
		}
		within, cancel := context.WithTimeout(ctx, probeLimit)
		found, err := s.Reach(within)
		cancel()
		if err != nil {
			f.redisAway(area, err)
			continue
		}
		f.redisFound(area, &found, s.Counts)
	}
}

// redisAway says that a server can't be used now.
func (f *findings) redisAway(area string, err error) {
	advice := "promptd goes on without it: processes share no answers, and each counts its share of the limits. Check " + area + ", the server and the network."
	if errors.Is(err, app.ErrRedisRefused) {
		advice = "Correct user and password in " + area + "; characters such as / # ? @ of a password are written as %2F %23 %3F %40."
	}
	f.add(area, risky, advice, "%v", err)
}

// redisFound says how a server that answers is fit for its work; counts is that limits are counted in it.
func (f *findings) redisFound(area string, s *app.RedisServer, counts bool) {
	name := "Redis " + s.Version + " at " + s.Address
	if s.Version == "" {
		name = "Redis at " + s.Address
	}
	switch {
	case s.Old:
		f.add(area, risky, "Use Redis 7 or later.", "%s is older than 7", name)
	case s.Replica:
		f.add(area, risky, "Name its master in "+area+".", "%s is a replica, which takes no writes", name)
	case counts && s.Evicts:
		f.add(area, risky, "Name a Redis with maxmemory-policy noeviction in state.url; the cache may stay where it is.",
			"%s evicts keys when its memory is full (maxmemory-policy %s), and limits are counted in it: one that was evicted begins anew", name, s.Policy)
	case s.Version == "":
		f.add(area, note, "Allow the user INFO (ACL: +info).", "%s answers, and does not say its version or maxmemory-policy", name)
	default:
		f.add(area, fine, "", "%s, maxmemory-policy %s", name, s.Policy)
	}
}
