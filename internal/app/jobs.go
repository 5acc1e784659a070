package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/broker/embedded"
	"github.com/promptd/promptd/internal/broker/rabbitmq"
	"github.com/promptd/promptd/internal/config"
	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/observe"
	"github.com/promptd/promptd/internal/prompt"
)

// has says whether the process has a role.
func has(c *config.Config, role string) bool { return slices.Contains(c.Roles, role) }

// carrier is a broker that broker.url may name by its scheme.
type carrier struct {
	scheme string
	open   func(c *config.Config, onError func(error), onRepaired func(broker.Queue)) (broker.Broker, error)
}

func openEmbedded(*config.Config, func(error), func(broker.Queue)) (broker.Broker, error) {
	return embedded.New(embedded.Config{}), nil
}

func openRabbitMQ(c *config.Config, onError func(error), onRepaired func(broker.Queue)) (broker.Broker, error) {
	return rabbitmq.New(rabbitmq.Config{URL: c.Broker.URL.Reveal(), OnError: onError, OnRepaired: onRepaired})
}

// openBroker opens the broker that broker.url names. A queue that had to be made anew has lost its messages: workers are told to look.
func (a *App) openBroker(c *config.Config, wake func()) (broker.Broker, error) {
	all := carriers()
	i := slices.IndexFunc(all, func(k carrier) bool { return k.scheme == c.Broker.URL.Scheme() })
	if i < 0 {
		return nil, fault.New(fault.InvalidRequest, "broker.url names no broker that this program has")
	}
	b, err := all[i].open(c, a.complain("the broker is in trouble"), func(q broker.Queue) {
		a.log.Warn("a queue of the broker was not usable and was made anew", slog.String("queue", string(q)))
		wake()
	})
	if err != nil {
		return nil, err
	}
	if far, ok := b.(*rabbitmq.Broker); ok {
		a.carried = far.Ready
	}
	a.own("broker", b.Run)
	return b, nil
}

// front adds what takes work by itself: Run ends it first, together with the servers.
func (a *App) front(name string, run func(context.Context) error) {
	a.fronts = append(a.fronts, owner{name, run})
}

// work makes what does jobs and what accepts them, each where the process has the role for it.
func (a *App) work(c *config.Config, together *shared, newID func() string, targets job.Targets, over func(job.Ended)) error {
	var worker *job.Worker // Set below, before anything runs.
	queue, err := a.openBroker(c, func() {
		if worker != nil {
			worker.Wake()
		}
	})
	if err != nil {
		return err
	}
	var relay job.Announcer // A broker within a process without workers has nobody to tell: those of other processes look by themselves.
	if has(c, "worker") || a.carried != nil {
		relay = a.tellWorkers(queue)
	}
	seen, bell, holder := jobMeter{a.seen.Metrics}, &job.Bell{}, a.holder
	a.ringAcross(together, bell)
	defaults := func() prompt.Defaults { return a.settings.Load().api.Defaults }
	if has(c, "worker") {
		finisher := job.NewFinisher(job.FinisherConfig{
			Queue: a.db.jobs, Bell: bell, Patience: c.Jobs.Lease, Over: over, Meter: seen, OnError: a.complain("the end of a prompt of a job could not be written yet"),
		})
		prompts := job.NewPrompts(job.PromptsConfig{Callers: a.verifier, Pipeline: a.pipe, Defaults: defaults, Trace: a.traceItem})
		rules := job.Rules{Worker: holder, MostAttempts: c.Jobs.MaxAttempts}
		worker = job.NewWorker(job.WorkerConfig{
			Queue: a.db.jobs, Finisher: finisher, Broker: queue, Slots: c.Jobs.Concurrency, Lease: c.Jobs.Lease, Meter: seen, OnError: a.complain("work on jobs is in trouble"),
			Doer: prompts, Rules: rules, Deferrer: a.offPeak(holder, finisher, prompts, rules),
		})
		a.front("worker", worker.Run)
		reaper := job.NewReaper(job.ReaperConfig{
			Store: a.db.jobs, Holder: holder, Bell: bell, Announce: relay, Policy: job.Policy{MostAttempts: c.Jobs.MaxAttempts}, Over: over, Meter: seen,
			OnError: a.complain("jobs could not be put right yet"),
		})
		a.own("reaper", reaper.Run)
	}
	a.jobs = job.NewService(job.Config{
		Store: a.db.jobs, Pipeline: a.pipe, Defaults: defaults, Bell: bell, NewID: newID, Targets: targets, Announce: relay, Over: over, Meter: seen, Trace: a.seen.Tracer.Traceparent,
	})
	return nil
}

