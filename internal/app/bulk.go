package app

import (
	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
)

// offPeak makes what takes the items of jobs that may wait, and has it run.
func (a *App) offPeak(holder string, finisher *job.Finisher, prompts *job.Prompts, rules job.Rules) job.Deferrer {
	c := bulk.New(bulk.Config{
		Store: a.db.batches, Jobs: a.db.jobs, Finisher: finisher, Opener: prompts, Pipeline: a.pipe, Pool: a.pool, Callers: a.verifier,
		Window: a.env.Hurry, Look: a.env.Hurry, MostLook: a.env.Hurry, Tick: a.env.Hurry,
		Holder: holder, Rules: rules, NewLabel: func() string { return "pd-" + uuid.Must(uuid.NewV7()).String() },
		OnError: a.complain("a batch at a provider is in trouble; its prompts go another way, or it is tried again"),
	})
	a.front("bulk", c.Run) // It ends before the budgets do, to which it gives back what it holds.
	return c
}
