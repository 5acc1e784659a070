package app

import (
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/relay"
)

// relay makes the gateway for requests without a schema.
func (a *App) relay(history pipeline.History, newID func() string) *relay.Relay {
	return relay.New(relay.Deps{
		Pool: a.pool, Router: a.router, History: history, Meter: meter{a.seen}, Purse: a.pipe.Purse(), NewID: newID, Settings: func() pipeline.Settings { return a.settings.Load().pipeline },
	})
}
