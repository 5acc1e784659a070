package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/promptd/promptd/internal/fault"
	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
)

func jobReadContracts() []contract {
	return []contract{
		{"a team sees its own jobs alone", readTeams},
		{"jobs are listed the newest first, page by page", readPages},
		{"a list is filtered", readFiltered},
		{"items are read from a number on", readItems},
		{"ends are read from a place on, while more end", readEnds},
		{"bad filters are refused", readRefused},
	}
}

func readTeams(t *testing.T, s Stores, _ *Clock) {
	mine, theirs := sampleJob(1, 2), sampleJob(2, 2)
	theirs.Job.Team = "beta"
	submitJobs(t, s, mine, theirs)
	for id, reach := range map[job.ID]key.Reach{jobID(1): key.OfTeam("beta"), jobID(2): key.OfTeam("acme"), jobID(3): key.AllTeams(), "no id": key.AllTeams()} {
		_, read := s.Jobs.Job(t.Context(), reach, id)
		_, items := s.Jobs.Items(t.Context(), reach, id, 0, 10)
		_, ended := s.Jobs.EndedItems(t.Context(), reach, id, 0, 10)
		for what, err := range map[string]error{"Job": read, "Items": items, "EndedItems": ended} {
			if !errors.Is(err, job.ErrNotFound) {
				t.Errorf("%s of %s: got %v, want ErrNotFound", what, id, err)
			}
		}
	}
	for reach, want := range map[key.Reach][]job.ID{key.OfTeam("acme"): {jobID(1)}, key.OfTeam("beta"): {jobID(2)}, key.AllTeams(): {jobID(2), jobID(1)}, {}: nil, key.OfTeam("gamma"): nil} {
		if got := listed(t, s, reach, job.Filter{}); !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", reach, got, want)
		}
	}
}

// listed reads all pages.
func listed(t *testing.T, s Stores, reach key.Reach, f job.Filter) (ids []job.ID) {
	t.Helper()
	for range 100 {
		page, next, err := s.Jobs.Jobs(t.Context(), reach, f)
		must(t, err)
		if page == nil {
			t.Errorf("a page is nil, want an empty one")
		}
		for _, j := range page {
			ids = append(ids, j.ID)
		}
		if next == "" {
			return ids
		}
		f.After = next
	}
	t.Fatalf("the pages do not end")
	return nil
}

func readPages(t *testing.T, s Stores, clock *Clock) {
	var want []job.ID
	for n := range 23 {
		one := singleJob(n)
		one.Job.Team = []key.TeamID{"acme", "beta"}[n%2]
		submitJobs(t, s, one)
		want = append(want, one.Job.ID)
		if n%3 == 0 { // Some were made at the same instant.
			clock.Advance(time.Second)
		}
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 2, 5, 22, 23, 24, 500} {
		if got := listed(t, s, key.AllTeams(), job.Filter{Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %v, want %v", limit, got, want)
		}
	}
	page, next, err := s.Jobs.Jobs(t.Context(), key.OfTeam("acme"), job.Filter{Limit: 3})
	must(t, err)
	if len(page) != 3 || page[0].Request != nil || page[0].Progress.Total != 1 {
		t.Errorf("the page is %+v, want three jobs without their requests", page)
	}
	submitJobs(t, s, singleJob(100)) // A job that is added shifts no page.
	rest := listed(t, s, key.OfTeam("acme"), job.Filter{Limit: 3, After: next})
	if len(rest) != 9 || rest[0] != jobID(16) {
		t.Errorf("the rest is %v, want nine from %s on", rest, jobID(16))
	}
}

func readFiltered(t *testing.T, s Stores, clock *Clock) {
	began := clock.Now()
	for n := range 6 {
		submitJobs(t, s, singleJob(n))
		clock.Advance(time.Minute)
	}
	work := claimJobs(t, s, want(3), 3)
	finishJobs(t, s, done(work[1]), failed(work[2]))
	for _, c := range []struct {
		f    job.Filter
		want []job.ID
	}{
		{job.Filter{State: job.Pending}, []job.ID{jobID(5), jobID(4), jobID(3)}},
		{job.Filter{State: job.Processing}, []job.ID{jobID(0)}},
		{job.Filter{State: job.Completed}, []job.ID{jobID(1)}},
		{job.Filter{State: job.Failed}, []job.ID{jobID(2)}},
		{job.Filter{State: job.Cancelled}, nil},
		{job.Filter{From: began.Add(4 * time.Minute)}, []job.ID{jobID(5), jobID(4)}},
		{job.Filter{To: began.Add(time.Minute)}, []job.ID{jobID(0)}},
		{job.Filter{From: began.Add(time.Minute), To: began.Add(4 * time.Minute), State: job.Pending, Limit: 1}, []job.ID{jobID(3)}},
	} {
		if got := listed(t, s, key.OfTeam("acme"), c.f); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.f, got, c.want)
		}
	}
}

func readItems(t *testing.T, s Stores, _ *Clock) {
	submitJobs(t, s, sampleJob(1, 10))
	for _, c := range []struct{ from, limit, first, count int }{
		{0, 3, 0, 3}, {3, 3, 3, 3}, {8, 3, 8, 2}, {10, 3, 0, 0}, {-5, 2, 0, 2}, {0, 0, 0, 0}, {0, -1, 0, 0}, {0, 1000, 0, 10}, {1 << 30, 5, 0, 0},
	} {
		got, err := s.Jobs.Items(t.Context(), key.OfTeam("acme"), jobID(1), c.from, c.limit)
		must(t, err)
		if got == nil || len(got) != c.count || c.count > 0 && got[0].N != c.first {
			t.Errorf("from %d at most %d: got %+v, want %d from %d on", c.from, c.limit, got, c.count, c.first)
		}
	}
}

func readEnds(t *testing.T, s Stores, _ *Clock) {
	const items = 30
	submitJobs(t, s, sampleJob(1, items))
	work := claimJobs(t, s, want(items), items)
	seen, place := map[int]bool{}, 0
	for i := range items {
		finishJobs(t, s, done(work[(i*7)%items]))
		if i%4 != 3 && i != items-1 {
			continue
		}
		got, err := s.Jobs.EndedItems(t.Context(), key.OfTeam("acme"), jobID(1), place, 3)
		must(t, err)
		for _, it := range got {
			if place++; it.Seq != place || seen[it.N] {
				t.Errorf("the end %d is item %d's, seen %t, want the end %d of another", it.Seq, it.N, seen[it.N], place)
			}
			seen[it.N] = true
		}
	}
	rest, err := s.Jobs.EndedItems(t.Context(), key.OfTeam("acme"), jobID(1), place, items)
	must(t, err)
	if len(rest) != items-place || rest[len(rest)-1].Seq != items {
		t.Errorf("the rest has %d ends, want %d", len(rest), items-place)
	}
}

func readRefused(t *testing.T, s Stores, _ *Clock) {
	for _, f := range []job.Filter{{Limit: -1}, {Limit: 501}, {State: "uploading"}, {State: "x"}, {After: "x"}, {After: "1.'"}} {
		_, _, err := s.Jobs.Jobs(t.Context(), key.OfTeam("acme"), f)
		wantCode(t, "a bad filter", err, fault.InvalidRequest)
	}
}
