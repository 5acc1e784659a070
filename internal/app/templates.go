package app

import (
	"context"
	"log/slog"

	"github.com/promptd/promptd/internal/cache"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/registry"
	"github.com/promptd/promptd/internal/schema"
	"github.com/promptd/promptd/internal/template"
)

// library makes the library of templates, whose bound schemas may be registered ones. What is withdrawn leaves the answers' cache.
func (a *App) library(schemas *registry.Registry, answers cache.Tier) *template.Library {
	l := template.New(template.Config{
		Store: a.db.templates, OnError: a.complain("the templates could not be read"),
		Limits: func() schema.Limits { return schema.Limits{Bytes: a.settings.Load().pipeline.SchemaBytes} },
		Bound: func(ctx context.Context, team key.TeamID, ref string) error {
			_, err := schemas.Resolve(ctx, team, ref)
			return err
		},
		Withdrawn: func(ctx context.Context, team key.TeamID, ref string) {
			if _, err := answers.Drop(ctx, cache.TemplateTag(string(team), ref)); err != nil {
				a.log.Warn("answers of a withdrawn template stay in the cache until they expire", slog.String("template", ref), slog.Any("error", err))
			}
		},
	})
	a.own("templates", l.Run)
	return l
}
