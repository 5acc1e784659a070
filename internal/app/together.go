package app

import (
	"context"
	"log/slog"
	"strings"

	"github.com/promptd/promptd/internal/broadcast"
	bus "github.com/promptd/promptd/internal/broadcast/redis"
	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/cache/memory"
	answers "github.com/promptd/promptd/internal/cache/redis"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/limit"
	local "github.com/promptd/promptd/internal/limit/memory"
	counted "github.com/promptd/promptd/internal/limit/redis"
	"github.com/promptd/promptd/internal/member"
	"github.com/promptd/promptd/internal/provider"
	board "github.com/promptd/promptd/internal/provider/board/redis"
	"github.com/promptd/promptd/internal/redis"
)

// tier is what the cache is to its users.
type tier interface {
	cache.Tier
	cache.StatsReader
}

// shared is what the processes of an installation have in common beside the store: in Redis where it is configured, else what this process has for itself.
type shared struct {
	answers tier
	limiter limit.Limiter
	// turns, bus and board are nil where there is nobody to share with.
	turns *cache.Turns
	bus   broadcast.Broadcaster
	board provider.Board
}

// share opens what is shared. A Redis that is away stops nothing: what needs it goes on without it until it is back.
func (a *App) share(ctx context.Context, c *config.Config) (*shared, error) {
	near, err := memory.New(memory.Config{MaxBytes: int64(c.Cache.MemoryMB) << 20})
	if err != nil {
		return nil, err
	}
	a.own("cache", near.Run)
	a.seen.Metrics.WatchCache(cacheFigures(near))
	s := &shared{answers: near}
	cached, state, err := a.openRedis(ctx, c)
	if err != nil {
		return nil, err
	}
	if state != nil || cached != nil {
		teller := bus.New(first(state, cached))
		s.bus = teller
		a.own("broadcast", teller.Run)
	}
	if cached != nil {
		tiered := cache.NewTiered(near, answers.New(cached, 0), s.bus)
		a.atEnd("shared cache", func(context.Context) error { tiered.Close(); return nil })
		a.own("shared cache", tiered.Run)
		s.answers, s.turns = tiered, cache.NewTurns(answers.NewLock(cached), tiered)
	}
	if state == nil {
		alone := local.New(local.Config{})
		a.own("limits", alone.Run)
		s.limiter = alone
		return s, nil
	}
	return s, a.shareState(ctx, c, s, state)
}

// openRedis opens the servers of cache.url and state.url, which may be one; nil is memory.
func (a *App) openRedis(ctx context.Context, c *config.Config) (cached, state *redis.Client, err error) {
	if isRedis(c.Cache.URL) {
		if cached, err = a.connect(ctx, "cache", c.Cache.URL); err != nil {
			return nil, nil, err
		}
	}
	switch {
	case !c.State.URL.IsSet() || c.State.URL.Equal(c.Cache.URL):
		return cached, cached, nil
	case isRedis(c.State.URL):
		state, err = a.connect(ctx, "state", c.State.URL)
	}
	return cached, state, err
}

// isRedis says whether a URL names a Redis; the schemes were checked with the configuration.
func isRedis(u config.Locator) bool { return strings.HasPrefix(u.Scheme(), "redis") }

func (a *App) connect(ctx context.Context, what string, u config.Locator) (*redis.Client, error) {
	client, err := redis.Open(ctx, redis.Options{URL: u.Reveal(), Log: a.log.With(slog.String("redis", what))})
	if err != nil {
		return nil, err
	}
	a.atEnd("redis of "+what, func(context.Context) error { client.Close(); return nil })
	a.redis = append(a.redis, client)
	return client, nil
}

// shareState makes what is counted together.
func (a *App) shareState(ctx context.Context, c *config.Config, s *shared, state *redis.Client) error {
	group, err := member.Join(ctx, member.Config{
		Store: a.db.members, Self: member.Member{ID: a.holder, Host: hostName(), Roles: c.Roles, Version: a.env.Version},
		OnError: a.complain("this process could not say that it lives"),
	})
	if err != nil {
		return err
	}
	a.own("members", group.Run)
	ledger := counted.New(counted.Config{Client: state, OnError: a.complain("what this process holds of limits could not be renewed")})
	a.own("ledger", ledger.Run)
	together := limit.NewShared(limit.ShareConfig{Ledger: ledger, Members: group.Count, OnError: a.complain("limits are counted by this process alone at present")})
	a.own("limits", together.Run)
	s.limiter, s.board = together, board.New(state)
	a.own("eviction", func(ctx context.Context) error {
		if text := counted.Warning(ctx, state); text != "" && ctx.Err() == nil {
			a.log.Warn(text)
		}
		<-ctx.Done()
		return nil
	})
	return nil
}

func first(list ...*redis.Client) *redis.Client {
	for _, c := range list {
		if c != nil {
			return c
		}
	}
	return nil
}

// shareStanding lets processes tell each other how they find the providers.
func (a *App) shareStanding(s *shared) {
	if s.board == nil {
		return
	}
	sharing := provider.NewSharing(provider.SharingConfig{Board: s.board, Pool: a.pool, Self: a.holder, OnError: func(err error) {
		if err != nil {
			a.log.Warn("how other processes find the providers is not known at present", slog.Any("error", err))
		}
	}})
	a.own("standing", sharing.Run)
}

// ringAcross lets the bells of the processes ring together.
func (a *App) ringAcross(s *shared, b *job.Bell) {
	if s.bus != nil {
		job.Share(b, s.bus, func(err error) { a.log.Debug("other processes see it in the store", slog.Any("error", err)) })
	}
}

// redisReady says what is wrong with the Redis servers.
func (a *App) redisReady(context.Context) error {
	for _, c := range a.redis {
		if !c.Ready() {
			return redis.ErrAway
		}
	}
	return nil
}
