package job_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// process is one worker's view of the store: from its death on no call of it reaches the store, though it may go on working.
type process struct {
	*world
	dead *bool
}

func (p process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.dead
}

// Claim reaches the store while the process lives.
func (p process) Claim(ctx context.Context, want job.Want) ([]job.Work, error) {
	if p.gone() {
		return nil, errAway
	}
	return p.world.Claim(ctx, want)
}

// Renew reaches the store while the process lives.
func (p process) Renew(ctx context.Context, leases []job.Lease, d time.Duration) ([]job.Lease, error) {
	if p.gone() {
		return nil, errAway
	}
	return p.world.Renew(ctx, leases, d)
}

// Finish reaches the store while the process lives.
func (p process) Finish(ctx context.Context, list []job.Finished) ([]job.Ended, error) {
	if p.gone() {
		return nil, errAway
	}
	return p.world.Finish(ctx, list)
}

// bench is where items are done in a history: it sees that nobody does one while another still may. Of a job that was cancelled and begun again the old work may go on
// for a heartbeat, and writes nothing.
type bench struct {
	mu     sync.Mutex
	anew   map[job.ID]bool
	doing  map[string]context.Context
	random *rand.Rand
	wrong  []string
}

func (b *bench) do(ctx context.Context, x *job.Work) ([]byte, error) {
	name := fmt.Sprint(x.Job.ID, "/", x.Item.N)
	b.mu.Lock()
	if other := b.doing[name]; other != nil && other.Err() == nil && !b.anew[x.Job.ID] {
		b.wrong = append(b.wrong, "two do "+name)
	}
	b.doing[name] = ctx
	took, luck := time.Duration(b.random.Int64N(int64(2*lease))), b.random.IntN(20)
	b.mu.Unlock()
	select {
	case <-time.After(took):
	case <-ctx.Done():
	}
	b.mu.Lock()
	if b.doing[name] == ctx {
		delete(b.doing, name)
	}
	b.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case luck == 0:
		return nil, fault.New(fault.ValidationFailed, "wrong")
	case luck < 5:
		return nil, fault.New(fault.ProviderError, "later")
	case luck == 5:
		panic("broken")
	}
	return []byte(name), nil
}

// history runs one drawn history: jobs, three workers of which some die, calls that fail before or after they took effect, cancellations and retries. It says what was
// wrong with how all of it ended.
func history(t *testing.T, seed uint64) (wrong []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, random := newWorld(t), rand.New(rand.NewPCG(seed, 1))                                                          //nolint:gosec // A history is drawn again from its seed.
		b := &bench{anew: map[job.ID]bool{}, doing: map[string]context.Context{}, random: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // As above.
		luck := rand.New(rand.NewPCG(seed, 3))                                                                            //nolint:gosec // As above.
		w.failing(func(string) (bool, bool) { return luck.IntN(10) == 0, luck.IntN(2) == 0 })
		var stops []func()
		for n := range 5 {
			p := process{w, new(bool)}
			f := job.NewFinisher(job.FinisherConfig{Queue: p, Bell: &job.Bell{}, Patience: lease})
			worker := job.NewWorker(job.WorkerConfig{Queue: p, Doer: doing(b.do), Finisher: f, Slots: 4, Lease: lease, Rules: job.Rules{Worker: fmt.Sprint("w", n), MostAttempts: 20}})
			stops = append(stops, run(t, worker.Run))
			if n < 3 {
				continue // Three live on.
			}
			after := time.Duration(random.IntN(120)) * time.Second
			stops = append(stops, run(t, func(ctx context.Context) error {
				time.Sleep(after)
				w.mu.Lock()
				*p.dead = true
				w.mu.Unlock()
				<-ctx.Done()
				return nil
			}))
		}
		stops = append(stops, run(t, job.NewReaper(job.ReaperConfig{Store: w, Holder: "r", Bell: w.bell, Policy: job.Policy{MostAttempts: 20}}).Run))
		s := job.NewService(job.Config{Store: w, Bell: w.bell})
		ids := make([]job.ID, 8)
		for n := range ids {
			time.Sleep(time.Duration(random.IntN(20)) * time.Second)
			ids[n] = w.submit(1+random.IntN(6), func(j *job.Job) { j.Team = key.TeamID(fmt.Sprint("team", n%3)) })
			if random.IntN(4) == 0 {
				id := ids[random.IntN(n+1)]
				b.mu.Lock()
				b.anew[id] = true
				b.mu.Unlock()
				if _, err := s.Cancel(t.Context(), key.AllTeams(), id); err == nil && random.IntN(2) == 0 {
					if _, err := s.Retry(t.Context(), key.AllTeams(), id); err != nil && !fault.Is(err, fault.Conflict) {
						t.Error(err)
					}
				}
			}
		}
		time.Sleep(10 * time.Minute)
		w.failing(nil)
		for _, id := range ids {
			w.ends(id)
		}
		for _, stop := range stops {
			stop()
		}
		wrong = append(b.wrong, w.judge(ids)...)
	})
	return wrong
}

// judge looks at how jobs ended: each with the state that its items give, each item once, each run told of once, each answer its item's own.
func (w *world) judge(ids []job.ID) (wrong []string) {
	events := map[string]int{}
	for _, m := range w.Told() {
		events[string(m.ID)]++
		if events[string(m.ID)] > 1 {
			wrong = append(wrong, fmt.Sprintf("%s was told of twice", m.ID))
		}
	}
	for _, id := range ids {
		j := w.job(id)
		items, err := w.EndedItems(w.t.Context(), key.AllTeams(), id, 0, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		var p job.Progress
		p.Total = j.Progress.Total
		for n, item := range items {
			switch item.State {
			case job.ItemCompleted:
				p.Completed++
				if want := fmt.Sprint(id, "/", item.N); string(item.Result) != want {
					wrong = append(wrong, fmt.Sprintf("%s has the answer %s", want, item.Result))
				}
			case job.ItemFailed:
				p.Failed++
			default:
				p.Cancelled++
			}
			if n > 0 && item.Seq <= items[n-1].Seq {
				wrong = append(wrong, fmt.Sprintf("%s: ends are out of order", id))
			}
		}
		if p != j.Progress || !p.Done() || len(items) != p.Total || j.State != job.Cancelled && j.State != p.Final() {
			wrong = append(wrong, fmt.Sprintf("%s is %s %+v, with items %+v", id, j.State, j.Progress, p))
		}
	}
	return wrong
}

// TestNothingIsLostWhateverFails runs drawn histories in their own time. The simulation of the whole does the same with every write.
func TestNothingIsLostWhateverFails(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		if wrong := history(t, seed); len(wrong) > 0 {
			t.Fatalf("history %d: %s", seed, strings.Join(wrong, "; "))
		}
	}
}
