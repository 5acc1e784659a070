package bulk_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/bulk"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/provider/providertest"
)

const jobName = "01893a5c-0000-7000-8000-000000000001"

func TestAJobThatMayWaitGoesThroughABatch(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Looks: 2}})
		p := w.start("one")
		const n = 30
		id := w.submit(jobName, n)
		j := w.await(id, 0, p)
		w.until("the batches are deleted at the service", func() bool {
			for _, b := range w.service.MadeBatches() {
				if !b.Forgotten {
					return false
				}
			}
			return true
		})
		p.stop()
		if j.State != job.Completed || j.Progress.Completed != n {
			t.Errorf("the job is %s: %+v", j.State, j.Progress)
		}
		if got := w.results(id, n); got != n || p.direct.Load() != 0 || w.service.Requests() != 0 {
			t.Errorf("%d of %d came by a batch, %d items were done directly, in %d calls; %s", got, n, p.direct.Load(), w.service.Requests(), p.said.String())
		}
		calls := 0
		for _, b := range w.service.MadeBatches() {
			calls += b.Answered
		}
		if calls != n {
			t.Errorf("the service answered %d calls, want %d", calls, n)
		}
		if spent, recorded := w.spent(), w.recorded(); spent != recorded || spent == 0 {
			t.Errorf("%d were booked of the budget, and the history has %d", spent, recorded)
		}
	})
}

func TestWhatFailsInABatchIsDoneDirectly(t *testing.T) {
	t.Parallel()
	fates := []providertest.BatchLine{
		providertest.LineRight, providertest.LineFailed, providertest.LineExpired, providertest.LineCancelled, providertest.LineMissing, providertest.LineMalformed, providertest.LineTwice,
	}
	eachForm(t, func(t *testing.T, f form) {
		w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Line: func(n int, _ string) providertest.BatchLine { return fates[n%len(fates)] }}})
		p := w.start("one")
		const n = 21
		id := w.submit(jobName, n)
		if j := w.await(id, 0, p); j.State != job.Completed {
			t.Errorf("the job is %s", j.State)
		}
		p.stop()
		w.results(id, n)
		if w.service.Requests() < n/2 {
			t.Errorf("%d direct calls were made", w.service.Requests())
		}
	})
}

func TestAnswersOfABatchThatDoNotPassAreMended(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		w := newWorld(t, f, providertest.Settings{Seed: 3, Shares: providertest.Shares{Invalid: 0.3, Malformed: 0.2, Truncated: 0.1, Refused: 0.1, Transport: 0.1}, Faults: []providertest.Fault{providertest.ServerError, providertest.RateLimited}})
		p := w.start("one")
		const n = 40
		id := w.submit(jobName, n)
		j := w.await(id, time.Second, p)
		p.stop()
		if j.Progress.Completed < n/2 {
			t.Errorf("the job is %s: %+v", j.State, j.Progress)
		}
		list, err := w.db.Jobs().Items(t.Context(), key.AllTeams(), id, 0, n)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			if !i.State.Ended() {
				t.Errorf("item %d is %s", i.N, i.State)
			}
		}
	})
}

func TestABatchThatBringsNothing(t *testing.T) {
	t.Parallel()
	for end, hurry := range map[providertest.BatchEnd]time.Duration{
		providertest.BatchFailed: 0, providertest.BatchExpired: 0, providertest.BatchCancelled: 0,
		providertest.BatchNever: 20 * time.Minute,
	} {
		t.Run(string(end), func(t *testing.T) {
			t.Parallel()
			eachForm(t, func(t *testing.T, f form) {
				w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{End: end}})
				p := w.start("one")
				const n = 6
				id := w.submit(jobName, n)
				w.until("the batch is made", func() bool { return len(w.service.MadeBatches()) > 0 }) // Else a job expires that nobody had begun.
				if j := w.await(id, hurry, p); j.State != job.Completed {
					t.Errorf("the job is %s", j.State)
				}
				p.stop()
				w.results(id, n)
			})
		})
	}
}

func TestTheServiceIsInTrouble(t *testing.T) {
	t.Parallel()
	faults := []providertest.Fault{providertest.RateLimited, providertest.ServerError, providertest.CutBeforeHeaders, providertest.CutBody, providertest.NotJSON, providertest.Unauthorized}
	for _, step := range []string{"upload", "create", "look", "fetch", "list", "cancel", "forget"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			eachForm(t, func(t *testing.T, f form) {
				for _, fault := range faults {
					t.Run(string(fault), func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Fault: func(at string, n int) providertest.Fault {
							if at == step && n < 2 {
								return fault
							}
							return ""
						}}})
						p := w.start("one")
						const n = 4
						id := w.submit(jobName, n)
						if j := w.await(id, 10*time.Second, p); j.State != job.Completed {
							t.Errorf("the job is %s", j.State)
						}
						p.stop()
						w.results(id, n)
					})
				}
			})
		})
	}
}

