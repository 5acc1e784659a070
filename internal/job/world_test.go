package job_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/broker"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/storetest"
)

// world is a store in memory with workers on it, in a bubble of its own time.
type world struct {
	*storetest.JobModel
	t    *testing.T
	bell *job.Bell
	// away, while set, says how a call of the store fails; took says that it took effect before.
	mu   sync.Mutex
	away func(call string) (fails, took bool)
	made int
	said []error
}

func newWorld(t *testing.T) *world {
	return &world{JobModel: storetest.NewJobModel(time.Now), t: t, bell: &job.Bell{}}
}

var errAway = errors.New("the store is away")

// failing has the calls of the store fail as said.
func (w *world) failing(f func(call string) (fails, took bool)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = f
}

func (w *world) fails(call string) (fails, took bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away == nil {
		return false, false
	}
	return w.away(call)
}

// Claim is the model's, where it does not fail.
func (w *world) Claim(ctx context.Context, want job.Want) ([]job.Work, error) {
	fails, took := w.fails("claim")
	if fails && !took {
		return nil, errAway
	}
	list, err := w.JobModel.Claim(ctx, want)
	if fails {
		return nil, errAway
	}
	return list, err
}

// Renew is the model's, where it does not fail.
func (w *world) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	if fails, _ := w.fails("renew"); fails {
		return nil, errAway
	}
	return w.JobModel.Renew(ctx, leases, d)
}

// Finish is the model's, where it does not fail.
func (w *world) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	fails, took := w.fails("finish")
	if fails && !took {
		return nil, errAway
	}
	out, err := w.JobModel.Finish(ctx, list)
	if fails {
		return nil, errAway
	}
	return out, err
}

// Reap is the model's, where it does not fail.
func (w *world) Reap(ctx context.Context, p job.Policy) (job.Reaped, error) {
	if fails, _ := w.fails("reap"); fails {
		return job.Reaped{}, errAway
	}
	return w.JobModel.Reap(ctx, p)
}

func (w *world) complain(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, err)
}

// doing is what a test does for an item.
type doing func(ctx context.Context, x *job.Work) ([]byte, error)

// Do does an item.
func (f doing) Do(ctx context.Context, x *job.Work) ([]byte, error) { return f(ctx, x) }

// answered answers an item after a time.
func answered(after time.Duration) doing {
	return func(ctx context.Context, _ *job.Work) ([]byte, error) {
		select {
		case <-time.After(after):
			return []byte(`{"data":1}`), nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

const lease = 30 * time.Second

// worker makes a worker of that name.
func (w *world) worker(name string, do doing, change func(*job.WorkerConfig)) *job.Worker {
	finisher := job.NewFinisher(job.FinisherConfig{Queue: w, Bell: w.bell, Patience: lease, OnError: w.complain})
	cfg := job.WorkerConfig{
		Queue: w, Doer: do, Finisher: finisher, Slots: 8, Lease: lease, OnError: w.complain, Rules: job.Rules{Worker: name, Random: func(d time.Duration) time.Duration { return d }},
	}
	if change != nil {
		change(&cfg)
	}
	return job.NewWorker(cfg)
}

// reaper makes a reaper of that name.
func (w *world) reaper(name string) *job.Reaper {
	return job.NewReaper(job.ReaperConfig{Store: w, Holder: name, Bell: w.bell, OnError: w.complain})
}

// run runs owners until stop is called, which waits for them.
func run(t *testing.T, owners ...func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, o := range owners {
		all.Go(func() {
			if err := o(ctx); err != nil {
				t.Errorf("an owner ended: %v", err)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// submit keeps a job of so many items.
func (w *world) submit(items int, change func(*job.Job)) job.ID {
	w.t.Helper()
	w.mu.Lock()
	w.made++
	j := job.Job{ID: job.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", w.made)), Team: "default", State: job.Pending, Priority: job.Normal, Batch: items > 1, Run: 1, Request: []byte(`{}`)}
	w.mu.Unlock()
	if change != nil {
		change(&j)
	}
	sub := job.Submission{Job: j}
	for n := range items {
		sub.Items = append(sub.Items, job.Item{Job: j.ID, N: n, Name: fmt.Sprint(n), State: job.ItemPending, Request: []byte(`{}`)})
	}
	done, err := w.Submit(w.t.Context(), []job.Submission{sub})
	if err != nil || done[0].Err != nil {
		w.t.Fatal(err, done)
	}
	return j.ID
}

func (w *world) job(id job.ID) job.Job {
	w.t.Helper()
	j, err := w.Job(w.t.Context(), key.AllTeams(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) item(id job.ID, n int) job.Item {
	w.t.Helper()
	list, err := w.Items(w.t.Context(), key.AllTeams(), id, n, 1)
	if err != nil || len(list) != 1 {
		w.t.Fatal(list, err)
	}
	return list[0]
}

// ends waits for the end of a job, for an hour at the most, and says how long it took.
func (w *world) ends(id job.ID) (job.Job, time.Duration) {
	w.t.Helper()
	begun := time.Now()
	for {
		if j := w.job(id); j.State.Final() {
			return j, time.Since(begun)
		}
		if time.Since(begun) > time.Hour {
			w.t.Fatalf("the job %s is %+v after an hour", id, w.job(id))
		}
		<-time.After(10 * time.Millisecond)
	}
}

// announcer hands messages to a broker at once.
type announcer struct {
	t *testing.T
	b broker.Broker
}

// Announce publishes.
func (a announcer) Announce(m ...broker.Message) {
	if err := a.b.Publish(context.Background(), m...); err != nil {
		a.t.Error(err)
	}
}
