package app

import (
	"context"

	"github.com/promptd/promptd/internal/router"
)

// learn makes the router: it takes over what attempts of earlier runs have taught, and has it written down.
func (a *App) learn(ctx context.Context) error {
	a.learned = router.NewLearned()
	a.router = router.New(router.Config{Learned: a.learned})
	keeper := &router.Keeper{Learned: a.learned, Store: a.db.learned, OnError: a.complain("what was learned could not be written")}
	a.own("learned", keeper.Run)
	return keeper.Load(ctx)
}