func TestAJobThatIsCancelledEndsItsBatch(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{End: providertest.BatchNever}})
		p := w.start("one")
		id := w.submit(jobName, 4)
		w.until("the batch is looked at", func() bool {
			made := w.service.MadeBatches()
			return len(made) > 0 && made[0].Looked > 0
		})
		if _, err := w.db.Jobs().Cancel(t.Context(), key.AllTeams(), id); err != nil {
			t.Fatal(err)
		}
		w.until("the batch is cancelled", func() bool { return w.service.MadeBatches()[0].Cancelled })
		w.until("the batch is brought home", func() bool { return w.service.MadeBatches()[0].Forgotten })
		p.stop()
		if j := w.await(id, 0, p); j.State != job.Cancelled {
			t.Errorf("the job is %s", j.State)
		}
		if w.service.MadeBatches()[0].Answered > 0 && w.spent() == 0 {
			t.Error("what was answered was not paid")
		}
	})
}

func TestWhatWasCollectedGoesBackWhenTheProcessEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forms()[0], providertest.Settings{Seed: 1})
	first := w.start("one", func(p *process) { p.tune = func(c *bulk.Config) { c.Window = time.Hour } })
	const n = 10
	id := w.submit(jobName, n)
	w.until("all items wait", func() bool {
		list, err := w.db.Jobs().Items(t.Context(), key.AllTeams(), id, 0, n)
		waiting := 0
		for _, i := range list {
			if i.State == job.ItemWaiting {
				waiting++
			}
		}
		return err == nil && waiting == n
	})
	first.stop()
	if made := w.service.MadeBatches(); len(made) != 0 {
		t.Fatalf("the service has %+v", made)
	}
	second := w.start("two")
	if j := w.await(id, 0, first, second); j.State != job.Completed {
		t.Errorf("the job is %s", j.State)
	}
	second.stop()
	if got := w.results(id, n); got != n {
		t.Errorf("%d of %d came by a batch: what was never in one may still go through one", got, n)
	}
}

func TestAFullBatchIsSentAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, forms()[0], providertest.Settings{Seed: 1})
	p := w.start("one", func(p *process) { p.tune = func(c *bulk.Config) { c.Window, c.Calls = time.Hour, 5 } })
	const n = 20
	id := w.submit(jobName, n)
	if j := w.await(id, 0, p); j.State != job.Completed {
		t.Errorf("the job is %s", j.State)
	}
	p.stop()
	w.results(id, n)
	made := w.service.MadeBatches()
	for _, b := range made {
		if len(b.IDs) != 5 {
			t.Errorf("a batch has %d calls", len(b.IDs))
		}
	}
	if len(made) != 4 {
		t.Errorf("%d batches were made", len(made))
	}
}

func TestAnOrderlyEndHandsBatchesOver(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		hold := make(chan struct{})
		w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Hold: hold}})
		const n = 10
		first := w.start("one")
		id := w.submit(jobName, n)
		w.until("the batch is under way", func() bool {
			made := w.service.MadeBatches()
			calls := 0
			for _, b := range made {
				calls += len(b.IDs)
			}
			return calls == n && made[0].Looked > 0
		})
		first.stop()
		w.advance(time.Hour)
		second := w.start("two")
		close(hold)
		if j := w.await(id, 0, first, second); j.State != job.Completed {
			t.Errorf("the job is %s", j.State)
		}
		second.stop()
		if got := w.results(id, n); got != n {
			t.Errorf("%d of %d came by a batch", got, n)
		}
		if spent, recorded := w.spent(), w.recorded(); spent != recorded || spent == 0 {
			t.Errorf("%d were booked of the budget, and the history has %d; %s", spent, recorded, first.said.String())
		}
	})
}

func TestTwoProcessesShareTheWork(t *testing.T) {
	t.Parallel()
	eachForm(t, func(t *testing.T, f form) {
		w := newWorld(t, f, providertest.Settings{Seed: 1, Batches: &providertest.Batches{Looks: 3}})
		procs := []*process{w.start("one"), w.start("two")}
		const n, jobs = 12, 3
		var ids []job.ID
		for i := range jobs {
			ids = append(ids, w.submit(fmt.Sprintf("01893a5c-0000-7000-8000-00000000000%d", i), n))
		}
		for _, id := range ids {
			if j := w.await(id, 0, procs...); j.State != job.Completed {
				t.Errorf("the job is %s", j.State)
			}
		}
		for _, p := range procs {
			p.stop()
		}
		for _, id := range ids {
			if got := w.results(id, n); got != n {
				t.Errorf("%d of %d came by a batch", got, n)
			}
		}
		if spent, recorded := w.spent(), w.recorded(); spent != recorded {
			t.Errorf("%d were booked of the budget, and the history has %d", spent, recorded)
		}
	})
}
