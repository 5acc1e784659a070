package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/delivery"
)

// deliveries is what webhooks are to their consumers.
type deliveries interface {
	delivery.Store
	delivery.Registry
	delivery.Log
}

// webhooks makes what callers do with webhooks, and the owners that send, where the process has the role for it. The Wake of what it gives wakes them. What is
// told of a job comes from the composer.
func (a *App) webhooks(c *config.Config, composer delivery.Composer, newID func() string) *delivery.Hooks {
	policy := delivery.Policy{AllowPrivate: c.Webhooks.AllowPrivateNetworks}
	transport := delivery.NewHTTP(delivery.HTTPConfig{Policy: policy})
	a.atEnd("connections to webhooks", func(context.Context) error { transport.Close(); return nil })
	sender := delivery.NewSender(delivery.SenderConfig{
		Store: a.db.deliveries, Composer: composer, Transport: transport, NewID: newID, MaxAge: c.Webhooks.MaxAge,
		OnAttempt: a.attempted, OnError: a.complain("webhooks could not be sent"),
		OnHost: func(host string) {
			a.log.Warn("a webhook's host does not answer and is left alone for a while", slog.String("host", host))
		},
	})
	if has(c, "worker") { // Where another process sends, it finds what is due by itself within a second.
		a.own("deliveries", sender.Run)
		alerts := &delivery.Alerts{Source: a.db.budgets, Store: a.db.deliveries, Wake: sender.Wake, OnError: a.complain("alerts of budgets could not be told")}
		a.own("alerts", alerts.Run)
	}
	return &delivery.Hooks{
		Registry: a.db.deliveries, Log: a.db.deliveries, Transport: transport, Policy: policy, Random: rand.Reader, NewID: newID, Wake: sender.Wake,
	}
}

// attempted shows an attempt as metrics, and in the log what nobody is told of otherwise.
func (a *App) attempted(event delivery.Event, one delivery.Attempt, now delivery.Status) {
	outcome := string(one.Error)
	if outcome == "" {
		outcome = "delivered"
	}
	a.seen.Metrics.WebhookAttempt(outcome, one.Took)
	if now == delivery.Failed {
		a.log.Warn("a webhook's message was given up; promptd deliveries shows why", slog.String("event", string(event)), slog.String("error", string(one.Error)),
			slog.Int("status", one.Status), slog.Duration("took", one.Took.Round(time.Millisecond)))
	}
}
