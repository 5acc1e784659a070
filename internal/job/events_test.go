package job_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptd/promptd/internal/broadcast"
	"github.com/promptd/promptd/internal/broadcast/memory"
	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

// watched gathers what somebody sees of a job, with when.
func watched(ctx context.Context, s *job.Service, id job.ID) (list []job.Job, at []time.Duration, failed error) {
	begun := time.Now()
	for j, err := range s.Watch(ctx, key.OfTeam("default"), id) {
		if err != nil {
			return list, at, err
		}
		list, at = append(list, j), append(at, time.Since(begun))
	}
	return list, at, nil
}

func TestWhoWatchesSeesEachStepAndTheEnd(t *testing.T) {
	t.Parallel()
	for name, bell := range map[string]bool{"in the same process": true, "in another": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				mine := w.bell
				if !bell {
					mine = &job.Bell{}
				}
				s := job.NewService(job.Config{Store: w, Bell: mine})
				defer run(t, w.worker("a", answered(2*time.Second), func(c *job.WorkerConfig) { c.Slots = 1 }).Run)()
				id := w.submit(3, nil)
				list, at, err := watched(t.Context(), s, id)
				if err != nil {
					t.Fatal(err)
				}
				last := 0
				for _, j := range list {
					if j.Progress.Completed < last {
						t.Errorf("progress went back: %+v", list)
					}
					last = j.Progress.Completed
				}
				end := list[len(list)-1]
				if end.State != job.Completed || len(list) < 4 || at[len(at)-1] > 9*time.Second {
					t.Errorf("saw %d steps at %v, the last %+v", len(list), at, end)
				}
			})
		})
	}
}

func TestWatchingEndsWithItsContextAndWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := job.NewService(job.Config{Store: w, Bell: w.bell})
		if _, _, err := watched(t.Context(), s, "none"); !fault.Is(err, fault.NotFound) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if list, _, err := watched(ctx, s, w.submit(1, nil)); len(list) != 1 || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("saw %v, %v: nothing happened to it", list, err)
		}
		// A job that is over is seen once.
		id := w.submit(1, nil)
		if _, err := s.Cancel(t.Context(), key.OfTeam("default"), id); err != nil {
			t.Fatal(err)
		}
		if list, at, err := watched(t.Context(), s, id); len(list) != 1 || list[0].State != job.Cancelled || at[0] != 0 || err != nil {
			t.Errorf("saw %v, %v", list, err)
		}
	})
}

func TestBellsOfOtherProcessesAreToldOfWorkThatIsToStop(t *testing.T) {
	t.Parallel()
	var told []job.Note
	other := &job.Bell{}
	here := &job.Bell{Tell: func(n job.Note) { told = append(told, n); other.Hear(n) }}
	rung, stop := other.Listen("x")
	here.Ring(job.Note{Job: "x"})
	here.Ring(job.Note{Job: "y", Final: true})
	select {
	case <-rung:
		t.Error("rung for another job")
	default:
	}
	here.Ring(job.Note{Job: "x", Final: true, Stop: true})
	select {
	case <-rung:
	default:
		t.Error("not rung")
	}
	stop()
	here.Ring(job.Note{Job: "x", Final: true, Stop: true})
	if len(told) != 2 || len(rung) != 0 {
		t.Errorf("told %v", told)
	}
}

func TestOneReaperLeadsAndAnotherTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		turns := &turns{}
		holder := func(name string) *job.Reaper {
			return job.NewReaper(job.ReaperConfig{Store: counted{w, func() { turns.note(name) }}, Holder: name, Bell: w.bell, OnError: w.complain})
		}
		stopA := run(t, holder("a").Run)
		time.Sleep(500 * time.Millisecond)
		stopB := run(t, holder("b").Run)
		defer stopB()
		time.Sleep(20 * time.Second)
		if list := turns.taken(); len(list) < 15 || slices.Contains(list, "b") {
			t.Errorf("turns of %v in 20 seconds", list)
		}
		stopA()
		turns.taken()
		time.Sleep(15 * time.Second)
		if list := turns.taken(); len(list) == 0 {
			t.Error("nobody took over")
		}
	})
}

