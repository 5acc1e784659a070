package api_test

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/pipeline"
	"github.com/promptd/promptd/internal/prompt"
)

// jobs is what accepts jobs in this world; its worker and its reaper run as long as the test.
func (w *world) jobs(pipe *pipeline.Pipeline, verifier *key.Verifier) *job.Service {
	store, bell := w.db.Jobs(), &job.Bell{}
	defaults := func() prompt.Defaults { return w.settings.Load().Defaults }
	complain := func(err error) { _, _ = fmt.Fprintln(w.logs, err) }
	finisher := job.NewFinisher(job.FinisherConfig{Queue: store, Bell: bell, Patience: time.Minute, OnError: complain})
	worker := job.NewWorker(job.WorkerConfig{
		Queue: store, Finisher: finisher, Slots: 8, Lease: time.Minute, OnError: complain,
		Doer:  job.NewPrompts(job.PromptsConfig{Callers: verifier, Pipeline: pipe, Defaults: defaults}),
		Rules: job.Rules{Worker: "test", MostAttempts: 3},
	})
	w.run(worker.Run)
	return job.NewService(job.Config{
		Store: store, Pipeline: pipe, Defaults: defaults, Bell: bell, NewID: func() string { return uuid.Must(uuid.NewV7()).String() }, Announce: announcer{worker},
	})
}

// announcer wakes the worker of this process.
type announcer struct{ worker *job.Worker }

func (a announcer) Announce(...broker.Message) { a.worker.Wake() }
