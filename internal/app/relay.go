package app

import (
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/relay"
	"github.com/promptd/promptd/internal/router"
)

// relay makes the gateway for requests without a schema.
func (a *App) relay(history pipeline.History, newID func() string) *relay.Relay {
	return relay.New(relay.Deps{
		Pool: a.pool, Router: router.New(router.Config{Learned: a.learned}), History: history, Meter: meter{a.seen}, NewID: newID, Settings: func() pipeline.Settings { return a.settings.Load().pipeline },
	})
}
