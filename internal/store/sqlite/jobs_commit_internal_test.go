package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func openJobs(t *testing.T) *Jobs {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db.Jobs()
}

func plain(n int) job.Submission {
	return job.Submission{
		Job:   job.Job{ID: job.ID(fmt.Sprintf("019ac6f2-0000-7000-8000-%012x", n)), Team: "acme", Priority: job.Normal, Request: []byte(`{"prompt":"A"}`)},
		Items: []job.Item{{Name: "0", State: job.ItemPending}},
	}
}

// kept are the ids of all jobs, sorted.
func kept(t *testing.T, j *Jobs) (ids []job.ID) {
	t.Helper()
	list, _, err := j.Jobs(t.Context(), key.AllTeams(), job.Filter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	slices.Sort(ids)
	return ids
}

func TestAChangeThatFailsHarmsNoneThatSharesItsCommit(t *testing.T) {
	t.Parallel()
	j := openJobs(t)
	wrong := errors.New("wrong")
	submit := func(n int, err error) change {
		return func(ctx context.Context, tx *jobTx) error {
			s := plain(n)
			if _, failed := tx.submit(ctx, &s); failed != nil {
				return failed
			}
			return err
		}
	}
	own, err := j.commit(t.Context(), []change{submit(1, nil), submit(2, wrong), submit(3, nil)})
	if err != nil || own[0] != nil || !errors.Is(own[1], wrong) || own[2] != nil {
		t.Fatalf("got the errors %v and %v, want that of the second alone", own, err)
	}
	if got, want := kept(t, j), []job.ID{plain(1).Job.ID, plain(3).Job.ID}; !slices.Equal(got, want) {
		t.Errorf("got the jobs %v, want %v", got, want)
	}
	if _, err := j.commit(t.Context(), []change{submit(4, wrong)}); !errors.Is(err, wrong) {
		t.Errorf("a change alone: got %v, want its own error", err)
	}
	if got := kept(t, j); len(got) != 2 {
		t.Errorf("got the jobs %v behind a change that failed alone, want two", got)
	}
}

func TestJobsThatAreThereAlreadyDelayNoOthers(t *testing.T) {
	t.Parallel()
	j := openJobs(t)
	submit := func(list ...job.Submission) []job.Submitted {
		out, err := j.Submit(t.Context(), list)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := submit(plain(2))[0]
	var list []job.Submission
	for n := range 20 { // More than one block of rows.
		list = append(list, plain(n))
	}
	out := submit(append(list, plain(7))...) // One of them twice in one call.
	if got := kept(t, j); len(got) != 20 {
		t.Errorf("got %d jobs, want 20", len(got))
	}
	if out[2].Job.CreatedAt != first.Job.CreatedAt {
		t.Errorf("the job that was there is given as of %v, want %v", out[2].Job.CreatedAt, first.Job.CreatedAt)
	}
	work, err := j.Claim(t.Context(), job.Want{Worker: "w", Most: 64, Lease: job.DefaultLease, Classes: []job.Priority{job.Normal}})
	if err != nil || len(work) != 20 {
		t.Errorf("got %d items and %v, want one of each job", len(work), err)
	}
	items, err := j.Items(t.Context(), key.AllTeams(), plain(3).Job.ID, 0, 10)
	if err != nil || len(items) != 1 || items[0].Name != "0" {
		t.Errorf("got the items %+v and %v, want one whose name is its number", items, err)
	}
}
