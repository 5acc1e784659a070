package sqlite_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/promptd/promptd/internal/delivery"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/internal/store/sqlite"
)

// workForEver keeps jobs, does them, and prints what was acknowledged.
func workForEver(ctx context.Context, db *sqlite.DB) error {
	s := db.Jobs()
	for {
		var list []job.Submission
		for range 3 {
			id, err := uuid.NewV7()
			if err != nil {
				return err
			}
			list = append(list, job.Submission{
				Job:   job.Job{ID: job.ID(id.String()), Team: "acme", Priority: job.Normal, Batch: true, Request: []byte("{}"), Webhook: job.Webhook{URL: "https://example.com"}},
				Items: []job.Item{{Name: "a", Request: []byte("{}")}, {Name: "b", Request: []byte("{}")}},
			})
		}
		if _, err := s.Submit(ctx, list); err != nil {
			return err
		}
		for _, one := range list {
			fmt.Println("kept", one.Job.ID)
		}
		work, err := s.Claim(ctx, job.Want{Worker: "w", Most: 5, Lease: time.Hour, Classes: []job.Priority{job.Normal}})
		if err != nil {
			return err
		}
		var ends []job.Finished
		for _, w := range work {
			ends = append(ends, job.Finished{Lease: w.Lease, State: job.ItemCompleted, Result: []byte("{}")})
		}
		ended, err := s.Finish(ctx, ends)
		if err != nil {
			return err
		}
		for _, e := range ended {
			if e.Last {
				fmt.Println("ended", e.Job)
			}
		}
	}
}

func TestAcknowledgedJobsSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range 4 {
		cmd, out := start(t, dir, "work")
		for range 10 + 13*round {
			acknowledged[line(t, out)] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatalf("kill: %v", err)
		}
		for out.Scan() { // What was printed before the kill was acknowledged too.
			if whole := strings.Fields(out.Text()); len(whole) == 2 && len(whole[1]) == len(uuid.Nil.String()) {
				acknowledged[out.Text()] = true
			}
		}
		_ = cmd.Wait()

		db, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Exclusive: true})
		if err != nil {
			t.Fatalf("open after a kill: %v", err)
		}
		for text := range acknowledged {
			what, id, _ := strings.Cut(text, " ")
			checkJob(t, db, job.ID(id), what == "ended")
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if len(acknowledged) < 100 {
		t.Errorf("%d lines were acknowledged, want more", len(acknowledged))
	}
}

// checkJob checks that a job is whole: its counts are those of its items, and it was told of if it is over.
func checkJob(t *testing.T, db *sqlite.DB, id job.ID, over bool) {
	t.Helper()
	j, err := db.Jobs().Job(t.Context(), key.AllTeams(), id)
	if err != nil {
		t.Errorf("the job %s was acknowledged: got the error %v, want it", id, err)
		return
	}
	items, err := db.Jobs().Items(t.Context(), key.AllTeams(), id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	counted := job.Progress{Total: len(items)}
	for _, it := range items {
		counted.Ended(it.State)
		if (it.Result != nil) != (it.State == job.ItemCompleted) || it.Request == nil {
			t.Errorf("item %d of %s is %+v, want a result with its end, and its request", it.N, id, it)
		}
	}
	told, _, err := db.Deliveries().Deliveries(t.Context(), key.AllTeams(), delivery.Filter{Job: string(id), Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(items) != 2 || j.Progress != counted || j.State.Final() != counted.Done() || over && !j.State.Final() || len(told) == 1 != j.State.Final() {
		t.Errorf("the job %s is %s with %+v and %d deliveries; its items say %+v, and that it is over %t", id, j.State, j.Progress, len(told), counted, over)
	}
}