// tellWorkers makes what publishes for those who must not wait.
func (a *App) tellWorkers(queue broker.Broker) job.Announcer {
	relay := broker.NewRelay(queue, broker.RelayConfig{
		Share:   job.PerMessage,
		Count:   func(q broker.Queue, o broker.Outcome, n int) { a.seen.Metrics.BrokerMessages(string(q), string(o), n) },
		OnError: a.complain("workers could not be told of work; they find it by themselves"),
	})
	a.own("relay", relay.Run)
	return relay
}

// holderName is this process among those that work on the same store: for people who read an item's history, and unlike any other.
func holderName() string {
	return hostName() + "/" + strconv.Itoa(os.Getpid()) + "/" + uuid.NewString()[:8]
}

// hostName is the machine's name, for people.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// traceItem goes on with the trace of the request that submitted a job.
func (a *App) traceItem(ctx context.Context, traceparent string) (context.Context, func(error)) {
	if !a.seen.Tracer.Enabled() {
		return ctx, func(error) {}
	}
	ctx, s := a.seen.Tracer.Start(a.seen.Tracer.Resume(ctx, traceparent), "promptd.job.item")
	return ctx, span{s}.End
}

// Jobs is what front doors do with jobs.
func (a *App) Jobs() *job.Service { return a.jobs }

// jobMeter shows what becomes of jobs as metrics.
type jobMeter struct{ metrics *observe.Metrics }

// Submitted counts an accepted job.
func (m jobMeter) Submitted(p job.Priority, items int) { m.metrics.JobSubmitted(p.String(), items) }

// Claimed counts a look for work.
func (m jobMeter) Claimed(taken, wanted int) { m.metrics.JobClaim(taken, wanted) }

// Working counts prompts in and out of work.
func (m jobMeter) Working(change int) { m.metrics.JobWorking(change) }

// ItemEnded counts the end of a prompt.
func (m jobMeter) ItemEnded(s job.ItemState) { m.metrics.JobItem(string(s)) }

// Over counts a job that became final.
func (m jobMeter) Over(s job.State) { m.metrics.JobFinished(string(s)) }

// LeaseLost counts a lost lease.
func (m jobMeter) LeaseLost() { m.metrics.JobLeaseLost() }

// Reaped counts what was put right.
func (m jobMeter) Reaped(r job.Reaped) {
	for _, c := range []struct {
		kind string
		n    int
	}{
		{"requeued", r.Requeued},
		{"poisoned", r.Poisoned},
		{"expired", r.Expired},
		{"stripped", r.Stripped},
		{"deleted", r.Deleted},
		{"abandoned", r.Abandoned},
	} {
		m.metrics.JobReaped(c.kind, c.n)
	}
}

// Depths shows what waits; a class that is not named has nothing.
func (m jobMeter) Depths(list []job.Depth) {
	for _, class := range []job.Priority{job.High, job.Normal, job.Low} {
		one := job.Depth{Class: class}
		if i := slices.IndexFunc(list, func(d job.Depth) bool { return d.Class == class }); i >= 0 {
			one = list[i]
		}
		m.metrics.JobQueue(class.String(), one.Due, one.Oldest)
	}
}

// aim checks the webhooks that jobs name.
type aim struct{ hooks *delivery.Hooks }

// Aim gives a target as it is kept.
func (x aim) Aim(ctx context.Context, team key.TeamID, w job.Webhook) (job.Webhook, string, error) {
	to, made, err := x.hooks.Aim(ctx, team, delivery.Target{Endpoint: delivery.EndpointID(w.Endpoint), URL: w.URL, Secret: w.Secret}, "/webhook")
	return job.Webhook{Endpoint: string(to.Endpoint), URL: to.URL, Secret: to.Secret}, made, err
}

// composer makes what a webhook tells of a job: the job as GET /v1/jobs/{id} shows it.
type composer struct{ store job.Store }

// Compose reads the job.
func (x composer) Compose(ctx context.Context, m delivery.Message) (json.RawMessage, error) {
	return job.Compose(ctx, x.store, m.Team, job.ID(m.Job), string(m.Event), m.At)
}

var (
	_ job.Meter         = jobMeter{}
	_ job.Targets       = aim{}
	_ delivery.Composer = composer{}
)