// turns are who did something, in order.
type turns struct {
	mu   sync.Mutex
	list []string
}

func (x *turns) note(who string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = append(x.list, who)
}

// taken gives them and begins anew.
func (x *turns) taken() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := x.list
	x.list = nil
	return list
}

// counted counts turns.
type counted struct {
	*world
	turn func()
}

// Reap counts and reaps.
func (c counted) Reap(ctx context.Context, p job.Policy) (job.Reaped, error) {
	c.turn()
	return c.world.Reap(ctx, p)
}

// TestAReaperOutlivesTroubleWithItsStore: jobs whose deadline has passed are expired when the store is back.
func TestAReaperOutlivesTroubleWithItsStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer run(t, w.reaper("a").Run)()
		id := w.submit(1, func(j *job.Job) { j.Deadline = time.Now().Add(time.Minute) })
		var calls atomic.Int32
		w.failing(func(call string) (bool, bool) { calls.Add(1); return call == "reap", false })
		rung, stop := w.bell.Listen(id)
		defer stop()
		time.Sleep(10 * time.Minute)
		if n := calls.Load(); n > 100 {
			t.Errorf("%d calls of a store that is away", n)
		}
		if s := w.job(id).State; s != job.Pending {
			t.Fatalf("the job is %s", s)
		}
		w.failing(nil)
		<-rung
		if s := w.job(id).State; s != job.Expired {
			t.Errorf("the job is %s", s)
		}
	})
}

