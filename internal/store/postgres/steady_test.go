package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/store/postgres"
	"github.com/promptd/promptd/internal/store/postgres/postgrestest"
)

// single is a job of one item.
func single(n int) job.Submission {
	id := job.ID(fmt.Sprintf("019ac6f2-0000-7000-8000-%012x", n))
	return job.Submission{
		Job:   job.Job{ID: id, Team: "acme", Key: "key_1", Priority: job.Normal, Request: []byte(`{"prompt":"p"}`), Progress: job.Progress{Total: 1}},
		Items: []job.Item{{Request: []byte(`"p"`)}},
	}
}

func ended(work []job.Work) (list []job.Finished) {
	for _, w := range work {
		list = append(list, job.Finished{Lease: w.Lease, State: job.ItemCompleted, Result: []byte(`{}`)})
	}
	return list
}

// TestAnEndBeginsOnALivingConnection ends every connection before an item is ended: what has not begun is begun elsewhere, and nobody hears of it.
func TestAnEndBeginsOnALivingConnection(t *testing.T) {
	t.Parallel()
	url := postgrestest.Database(t)
	jobs := open(t, postgres.Options{URL: with(url, "pool_max_conns=2")}).Jobs()
	for n := range 3 {
		if _, err := jobs.Submit(t.Context(), []job.Submission{single(n)}); err != nil {
			t.Fatal(err)
		}
		work, err := jobs.Claim(t.Context(), job.Want{Worker: "w", Most: 1, Lease: time.Minute, Classes: []job.Priority{job.Normal}})
		if err != nil || len(work) != 1 {
			t.Fatalf("got %d items, %v, want one", len(work), err)
		}
		run(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		got, err := jobs.Finish(t.Context(), ended(work))
		if err != nil || !got[0].Last || got[0].Err != nil {
			t.Errorf("after the connections were ended for the %d. time: got %+v, %v, want the end", n+1, got, err)
		}
	}
}

// TestWhatIsThereStandsInNobodysWay sends a job again among new ones: it is given as it is, and the others are kept.
func TestWhatIsThereStandsInNobodysWay(t *testing.T) {
	t.Parallel()
	jobs := open(t, postgres.Options{URL: postgrestest.Database(t)}).Jobs()
	first, err := jobs.Submit(t.Context(), []job.Submission{single(1)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := jobs.Submit(t.Context(), []job.Submission{single(0), single(1), single(2)})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		if want := single(i).Job.ID; s.Err != nil || s.Again || s.Job.ID != want {
			t.Errorf("job %d: got %s, again %t, %v, want %s", i, s.Job.ID, s.Again, s.Err, want)
		}
	}
	if !got[1].Job.CreatedAt.Equal(first[0].Job.CreatedAt) {
		t.Errorf("the job that was there: got it as made at %s, want %s", got[1].Job.CreatedAt, first[0].Job.CreatedAt)
	}
	work, err := jobs.Claim(t.Context(), job.Want{Worker: "w", Most: 10, Lease: time.Minute, Classes: []job.Priority{job.Normal}})
	if err != nil || len(work) != 3 {
		t.Errorf("got %d items, %v, want three", len(work), err)
	}
}

// TestSettingsEndWithTheirTransaction looks at a connection that steady plans were used on: others plan as the server is told to.
func TestSettingsEndWithTheirTransaction(t *testing.T) {
	t.Parallel()
	database := postgrestest.Database(t)
	for name, url := range map[string]string{"directly": database, "behind a pooler": behind(t, database)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t, postgres.Options{URL: with(url, "pool_max_conns=1")})
			inside, after, err := postgres.PlanModes(t.Context(), db)
			if err != nil || inside != "force_generic_plan off" || after != "auto on" {
				t.Errorf("got %q and afterwards %q, %v, want steady plans and afterwards the server's", inside, after, err)
			}
		})
	}
}
