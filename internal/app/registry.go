package app

import (
	"context"
	"log/slog"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema"
)

// register makes the schema registry. What is withdrawn leaves the answers' cache: nobody gets it by that reference any longer, and it needs no room.
func (a *App) register(compiled *schema.Cache, answers cache.Tier) *registry.Registry {
	r := registry.New(registry.Config{
		Store: a.db.schemas, Schemas: compiled, OnError: a.complain("the schema registry could not be read"),
		Limits: func() schema.Limits { return schema.Limits{Bytes: a.settings.Load().pipeline.SchemaBytes} },
		Withdrawn: func(ctx context.Context, team key.TeamID, ref string) {
			if _, err := answers.Drop(ctx, cache.SchemaTag(string(team), ref)); err != nil {
				a.log.Warn("answers of a withdrawn schema stay in the cache until they expire", slog.String("schema", ref), slog.Any("error", err))
			}
		},
	})
	a.own("schemas", r.Run)
	return r
}
