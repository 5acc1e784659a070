package redis

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// renewals is how often a lease is renewed in its time: two may fail.
	renewals = 3
	// mostRenewed bounds the leases that one script renews.
	mostRenewed = 500
)

// Run renews what this process holds, until the context ends.
func (l *Limiter) Run(ctx context.Context) error {
	tick := time.NewTicker(l.cfg.Lease / renewals / 2) // A lease may have been due a moment after the look before.
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := l.renew(ctx, time.Now()); err != nil && ctx.Err() == nil {
			l.cfg.OnError(fmt.Errorf("renew what is held of limits: %w", err))
		}
	}
}

// renew renews what has not been for a while, and gives up what is not held any more: once more, for the server may have got it since.
func (l *Limiter) renew(ctx context.Context, now time.Time) error {
	before := now.Add(-l.cfg.Lease / renewals / 2)
	for _, kind := range []struct {
		held *leases
		keys func(string) []string
	}{
		{l.places, func(key string) []string { return []string{l.placesKey(key)} }},
		{l.tabs, func(key string) []string { tab := l.tabKeys(key); return []string{tab[1], tab[0]} }},
	} {
		for key, names := range kind.held.allGiven() {
			for some := range slices.Chunk(names, mostRenewed) {
				if err := l.cfg.Client.Run(ctx, l.script.give, kind.keys(key), some).Error(); err != nil {
					return err
				}
			}
		}
		kind.held.lapsed(now.Add(-l.cfg.Lease))
		for _, key := range kind.held.due(before) {
			if err := l.renewKey(ctx, kind.held, key, kind.keys(key), before, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// renewKey renews the leases under one key.
func (l *Limiter) renewKey(ctx context.Context, all *leases, key string, keys []string, before, now time.Time) error {
	for {
		all.mu.Lock()
		h := all.keys[key]
		if h == nil {
			all.mu.Unlock()
			return nil
		}
		names := h.before(before, mostRenewed)
		all.mu.Unlock()
		if len(names) == 0 {
			return nil
		}
		missing, err := l.ask(ctx, keys, "0", names)
		if err != nil {
			return err
		}
		if missing > 0 {
			err = l.restore(ctx, all, key, keys, names)
		}
		if err != nil {
			return err
		}
		all.mu.Lock()
		if h := all.keys[key]; h != nil {
			h.renewed(names, now)
		}
		all.mu.Unlock()
	}
}

// restore makes leases again that the server has lost. Those that have ended meanwhile must not come back to it, so nobody ends one while it does.
func (l *Limiter) restore(ctx context.Context, all *leases, key string, keys, names []string) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	still := all.keys[key].among(names)
	if len(still) == 0 {
		return nil
	}
	_, err := l.ask(ctx, keys, "1", still)
	return err
}

// among gives those of the leases that are still held.
func (h *held) among(names []string) (still []string) {
	if h == nil {
		return nil
	}
	there := map[string]bool{}
	for _, list := range h.tokens {
		for _, t := range list {
			there[t.name] = true
		}
	}
	for _, name := range names {
		if there[name] {
			still = append(still, name)
		}
	}
	return still
}

func (l *Limiter) ask(ctx context.Context, keys []string, restore string, names []string) (missing int64, err error) {
	now, nanos := l.clock()
	return l.cfg.Client.Run(ctx, l.script.renew, keys, append([]string{now, nanos, l.lease(), restore}, names...)).AsInt64()
}