func TestAJobsForms(t *testing.T) {
	t.Parallel()
	j := job.Job{
		ID: "j", State: job.CompletedWithErrors, Priority: job.Low, Urgency: job.Whenever, Batch: true, Metadata: []byte(`{"a":[1]}`), Progress: job.Progress{Total: 4, Completed: 1, Failed: 2, Cancelled: 1},
		Run: 2, CreatedAt: now, RunAt: now, Deadline: now.Add(time.Hour), StartedAt: now.Add(1500 * time.Millisecond), CompletedAt: now.Add(2 * time.Second), ExpiresAt: now.Add(24 * time.Hour),
	}
	const links = `"links":{"self":"/v1/jobs/j","events":"/v1/jobs/j/events","results":"/v1/jobs/j/results"}}`
	const times = `"created_at":"2026-11-26T12:00:00.000Z","run_at":"2026-11-26T12:00:00.000Z","deadline":"2026-11-26T13:00:00.000Z","started_at":"2026-11-26T12:00:01.500Z",` +
		`"completed_at":"2026-11-26T12:00:02.000Z","expires_at":"2026-11-27T12:00:00.000Z",`
	want := `{"job_id":"j","status":"completed_with_errors","progress":{"total":4,"completed":1,"failed":2,"cancelled":1},"batch":true,"run":2,"priority":"low","urgency":"low","metadata":{"a":[1]},` + times + links
	if diff := cmp.Diff(want, string(j.Append(nil, nil))); diff != "" {
		t.Errorf("a batch (-want +got):\n%s", diff)
	}
	try := job.Try{Worker: "w", StartedAt: now, EndedAt: now.Add(time.Second), Code: job.LeaseLost}
	one := job.Item{Job: "j", Name: "0", State: job.ItemCompleted, Result: []byte(`{"data":1}`), Attempt: 2, Tries: []job.Try{try}}
	j = job.Job{ID: "j", State: job.Completed, Priority: job.Normal, Progress: job.Progress{Total: 1, Completed: 1}, Run: 1, CreatedAt: now}
	const history = `"tries":[{"worker":"w","started_at":"2026-11-26T12:00:00Z","ended_at":"2026-11-26T12:00:01Z","code":"LEASE_LOST"}]`
	want = `{"job_id":"j","status":"completed","progress":{"total":1,"completed":1,"failed":0,"cancelled":0},"result":{"data":1},"attempt":2,` + history + `,"batch":false,"run":1,"priority":"normal","urgency":"normal",` +
		`"metadata":{},"created_at":"2026-11-26T12:00:00.000Z","run_at":null,"deadline":null,"started_at":null,"completed_at":null,"expires_at":null,` + links
	if diff := cmp.Diff(want, string(j.Append(nil, &one))); diff != "" {
		t.Errorf("a prompt (-want +got):\n%s", diff)
	}
	// Somebody's data may hold the letters of a status.
	const asks = `{"data":null,"validation_status":"needs_input"}`
	for _, c := range []struct {
		item job.Item
		want string
	}{
		{job.Item{Name: "a", State: job.ItemCompleted, Result: []byte(asks)}, `{"id":"a","status":"needs_input","result":` + asks + `}`},
		{job.Item{Name: "a", State: job.ItemCompleted, Result: []byte(`{"data":` + asks + `,"validation_status":"passed"}`)}, `{"id":"a","status":"passed","result":{"data":` + asks + `,"validation_status":"passed"}}`},
		{job.Item{Name: "a", State: job.ItemFailed, Result: []byte(`{"status":502}`), Tries: []job.Try{try}}, `{"id":"a","status":"failed","error":{"status":502},` + history + `}`},
		{job.Item{Name: "a", State: job.ItemCancelled}, `{"id":"a","status":"cancelled"}`},
		{job.Item{Name: "a", State: job.ItemLeased}, `{"id":"a","status":"processing"}`},
	} {
		if got := string(c.item.AppendLine(nil)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// TestResultsAreReadInPages: by number and by end, each once, and those that have ended alone.
func TestResultsAreReadInPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := job.NewService(job.Config{Store: w, Bell: w.bell})
		do := func(ctx context.Context, x *job.Work) ([]byte, error) {
			return answered(time.Duration(1+x.Item.N%7)*time.Second)(ctx, x)
		}
		stop := run(t, w.worker("a", do, func(c *job.WorkerConfig) { c.Slots = 100 }).Run)
		id := w.submit(650, nil)
		time.Sleep(20 * time.Second)
		half := 0
		for range s.Results(t.Context(), key.OfTeam("default"), id, false, 0) {
			half++
		}
		if half == 0 || half >= 650 {
			t.Errorf("%d results on the way", half)
		}
		w.ends(id)
		stop()
		for _, byEnd := range []bool{false, true} {
			seen, last := map[int]bool{}, -1
			for item, err := range s.Results(t.Context(), key.OfTeam("default"), id, byEnd, 0) {
				at := item.N
				if byEnd {
					at = item.Seq
				}
				if err != nil || seen[item.N] || at <= last {
					t.Fatalf("by end %t: got %+v behind %d, %v", byEnd, item, last, err)
				}
				seen[item.N], last = true, at
			}
			if len(seen) != 650 {
				t.Errorf("by end %t: %d results", byEnd, len(seen))
			}
		}
	})
}

// TestWorkInOtherProcessesStops: a job that is cancelled in one process, and not what was begun of it again.
func TestWorkInOtherProcessesStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, all, here := newWorld(t), &memory.Broadcaster{}, &job.Bell{}
		defer job.Share(w.bell, all, func(err error) { t.Error(err) })()
		defer job.Share(here, all, func(err error) { t.Error(err) })()
		var stopped atomic.Int32
		do := func(ctx context.Context, _ *job.Work) ([]byte, error) {
			<-ctx.Done()
			stopped.Add(1)
			return nil, context.Cause(ctx)
		}
		defer run(t, w.worker("a", do, nil).Run)()
		id := w.submit(4, nil)
		time.Sleep(3 * time.Second)
		s := job.NewService(job.Config{Store: w, Bell: here})
		if _, err := s.Cancel(t.Context(), key.OfTeam("default"), id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := stopped.Load(); n != 4 {
			t.Errorf("%d items were stopped, want 4", n)
		}
		if _, err := s.Retry(t.Context(), key.OfTeam("default"), id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := all.Publish(t.Context(), broadcast.Jobs, string(id)+" stop"); err != nil { // The message of the end before comes late.
			t.Fatal(err)
		}
		synctest.Wait()
		if n := stopped.Load(); n != 4 {
			t.Errorf("%d items were stopped, want none that was begun again", n)
		}
	})
}
