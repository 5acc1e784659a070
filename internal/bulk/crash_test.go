package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
	"github.com/promptd/promptd/internal/value"
)

// mortal is a process that dies at a step: at a call of a store or of the service. From then on nothing that it does takes effect.
type mortal struct {
	left atomic.Int64 // steps until death
	// late says that the step at which it dies takes effect, and that the process does not live to hear of it.
	late bool
}

var errDead = errors.New("the process is dead")

// step takes a step; the error is that of death.
func (m *mortal) step(do func() error) error {
	switch left := m.left.Add(-1); {
	case left > 0:
		return do()
	case left == 0 && m.late:
		_ = do() // Nobody hears of it.
		return errDead
	default:
		return errDead
	}
}

func (m *mortal) dead() bool { return m.left.Load() <= 0 }

// around puts mortality around what a coordinator uses.
func (m *mortal) around(c *bulk.Config) {
	c.Store = mortalStore{c.Store, m}
	c.Jobs = mortalJobs{c.Jobs, m}
	c.Finisher = mortalFinisher{c.Finisher, m}
}

func (m *mortal) transport(t http.RoundTripper) http.RoundTripper { return mortalTransport{t, m} }

type mortalTransport struct {
	http.RoundTripper
	m *mortal
}

// RoundTrip asks the service.
func (t mortalTransport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	err = t.m.step(func() error {
		resp, err = t.RoundTripper.RoundTrip(r)
		return err
	})
	if errors.Is(err, errDead) && resp != nil {
		_ = resp.Body.Close() //nolint:errcheck // Nobody reads it.
		resp = nil
	}
	return resp, err
}

type mortalFinisher struct {
	bulk.Finisher
	m *mortal
}

// Finish writes how an item goes on.
func (f mortalFinisher) Finish(ctx context.Context, x job.Finished) (e job.Ended, err error) {
	err = f.m.step(func() error { e, err = f.Finisher.Finish(ctx, x); return err })
	return e, err
}

type mortalJobs struct {
	bulk.Jobs
	m *mortal
}

// Park prolongs leases.
func (j mortalJobs) Park(ctx context.Context, leases []job.Lease, d time.Duration) (lost []job.Lease, err error) {
	err = j.m.step(func() error { lost, err = j.Jobs.Park(ctx, leases, d); return err })
	return lost, err
}

type mortalStore struct {
	bulk.Store
	m *mortal
}

// Keep keeps a batch.
func (s mortalStore) Keep(ctx context.Context, b bulk.Batch, items []bulk.Item, holder string, lease time.Duration) error {
	return s.m.step(func() error { return s.Store.Keep(ctx, b, items, holder, lease) })
}

// Save saves one.
func (s mortalStore) Save(ctx context.Context, b bulk.Batch, holder string, next, lease time.Duration) error {
	return s.m.step(func() error { return s.Store.Save(ctx, b, holder, next, lease) })
}

// Take takes those that are due. Looks in vain are no steps: there would be no end of them.
func (s mortalStore) Take(ctx context.Context, holder string, lease, lag time.Duration, most int) (list []bulk.Batch, err error) {
	if s.m.dead() {
		return nil, errDead
	}
	if list, err = s.Store.Take(ctx, holder, lease, lag, most); len(list) > 0 {
		err = s.m.step(func() error { return nil })
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Hold holds a batch.
func (s mortalStore) Hold(ctx context.Context, label, holder string, lease time.Duration) error {
	return s.m.step(func() error { return s.Store.Hold(ctx, label, holder, lease) })
}

// Leave gives up what it owns: the dead give up nothing.
func (s mortalStore) Leave(ctx context.Context, owner string) error {
	return s.m.step(func() error { return s.Store.Leave(ctx, owner) })
}

// End ends items.
func (s mortalStore) End(ctx context.Context, label string, places []int) error {
	return s.m.step(func() error { return s.Store.End(ctx, label, places) })
}

// A process may die at any step. Whoever comes next brings every item to its end, and what was answered is paid.
func TestAProcessDiesAtEveryStep(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		for _, late := range []bool{false, true} {
			t.Run(map[bool]string{false: "before it", true: "after it"}[late], func(t *testing.T) {
				t.Parallel()
				stride := int64(1)
				if testing.Short() {
					stride = 5
				}
				for step := int64(1); ; step += stride {
					if died := dieAt(t, f, step, late); !died {
						if step < 10 {
							t.Errorf("there are only %d steps", step)
						}
						t.Logf("%d steps", step-1)
						return
					}
				}
			})
		}
	})
}

// dieAt has a process die at a step of a job; false where the job was over before.
func dieAt(t *testing.T, f form, step int64, late bool) (died bool) {
	t.Helper()
	const n = 3
	w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Looks: 1}})
	m := &mortal{late: late}
	m.left.Store(step)
	first := w.start("one", func(p *process) { p.mortal = m })
	id := w.submit(jobName, n)
	over := func() bool {
		j, err := w.db.Jobs().Job(t.Context(), key.AllTeams(), id)
		return err == nil && j.State.Final()
	}
	closed := func() bool {
		made := w.service.MadeBatches()
		for _, b := range made {
			if !b.Forgotten {
				return false
			}
		}
		return len(made) > 0
	}
	w.until(fmt.Sprintf("the process dies at step %d, or is done", step), func() bool { return m.dead() || over() && closed() }, first)
	died = m.dead()
	m.left.Store(0)
	first.stop()
	w.advance(time.Hour) // What it held lapses.
	second := w.start("two")
	j := w.await(id, 10*time.Second, first, second)
	w.until("every item of a batch went on", func() bool {
		w.advance(10 * time.Second)
		return w.open() == 0
	})
	second.stop()
	if j.State != job.Completed {
		t.Fatalf("died at step %d: the job is %s", step, j.State)
	}
	w.results(id, n)
	if cost, spent := w.answered(id, n), w.spent(); spent < cost {
		t.Errorf("died at step %d: the answers cost %d, and %d were charged", step, cost, spent)
	}
	return died
}

// open counts the items of batches that have not gone on.
func (w *world) open() (n int) {
	w.t.Helper()
	for _, name := range []string{"one", "two"} {
		for i := range 9 {
			list, err := w.db.Batches().Items(w.t.Context(), fmt.Sprintf("pd-%s-%d", name, i+1), 0, 100)
			if err != nil {
				w.t.Fatal(err)
			}
			n += len(list)
		}
	}
	return n
}

// answered is what the answers of a job cost.
func (w *world) answered(id job.ID, n int) (sum key.Nanos) {
	w.t.Helper()
	list, err := w.db.Jobs().Items(w.t.Context(), key.AllTeams(), id, 0, n)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, i := range list {
		v, err := value.Decode(i.Result, value.Limits{})
		if err != nil {
			w.t.Fatal(err)
		}
		at, ok := v.Lookup("/cost_usd")
		if !ok {
			w.t.Fatalf("there is no cost in %s", i.Result)
		}
		var dollars float64
		if _, err := fmt.Sscan(at.String(), &dollars); err != nil {
			w.t.Fatal(err)
		}
		sum += key.Nanos(dollars * 1e9)
	}
	return sum
}
