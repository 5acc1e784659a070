package app

import (
	"context"

	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/store/postgres"
)

// openPostgres opens the store that several processes share.
func openPostgres(ctx context.Context, c *config.Config, m *observe.Metrics) (*kept, error) {
	replicas := make([]string, 0, len(c.Database.ReplicaURLs))
	for _, u := range c.Database.ReplicaURLs {
		replicas = append(replicas, u.Reveal())
	}
	db, err := postgres.Open(ctx, postgres.Options{URL: c.Database.URL.Reveal(), ReplicaURLs: replicas, Observe: m.Query})
	if err != nil {
		return nil, err
	}
	return &kept{
		keys: db.Keys(), teams: db.Teams(), idempotency: db.Idempotency(), history: db.History(), budgets: db.Budgets(), learned: db.Learned(),
		schemas: db.Schemas(), templates: db.Templates(), deliveries: db.Deliveries(), jobs: db.Jobs(), members: db.Members(), batches: db.Batches(),
		states: func(ctx context.Context) ([]byte, error) { return db.Secret(ctx, "states") },
		run:    db.Run, ping: db.Ping, apart: true, close: db.Close,
	}, nil
}
