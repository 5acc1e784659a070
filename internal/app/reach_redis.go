package app

import (
	"context"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/redis"
)

// RedisServer is what a Redis says of itself.
type RedisServer = redis.Server

// ErrRedisRefused says that a Redis is there and does not take the user or the password.
var ErrRedisRefused = redis.ErrRefused

// RedisTarget is a Redis that the configuration names.
type RedisTarget struct {
	// Key is the configuration's name for it: cache.url or state.url.
	Key string
	// Counts says that limits are counted in it.
	Counts bool

	url config.Locator
}

// RedisServers lists the Redis servers of cache.url and state.url, each once.
func RedisServers(c *config.Config) []RedisTarget {
	var all []RedisTarget
	one := !c.State.URL.IsSet() || c.State.URL.Equal(c.Cache.URL)
	if isRedis(c.Cache.URL) {
		all = append(all, RedisTarget{Key: "cache.url", Counts: one, url: c.Cache.URL})
	}
	if !one && isRedis(c.State.URL) {
		all = append(all, RedisTarget{Key: "state.url", Counts: true, url: c.State.URL})
	}
	return all
}

// Check says what is wrong with the URL, without asking anybody.
func (t RedisTarget) Check() error {
	_, err := redis.ParseURL(t.url.Reveal())
	return err
}

// Reach asks the server who it is, and changes nothing there.
func (t RedisTarget) Reach(ctx context.Context) (RedisServer, error) {
	return redis.Reach(ctx, t.url.Reveal())
}
