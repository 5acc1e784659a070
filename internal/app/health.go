package app

import (
	"context"
	"errors"
	"slices"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/provider"
)

func breakerOf(c *config.Config) provider.BreakerConfig {
	b := c.Routing.Breaker
	return provider.BreakerConfig{FailureShare: b.FailureShare, MinCalls: b.MinCalls, Window: b.Window, OpenFor: b.OpenFor}
}

// watchProviders shows the state of the providers as metrics.
func (a *App) watchProviders() {
	a.seen.Metrics.WatchProviders(func() []observe.Account {
		all := a.pool.Providers()
		list := make([]observe.Account, len(all))
		for i, p := range all {
			list[i] = figuresOf(p)
		}
		return list
	})
}

func figuresOf(p *provider.Provider) observe.Account {
	f := p.Figures()
	out := observe.Account{
		Provider: p.Name(), InFlight: p.InFlight(), RetryBudget: f.RetryBudget, RetriesRefused: f.RetriesRefused, CredentialsResting: f.CredentialsResting, CredentialRests: f.Rests,
		Unsent: map[string]int64{"open": f.Open, "busy": f.Busy, "resting": f.Resting, "limited": f.Limited},
	}
	models := p.Models()
	for i := range models {
		s := p.Standing(&models[i])
		out.Limit = s.Limit
		out.Models = append(out.Models, observe.AccountModel{
			Model: models[i].Name, Breaker: int(s.Breaker), P50: s.Latency.P50.Seconds(), P95: s.Latency.P95.Seconds(),
		})
	}
	return out
}

// providersReady is an error where nobody could answer now: no provider is configured, or the breaker of every model is open.
func (a *App) providersReady(context.Context) error {
	all := a.pool.Providers()
	if len(all) == 0 {
		return errors.New("no provider is configured")
	}
	for _, p := range all {
		if p.LastResort() && slices.ContainsFunc(all, func(other *provider.Provider) bool { return !other.LastResort() }) {
			continue // Requests that do not name it are not sent to it.
		}
		models := p.Models()
		for i := range models {
			if p.Standing(&models[i]).Breaker != provider.Open {
				return nil
			}
		}
	}
	return errors.New("every provider has failed of late and is left alone")
}
